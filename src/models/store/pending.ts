import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { layout } from "./folders.js";
import { readJson, replaceFile } from "./json-file.js";
import { listFiles, sweep } from "./remove.js";

/** A download of `flow models add` that has no manifest yet, because the user's answer is missing or the process was stopped. */
export interface PendingAdd {
  /** ORG/NAME. */
  repo: string;
  files: string[];
  bytes: number;
}

/** An unfinished file: its beginning, or a copy that was cut short. */
export interface PartialFile {
  path: string;
  bytes: number;
  /** As `sourceText` has it; null of a copy. */
  source: string | null;
  totalBytes: number | null;
}

const SUFFIX = ".add.json";
const noteOf = (cache: string, id: string): string => join(layout.partial(cache), `${id}${SUFFIX}`);

/** Id under which a repository's files lie until `flow models add` gives them their own. */
export const pendingId = (repo: string): string => `hub-${repo.toLowerCase().replace(/[^a-z0-9._-]+/g, "-")}`;

/** Written before the first byte: a process that is killed leaves nothing that `flow models list --partial` does not show. */
export const startPending = (cache: string, repo: string): void => replaceFile(noteOf(cache, pendingId(repo)), JSON.stringify({ repo }));

/** Those that hold files, by repository. */
export async function pendingAdds(cache: string): Promise<PendingAdd[]> {
  const names = await readdir(layout.partial(cache)).catch(() => []);
  const found = names.filter((name) => name.endsWith(SUFFIX)).map(async (name): Promise<PendingAdd> => {
    const { repo } = readJson<{ repo?: unknown }>(join(layout.partial(cache), name), {});
    const id = name.slice(0, -SUFFIX.length);
    const files = await listFiles(layout.model(cache, id));
    const sizes = await Promise.all(files.map(async (path) => (await stat(path).catch(() => null))?.size ?? 0));
    return { repo: typeof repo === "string" ? repo : id, files, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  });
  return (await Promise.all(found)).filter(({ files }) => files.length > 0);
}

/** Takes a repository's pending files away. Gives the bytes that no model holds. */
export async function removePending(cache: string, repo: string): Promise<number> {
  await forgetPending(cache, repo);
  return sweep(cache);
}

/** The same once a model has `taken` of them; what an earlier try with other options brought goes too. */
export async function endPending(cache: string, repo: string, taken: number): Promise<void> {
  const { length } = await listFiles(layout.model(cache, pendingId(repo)));
  await forgetPending(cache, repo);
  if (length > taken) await sweep(cache);
}

async function forgetPending(cache: string, repo: string): Promise<void> {
  await rm(layout.model(cache, pendingId(repo)), { recursive: true, force: true });
  await rm(noteOf(cache, pendingId(repo)), { force: true });
}

/** Beginnings of downloads and copies that were cut short. */
export async function partialFiles(cache: string): Promise<PartialFile[]> {
  const paths = (await listFiles(layout.partial(cache))).filter((path) => /^[0-9a-f]+$|\.tmp$/.test(basename(path)));
  return Promise.all(
    paths.map(async (path) => {
      const bytes = (await stat(path).catch(() => null))?.size ?? 0;
      const { source, size } = readJson<{ source?: string; size?: number | null }>(`${path}.json`, {});
      return { path, bytes, source: source ?? null, totalBytes: size ?? null };
    }),
  );
}

/** All of both; gives their bytes. */
export async function removePartial(cache: string): Promise<number> {
  let freed = 0;
  for (const { repo } of await pendingAdds(cache)) freed += await removePending(cache, repo);
  for (const path of await listFiles(layout.partial(cache))) {
    freed += (await stat(path).catch(() => null))?.size ?? 0;
    await rm(path, { force: true });
  }
  await rmdir(layout.partial(cache)).catch(() => undefined);
  return freed;
}
