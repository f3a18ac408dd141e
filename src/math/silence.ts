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

export interface SilenceCutOptions {
  readonly startUs: number;
  readonly endUs: number;
  /** A scene shorter than this is not cut off. */
  readonly minSceneUs: number;
  /** A longer stretch without silence is cut into equal parts. Default: not at all. */
  readonly maxSceneUs?: number;
}

/**
 * Cuts for media without pictures: in the middle of each silence, but where a scene on either side would be too short.
 * Silence at the very start or end cuts nothing. PTS in order, strictly between startUs and endUs.
 */
export function cutsAtSilence(silences: readonly Span[], options: SilenceCutOptions): number[] {
  const { startUs, endUs, minSceneUs, maxSceneUs = Number.POSITIVE_INFINITY } = options;
  const cuts: number[] = [];
  let lastUs = startUs;
  const splitTo = (nextUs: number): void => {
    const parts = Math.max(1, Math.ceil((nextUs - lastUs) / maxSceneUs));
    for (let k = 1; k < parts; k++) cuts.push(Math.round(lastUs + ((nextUs - lastUs) * k) / parts));
    lastUs = nextUs;
  };
  for (const silence of silences) {
    if (silence.startUs <= startUs || silence.endUs >= endUs) continue;
    const middleUs = Math.round((silence.startUs + silence.endUs) / 2);
    if (middleUs - lastUs < minSceneUs || endUs - middleUs < minSceneUs) continue;
    splitTo(middleUs);
    cuts.push(middleUs);
  }
  splitTo(endUs);
  return cuts;
}
