import { lstat, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelManifest } from "../../contracts/index.js";
import { cacheFolder, layout } from "./folders.js";
import type { ModelsLock } from "./lock.js";

export interface Removed {
  /** Files of the model that are no longer in the cache. */
  files: string[];
  /** What the disk got back: bytes that another model shares stay. */
  freedBytes: number;
}

/** Takes a model's files out of the cache. What lies beside a manifest or in FLOW_MODELS_DIR is the user's and stays. */
export async function remove(model: ModelManifest, options: { cache?: string; lock?: ModelsLock; unlock?: boolean } = {}): Promise<Removed> {
  const { cache = cacheFolder(), lock, unlock = false } = options;
  if (unlock) lock?.forget(model.files, model.id);
  return removeFolder(model.id, cache);
}

/** The same by the id alone, which a manifest that cannot be read leaves. */
export async function removeFolder(id: string, cache: string): Promise<Removed> {
  const folder = layout.model(cache, id);
  const files = await listFiles(folder);
  await rm(folder, { recursive: true, force: true });
  return { files, freedBytes: await sweep(cache) };
}

/** Deletes bytes that no model of the cache refers to. Gives how many there were. */
export async function sweep(cache: string): Promise<number> {
  const referred = new Set<string>();
  for (const path of await listFiles(join(cache, "models"))) {
    const info = await stat(path).catch(() => null);
    if (info) referred.add(`${info.dev}:${info.ino}`);
  }
  let freed = 0;
  const blobs = dirname(layout.blob(cache, "x"));
  for (const path of await listFiles(blobs)) {
    const info = await lstat(path);
    if (referred.has(`${info.dev}:${info.ino}`)) continue;
    // A hard link to a file of the user's gives nothing back.
    if (info.nlink === 1) freed += info.size;
    await rm(path, { force: true });
  }
  return freed;
}

export async function listFiles(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}
