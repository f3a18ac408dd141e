import { FlowError, type GridItem, type ModelHandle } from "../contracts/index.js";
import { audioBatch, audioPreprocess, validSamples, windowSamples } from "./preprocess-audio.js";
import type { Scratch } from "./scratch.js";
import { openFeatureExtractor, type FeatureExtractor } from "./transformers.js";

type Feeds = Parameters<ModelHandle["run"]>[0];

/** Below this no feature extractor has a frame to look at. */
const LEAST_SAMPLES = 1024;

/**
 * What a model's only input gets for windows of sound: the samples, padded as the manifest says, or one row of features per window, made by
 * the model's own feature extractor (which pads by itself). A row depends on its window alone. Samples lie in `scratch`, until its next `take`.
 */
export async function audioFeeds(items: readonly GridItem[], model: ModelHandle, scratch: Scratch): Promise<Feeds> {
  const { manifest } = model;
  const preprocess = audioPreprocess(manifest);
  const input = manifest.inputs[0]!;
  if (preprocess.features === "processor" && !model.mock) return { [input.name]: await features(items, await openFeatureExtractor(manifest), model, windowSamples(preprocess)) };
  const data = audioBatch(items, preprocess, scratch);
  const length = windowSamples(preprocess);
  // [n, samples], or [n, 1, samples] where the model wants a channel.
  return { [input.name]: { data, dims: input.dims.length === 3 ? [items.length, 1, length] : [items.length, length] } };
}

async function features(items: readonly GridItem[], extract: FeatureExtractor, { manifest }: ModelHandle, length: number): Promise<Feeds[string]> {
  const rows: { data: Float32Array; dims: number[] }[] = [];
  for (const item of items) rows.push(await extracted(extract, validSamples(item).slice(0, length), manifest.inputs[0]!.name));
  const first = rows[0]!;
  const odd = rows.find((row) => row.data.length !== first.data.length);
  if (odd) {
    throw new FlowError("MODEL_OUTPUT", `the feature extractor of model ${manifest.id} gave [${odd.dims.join(", ")}] and [${first.dims.join(", ")}] for windows of one length`, {
      hint: "Its preprocessor_config.json must pad every window to one size.",
      permanent: true,
    });
  }
  const data = new Float32Array(rows.length * first.data.length);
  rows.forEach((row, i) => data.set(row.data, i * first.data.length));
  return { data, dims: [rows.length, ...first.dims.slice(1)] };
}

/** Features of one sound, [1, …], by the name of the model's input where the extractor gives several. */
export async function extracted(extract: FeatureExtractor, samples: Float32Array, input: string): Promise<{ data: Float32Array; dims: number[] }> {
  let sound = samples;
  if (samples.length < LEAST_SAMPLES) (sound = new Float32Array(LEAST_SAMPLES)).set(samples);
  const given = (await (extract as unknown as (sound: Float32Array) => Promise<Record<string, { data: Float32Array; dims: number[] }>>)(sound)) as Record<string, { data: Float32Array; dims: number[] }>;
  return given[input] ?? Object.values(given)[0]!;
}
