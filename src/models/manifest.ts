import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { EXIT, FlowError, type ModelFile, type ModelManifest, type ModelSource, type TensorInfo } from "../contracts/index.js";

const triple = z.tuple([z.number(), z.number(), z.number()]);

const preprocessSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("image"),
    size: z.tuple([z.int().positive(), z.int().positive()]).describe("[width, height] of the input in pixels; `fit: edges`: [longest, shortest] side."),
    fit: z
      .enum(["fill", "cover", "contain", "edges"])
      .default("fill")
      .describe("What happens to another aspect ratio: `fill` stretches, `cover` scales the shorter side and crops the centre, `contain` scales the longer side and pads, `edges` keeps the picture's shape, whose sides are then free."),
    resize: z.int().positive().optional().describe("cover: what the shorter side is scaled to before the crop, where that is not the input's shorter side (256 before a crop of 224)."),
    pad: z.union([z.number().min(0).max(255), z.literal("mean")]).default(0).describe("contain: byte value of the padding; `mean`: zeros after normalisation."),
    anchor: z.enum(["centre", "top-left"]).default("centre").describe("contain: where the picture goes."),
    resample: z.enum(["linear", "bilinear", "bicubic", "lanczos", "nearest"]).default("bilinear").describe("Filter where a picture has to be scaled: `linear` is OpenCV's, the others are those of @huggingface/transformers."),
    mean: triple.default([0, 0, 0]).describe("Subtracted per channel (in the order of `color`) after scaling."),
    std: triple.default([1, 1, 1]).describe("Divides per channel after the mean is subtracted."),
    color: z.enum(["rgb", "bgr"]).default("rgb").describe("Order of the channels."),
    scale: z.number().positive().default(1 / 255).describe("Multiplies the byte values first."),
    layout: z.enum(["nchw", "nhwc"]).default("nchw").describe("Order of the input's dimensions."),
  }),
  z.strictObject({
    kind: z.literal("audio"),
    sampleRate: z.int().positive().describe("Hz, mono."),
    windowSeconds: z.number().positive().describe("Length of one window."),
    pad: z.enum(["repeat", "zero"]).default("zero").describe("How a short window is filled."),
    features: z.enum(["waveform", "processor"]).default("waveform").describe("`waveform`: samples go in as they are; `processor`: through the feature extractor of preprocessor_config.json."),
  }),
  z.strictObject({
    kind: z.literal("text"),
    tokenizer: z.string().min(1).describe("`hf`: tokenizer.json of the model's files; else the name of a tokenizer in src/models/tokenizers."),
    dims: z.int().positive().default(1).describe("Width of what a tokenizer of flow's own makes."),
    maxTokens: z.int().positive().default(512).describe("Longer texts are cut."),
  }),
  z.strictObject({ kind: z.literal("processor") }).describe("The model's own processor (preprocessor_config.json), run by @huggingface/transformers."),
]);

const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/(?!\.{1,2}$)[\w.-]+$/;
const SHA1 = /^[0-9a-f]{40}$/;

/** A path that cannot leave the folder it is joined to. */
export const isContainedPath = (path: string): boolean => !path.includes("\\") && !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");

const containedPath = z.string().min(1).refine(isContainedPath, "a relative path without `..`");

const sourceSchema = z.union([
  z.strictObject({ huggingface: z.string().regex(REPOSITORY, "ORGANISATION/NAME"), revision: z.string().regex(/^(?!\.{1,2}$)[\w.-]+$/).default("main"), path: containedPath.optional().describe("Path in the repository; the file's own path unless given.") }),
  z.strictObject({ github: z.string().regex(REPOSITORY, "OWNER/NAME"), commit: z.string().regex(SHA1, "40 hex digits"), path: containedPath }),
  z.strictObject({ url: z.url({ protocol: /^https?$/ }) }),
]);

