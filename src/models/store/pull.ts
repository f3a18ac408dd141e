import { mkdir, stat, statfs } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EXIT, FlowError, toFlowError, type ModelFile, type ModelManifest, type ModelSource } from "../../contracts/index.js";
import { ask, statusError } from "./http.js";
import { claim } from "./claim.js";
import { diskFull, fromDisk, isFromDisk, onDisk } from "./disk.js";
import { download, forget, type Downloaded } from "./download.js";
import { cacheFolder, infoOf, layout } from "./folders.js";
import { HashIndex } from "./hash-index.js";
import { adopt, dropDamaged, exists, linkModel } from "./install.js";
import { ModelsLock } from "./lock.js";
import { changedFile } from "./lock-change.js";
import { lockKey } from "./lock-key.js";
import { addressOf } from "./sources.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface PullOptions {
  cache?: string;
  lock?: ModelsLock;
  environment?: Environment;
  /** Files at a time. Default 4. */
  parallel?: number;
  signal?: AbortSignal;
  onProgress?: (files: readonly PullFile[]) => void;
  /** As in DownloadOptions. */
  attempts?: number;
  backoffMs?: number;
}

/** One file to download; several models may want it. */
export interface PullFile {
  /** `id/path` of the first model that wants it. */
  name: string;
  source: ModelSource;
  bytes: number;
  total: number | null;
  state: "waiting" | "running" | "done" | "failed";
}

export interface PullResult {
  /** Model, path, place and hash of every file that was downloaded. */
  pulled: { model: string; path: string; at: string; size: number; sha256: string }[];
  /** Files that were there already. */
  present: number;
  /** Files of other bytes than they should have, outside the cache: they stay, and what was pulled goes before them. */
  damaged: { model: string; path: string; at: string; /** The lock file that says so; the manifest otherwise. */ lock?: string }[];
  /** One per file that could not be had. */
  failed: { model: string; path: string; error: FlowError }[];
}

interface Wanted extends PullFile {
  for: { model: ModelManifest; file: ModelFile }[];
}

/** Files of a model that are not where they should be, or not of their size. */
export async function missingOf(model: ModelManifest): Promise<ModelFile[]> {
  const found = await Promise.all(model.files.map(async (file) => ({ file, info: await stat(file.at).catch(() => null) })));
  return found.filter(({ file, info }) => !info?.isFile() || (file.sizeBytes !== null && info.size !== file.sizeBytes)).map(({ file }) => file);
}

/** The same, and files of other bytes than they should have. A file is read once: afterwards its hash is known until it changes. */
export async function lackingOf(model: ModelManifest, hashes: HashIndex): Promise<{ file: ModelFile; damaged: boolean }[]> {
  const missing = new Set(await missingOf(model));
  return model.files.flatMap((file) => {
    if (missing.has(file)) return { file, damaged: infoOf(file.at)?.isFile() === true };
    return file.sha256 !== null && hashOf(file.at, hashes) !== file.sha256 ? { file, damaged: true } : [];
  });
}

/** null: it cannot be read. */
function hashOf(path: string, hashes: HashIndex): string | null {
  try {
    return hashes.sha256(path);
  } catch {
    return null;
  }
}

/**
 * Downloads what the models lack. Each file is installed when all of it has been checked, so that what is there is always whole; one
 * that fails does not keep the others. Rejects only with MODEL_DISK_FULL before the first byte, or when the signal says so.
 */
export async function pull(models: readonly ModelManifest[], options: PullOptions = {}): Promise<PullResult> {
  const { cache = cacheFolder(), lock = new ModelsLock(cache), parallel = 4, signal } = options;
  const result: PullResult = { pulled: [], present: 0, damaged: [], failed: [] };
  const wanted = await collect(models, result, cache, lock);
  await enoughRoom(cache, wanted);
  const work = new Work(cache, lock, options, result, wanted);
  const queue = [...wanted];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (signal?.aborted) return;
      await work.one(next);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, wanted.length) }, lane));
  return result;
}

