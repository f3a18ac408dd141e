import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { EXIT, FlowError, tensorText, type ModelFile, type ModelManifest, type TensorInfo } from "../contracts/index.js";
import { cacheFolder } from "./store/folders.js";
import { HashIndex } from "./store/hash-index.js";
import { changedFile } from "./store/lock-change.js";

const reinstall = "Restore the file (a checkout, the command that made it, or `flow models import DIR`), then check with `flow doctor`.";

/** Below this a file is read faster than its hash is looked up. */
const LARGE_BYTES = 1 << 20;

/**
 * Every file of the model exists and has its size and SHA-256; a large one that has not changed since any run hashed it is not read again (0.4 s of CPU
 * for 350 MB; `flow models verify` always reads). Throws MODEL_MISSING (all that is missing), MODEL_CORRUPT, or MODEL_LOCK where a lock file states what is expected: both show found and expected. */
export async function verifyModelFiles(manifest: ModelManifest): Promise<void> {
  const found = await Promise.all(manifest.files.map(async (file) => ({ file, info: await stat(file.at).catch(() => null) })));
  const missing = found.filter(({ info }) => !info?.isFile()).map(({ file }) => file);
  if (missing.length > 0) throw missingFiles(manifest, missing);
  const hashes = new HashIndex(cacheFolder());
  for (const { file, info } of found) {
    if (file.sizeBytes !== null && info!.size !== file.sizeBytes) throw file.lock !== undefined ? changedFile(manifest.id, file, { size: info!.size, sha256: await hashFile(file.at) }) : corrupt(manifest, file, `found ${info!.size} bytes, expected ${file.sizeBytes}`);
    if (file.sha256 === null) continue;
    const { size, mtimeMs } = info!;
    const known = size < LARGE_BYTES ? null : hashes.lookup(file.at, size, mtimeMs);
    const sha256 = known ?? (await hashFile(file.at));
    // What is wrong is remembered whatever its size: the pull that comes next has to know.
    if (known === null && (size >= LARGE_BYTES || sha256 !== file.sha256)) hashes.remember(file.at, { size, mtimeMs, sha256 });
    if (sha256 !== file.sha256) throw file.lock !== undefined ? changedFile(manifest.id, file, { size, sha256 }) : corrupt(manifest, file, `found sha256 ${sha256}, expected ${file.sha256}`);
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
    hint: file.source ? `flow models pull ${manifest.id}` : reinstall,
    exit: EXIT.environment,
  });
}

/** What a manifest's first input gets. */
const MEDIA: Partial<Record<ModelManifest["preprocess"]["kind"], string>> = { image: "pixels", audio: "samples" };

/** The ONNX file's inputs and outputs against the manifest. Throws MODEL_SHAPE, which shows both; MODEL_OUTPUT for one of `reads` that the file has not. */
export function verifyModelShape(manifest: ModelManifest, inputs: readonly TensorInfo[], outputs: readonly TensorInfo[], reads: readonly string[] = []): void {
  const problems = shapeProblems(manifest, inputs, outputs);
  const absent = reads.find((name) => !outputs.some((output) => output.name === name));
  if (problems.length === 0 && absent !== undefined) {
    throw new FlowError("MODEL_OUTPUT", `model ${manifest.id} has no output "${absent}"; ${manifest.file} has ${outputs.map(tensorText).join(", ")}`, { hint: `Name one of them in the graph: with: { output: ${outputs[0]?.name} }.`, exit: EXIT.environment });
  }
  if (problems.length === 0) return;
  throw new FlowError("MODEL_SHAPE", `model ${manifest.id}: ${manifest.file} does not fit its manifest: ${problems.join("; ")}`, {
    hint: `Correct inputs/output in ${manifest.origin}, or use the file it was written for.`,
    exit: EXIT.environment,
  });
}

/**
 * Where the two contradict each other. A symbolic dimension of the file takes any size; a fixed first dimension of the file is a fixed batch, which the
 * sessions loop over.
 */
export function shapeProblems(manifest: ModelManifest, inputs: readonly TensorInfo[], outputs: readonly TensorInfo[]): string[] {
  const problems: string[] = [];
  for (const wanted of manifest.inputs) {
    const found = inputs.find((i) => i.name === wanted.name);
    if (!found) problems.push(`input "${wanted.name}": not in the file, which has ${inputs.map(tensorText).join(", ")}`);
    else if (found.type !== wanted.type || !dimsFit(wanted.dims, found.dims)) problems.push(`input: found ${tensorText(found)}, expected ${tensorText(wanted)}`);
    else if (found.type === "bool" && wanted === manifest.inputs[0] && MEDIA[manifest.preprocess.kind]) problems.push(`input: found ${tensorText(found)}, expected ${MEDIA[manifest.preprocess.kind]} as float32, float16, uint8, int32 or int64`);
  }
  for (const found of inputs) {
    if (!manifest.inputs.some((i) => i.name === found.name)) problems.push(`input: found ${tensorText(found)}, which the manifest does not name`);
  }
  for (const wanted of manifest.outputs) {
    const found = outputs.find((o) => o.name === wanted.name);
    if (!found) problems.push(`output "${wanted.name}": not in the file, which has ${outputs.map(tensorText).join(", ")}`);
    else if (found.type !== wanted.type || !dimsFit(wanted.dims, found.dims)) problems.push(`output: found ${tensorText(found)}, expected ${tensorText(wanted)}`);
  }
  const embedding = manifest.output;
  const output = embedding && outputs.find((o) => o.name === embedding.name);
  const last = output?.dims.at(-1);
  if (embedding && !output) problems.push(`output "${embedding.name}": not in the file, which has ${outputs.map(tensorText).join(", ")}`);
  else if (output && ((output.type !== "float32" && output.type !== "float16") || (typeof last === "number" && last !== embedding!.dims))) {
    problems.push(`output: found ${tensorText(output)}, expected ${embedding!.name}: float32[…, ${embedding!.dims}] or float16`);
  }
  return problems;
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
