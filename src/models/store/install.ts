import { mkdirSync } from "node:fs";
import { chmod, copyFile, link, mkdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { EXIT, FlowError, type ModelFile } from "../../contracts/index.js";
import { layout } from "./folders.js";
import type { HashIndex } from "./hash-index.js";
import { linkInto } from "./link.js";

/** The link alone, to bytes that the cache has. */
export function linkModel(cache: string, id: string, path: string, sha256: string): string {
  const at = join(layout.model(cache, id), path);
  // Made here, where what keeps the disk from it is thrown: `linkInto` tells only that it could not.
  mkdirSync(dirname(at), { recursive: true });
  if (linkInto(layout.blob(cache, sha256), at, "hard")) return at;
  throw new FlowError("MODEL_CACHE", `${at} cannot be written`, { hint: "Name another cache with FLOW_CACHE_DIR, or correct its permissions.", exit: EXIT.environment });
}

/** Among the unfinished first: a copy that is cut short never stands under its hash, and `flow models rm --partial` finds it. */
async function copyInto(cache: string, from: string, blob: string): Promise<void> {
  const unfinished = join(layout.partial(cache), `${basename(blob)}.${process.pid}.tmp`);
  await mkdir(dirname(unfinished), { recursive: true });
  try {
    await copyFile(from, unfinished);
    await rename(unfinished, blob);
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw cause;
  }
}

/** How a file's bytes come into the cache. link: used where they lie on the same disk (a hard link), else copied. */
export type How = "move" | "link" | "copy";

/** Takes a file of verified content into the cache: its bytes under their hash, a link under the model's path. Gives the link. Throws what `fs` throws. */
export async function adopt(cache: string, id: string, path: string, sha256: string, from: string, how: How): Promise<string> {
  await keepBytes(cache, sha256, from, how);
  return linkModel(cache, id, path, sha256);
}

/** The bytes alone, of no model yet. */
export async function keepBytes(cache: string, sha256: string, from: string, how: How): Promise<void> {
  const blob = layout.blob(cache, sha256);
  await mkdir(dirname(blob), { recursive: true });
  if (how === "move") await rename(from, blob);
  else {
    if (await exists(blob)) return;
    if (how === "link" && (await link(from, blob).then(() => true, () => false))) return;
    await copyInto(cache, from, blob);
  }
  // Several models may share these bytes: nobody is to write into them.
  await chmod(blob, 0o444).catch(() => undefined);
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() === true;
}

/** Takes a file's bytes out of the cache where they are no longer what their hash says (a failing disk, a hand): the file is missing then. */
export async function dropDamaged(cache: string, hashes: HashIndex, { at, sha256 }: Pick<ModelFile, "at" | "sha256">): Promise<void> {
  if (sha256 === null) return;
  const blob = layout.blob(cache, sha256);
  const [link, bytes] = await Promise.all([at, blob].map((path) => stat(path).catch(() => null)));
  const same = link?.ino === bytes?.ino && link?.dev === bytes?.dev;
  const linkIsWrong = link?.isFile() === true && at.startsWith(cache + sep) && hashes.sha256(at) !== sha256;
  if (linkIsWrong) await rm(at, { force: true });
  if (bytes?.isFile() && (same ? linkIsWrong : hashes.sha256(blob) !== sha256)) await rm(blob, { force: true });
}
