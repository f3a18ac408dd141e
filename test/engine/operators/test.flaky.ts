import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FlowError, Frames, Vector, defineOperator, type BatchFunction } from "../../../src/contracts/index.js";

const config = z.strictObject({
  marks: z.string().describe("Folder in which tries are noted, for all workers."),
  from: z.number().default(0).describe("Items before this second never fail."),
  to: z.number().default(1e9),
  fails: z.enum(["once", "always", "never"]).default("never"),
  permanent: z.boolean().default(false),
});

const batch: BatchFunction = async (items, { marks, from, to, fails, permanent }: z.infer<typeof config>) => {
  const guilty = items.find(({ ptsUs }) => ptsUs >= from * 1e6 && ptsUs < to * 1e6);
  if (guilty && fails !== "never") {
    const mark = join(marks, String(guilty.ptsUs));
    // "once" counts tries of an item that is alone: the batcher halves a failing batch by itself.
    if (fails === "always" || items.length > 1 || !existsSync(mark)) {
      if (items.length === 1) writeFileSync(mark, "");
      throw new FlowError("TEST_FAULT", `fault at ${guilty.ptsUs}`, { hint: "none", permanent });
    }
  }
  return items.map(({ ptsUs }) => Float32Array.of(ptsUs / 1e6, 1));
};

/** Two numbers per frame; fails as its configuration says. */
export const testFlaky = defineOperator({
  name: "test.flaky",
  version: 1,
  summary: "Fails on demand.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame", { dims: 2, norm: "none" }) },
  config,
  demand: () => ({ frames: { video: { size: { longest: 32 }, fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "vector", input: "frames" },
  batch,
  examples: [],
});
