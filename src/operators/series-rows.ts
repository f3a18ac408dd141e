import type { Series } from "../contracts/items.js";

/** One column of a series of rows as an array; empty where the series or the column is missing. */
export function column(series: Series | null | undefined, name: string): Float32Array {
  const at = series?.columns?.indexOf(name) ?? -1;
  if (!series?.data || at < 0) return new Float32Array(0);
  const { data, width, ptsUs } = series;
  const values = new Float32Array(ptsUs.length);
  for (let i = 0, k = at; i < values.length; i++, k += width) values[i] = data[k]!;
  return values;
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? 0 : sum / values.length;
}

/** Value below which a share `q` (0..1) of the values lies; 0 without values. */
export function quantile(values: ArrayLike<number>, q: number): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}

/** Rounded for records: digits after the point, never −0. */
export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits)) + 0;
}
