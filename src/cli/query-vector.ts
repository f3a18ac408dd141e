/** A picture, a sound or words as the query vector of a space, by the model that made the space. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import type { GridItem, MediumInfo, ModelManifest, OperatorDefinition } from "../contracts/index.js";
import { EXIT, FlowError } from "../contracts/errors.js";
import { InferencePool } from "../inference/index.js";
import { rasterDemand, type ImagePreprocess } from "../models/preprocess-image.js";
import { embeddingOf } from "../models/rows.js";
import { ffmpegPath } from "../media/index.js";
import { audioEmbed } from "../operators/audio/audio.embed.js";
import { imageEmbed } from "../operators/image/image.embed.js";
import { textEmbed } from "../operators/text/text.embed.js";

const run = promisify(execFile);

/** A query sound is cut here: its windows are averaged, and a longer one says no more. */
const MAX_QUERY_SECONDS = 300;
/** The pixels that a query picture may have (decompression bombs). */
const MAX_PIXELS = 100_000_000;

/** Unit vector of the picture in `file`. Throws QUERY_UNREADABLE. */
export async function encodeImage(file: string, manifest: ModelManifest): Promise<Float32Array> {
  mustExist(file);
  if (manifest.preprocess.kind !== "image") throw unreadable(file, `model ${manifest.id} reads no pictures`);
  const { default: sharp } = await import("sharp");
  try {
    const [width, height] = await querySize(file, manifest.preprocess);
    // autoOrient and flatten: as a viewer shows it; the decoder delivers frames in the same size, and the operator does the rest.
    const pixels = await sharp(file, { limitInputPixels: MAX_PIXELS }).autoOrient().flatten().toColourspace("srgb").resize(width, height, { fit: "fill" }).removeAlpha().raw().toBuffer();
    const [vector] = await embed(imageEmbed, { image: manifest }, [{ ptsUs: 0, samples: 0, slot: shared(pixels, width, height) }]);
    return vector!;
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    throw unreadable(file, (cause as Error).message, cause);
  }
}

/** [width, height] that the decoder would give a frame of this picture. */
async function querySize(file: string, preprocess: ImagePreprocess): Promise<[number, number]> {
  const demand = rasterDemand(preprocess);
  if (Array.isArray(demand)) return demand;
  const { default: sharp } = await import("sharp");
  const { autoOrient } = await sharp(file, { limitInputPixels: MAX_PIXELS }).metadata();
  const scale = Math.min(1, "shortest" in demand ? demand.shortest / Math.min(autoOrient.width, autoOrient.height) : demand.longest / Math.max(autoOrient.width, autoOrient.height));
  return [Math.max(1, Math.round(autoOrient.width * scale)), Math.max(1, Math.round(autoOrient.height * scale))];
}

/** Unit mean of the windows of the sound in `file`; null when it is silent throughout. Throws QUERY_UNREADABLE. */
export async function encodeAudio(file: string, manifest: ModelManifest): Promise<Float32Array | null> {
  mustExist(file);
  if (manifest.preprocess.kind !== "audio") throw unreadable(file, `model ${manifest.id} reads no sound`);
  const { sampleRate, windowSeconds } = manifest.preprocess;
  const pcm = await decodeSound(file, sampleRate);
  const window = Math.round(sampleRate * windowSeconds);
  const items: GridItem[] = [];
  for (let at = 0; at < pcm.length; at += window) {
    const samples = Math.min(window, pcm.length - at);
    // A rest shorter than half a window says more about its padding than about the sound.
    if (items.length > 0 && samples < window / 2) break;
    const slot = shared(new Uint8Array(window * 4), window, 1);
    new Float32Array(slot.buffer, 0, samples).set(pcm.subarray(at, at + samples));
    items.push({ ptsUs: Math.round((at / sampleRate) * 1e6), samples, slot });
  }
  if (items.length === 0) throw unreadable(file, "it has no sound");
  const sum = new Float32Array(embeddingOf(manifest).dims);
  for (const vector of await embed(audioEmbed, { audio: manifest }, items)) vector.forEach((value, i) => (sum[i]! += value));
  const norm = Math.hypot(...sum);
  return norm === 0 ? null : sum.map((value) => value / norm);
}

/** Unit vector of the words; null when they have no letter or digit. */
export async function encodeText(text: string, manifest: ModelManifest): Promise<Float32Array | null> {
  await using pool = new InferencePool({ workers: 1, intraOpThreads: 1 });
  const interval = { startUs: 0, endUs: 0 };
  // The operator asks nothing of the medium; a query has none.
  const medium = { id: "", uri: "", name: "", kind: "video", container: "", sizeBytes: null, durationUs: null, startUs: 0, video: null, audio: null, subtitles: [], memoisable: false } satisfies MediumInfo;
  const [result] = await pool.run({ kind: "eachBatch", module: textEmbed.module, operator: textEmbed.name, node: "query", config: textEmbed.config.parse({ template: "{query}" }), models: { text: manifest }, items: [{ inputs: { query: text }, medium, interval }] });
  if (!result?.ok) throw new FlowError(result?.error.code ?? "QUERY_UNREADABLE", result?.error.message ?? "The words gave no vector.", { hint: result?.error.hint ?? "Give other words." });
  const value = result.value as Record<string, unknown>;
  return value["vector"] instanceof Float32Array ? value["vector"] : null;
}

async function decodeSound(file: string, sampleRate: number): Promise<Float32Array> {
  try {
    const { stdout } = await run(ffmpegPath(), ["-nostdin", "-v", "error", "-i", file, "-vn", "-t", String(MAX_QUERY_SECONDS), "-ac", "1", "-ar", String(sampleRate), "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"], { encoding: "buffer", maxBuffer: MAX_QUERY_SECONDS * sampleRate * 4 + (1 << 20) });
    const own = new Uint8Array(stdout.length - (stdout.length % 4));
    own.set(stdout.subarray(0, own.length));
    return new Float32Array(own.buffer);
  } catch (cause) {
    throw unreadable(file, String((cause as { stderr?: Buffer }).stderr ?? (cause as Error).message).trim().split("\n").at(-1) ?? "", cause);
  }
}

async function embed(operator: OperatorDefinition<never> | OperatorDefinition<any>, models: Record<string, ModelManifest>, items: GridItem[]): Promise<Float32Array[]> {
  await using pool = new InferencePool({ workers: 1, intraOpThreads: 1 });
  const results = await pool.run({ kind: "batch", module: operator.module, operator: operator.name, node: "query", config: operator.config.parse({}), models, items });
  return results.map((result) => {
    if (result.ok) return result.value as Float32Array;
    throw new FlowError(result.error.code, result.error.message, { hint: result.error.hint });
  });
}

function shared(bytes: Uint8Array, width: number, height: number): GridItem["slot"] {
  const buffer = new SharedArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return { buffer, byteOffset: 0, byteLength: bytes.length, width, height };
}

function mustExist(file: string): void {
  if (!existsSync(file)) throw new FlowError("QUERY_UNREADABLE", `There is no file ${file}.`, { hint: "Give a picture with --image or a sound with --audio.", exit: EXIT.badInput });
}

const unreadable = (file: string, why: string, cause?: unknown): FlowError => new FlowError("QUERY_UNREADABLE", `${file} cannot be used as a query: ${why}`, { hint: "Give a picture (jpeg, png, webp, …) with --image, a sound or video file with --audio.", exit: EXIT.badInput, cause });