async function collect(models: readonly ModelManifest[], result: PullResult, cache: string, lock: ModelsLock): Promise<Wanted[]> {
  const wanted = new Map<string, Wanted>();
  const hashes = new HashIndex(cache);
  for (const model of models) {
    for (const file of model.files) await onDisk(file.at, () => dropDamaged(cache, hashes, file));
    const lacking = await lackingOf(model, hashes);
    result.present += model.files.length - lacking.length;
    const absent = new Set(lacking.map(({ file }) => file));
    // A lock file that was made after they came knows nothing of them.
    for (const file of model.files) if (file.lock !== undefined && !absent.has(file)) record(lock, model.id, file);
    for (const { file, damaged } of lacking) {
      if (damaged) result.damaged.push({ model: model.id, path: file.path, at: file.at, ...(file.lock === undefined ? {} : { lock: file.lock }) });
      if (file.source === null) {
        const size = infoOf(file.at)?.size;
        const error = damaged && file.lock !== undefined && size !== undefined ? changedFile(model.id, file, { size, sha256: hashes.sha256(file.at) }) : unpublished(model, file, damaged);
        result.failed.push({ model: model.id, path: file.path, error });
        continue;
      }
      const key = lockKey(file.source, model.id, file.path);
      const same = wanted.get(key);
      if (same) same.for.push({ model, file });
      else wanted.set(key, { name: `${model.id}/${file.path}`, source: file.source, bytes: 0, total: file.sizeBytes, state: "waiting", for: [{ model, file }] });
    }
  }
  return [...wanted.values()];
}

function record(lock: ModelsLock, id: string, file: ModelFile): void {
  try {
    lock.record(file, id, { commit: null, size: file.sizeBytes!, sha256: file.sha256! });
  } catch (thrown) {
    throw fromDisk(thrown, file.lock!);
  }
}

class Work {
  private readonly commits = new Map<string, Promise<string | null>>();
  /** Hosts that one file could not reach at all: the next ones do not wait for them again. */
  private readonly down = new Set<string>();

  constructor(
    private readonly cache: string,
    private readonly lock: ModelsLock,
    private readonly options: PullOptions,
    private readonly result: PullResult,
    private readonly all: readonly Wanted[],
  ) {}

  async one(wanted: Wanted): Promise<void> {
    wanted.state = "running";
    try {
      await this.fetch(wanted);
      wanted.state = "done";
    } catch (thrown) {
      wanted.state = "failed";
      const error = isFromDisk(thrown) ? fromDisk(thrown, partOf(this.cache, wanted)) : toFlowError(thrown, "MODEL_CACHE");
      for (const { model, file } of wanted.for) this.result.failed.push({ model: model.id, path: file.path, error });
    }
    this.options.onProgress?.(this.all);
  }

  private async fetch(wanted: Wanted): Promise<void> {
    const [{ model, file }] = wanted.for as [Wanted["for"][number]];
    const locked = this.lock.get(file, model.id);
    const sha256 = file.sha256 ?? locked?.sha256 ?? null;
    if (sha256 !== null && (await exists(layout.blob(this.cache, sha256)))) return this.place(wanted, { sha256, size: file.sizeBytes ?? locked?.size ?? 0, commit: null }, null);
    const part = partOf(this.cache, wanted);
    const { host } = addressOf(wanted.source, null, this.options.environment).url;
    const release = await claim(part);
    try {
      const commit = await this.commit(wanted.source, locked?.commit ?? null);
      const got = await download({
        ...{ source: wanted.source, commit, sizeBytes: file.sizeBytes ?? locked?.size ?? null, sha256, part },
        ...{ signal: this.options.signal, environment: this.options.environment },
        ...(this.down.has(host) ? { attempts: 1 } : this.options.attempts === undefined ? {} : { attempts: this.options.attempts }),
        ...(this.options.backoffMs === undefined ? {} : { backoffMs: this.options.backoffMs }),
        onProgress: (bytes, total) => {
          Object.assign(wanted, { bytes, total: total ?? wanted.total });
          this.options.onProgress?.(this.all);
        },
      }).catch((error: FlowError) => {
        if (error.code === "MODEL_NETWORK" && wanted.bytes === 0) this.down.add(host);
        throw locked && error.code === "MODEL_CORRUPT" ? changed(error, model.id, this.lock.holder(file, model.id)!) : error;
      });
      await this.place(wanted, got, part);
      await forget(part);
    } finally {
      await release();
    }
  }

