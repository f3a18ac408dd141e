import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { EXIT, FlowError, type ModelFile, type ModelSource } from "../../contracts/index.js";
import { fromDisk, isFull } from "./disk.js";
import { cacheFolder, layout } from "./folders.js";
import { readJson, replaceFile } from "./json-file.js";
import { lockKey } from "./lock-key.js";

const entrySchema = z.strictObject({
  /** What a moving revision (`main`) stood for at first use; null where the source states a commit or has none. */
  commit: z.string().nullable().default(null),
  size: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const lockSchema = z.strictObject({ version: z.literal(1), files: z.record(z.string(), entrySchema) });

export type LockEntry = z.infer<typeof entrySchema>;
type Entries = Record<string, LockEntry>;

/**
 * `models.lock`: size and SHA-256 of every file whose manifest states none, as first downloaded (or first found), and the commit that its
 * revision stood for. JSON, sorted by source. The one in the cache is this user's memory; a `models.lock` in the working folder, once
 * there (`flow models pull --lock` makes it), is meant to be committed, goes before it and is kept up to date as well.
 */
export class ModelsLock {
  private readonly own: string;
  private readonly project: string;
  /** As read once; the first lock file that knows a file counts. */
  private known: { path: string; entries: Entries }[] | null = null;

  constructor(cache: string = cacheFolder(), folder: string = process.cwd()) {
    this.own = layout.lock(cache);
    this.project = join(folder, "models.lock");
  }

  /** What is known of a file, or null before its first use. */
  get(file: { source: ModelSource | null; path: string }, id: string): LockEntry | null {
    return this.find(lockKey(file.source, id, file.path))?.entry ?? null;
  }

  /** The lock file whose entry counts for a file; null before its first use. */
  holder(file: Pick<ModelFile, "path" | "source">, id: string): string | null {
    return this.find(lockKey(file.source, id, file.path))?.path ?? null;
  }

  /** Records a use in every lock file that does not know it yet. Throws MODEL_LOCK when another content is locked. */
  record(file: Pick<ModelFile, "path" | "source">, id: string, found: LockEntry): void {
    const key = lockKey(file.source, id, file.path);
    const before = this.find(key)?.entry;
    if (before && before.sha256 !== found.sha256) throw this.mismatch(key, before, found);
    const entry = { ...found, commit: found.commit ?? before?.commit ?? null };
    for (const path of this.paths()) {
      // Another process may have locked other files since.
      const entries = read(path);
      const there = entries[key];
      if (there?.sha256 === entry.sha256 && there.size === entry.size && there.commit === entry.commit) continue;
      try {
        save(path, { ...entries, [key]: entry });
      } catch (thrown) {
        // A cache that is read-only is no reason to refuse what the working folder's lock has.
        if (path === this.project || !existsSync(this.project)) throw thrown;
      }
      this.known = null;
    }
  }

  /** Forgets files, so that their next download is a first use again. */
  forget(files: readonly Pick<ModelFile, "path" | "source">[], id: string): void {
    for (const path of this.paths()) {
      const entries = read(path);
      const kept = Object.fromEntries(Object.entries(entries).filter(([key]) => !files.some((file) => lockKey(file.source, id, file.path) === key)));
      if (Object.keys(kept).length < Object.keys(entries).length) save(path, kept);
    }
    this.known = null;
  }

  /** Makes the working folder's lock file, which is then kept. */
  start(): void {
    if (!existsSync(this.project)) save(this.project, {});
  }

  mismatch(key: string, locked: LockEntry, found: { size: number; sha256: string }): FlowError {
    return new FlowError("MODEL_LOCK", `${key} is not what was locked: found ${found.size} bytes sha256 ${found.sha256}, expected ${locked.size} bytes sha256 ${locked.sha256}`, {
      hint: `The file has changed at its source. To accept it, remove its entry from ${this.paths().join(" and ")} (or \`flow models rm ID --unlock\`) and pull again.`,
      exit: EXIT.environment,
    });
  }

  private paths(): string[] {
    return existsSync(this.project) ? [this.project, this.own] : [this.own];
  }

  private find(key: string): { path: string; entry: LockEntry } | null {
    this.known ??= this.paths().map((path) => ({ path, entries: read(path) }));
    for (const { path, entries } of this.known) if (entries[key]) return { path, entry: entries[key] };
    return null;
  }
}

function read(path: string): Entries {
  if (!existsSync(path)) return {};
  const value = readJson<unknown>(path, null);
  const parsed = lockSchema.safeParse(value);
  if (parsed.success) return parsed.data.files;
  const problem = parsed.error.issues[0]!;
  const why = value === null ? "it is not JSON" : [problem.path.join("."), problem.message].filter(Boolean).join(": ");
  throw new FlowError("MODEL_LOCK_UNREADABLE", `${path} is no lock file: ${why}`, {
    hint: "Restore it from version control, or delete it: the next download is trusted then.",
    exit: EXIT.environment,
  });
}

function save(path: string, entries: Entries): void {
  const files = Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
  try {
    replaceFile(path, `${JSON.stringify({ version: 1, files }, null, 2)}\n`);
  } catch (cause) {
    if (isFull(cause)) throw fromDisk(cause, path);
    throw new FlowError("MODEL_LOCK_UNWRITABLE", `${path} cannot be written: ${(cause as Error).message}`, { hint: "Correct the permissions of its folder; another cache is named with FLOW_CACHE_DIR.", exit: EXIT.environment, cause });
  }
}
