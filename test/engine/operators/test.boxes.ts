import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Detections, FlowError, Frames, defineOperator, type BatchFunction, type Detection } from "../../../src/contracts/index.js";

const config = z.strictObject({
  marks: z.string().default("").describe("Folder in which tries are noted, for all workers."),
  fails_at: z.number().default(-1).describe("Second whose frame fails the first time."),
});

/** As many boxes as whole seconds have passed, modulo 3, the first as wide as the source. */
const batch: BatchFunction = async (items, { marks, fails_at }: z.infer<typeof config>) =>
  items.map(({ ptsUs, source }): Detection[] => {
    if (ptsUs === fails_at * 1e6 && !existsSync(join(marks, "failed"))) {
      if (items.length === 1) writeFileSync(join(marks, "failed"), "");
      throw new FlowError("TEST_FAULT", `fault at ${ptsUs}`, { hint: "none" });
    }
    const count = Math.floor(ptsUs / 1e6) % 3;
    return Array.from({ length: count }, (_, i) => ({ label: `${ptsUs}/${i}`, score: 1, box: [i, 0, source!.width, source!.height] }));
  });

/** Boxes that say which frame they are of. */
export const testBoxes = defineOperator({
  name: "test.boxes",
  version: 1,
  summary: "Boxes by the clock.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { boxes: Detections },
  config,
  demand: () => ({ frames: { video: { size: { longest: 64 }, fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch,
  examples: [],
});
