import type { Series } from "../../contracts/items.js";
import { blackFrames } from "../scene/frame-flags.js";
import { column, quantile, rounded } from "../series-rows.js";
import type { QualityReport } from "./quality.report.js";

/** A bar must be at least this share of its side, in all but the darkest frames. */
const BAR = 0.02;

/** Black bars that nearly every frame has; frames that are black as a whole say nothing. */
export function borders(scores: Series): QualityReport["borders"] {
  const black = blackFrames(scores);
  const side = (name: string): number => {
    const share = quantile(column(scores, name).filter((_, i) => black[i] === 0), 0.1);
    return share >= BAR ? rounded(share, 3) : 0;
  };
  const [top, bottom, left, right] = ["letterboxTop", "letterboxBottom", "letterboxLeft", "letterboxRight"].map(side) as [number, number, number, number];
  const wide = top > 0 && bottom > 0;
  const tall = left > 0 && right > 0;
  if (!wide && !tall) return null;
  return { kind: wide && tall ? "windowbox" : wide ? "letterbox" : "pillarbox", top: wide ? top : 0, bottom: wide ? bottom : 0, left: tall ? left : 0, right: tall ? right : 0 };
}

/**
 * Distances of the frames. Variable: more than 1 % of them differ from the median by over 10 % and 2 ms (containers round to the
 * millisecond). Gap: no frame for 3 medians and 200 ms.
 */
export function frameTiming(ptsUs: Float64Array): QualityReport["timing"] {
  const steps = Array.from(ptsUs.subarray(1), (at, i) => at - ptsUs[i]!);
  if (steps.length === 0) return null;
  const median = quantile(steps, 0.5);
  const gapUs = Math.max(3 * median, 200_000);
  const odd = steps.filter((step) => step < gapUs && Math.abs(step - median) > Math.max(0.1 * median, 2000)).length;
  const gaps = steps.flatMap((step, i) => (step >= gapUs ? [{ startUs: ptsUs[i]! + median, endUs: ptsUs[i + 1]! }] : []));
  return {
    frames: ptsUs.length,
    variable: odd > 0.01 * steps.length,
    medianIntervalUs: median,
    minIntervalUs: steps.reduce((a, b) => Math.min(a, b)),
    maxIntervalUs: steps.reduce((a, b) => Math.max(a, b)),
    gaps,
  };
}
