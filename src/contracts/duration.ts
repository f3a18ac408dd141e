const UNIT_US: Readonly<Record<string, number>> = { us: 1, "µs": 1, ms: 1_000, s: 1_000_000, m: 60_000_000, min: 60_000_000, h: 3_600_000_000 };
const TEXT = /^\s*(\d+(?:\.\d+)?)\s*(us|µs|ms|s|min|m|h)\s*$/;

/**
 * Integer microseconds of "0.6s", "40ms", "5m", "1h" or of a number of seconds; null when it is neither.
 * Negative and infinite values are refused: a duration is a length.
 */
export function parseDurationUs(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 ? Math.round(value * 1_000_000) : null;
  if (typeof value !== "string") return null;
  const match = TEXT.exec(value);
  if (!match) return null;
  const us = Number(match[1]) * (UNIT_US[match[2] ?? ""] ?? Number.NaN);
  return Number.isSafeInteger(Math.round(us)) ? Math.round(us) : null;
}

/** [min, max] in integer microseconds of "1s..10s"; a single duration is both ends; null when it is neither or min > max. */
export function parseDurationRangeUs(value: unknown): [number, number] | null {
  const ends = typeof value === "string" && value.includes("..") ? value.split("..") : [value, value];
  if (ends.length !== 2) return null;
  const [from, to] = ends.map(parseDurationUs);
  return from == null || to == null || from > to ? null : [from, to];
}

/** Shortest text that parses back to the same microseconds: 600000 → "0.6s". */
export function formatDurationUs(us: number): string {
  if (us % 1_000_000 === 0 || us >= 100_000) return `${us / 1_000_000}s`;
  return us % 1_000 === 0 || us >= 1_000 ? `${us / 1_000}ms` : `${us}us`;
}
