import { FlowError, type GridItem, type ModelManifest } from "../contracts/index.js";
import type { Scratch } from "./scratch.js";

export type AudioPreprocess = Extract<ModelManifest["preprocess"], { kind: "audio" }>;

/** A model's audio preprocessing, or an error that names the model. */
export function audioPreprocess(manifest: ModelManifest): AudioPreprocess {
  if (manifest.preprocess.kind === "audio") return manifest.preprocess;
  throw new FlowError("MODEL_TASK", `model ${manifest.id} reads ${manifest.preprocess.kind}, not audio`, {
    hint: "Give the role a model whose manifest has `preprocess: { kind: audio }`.",
    permanent: true,
  });
}

export const windowSamples = (preprocess: AudioPreprocess): number => Math.round(preprocess.windowSeconds * preprocess.sampleRate);

/** The valid samples of one mono window, −1..1: a view into the slot, valid as long as the borrow. */
export function validSamples(item: GridItem): Float32Array {
  const held = Math.floor(item.slot.byteLength / 4);
  return new Float32Array(item.slot.buffer, item.slot.byteOffset, Math.max(0, Math.min(item.samples, held)));
}

/**
 * Mono windows → one private Float32Array [n, windowSamples]. A short window (the end of a medium) is filled by repeating what there
 * is, or with zeros; a longer one is cut. All are multiplied by the manifest's `scale`. With `scratch` the result is only valid until its next `take`.
 */
export function audioBatch(items: readonly GridItem[], preprocess: AudioPreprocess, scratch?: Scratch): Float32Array<ArrayBuffer> {
  const length = windowSamples(preprocess);
  const out = scratch ? scratch.take(items.length * length) : new Float32Array(items.length * length);
  for (const [i, item] of items.entries()) {
    const samples = validSamples(item).subarray(0, length);
    const row = out.subarray(i * length, (i + 1) * length);
    row.set(samples);
    if (preprocess.pad === "repeat" && samples.length > 0) {
      // Doubling copies of the filled part: the same as tiling the samples end to end.
      for (let filled = samples.length; filled < length; filled *= 2) row.copyWithin(filled, 0, Math.min(filled, length - filled));
    } else row.fill(0, samples.length);
  }
  const { scale = 1 } = preprocess;
  if (scale !== 1) for (let n = 0; n < out.length; n++) out[n]! *= scale;
  return out;
}

/** Root mean square in dB of full scale; −Infinity for silence and for no samples. */
export function rmsDbfs(samples: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i]! * samples[i]!;
  return samples.length === 0 ? Number.NEGATIVE_INFINITY : 10 * Math.log10(sum / samples.length);
}
