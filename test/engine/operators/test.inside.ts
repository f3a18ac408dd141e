import { z } from "zod";
import { Scene, Spans, Value, defineOperator, type Interval, type Span } from "../../../src/contracts/index.js";

/** How much of the scene the spans of the medium cover, µs. */
export const testInside = defineOperator({
  name: "test.inside",
  version: 1,
  summary: "Overlap of a scene with spans.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene, spans: Spans.at("media") },
  outputs: { overlap: Value },
  config: z.strictObject({}),
  run: {
    form: "each",
    thread: "main",
    each: ({ scenes, spans }) => {
      const { startUs, endUs } = scenes as Interval;
      return { overlap: (spans as Span[]).reduce((sum, span) => sum + Math.max(0, Math.min(endUs, span.endUs) - Math.max(startUs, span.startUs)) * (span.value ?? 1), 0) };
    },
  },
  examples: [],
});
