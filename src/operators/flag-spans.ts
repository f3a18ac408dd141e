import type { Interval } from "../contracts/items.js";

/**
 * Spans of consecutive rows whose flag is set, from the first one's time to that of the first row after them (`endUs` after the
 * last), those of at least `minUs`. `reachBack`: the flag compares a row with the one before, which then belongs to the span too.
 */
export function flagSpans(ptsUs: Float64Array, flags: ArrayLike<number>, endUs: number, minUs: number, reachBack = false): Interval[] {
  const spans: Interval[] = [];
  for (let from = reachBack ? 1 : 0; from < ptsUs.length; ) {
    let to = from;
    while (to < ptsUs.length && flags[to]) to++;
    if (to > from) {
      const startUs = ptsUs[reachBack ? from - 1 : from]!;
      const stopUs = to < ptsUs.length ? ptsUs[to]! : Math.max(endUs, ptsUs[to - 1]! + 1);
      if (stopUs - startUs >= minUs) spans.push({ startUs, endUs: stopUs });
    }
    from = Math.max(to, from + 1);
  }
  return spans;
}
