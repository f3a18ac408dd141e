import { z } from "zod";
import { defineOperator } from "../../contracts/operator.js";
import { Frames, Rows } from "../../contracts/ports.js";
import { COMMON_COLUMNS, DETECTORS, SCORE_COLUMNS } from "./scene.scores.columns.js";

/** Per frame, what every cut detector and the quality report read: see FrameScorer for the definition of each column. */
export const sceneScores = defineOperator({
  name: "scene.scores",
  version: 1,
  summary: "Scores every frame against the one before: HSV content, luma, histogram, black and letterbox.",
  description:
    "Runs on every frame beside the decoder, longer side 256 px of the coded raster. The rows are kept, so that another detector or threshold cuts again without " +
    "decoding: all detectors but `hash` read the same rows.",
  module: new URL("./scene.scores.tap.js", import.meta.url).href,
  level: "frame",
  inputs: { frames: Frames.with({ color: "rgb24" }) },
  outputs: ({ config: { hash } }) => ({ scores: Rows.with({ columns: hash ? SCORE_COLUMNS : COMMON_COLUMNS }) }),
  config: z
    .strictObject({
      detector: z.enum(DETECTORS).default("content").describe("The detector that will read the scores. Only `hash` needs a column of its own."),
      edges: z.boolean().default(false).describe("Also compare edges (for a content weight on edges): several times the cost of the rest."),
    })
    // The family, not the detector, is what results depend on: it is what a memo key sees.
    .transform(({ detector, edges }) => ({ hash: detector === "hash", edges })),
  demand: () => ({ frames: { video: { size: { longest: 256 }, fps: "all", geometry: "coded" } } }),
  run: { form: "tap", stream: "frames", factory: "sceneScoresTap", columns: SCORE_COLUMNS },
  examples: [
    {
      title: "Scores for the adaptive detector",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames, with: { detector: adaptive } }\nscenes: { op: scene.cut, in: { scores: scores }, with: { detector: adaptive } }",
    },
  ],
});
