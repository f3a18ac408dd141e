/** A stretch of time, endUs exclusive. */
export interface Span {
  readonly startUs: number;
  readonly endUs: number;
}

/**
 * Spans where a per-frame condition holds for at least `minUs`. A frame lasts until the next one's PTS, the last one
 * until `endUs`.
 * @param ptsUs PTS in order. @param flags as many; non-zero where the condition holds.
 */
export function spansWhere(ptsUs: ArrayLike<number>, flags: ArrayLike<number | boolean>, endUs: number, minUs: number): Span[] {
  if (ptsUs.length !== flags.length) throw new RangeError(`${ptsUs.length} PTS but ${flags.length} flags`);
  const spans: Span[] = [];
  let startUs: number | undefined;
  for (let i = 0; i <= flags.length; i++) {
    const holds = i < flags.length && Boolean(flags[i]);
    if (holds) {
      startUs ??= ptsUs[i]!;
      continue;
    }
    if (startUs === undefined) continue;
    const stopUs = i < flags.length ? ptsUs[i]! : Math.max(endUs, ptsUs[i - 1]!);
    if (stopUs > startUs && stopUs - startUs >= minUs) spans.push({ startUs, endUs: stopUs });
    startUs = undefined;
  }
  return spans;
}

/** What the PTS of a stream say about its frame rate. */
export interface PtsMeasure {
  readonly frames: number;
  /** Median distance of neighbours; null with fewer than two frames. */
  readonly medianUs: number | null;
  /** Share of distances that differ from the median by more than a tenth (and 2 ms, which containers round by). */
  readonly irregularRatio: number;
  /** irregularRatio > 0.05, gaps not counted. */
  readonly variableRate: boolean;
  /** Distances of at least `gapUs`, and at least three medians: frames are missing between startUs and endUs. */
  readonly gaps: Span[];
  /** How many PTS are not after the one before. */
  readonly backwards: number;
}

/** Measures the regularity of PTS in decoding order of presentation. */
export function measurePts(ptsUs: ArrayLike<number>, gapUs = 500_000): PtsMeasure {
  const distances = new Float64Array(Math.max(0, ptsUs.length - 1));
  let backwards = 0;
  for (let i = 0; i < distances.length; i++) {
    distances[i] = ptsUs[i + 1]! - ptsUs[i]!;
    if (distances[i]! <= 0) backwards++;
  }
  if (distances.length === 0) {
    return { frames: ptsUs.length, medianUs: null, irregularRatio: 0, variableRate: false, gaps: [], backwards };
  }
  const medianUs = distances.slice().sort()[distances.length >> 1]!;
  const gaps: Span[] = [];
  let irregular = 0;
  for (let i = 0; i < distances.length; i++) {
    const distance = distances[i]!;
    if (distance >= gapUs && distance >= 3 * medianUs) gaps.push({ startUs: ptsUs[i]!, endUs: ptsUs[i + 1]! });
    else if (Math.abs(distance - medianUs) > Math.max(2000, medianUs / 10)) irregular++;
  }
  const irregularRatio = irregular / distances.length;
  return { frames: ptsUs.length, medianUs, irregularRatio, variableRate: irregularRatio > 0.05, gaps, backwards };
}
