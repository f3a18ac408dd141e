import { z } from "zod";
import { Clip, Spans, defineOperator, type MediumInfo } from "../../../src/contracts/index.js";

/** One span over the whole medium: what voice activity looks like to scenes. */
export const testWhole = defineOperator({
  name: "test.whole",
  version: 1,
  summary: "One span over the medium.",
  module: import.meta.url,
  level: "media",
  inputs: { clip: Clip },
  outputs: { spans: Spans.at("media") },
  config: z.strictObject({ value: z.number().default(1) }),
  run: { form: "each", thread: "pool", each: ({ clip }, { value }: { value: number }) => ({ spans: [{ startUs: 0, endUs: (clip as MediumInfo).durationUs ?? 0, value }] }) },
  examples: [],
});
