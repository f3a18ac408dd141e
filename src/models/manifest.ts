import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseDocument } from "yaml";
import type { z } from "zod";
import { EXIT, FlowError, type ModelFile, type ModelManifest, type ModelSource } from "../contracts/index.js";
import { checkedManifest } from "./checked-manifests.js";
import { manifestSchema, type sourceSchema } from "./manifest-schema.js";
import { cacheFolder, infoOf, layout } from "./store/folders.js";

export { manifestSchema } from "./manifest-schema.js";

/** Manifests by id. */
export type ModelCatalogue = ReadonlyMap<string, ModelManifest>;

/** Text of one manifest → manifest with absolute files. Throws MODEL_MANIFEST with the file and every problem. */
export function parseManifest(text: string, origin: string, locate: Locate = beside): ModelManifest {
  const known = checkedManifest(text);
  return resolved(known?.id === idOf(origin) ? known : checkManifest(text, origin), origin, locate);
}

/** The same from the value that the YAML stands for. `origin`: the manifest's absolute path; its name is the model's id. */
export function manifestOf(value: unknown, origin: string, locate: Locate = beside): ModelManifest {
  return resolved(checked(value, origin), origin, locate);
}

/** What the text says, with defaults, whatever is on disk. Throws MODEL_MANIFEST with the file and every problem. */
export function checkManifest(text: string, origin: string): Manifest {
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) throw manifestError(origin, document.errors.map((e) => e.message.split("\n")[0] ?? e.message));
  return checked(document.toJS(), origin);
}

function checked(value: unknown, origin: string): Manifest {
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw manifestError(origin, parsed.error.issues.map((i) => `${i.path.join(".") || "(top)"}: ${i.message.replace(/^Invalid input: expected (\w+), received undefined$/, "is missing ($1)")}`));
  const manifest = parsed.data;
  const problems = contradictions(manifest);
  if (manifest.id !== idOf(origin)) problems.unshift(`id: found "${manifest.id}", expected the file's name`);
  if (problems.length > 0) throw manifestError(origin, problems);
  return manifest;
}

const idOf = (origin: string): string => basename(origin).replace(/\.ya?ml$/, "");

type Manifest = z.infer<typeof manifestSchema>;

/** What each field alone cannot tell. */
function contradictions(manifest: Manifest): string[] {
  const paths = manifest.files.map((file) => file.path);
  const problems = paths.filter((path, i) => paths.indexOf(path) !== i).map((path) => `files: ${path} is listed twice`);
  for (const [device, path] of Object.entries(manifest.precisions)) if (!paths.includes(path)) problems.push(`precisions.${device}: ${path} is not among the files`);
  if (manifest.labels !== null && !paths.includes(manifest.labels)) problems.push(`labels: ${manifest.labels} is not among the files`);
  for (const file of manifest.files) if (!(file.licence ?? manifest.licence)) problems.push(`files: ${file.path} has no licence, and neither has the model`);
  if (manifest.runtime === "onnx") {
    if (!paths.some((path) => path.endsWith(".onnx"))) problems.push("files: none of them is an .onnx");
    if (manifest.inputs.length === 0) problems.push("inputs: at least one");
    if (manifest.output === null && manifest.outputs.length === 0) problems.push("output or outputs: at least one");
    problems.push(...misfit(manifest), ...coarse(manifest));
  }
  return problems;
}

/** Pictures that are prepared in another shape than the input takes would fail one by one in the run. */
function misfit({ inputs, preprocess }: Manifest): string[] {
  const picture = inputs.find(({ dims }) => dims.length >= 4);
  if (preprocess.kind !== "image" || preprocess.fit === "edges" || !picture) return [];
  const [width, height] = preprocess.size;
  const made = preprocess.layout === "nhwc" ? [height, width, 3] : [3, height, width];
  const takes = picture.dims.slice(-3);
  if (takes.every((size, i) => typeof size === "string" || size === made[i])) return [];
  return [`preprocess: makes ${preprocess.layout} [${made.join(", ")}], input ${picture.name} takes [${takes.join(", ")}]`];
}

