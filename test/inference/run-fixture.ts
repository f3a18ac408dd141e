import { z } from "zod";
import { Frames, Vector, defineOperator, type BatchFunction, type ModelManifest } from "../../src/contracts/index.js";

/** Whether all inputs are pixels or sound, which can be made up. */
export const testRunTakes = (manifest: ModelManifest): boolean => manifest.inputs.every(({ type }) => type === "float32");

/** Free sizes are one, sides of pictures those of the preprocessing. */
function sizesOf({ preprocess }: ModelManifest, dims: readonly (number | string)[]): number[] {
  return dims.map((dim, i) => (typeof dim === "number" ? dim : i > 1 && preprocess.kind === "image" ? preprocess.size[3 - i]! : preprocess.kind === "audio" && i === dims.length - 1 ? 16_000 : 1));
}

/** All outputs of one run on made-up pixels of the manifest's sizes, one after the other. */
const run: BatchFunction = async (items, _config, { models }) => {
  const model = models["model"]!;
  const feeds = Object.fromEntries(
    model.manifest.inputs.map(({ name, dims }) => {
      const sizes = sizesOf(model.manifest, dims);
      const length = sizes.reduce((a, b) => a * b, 1);
      return [name, { data: Float32Array.from({ length }, (_, i) => ((i * 7919) % 255) / (model.manifest.family === "yolox" ? 1 : 128)), dims: sizes }];
    }),
  );
  const outputs = Object.values(await model.run(feeds));
  const all = new Float32Array(outputs.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of outputs) all.set(data, at), (at += data.length);
  return items.map(() => all);
};

export const testRun = defineOperator({
  name: "test.run",
  version: 1,
  summary: "Runs a model once.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame") },
  config: z.strictObject({}),
  models: { model: { task: "any" } },
  run: { form: "batch", result: "vector", input: "frames" },
  batch: run,
  examples: [],
});
