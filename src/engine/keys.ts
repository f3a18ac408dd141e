import type { Interval, Series } from "../contracts/index.js";
import { digestValue, itemMemoKey } from "../store/index.js";

const digested = new WeakMap<Series, string>();

/** Made once for a series, which its readers leave as it is. */
export function digestSeries(series: Series): string {
  let digest = digested.get(series);
  if (digest === undefined) digested.set(series, (digest = digestValue({ p: series.ptsUs, d: series.data, b: series.bytes, w: series.width })));
  return digest;
}

/** Memo key of one item of one node: static part × item × what it consumed. Medium and interval stand in clear, for `collect` to read (memo-keys.ts of the store). */
export function memoKey(nodeKey: string, medium: string, interval: Interval, inputDigests: readonly string[]): string {
  return itemMemoKey(nodeKey, medium, interval, digestValue([medium, interval.startUs, interval.endUs, ...inputDigests]));
}

/** A record's id: a hash of exactly what it is about, never an index. */
export function recordId(kind: string, medium: string, interval: Interval): string {
  return digestValue([kind, medium, interval.startUs, interval.endUs]).slice(0, 16);
}