  private async place(wanted: Wanted, { sha256, size, commit }: Downloaded, part: string | null): Promise<void> {
    if (part !== null) {
      // Locked before it is installed: what is there has always been agreed to.
      for (const { model, file } of wanted.for) if (file.sha256 === null || file.lock !== undefined) this.lock.record(file, model.id, { commit, size, sha256 });
      const [{ model, file }] = wanted.for as [Wanted["for"][number]];
      await adopt(this.cache, model.id, file.path, sha256, part, "move");
    }
    for (const { model, file } of wanted.for) {
      if (file.sha256 !== null && file.sha256 !== sha256) throw contradicted(model, file, sha256);
      const at = linkModel(this.cache, model.id, file.path, sha256);
      this.result.pulled.push({ model: model.id, path: file.path, at, size, sha256 });
    }
  }

  /** All files of one repository and revision come from one commit: that of the lock, else the one that the revision stands for now. */
  private commit(source: ModelSource, locked: string | null): Promise<string | null> {
    if (source.kind !== "huggingface" || /^[0-9a-f]{40}$/.test(source.revision)) return Promise.resolve(null);
    if (locked !== null) return Promise.resolve(locked);
    const key = `${source.repo}@${source.revision}`;
    let known = this.commits.get(key);
    if (!known) this.commits.set(key, (known = this.askCommit(source)));
    return known;
  }

  private async askCommit(source: ModelSource): Promise<string | null> {
    const { signal, environment } = this.options;
    try {
      const answer = await ask(addressOf(source, null, environment), { method: "HEAD", signal, environment, leave: false });
      answer.body.resume();
      if (answer.status >= 400) throw statusError(answer, source);
      const commit = String(answer.first["x-repo-commit"] ?? "");
      return /^[0-9a-f]{40}$/.test(commit) ? commit : null;
    } catch {
      // The download itself meets the same trouble, and tries again.
      return null;
    }
  }
}

/** Where the beginning of a file waits; one per source, whichever model asks. */
function partOf(cache: string, { source }: PullFile): string {
  return join(layout.partial(cache), createHash("sha256").update(lockKey(source, "", "")).digest("hex").slice(0, 32));
}

/** Room for all that is announced, asked before the first byte: a disk that fills up in mid-download troubles everyone on it. */
async function enoughRoom(cache: string, wanted: readonly Wanted[]): Promise<void> {
  const left = await Promise.all(wanted.map(async (each) => (each.total ?? 0) - ((await stat(partOf(cache, each)).catch(() => null))?.size ?? 0)));
  const needed = left.reduce((sum, bytes) => sum + Math.max(0, bytes), 0);
  if (needed === 0) return;
  await mkdir(cache, { recursive: true }).catch((cause: unknown) => {
    throw new FlowError("MODEL_CACHE", `${cache} cannot be made: ${(cause as Error).message}`, { hint: "Name another cache with FLOW_CACHE_DIR, or correct its permissions.", exit: EXIT.environment, cause });
  });
  const disk = await statfs(cache).catch(() => null);
  const free = disk === null ? Infinity : disk.bavail * disk.bsize;
  if (needed > free) throw diskFull(`${cache} has room for ${free} bytes, ${needed} are to be downloaded`);
}

export function unpublished(model: ModelManifest, file: ModelFile, damaged = false): FlowError {
  return new FlowError("MODEL_UNPUBLISHED", `model ${model.id}: ${damaged ? `${file.at} is damaged, and ` : ""}${file.path} is nowhere to be downloaded`, {
    hint: `Get or convert it, then \`flow models import DIR\`${file.sha256 === null ? "" : ` (found by its sha256 ${file.sha256})`}.`,
    exit: EXIT.environment,
    permanent: true,
  });
}

/** Two manifests name one source and different bytes. */
function contradicted(model: ModelManifest, file: ModelFile, sha256: string): FlowError {
  return new FlowError("MODEL_CORRUPT", `model ${model.id}: ${file.path}: found sha256 ${sha256}, expected ${file.sha256}`, { hint: `Another model with the same source expects other bytes: correct ${model.origin}.`, exit: EXIT.environment, permanent: true });
}

/** The expectation came from the lock file. */
function changed(error: FlowError, id: string, lock: string): FlowError {
  return new FlowError("MODEL_LOCK", `${error.message} (locked at first use, ${lock})`, {
    hint: `The file has changed at its source. To accept it: \`flow models rm ${id} --unlock\`, then pull again.`,
    exit: EXIT.environment,
    permanent: true,
  });
}

