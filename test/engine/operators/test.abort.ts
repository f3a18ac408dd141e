import { z } from "zod";
import { Frames, Vector, defineOperator, type BatchFunction } from "../../../src/contracts/index.js";

const config = z.strictObject({
  abort: z.number().default(-1).describe("The process of the item at this second is aborted."),
  hang: z.number().default(-1).describe("The call with the item at this second never returns."),
});

const batch: BatchFunction = async (items, { abort, hang }: z.infer<typeof config>) => {
  const has = (second: number): boolean => items.some(({ ptsUs }) => ptsUs === second * 1e6);
  if (has(abort)) process.abort();
  while (has(hang));
  return items.map(({ ptsUs, slot }) => Float32Array.of(ptsUs / 1e6, new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength).reduce((sum, byte) => sum + byte, 0)));
};

/** Two numbers per frame; ends its process or never ends. For `isolation: process`. */
export const testAbort = defineOperator({
  name: "test.abort",
  version: 1,
  summary: "Aborts or hangs.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame", { dims: 2, norm: "none" }) },
  config,
  demand: () => ({ frames: { video: { size: { longest: 32 }, fps: 1, geometry: "display" } } }),
  run: { form: "batch", result: "vector", input: "frames" },
  batch,
  examples: [],
});
