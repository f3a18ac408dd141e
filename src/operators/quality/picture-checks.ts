import type { Interval, Series } from "../../contracts/items.js";
import { measurePts, spansWhere } from "../../math/spans.js";
import { blackFrames, frozenFrames } from "../scene/frame-flags.js";
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

/** Spans in which frames repeat the one before, from the first of the equal frames on. */
export function freezes(scores: Series, endUs: number, minUs: number): Interval[] {
  const { ptsUs } = scores;
  const frozen = frozenFrames(scores);
  frozen[0] = 0;
  return spansWhere(ptsUs, frozen, endUs, 0)
    .map((span) => ({ startUs: ptsUs[ptsUs.indexOf(span.startUs) - 1]!, endUs: span.endUs }))
    .filter((span) => span.endUs - span.startUs >= minUs);
}

/** Distances of the frames; null with fewer than two. */
export function frameTiming(ptsUs: Float64Array): QualityReport["timing"] {
  const { frames, medianUs, variableRate, gaps } = measurePts(ptsUs);
  if (medianUs === null) return null;
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (let i = 1; i < ptsUs.length; i++) {
    least = Math.min(least, ptsUs[i]! - ptsUs[i - 1]!);
    most = Math.max(most, ptsUs[i]! - ptsUs[i - 1]!);
  }
  return { frames, variable: variableRate, medianIntervalUs: medianUs, minIntervalUs: least, maxIntervalUs: most, gaps };
}
