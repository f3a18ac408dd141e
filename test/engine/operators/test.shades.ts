import { z } from "zod";
import { Detections, FlowError, Frames, defineOperator, type BatchFunction, type Detection } from "../../../src/contracts/index.js";

/** The boxes of the same frame, each with the frame's own width; fails when they are another frame's. */
const batch: BatchFunction = async (items) =>
  items.map(({ ptsUs, slot, inputs }) =>
    (inputs!["boxes"] as Detection[]).map((detection) => {
      if (!detection.label.startsWith(`${ptsUs}/`)) throw new FlowError("TEST_OTHER_FRAME", `${detection.label} came to ${ptsUs}`, { hint: "none", permanent: true });
      return { ...detection, score: slot.width / 1000 };
    }),
  );

/** Reads another frame-level node, from frames of another size. */
export const testShades = defineOperator({
  name: "test.shades",
  version: 1,
  summary: "Boxes with the width of the frame.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames, boxes: Detections },
  outputs: { boxes: Detections },
  config: z.strictObject({}),
  demand: () => ({ frames: { video: { size: { longest: 128 }, fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch,
  examples: [],
});
