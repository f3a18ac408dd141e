import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { EXIT, FlowError, type ModelFile, type ModelManifest } from "../../contracts/index.js";
import { onDisk } from "./disk.js";
import { cacheFolder, infoOf, layout } from "./folders.js";
import { HashIndex } from "./hash-index.js";
import { adopt, dropDamaged } from "./install.js";
import { filesBySize } from "./locate.js";
import { ModelsLock } from "./lock.js";
import { lackingOf } from "./pull.js";

export interface ImportOptions {
  cache?: string;
  lock?: ModelsLock;
  /** link: hard links where both are on one disk, else copies. Default copy: what the folder (a stick, a share) loses the cache keeps. */
  how?: "link" | "copy";
}

export interface Imported {
  imported: { model: string; path: string; from: string; at: string; size: number; sha256: string }[];
  /** Files of these models that are neither in the folder nor elsewhere. */
  missing: { model: string; path: string; sizeBytes: number | null; sha256: string | null }[];
  /** Files that the models had already. */
  present: number;
}

/** Finds the models' missing and damaged files in a folder of any layout by size and SHA-256 and takes them into the cache. */
export async function importFolder(dir: string, models: readonly ModelManifest[], options: ImportOptions = {}): Promise<Imported> {
  const { cache = cacheFolder(), lock = new ModelsLock(cache), how = "copy" } = options;
  if (!infoOf(dir)?.isDirectory()) {
    throw new FlowError("MODEL_FOLDER", `${dir} is no folder`, { hint: "Name the folder that holds the model files, in any layout.", exit: EXIT.badInput });
  }
  const found = filesBySize([dir]);
  const hashes = new HashIndex(cache);
  const result: Imported = { imported: [], missing: [], present: 0 };
  for (const model of models) {
    for (const file of model.files) await onDisk(file.at, () => dropDamaged(cache, hashes, file));
    const lacking = await lackingOf(model, hashes);
    result.present += model.files.length - lacking.length;
    for (const { file } of lacking) {
      const from = match(file, model, found, hashes);
      if (from === null) {
        result.missing.push({ model: model.id, path: file.path, sizeBytes: file.sizeBytes, sha256: file.sha256 });
        continue;
      }
      const sha256 = hashes.sha256(from);
      const size = statSync(from).size;
      if (file.sha256 === null) lock.record(file, model.id, { commit: null, size, sha256 });
      const at = await onDisk(join(layout.model(cache, model.id), file.path), () => adopt(cache, model.id, file.path, sha256, from, how));
      result.imported.push({ model: model.id, path: file.path, from, at, size, sha256 });
    }
  }
  return result;
}

function match(file: ModelFile, model: ModelManifest, bySize: ReadonlyMap<number, string[]>, hashes: HashIndex): string | null {
  if (file.sha256 === null) return byFolder(file, model, [...bySize.values()].flat());
  const candidates = file.sizeBytes === null ? [...bySize.values()].flat().filter((path) => basename(path) === basename(file.path)) : (bySize.get(file.sizeBytes) ?? []);
  return candidates.find((path) => hashes.sha256(path) === file.sha256) ?? null;
}

/** Without a hash a name alone is no proof (`model.onnx` is everywhere): the file must lie under its path in a folder that is named after the model or its repository. */
function byFolder({ path, source }: ModelFile, { id }: ModelManifest, all: readonly string[]): string | null {
  const names = [id, ...(source?.kind === "huggingface" ? [basename(source.repo), `models--${source.repo.replace("/", "--")}`] : [])];
  return all.find((candidate) => candidate.endsWith(`/${path}`) && candidate.slice(0, -path.length).split("/").some((part) => names.includes(part))) ?? null;
}

