import type { Span } from './spans.js';

export interface SilenceOptions {
  /** A row below this is silent. Default -50 dB. */
  readonly thresholdDb?: number;
  /** Default 0.5 s. */
  readonly minUs?: number;
  /** Length of a row. Default 100 ms. */
  readonly rowUs?: number;
  /** PTS of the first row. Default 0. */
  readonly startUs?: number;
  /** Where the last row ends, if it is not a whole one. */
  readonly endUs?: number;
}

/** Stretches where every row's level (dBFS, the `rmsDb` column) lies below the threshold. */
export function silenceSpans(levelsDb: ArrayLike<number>, options: SilenceOptions = {}): Span[] {
  const { thresholdDb = -50, minUs = 500_000, rowUs = 100_000, startUs = 0 } = options;
  const endUs = options.endUs ?? startUs + levelsDb.length * rowUs;
  const spans: Span[] = [];
  let from = -1;
  for (let i = 0; i <= levelsDb.length; i++) {
    if (i < levelsDb.length && levelsDb[i]! < thresholdDb) {
      if (from < 0) from = i;
      continue;
    }
    if (from < 0) continue;
    const span = { startUs: startUs + from * rowUs, endUs: Math.min(endUs, startUs + i * rowUs) };
    if (span.endUs - span.startUs >= minUs) spans.push(span);
    from = -1;
  }
  return spans;
}