const fileSchema = z.strictObject({
  path: containedPath.describe("Inside the model's folder. Without a source it is looked for beside the manifest."),
  size: z.int().positive().optional().describe("Bytes."),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits").optional().describe("Without it the first download is trusted and its hash written into the lock file."),
  licence: z.string().min(1).optional().describe("Of this file, where it is not the model's."),
  source: sourceSchema.optional().describe("Where it is published; the model's own source unless given."),
});

const tensorSchema = z.strictObject({
  name: z.string().min(1),
  dims: z.array(z.union([z.int().positive(), z.string().min(1)])).describe("A number is fixed, a name takes any size."),
  type: z.enum(["float32", "float16", "int64", "int32", "uint8", "bool"]).default("float32"),
});

/** `models/<id>.yaml`. */
export const manifestSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "lower-case letters, digits, . _ -"),
  task: z.string().min(1).describe("What it does, as operators ask for it (`flow explain OP`)."),
  family: z.string().min(1).default("generic").describe("Which pre- and post-processing it needs."),
  summary: z.string().min(1),
  runtime: z.enum(["onnx", "transformers"]).default("onnx").describe("`transformers`: the files are a checkpoint in the layout of the Hugging Face hub, run by @huggingface/transformers."),
  licence: z.string().min(1).optional(),
  source: sourceSchema.optional().describe("Where files without a source of their own are published."),
  files: z.array(fileSchema).min(1),
  precisions: z.record(z.string(), containedPath).default({}).describe("Device → path of the ONNX file that runs there, where it is not the first one."),
  inputs: z.array(tensorSchema).default([]),
  outputs: z.array(tensorSchema).default([]).describe("Outputs that are read; an embedding model states `output` instead."),
  preprocess: preprocessSchema.default({ kind: "processor" }),
  output: z
    .strictObject({
      name: z.string().min(1),
      dims: z.int().positive(),
      normalised: z.enum(["unit", "none"]),
      pooling: z.enum(["none", "mean", "first"]).default("none").describe("What is done with [n, tokens, dims]: the mean over attended tokens, or the first token."),
    })
    .nullable()
    .default(null)
    .describe("The vector of an embedding model. `normalised: unit` is made sure of after the run."),
  space: z
    .strictObject({
      name: z.string().min(1),
      version: z.int().positive().default(1),
      threshold: z.number().describe("Cosine from which two items are taken for the same scene or subject."),
      duplicate: z.number().optional().describe("Cosine from which two items are taken for copies."),
      calibration: z.strictObject({ foreignMedian: z.number(), identical: z.number() }),
      reads: z.array(z.string()),
    })
    .nullable()
    .default(null),
  labels: containedPath.nullable().default(null).describe("File of the model that names its classes, one a line, or AudioSet's CSV."),
  settings: z.record(z.string(), z.unknown()).default({}).describe("What the family's post-processing reads."),
  limits: z.array(z.string().min(1)).describe("What the model cannot do, a sentence each."),
});

/** Manifests by id. */
export type ModelCatalogue = ReadonlyMap<string, ModelManifest>;

/** Text of one manifest → manifest with absolute files. Throws MODEL_MANIFEST with the file and every problem. */
export function parseManifest(text: string, origin: string, locate: Locate = beside): ModelManifest {
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) throw manifestError(origin, document.errors.map((e) => e.message.split("\n")[0] ?? e.message));
  return manifestOf(document.toJS(), origin, locate);
}

/** The same from the value that the YAML stands for. `origin`: the manifest's absolute path; its name is the model's id. */
export function manifestOf(value: unknown, origin: string, locate: Locate = beside): ModelManifest {
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw manifestError(origin, parsed.error.issues.map((i) => `${i.path.join(".") || "(top)"}: ${i.message}`));
  const manifest = parsed.data;
  const problems = contradictions(manifest);
  if (manifest.id !== basename(origin).replace(/\.ya?ml$/, "")) problems.unshift(`id: found "${manifest.id}", expected the file's name`);
  if (problems.length > 0) throw manifestError(origin, problems);
  return resolved(manifest, origin, locate);
}

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
  }
  return problems;
}

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
  const info = statSync(at, { throwIfNoEntry: false });
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
export type Locate = (id: string, file: Omit<ModelFile, "at">, origin: string, model?: LocatedModel) => Pick<ModelFile, "at"> & Partial<Pick<ModelFile, "sizeBytes" | "sha256">>;

