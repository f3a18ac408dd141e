import { z } from "zod";
import { Frames, Vector, defineOperator } from "../src/contracts/index.js";

/** Answers with empty vectors of 512 numbers: what is left is the cost of the call. */
export const benchNothing = defineOperator({
  name: "bench.nothing",
  version: 1,
  summary: "Does nothing.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame", { dims: 512 }) },
  config: z.strictObject({}),
  run: { form: "batch", result: "vector", input: "frames" },
  batch: async (items) => items.map(() => new Float32Array(512)),
  examples: [],
});
