import { LOUDNESS_COLUMNS } from "../../math/loudness.js";

/** One row per 100 ms of the absolute grid: the step of EBU R128's momentary loudness. */
export const LEVEL_ROW_US = 100_000;
export const LEVEL_COLUMNS = LOUDNESS_COLUMNS;