/** An integer input rounds what it gets: pixels of 0…1 and samples of −1…1 would be next to nothing, and no item would fail. `LEVELS`: 7 bits, what int8 has on one side of 0. */
const LEVELS = 127;

function coarse({ inputs, preprocess }: Manifest): string[] {
  const input = inputs[0];
  if (!input || !["uint8", "int32", "int64"].includes(input.type)) return [];
  const takes = `input ${input.name} takes ${input.type === "uint8" ? "whole numbers of 0…255" : "whole numbers"} (${input.type})`;
  if (preprocess.kind === "image") {
    const { mean, std, scale } = preprocess;
    const [low, high] = [Math.min(...mean.map((m, c) => -m / std[c]!)), Math.max(...mean.map((m, c) => (255 * scale - m) / std[c]!))];
    const fine = std.every((s) => (255 * scale) / s >= LEVELS);
    if (fine && (input.type !== "uint8" || (low > -0.5 && high < 255.5))) return [];
    return [`preprocess: makes pixels of ${brief(low)}…${brief(high)}, ${takes}: \`scale: 1\` without mean and std leaves them as they are`];
  }
  if (preprocess.kind !== "audio" || preprocess.features === "processor") return [];
  const { scale = 1 } = preprocess;
  if (input.type === "uint8") return [`preprocess: makes samples of −${brief(scale)}…${brief(scale)}, ${takes}: sound goes into float32, float16, int32 or int64 only`];
  return scale >= LEVELS ? [] : [`preprocess: makes samples of −${brief(scale)}…${brief(scale)}, ${takes}: \`scale: 32768\` makes those of 16-bit sound`];
}

const brief = (value: number): string => String(Number(value.toFixed(2)));

/** The files are looked for when somebody asks for one: a catalogue of many models costs a run with few of them nothing. */
function resolved(manifest: Manifest, origin: string, locate: Locate): ModelManifest {
  const { files: written, limits, source, licence: common, ...rest } = manifest;
  const known = written.map((file): Omit<ModelFile, "at"> => ({
    path: file.path,
    sizeBytes: file.size ?? null,
    sha256: file.sha256 ?? null,
    source: sourceOf(file.source ?? source, file.path),
    licence: file.licence ?? common!,
  }));
  const mainAt = Math.max(0, known.findIndex((file) => file.path.endsWith(".onnx")));
  const model: LocatedModel = { runtime: manifest.runtime, files: known };
  let located: ModelFile[] | null = null;
  const files = (): ModelFile[] => (located ??= known.map((file) => ({ ...file, ...locate(manifest.id, file, origin, model) })));
  const main = (): ModelFile => files()[mainAt]!;
  return {
    ...rest,
    origin,
    get dir() {
      return main().at.slice(0, main().at.length - main().path.length);
    },
    get files() {
      return files();
    },
    get installed() {
      return files().every((file) => hasSize(file));
    },
    get file() {
      return main().at;
    },
    get sha256() {
      return identity(files());
    },
    get sizeBytes() {
      return files().reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0);
    },
    licence: common ?? known[mainAt]!.licence,
    limits: limits.join("; "),
  };
}

function hasSize({ at, sizeBytes }: ModelFile): boolean {
  const info = infoOf(at);
  return info?.isFile() === true && (sizeBytes === null || info.size === sizeBytes);
}

/** One hash that stands for the model in memo keys: of its only file, or of the list of all; what is not known yet stands under its name. */
function identity(files: readonly ModelFile[]): string {
  const [only] = files;
  if (files.length === 1 && only?.sha256) return only.sha256;
  const list = files.map((file) => `${file.path} ${file.sha256 ?? `unlocked ${JSON.stringify(file.source)}`}`).sort();
  return createHash("sha256").update(list.join("\n")).digest("hex");
}

