import type { FrameScoreColumn } from "../../math/frame-scores.js";

/** What a detector reads from a frame's row; one family is decoded and scored once for all its detectors. */
export const DETECTORS = ["content", "adaptive", "hash", "histogram", "threshold", "windows", "file"] as const;
export type Detector = (typeof DETECTORS)[number];

/**
 * The score row of a frame as it is stored. `hashDistance` is NOT_MEASURED and `deltaEdges` 0 unless the scores were made for them: the
 * columns are the same for every detector, so that rows and their readers never depend on which detector runs.
 */
export const SCORE_COLUMNS = [
  "deltaHue",
  "deltaSat",
  "deltaLum",
  "deltaEdges",
  "meanRgb",
  "meanLuma",
  "deltaLuma",
  "blackRatio",
  "histCorr",
  "hashDistance",
  "letterboxTop",
  "letterboxBottom",
  "letterboxLeft",
  "letterboxRight",
] as const satisfies readonly FrameScoreColumn[];

/** Those that mean something whatever the scores were made for: what other operators may count on. */
export const COMMON_COLUMNS = SCORE_COLUMNS.filter((column) => column !== "hashDistance");

/** In `hashDistance` where no hash was made: a distance is never negative. */
export const NOT_MEASURED = -1;
