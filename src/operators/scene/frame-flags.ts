import type { Series } from "../../contracts/items.js";
import { column } from "../series-rows.js";

/** Share of pixels at or below black from which a frame is black. */
export const BLACK_SHARE = 0.98;
/** Mean change of luma (0..1) below which a frame repeats the one before: coded stills stay below 2.4e-5, a fixed camera's noise above 1e-4. */
export const FREEZE_CHANGE = 0.00005;

/** 1 where the frame of the score row is black. */
export const blackFrames = (scores: Series): Float32Array => column(scores, "blackRatio").map((share) => (share >= BLACK_SHARE ? 1 : 0));

/** 1 where the frame shows what the one before showed. */
export const frozenFrames = (scores: Series): Float32Array => column(scores, "deltaLuma").map((change) => (change < FREEZE_CHANGE ? 1 : 0));
