import { statSync, type Stats } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Folder of downloaded models: $FLOW_CACHE_DIR, else $XDG_CACHE_HOME/flow, else ~/.cache/flow. Absolute; need not exist. */
export function cacheFolder(environment: Environment = process.env): string {
  const own = environment["FLOW_CACHE_DIR"];
  if (own) return resolve(own);
  const xdg = environment["XDG_CACHE_HOME"];
  // The XDG specification has relative values ignored.
  return join(xdg?.startsWith("/") ? xdg : join(homedir(), ".cache"), "flow");
}

/** Folders of FLOW_MODELS_DIR, in order: model files in any layout, used where they lie; manifests (*.yaml) at their top. Absolute. */
export function givenFolders(environment: Environment = process.env): string[] {
  return (environment["FLOW_MODELS_DIR"] ?? "").split(delimiter).filter(Boolean).map((dir) => resolve(dir));
}

/** What lies where in the cache. */
export const layout = {
  /** The bytes of a file, by their hash; read-only once there. */
  blob: (cache: string, sha256: string): string => join(cache, "blobs", "sha256", sha256),
  /** Folder that holds a model's files under their paths, as links. */
  model: (cache: string, id: string): string => join(cache, "models", id),
  /** Manifests that `flow models add` wrote. */
  manifests: (cache: string): string => join(cache, "manifests"),
  /** Unfinished downloads. */
  partial: (cache: string): string => join(cache, "partial"),
  hashes: (cache: string): string => join(cache, "hashes.json"),
  lock: (cache: string): string => join(cache, "models.lock"),
};

/** undefined where nothing is, or the way there leads through a file. */
export function infoOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
