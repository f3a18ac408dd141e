import { createHash, type Hash } from "node:crypto";
import type { Interval, Outcome, Series } from "../contracts/index.js";
import { itemMemoKey } from "../store/index.js";

const short = (hash: Hash): string => hash.digest("hex").slice(0, 32);

/**
 * Digest of a value as a consumer sees it: type-tagged, key order irrelevant, floats by their bytes. Memo keys are made of these, so an
 * upstream node that ran again and gave the same value leaves everything below it cached (early cutoff).
 */
export function digestValue(value: unknown): string {
  const hash = createHash("sha256");
  feed(hash, value);
  return short(hash);
}

function feed(hash: Hash, value: unknown): void {
  if (value === null || value === undefined) hash.update("0;");
  else if (typeof value === "string") hash.update(`s${value.length}:${value};`);
  else if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") hash.update(`${typeof value}${String(value)};`);
  else if (ArrayBuffer.isView(value)) {
    hash.update(`b${value.constructor.name}${value.byteLength}:`);
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (Array.isArray(value)) {
    hash.update(`a${value.length}:`);
    for (const entry of value) feed(hash, entry);
  } else {
    const entries = Object.entries(value as object)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    hash.update(`o${entries.length}:`);
    for (const [key, entry] of entries) {
      hash.update(`${key}=`);
      feed(hash, entry);
    }
  }
}

export const digestSeries = (series: Series): string => digestValue({ p: series.ptsUs, d: series.data, b: series.bytes, w: series.width });

/** Memo key of one item of one node: static part × item × what it consumed. Medium and interval stand in clear, for `collect` to read (memo-keys.ts of the store). */
export function memoKey(nodeKey: string, medium: string, interval: Interval, inputDigests: readonly string[]): string {
  return itemMemoKey(nodeKey, medium, interval, digestValue([medium, interval.startUs, interval.endUs, ...inputDigests]));
}

/** A record's id: a hash of exactly what it is about, never an index. */
export function recordId(kind: string, medium: string, interval: Interval): string {
  return digestValue([kind, medium, interval.startUs, interval.endUs]).slice(0, 16);
}

export const digestOutcome = (outcome: Outcome): string =>
  outcome.kind === "done" ? digestValue(outcome.value) : outcome.kind === "failed" ? `failed` : `${outcome.kind}:${outcome.reason}`;