/** Beside the manifest. */
const beside: Locate = (_id, file, origin) => ({ at: resolve(dirname(origin), file.path) });

function manifestError(path: string, problems: string[]): FlowError {
  return new FlowError("MODEL_MANIFEST", `${path}: ${problems.join("; ")}`, {
    hint: "Correct the manifest; the fields are described by manifestSchema in src/models/manifest.ts.",
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
  return new Catalogue(paths, (path) => refine(parseManifest(readFileSync(path, "utf8"), path, locate)));
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

const reinstall = "Restore the file (a checkout, or the command that made it), then check with `flow doctor`.";

/** Every file of the model exists and has its size and SHA-256. Throws MODEL_MISSING (all that is missing) or MODEL_CORRUPT, which show found and expected. */
export async function verifyModelFiles(manifest: ModelManifest): Promise<void> {
  const found = await Promise.all(manifest.files.map(async (file) => ({ file, info: await stat(file.at).catch(() => null) })));
  const missing = found.filter(({ info }) => !info?.isFile()).map(({ file }) => file);
  if (missing.length > 0) throw missingFiles(manifest, missing);
  for (const { file, info } of found) {
    if (file.sizeBytes !== null && info!.size !== file.sizeBytes) throw corrupt(manifest, file, `found ${info!.size} bytes, expected ${file.sizeBytes}`);
    if (file.sha256 === null) continue;
    const sha256 = await hashFile(file.at);
    if (sha256 !== file.sha256) throw corrupt(manifest, file, `found sha256 ${sha256}, expected ${file.sha256}`);
  }
}

/** SHA-256 of a file, lower-case hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** MODEL_MISSING with what the user has to do: pull what is published, import or restore the rest. */
export function missingFiles(manifest: ModelManifest, missing: readonly ModelFile[]): FlowError {
  return missingError([{ manifest, missing }]);
}

/** Files of the models that are not there, all in one error with their sizes and the one command; null when nothing is missing. */
export async function missingModels(models: readonly ModelManifest[]): Promise<FlowError | null> {
  const rows: Lacking[] = [];
  for (const manifest of models) {
    const found = await Promise.all(manifest.files.map(async (file) => ({ file, info: await stat(file.at).catch(() => null) })));
    const missing = found.filter(({ info }) => !info?.isFile()).map(({ file }) => file);
    if (missing.length > 0) rows.push({ manifest, missing });
  }
  return rows.length === 0 ? null : missingError(rows);
}

interface Lacking {
  manifest: ModelManifest;
  missing: readonly ModelFile[];
}

function missingError(rows: readonly Lacking[]): FlowError {
  const lines = rows.map(({ manifest, missing }) => `model ${manifest.id} lacks ${missing.map((file) => `${file.source ? file.path : file.at}${sizeText([file])}`).join(", ")}`);
  const all = rows.flatMap(({ missing }) => missing);
  const published = rows.filter(({ missing }) => missing.some((file) => file.source !== null)).map(({ manifest }) => manifest.id);
  const local = rows.filter(({ missing }) => missing.some((file) => file.source === null)).map(({ manifest }) => manifest.id);
  const hints = [
    ...(published.length > 0 ? [`flow models pull ${published.join(" ")}`] : []),
    ...(local.length > 0 ? [`${published.length > 0 ? "then " : ""}flow models import DIR for ${local.join(", ")}: what is nowhere to be downloaded has to be in DIR (a checkout, a conversion)`] : []),
  ];
  const message = all.length === 1 ? lines[0]! : `${all.length} files of ${rows.length === 1 ? "a model are" : `${rows.length} models are`} missing${sizeText(all)}:\n${lines.join("\n")}`;
  return new FlowError("MODEL_MISSING", message, { hint: hints.join("; "), exit: EXIT.environment });
}

/** ` (45.3 MB)`; nothing where no size is known. */
function sizeText(files: readonly ModelFile[]): string {
  const known = files.filter((file) => file.sizeBytes !== null);
  if (known.length === 0) return "";
  const bytes = known.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0);
  const text = bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`;
  return ` (${known.length < files.length ? "at least " : ""}${text})`;
}

function corrupt(manifest: ModelManifest, file: ModelFile, what: string): FlowError {
  return new FlowError("MODEL_CORRUPT", `model ${manifest.id}: ${file.at} is not the file of the manifest: ${what}`, {
    hint: file.source ? `flow models rm ${manifest.id} && flow models pull ${manifest.id}` : reinstall,
    exit: EXIT.environment,
  });
}

/**
 * The ONNX file's inputs and outputs against the manifest. A symbolic dimension of the file takes any size; a fixed first dimension
 * of the file is a fixed batch, which the sessions loop over. Throws MODEL_SHAPE, which shows both.
 */
export function verifyModelShape(manifest: ModelManifest, inputs: readonly TensorInfo[], outputs: readonly TensorInfo[]): void {
  const problems: string[] = [];
  for (const wanted of manifest.inputs) {
    const found = inputs.find((i) => i.name === wanted.name);
    if (!found) problems.push(`input "${wanted.name}": not in the file, which has ${inputs.map(show).join(", ")}`);
    else if (found.type !== wanted.type || !dimsFit(wanted.dims, found.dims)) problems.push(`input: found ${show(found)}, expected ${show(wanted)}`);
  }
  for (const found of inputs) {
    if (!manifest.inputs.some((i) => i.name === found.name)) problems.push(`input: found ${show(found)}, which the manifest does not name`);
  }
  for (const wanted of manifest.outputs) {
    const found = outputs.find((o) => o.name === wanted.name);
    if (!found) problems.push(`output "${wanted.name}": not in the file, which has ${outputs.map(show).join(", ")}`);
    else if (found.type !== wanted.type || !dimsFit(wanted.dims, found.dims)) problems.push(`output: found ${show(found)}, expected ${show(wanted)}`);
  }
  const embedding = manifest.output;
  const output = embedding && outputs.find((o) => o.name === embedding.name);
  const last = output?.dims.at(-1);
  if (embedding && !output) problems.push(`output "${embedding.name}": not in the file, which has ${outputs.map(show).join(", ")}`);
  else if (output && (output.type !== "float32" || (typeof last === "number" && last !== embedding!.dims))) {
    problems.push(`output: found ${show(output)}, expected ${embedding!.name}: float32[…, ${embedding!.dims}]`);
  }
  if (problems.length > 0) {
    throw new FlowError("MODEL_SHAPE", `model ${manifest.id}: ${manifest.file} does not fit its manifest: ${problems.join("; ")}`, {
      hint: `Correct inputs/output in models/${manifest.id}.yaml, or use the file it was written for.`,
      exit: EXIT.environment,
    });
  }
}

function show(tensor: TensorInfo): string {
  return `${tensor.name}: ${tensor.type}[${tensor.dims.join(", ")}]`;
}

function dimsFit(wanted: readonly (number | string)[], found: readonly (number | string)[]): boolean {
  if (wanted.length !== found.length) return false;
  return wanted.every((w, i) => {
    const f = found[i];
    if (typeof f === "string" || f === undefined || f < 0) return true;
    // The file's fixed first dimension is a batch that the sessions loop over; elsewhere a fixed size is a fact the manifest must know.
    return typeof w === "string" ? i === 0 : w === f;
  });
}