function sourceOf(written: z.infer<typeof sourceSchema> | undefined, path: string): ModelSource | null {
  if (!written) return null;
  if ("huggingface" in written) return { kind: "huggingface", repo: written.huggingface, revision: written.revision, path: written.path ?? path };
  if ("github" in written) return { kind: "github", repo: written.github, commit: written.commit, path: written.path };
  return { kind: "url", url: written.url };
}

/** What a place for one file may depend on: a checkpoint's files have to lie in one folder. */
export interface LocatedModel {
  runtime: ModelManifest["runtime"];
  files: readonly Omit<ModelFile, "at">[];
}

/** Where a file of a model lies, and what the lock file knows of it. src/models/store/locate.ts has the one that searches. */
export type Locate = (id: string, file: Omit<ModelFile, "at">, origin: string, model?: LocatedModel) => Pick<ModelFile, "at"> & Partial<Pick<ModelFile, "sizeBytes" | "sha256" | "lock">>;

/** Beside the manifest. */
const beside: Locate = (_id, file, origin) => ({ at: resolve(dirname(origin), file.path) });

function manifestError(path: string, problems: string[]): FlowError {
  return new FlowError("MODEL_MANIFEST", `${path}: ${problems.join("; ")}`, {
    hint: `Correct the manifest; models/README.md describes its fields.${dirname(path) === layout.manifests(cacheFolder()) ? ` \`flow models rm ${idOf(path)}\` removes it.` : ""}`,
    exit: EXIT.badInput,
  });
}

/**
 * All manifests of one or several folders (a later folder overrides an earlier one by id). Cheap: a manifest is read when it is asked for, which
 * its file's name allows; going through all reads all. No model file is touched. Asking throws MODEL_MANIFEST for one that is wrong.
 * `refine`: what this user knows better than the manifest.
 */
export function loadModels(dirs: string | readonly string[], locate: Locate = beside, refine: (manifest: ModelManifest) => ModelManifest = (manifest) => manifest): ModelCatalogue {
  const paths = new Map<string, string>();
  for (const dir of typeof dirs === "string" ? [dirs] : dirs) {
    for (const name of listFolder(dir).filter((n) => /\.ya?ml$/.test(n)).sort()) paths.set(name.replace(/\.ya?ml$/, ""), join(dir, name));
  }
  return new Catalogue(paths, (path) => refine(parseManifest(readManifest(path), path, locate)));
}

function readManifest(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw manifestError(path, [`it cannot be read: ${(cause as Error).message}`]);
  }
}

class Catalogue extends Map<string, ModelManifest> {
  constructor(
    private readonly paths: ReadonlyMap<string, string>,
    private readonly read: (path: string) => ModelManifest,
  ) {
    super();
  }

  override get size(): number {
    return this.paths.size;
  }

  override has(id: string): boolean {
    return this.paths.has(id);
  }

  override get(id: string): ModelManifest | undefined {
    const known = super.get(id);
    const path = this.paths.get(id);
    if (known || path === undefined) return known;
    const manifest = this.read(path);
    super.set(id, manifest);
    return manifest;
  }

  override keys(): MapIterator<string> {
    return this.paths.keys() as MapIterator<string>;
  }

  override *values(): MapIterator<ModelManifest> {
    for (const id of this.paths.keys()) yield this.get(id)!;
  }

  override *entries(): MapIterator<[string, ModelManifest]> {
    for (const id of this.paths.keys()) yield [id, this.get(id)!];
  }

  override [Symbol.iterator](): MapIterator<[string, ModelManifest]> {
    return this.entries();
  }

  override forEach(visit: (value: ModelManifest, key: string, map: Map<string, ModelManifest>) => void, self?: unknown): void {
    for (const [id, manifest] of this) visit.call(self, manifest, id, this);
  }
}

function listFolder(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (cause) {
    throw new FlowError("MODEL_FOLDER", `the models folder ${dir} cannot be read`, { hint: "Check the path and its permissions.", exit: EXIT.environment, cause });
  }
}
