import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { EXIT, FlowError, type ModelManifest } from "../contracts/index.js";

const triple = z.tuple([z.number(), z.number(), z.number()]);

const preprocessSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("image"),
    size: z.tuple([z.int().positive(), z.int().positive()]).describe("[width, height] of the input in pixels."),
    fit: z.literal("fill").default("fill").describe("What happens to another aspect ratio: `fill` stretches (the decoder scales to the exact size)."),
    mean: triple.default([0, 0, 0]).describe("Subtracted per channel (in the order of `color`) after scaling."),
    std: triple.default([1, 1, 1]).describe("Divides per channel after the mean is subtracted."),
    color: z.enum(["rgb", "bgr"]).default("rgb").describe("Order of the channels."),
    scale: z.number().positive().default(1 / 255).describe("Multiplies the byte values first."),
  }),
  z.strictObject({
    kind: z.literal("audio"),
    sampleRate: z.int().positive().describe("Hz, mono."),
    windowSeconds: z.number().positive().describe("Length of one window."),
    pad: z.enum(["repeat", "zero"]).default("zero").describe("How a short window is filled."),
  }),
  z.strictObject({
    kind: z.literal("text"),
    tokenizer: z.string().min(1).describe("Name of a tokenizer in src/models/tokenizers."),
    dims: z.int().positive().describe("Width of what the tokenizer makes."),
  }),
]);

const fileSchema = z.strictObject({
  path: z.string().min(1).describe("Relative to the manifest."),
  size: z.int().positive().describe("Bytes."),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits"),
  licence: z.string().min(1),
  source: z.url().optional().describe("Where it was taken from."),
  revision: z.string().optional(),
});

/** `models/<id>.yaml`. */
export const manifestSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "lower-case letters, digits, . _ -"),
  task: z.string().min(1),
  summary: z.string().min(1),
  files: z.array(fileSchema).length(1, "one ONNX file"),
  inputs: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        dims: z.array(z.union([z.int().positive(), z.string().min(1)])),
        type: z.enum(["float32", "int64", "int32"]),
      }),
    )
    .min(1),
  preprocess: preprocessSchema,
  output: z.strictObject({
    name: z.string().min(1),
    dims: z.int().positive(),
    normalised: z.enum(["unit", "none"]),
  }),
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
  limits: z.array(z.string().min(1)).describe("What the model cannot do, a sentence each."),
});

/** Manifests by id. */
export type ModelCatalogue = ReadonlyMap<string, ModelManifest>;

/** Text of one manifest → manifest with an absolute `file`. Throws MODEL_MANIFEST with file, line and every problem. */
export function parseManifest(text: string, path: string): ModelManifest {
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) throw manifestError(path, document.errors.map((e) => e.message.split("\n")[0] ?? e.message));
  const parsed = manifestSchema.safeParse(document.toJS());
  if (!parsed.success) throw manifestError(path, parsed.error.issues.map((i) => `${i.path.join(".") || "(top)"}: ${i.message}`));
  const manifest = parsed.data;
  if (manifest.id !== basename(path).replace(/\.ya?ml$/, "")) throw manifestError(path, [`id: found "${manifest.id}", expected the file's name`]);
  const { files, limits, ...rest } = manifest;
  const { path: file, size: sizeBytes, sha256, licence } = files[0]!;
  return { ...rest, file: resolve(dirname(path), file), sizeBytes, sha256, licence, limits: limits.join("; ") };
}

function manifestError(path: string, problems: string[]): FlowError {
  return new FlowError("MODEL_MANIFEST", `${path}: ${problems.join("; ")}`, {
    hint: "Correct the manifest; the fields are described by manifestSchema in src/models/manifest.ts.",
    exit: EXIT.badInput,
  });
}

/** All manifests of one or several folders (a later folder overrides an earlier one by id). Cheap: reads YAML only, no model file. */
export function loadModels(dirs: string | readonly string[]): ModelCatalogue {
  const catalogue = new Map<string, ModelManifest>();
  for (const dir of typeof dirs === "string" ? [dirs] : dirs) {
    for (const name of listFolder(dir).filter((n) => /\.ya?ml$/.test(n)).sort()) {
      const path = join(dir, name);
      const manifest = parseManifest(readFileSync(path, "utf8"), path);
      catalogue.set(manifest.id, manifest);
    }
  }
  return catalogue;
}

function listFolder(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (cause) {
    throw new FlowError("MODEL_FOLDER", `the models folder ${dir} cannot be read`, { hint: "Check the path and its permissions.", exit: EXIT.environment, cause });
  }
}

const reinstall = "Restore the file (a checkout, or the command that made it), then check with `flow doctor`.";

/** The file behind a manifest exists and has its size and SHA-256. Throws MODEL_MISSING or MODEL_CORRUPT, which show found and expected. */
export async function verifyModelFile(manifest: ModelManifest): Promise<void> {
  const info = await stat(manifest.file).catch(() => null);
  if (!info?.isFile()) {
    throw new FlowError("MODEL_MISSING", `model ${manifest.id}: ${manifest.file} does not exist`, { hint: reinstall, exit: EXIT.environment });
  }
  if (info.size !== manifest.sizeBytes) {
    throw corrupt(manifest, `found ${info.size} bytes, expected ${manifest.sizeBytes}`);
  }
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(manifest.file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  const found = hash.digest("hex");
  if (found !== manifest.sha256) throw corrupt(manifest, `found sha256 ${found}, expected ${manifest.sha256}`);
}

function corrupt(manifest: ModelManifest, what: string): FlowError {
  return new FlowError("MODEL_CORRUPT", `model ${manifest.id}: ${manifest.file} is not the file of the manifest: ${what}`, {
    hint: reinstall,
    exit: EXIT.environment,
  });
}

/** One input or output as the ONNX file declares it. */
export interface TensorInfo {
  name: string;
  type: string;
  dims: readonly (number | string)[];
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
  const output = outputs.find((o) => o.name === manifest.output.name);
  const last = output?.dims.at(-1);
  if (!output) problems.push(`output "${manifest.output.name}": not in the file, which has ${outputs.map(show).join(", ")}`);
  else if (output.type !== "float32" || (typeof last === "number" && last !== manifest.output.dims)) {
    problems.push(`output: found ${show(output)}, expected ${manifest.output.name}: float32[…, ${manifest.output.dims}]`);
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
    return typeof w === "string" ? i === 0 : w === f;
  });
}
