import { z } from "zod";
import { FlowError, type ModelHandle } from "../../contracts/index.js";
import { extracted } from "../audio-feeds.js";
import { audioPreprocess } from "../preprocess-audio.js";
import { splitRows } from "../rows.js";
import { openFeatureExtractor } from "../transformers.js";
import { rowOf, settingsOf } from "./outputs.js";

const settings = z.object({
  /** Class → the speakers that it stands for; null: pyannote 3.0's, of up to three speakers at most two at once. */
  speakers: z.array(z.array(z.int().min(0))).min(2).nullable().default(null),
  /** Samples from one frame to the next; frame i sees the `offset` samples from i·step on. */
  step: z.int().positive().default(270),
  offset: z.int().positive().default(990),
});

export interface SegmentationLayout {
  sampleRate: number;
  windowSamples: number;
  /** Class → speakers. */
  sets: readonly (readonly number[])[];
  /** Speakers that a window tells apart. */
  speakers: number;
  stepSamples: number;
  /** From the start of what a frame sees to the middle `stepSamples` of it, which it stands for. */
  leadSamples: number;
}

/** What a speaker segmentation (pyannote 3.0's layout: [n, 1, samples] → [n, frames, powerset classes]) says about its windows and frames. */
export function segmentationLayout({ manifest }: ModelHandle): SegmentationLayout {
  const { sampleRate, windowSeconds } = audioPreprocess(manifest);
  const { speakers, step, offset } = settingsOf(manifest, settings);
  const sets = speakers ?? [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]];
  return { sampleRate, windowSamples: Math.round(sampleRate * windowSeconds), sets, speakers: Math.max(0, ...sets.flat()) + 1, stepSamples: step, leadSamples: Math.max(0, Math.round((offset - step) / 2)) };
}

/** Scores of one window, [frames, classes]. `window`: windowSamples long. */
export async function segment(model: ModelHandle, window: Float32Array, classes: number): Promise<Float32Array> {
  const { manifest } = model;
  const outputs = await model.run({ [manifest.inputs[0]!.name]: { data: window, dims: [1, 1, window.length] } });
  return rowOf(outputs, manifest.outputs[0]!.name, 0, 1, classes, manifest);
}

/** The voice in a sound, as a vector: filter-bank features by the model's own extractor (WeSpeaker), then the network. */
export async function embedVoice(model: ModelHandle, sound: Float32Array): Promise<Float32Array> {
  const { manifest } = model;
  const input = manifest.inputs[0]!.name;
  const { data, dims } = await extracted(await openFeatureExtractor(manifest), sound, input);
  const [vector] = splitRows(await model.run({ [input]: { data, dims } }), manifest, 1);
  if (!vector || vector.some((x) => !Number.isFinite(x))) throw new FlowError("MODEL_OUTPUT", `model ${manifest.id} gave a vector with a NaN or infinite component`, { hint: "Check it with `flow models verify`." });
  return vector;
}
