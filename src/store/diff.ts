import type { FlowRecord } from "../contracts/index.js";
import { PATH_FIELDS } from "./digest.js";
import { norm } from "./search/rank-vectors.js";
import type { Store } from "./store.js";
import { VectorReader } from "./vector-reader.js";

export interface Difference {
  /** Of the record; of the medium for `complete`. */
  id: string;
  /** A record's part: outcome, fields.caption, fields.attributes[3].value, vectors.video … */
  field: string;
  /** The two values; of a vector, the normalised component that differs most. undefined: not there. */
  a: unknown;
  b: unknown;
  /** |a − b| where both are numbers. */
  delta?: number;
}

export interface StoreDifference {
  equal: boolean;
  /** Largest difference of a component of two normalised vectors, also below the tolerance. */
  maxDelta: number;
  /** Ids of records (of media without a record, the medium's) that one store alone has. */
  onlyA: string[];
  onlyB: string[];
  /** The first 100. */
  differing: Difference[];
  differingCount: number;
}

const LISTED = 100;

/**
 * Compares two stores record by record, by id. Paths and messages do not count. `tolerance`: largest difference of a component of a normalised vector,
 * and relative difference of a fractional number in a field, that still is equal.
 */
export function diffStores(a: Store, b: Store, options: number | { tolerance?: number } = {}): StoreDifference {
  const tolerance = (typeof options === "number" ? options : options.tolerance) ?? 1e-5;
  const result: StoreDifference = { equal: true, maxDelta: 0, onlyA: [], onlyB: [], differing: [], differingCount: 0 };
  const report = (difference: Difference): void => {
    result.differingCount++;
    if (result.differing.length < LISTED) result.differing.push(difference);
  };
  const vectorsA = new VectorReader(a);
  const vectorsB = new VectorReader(b);
  const currentB = current(b);
  const currentA = current(a);
  for (const recordA of a.records()) {
    const recordB = currentB(recordA.id);
    if (!recordB) {
      result.onlyA.push(recordA.id);
      continue;
    }
    const found = (field: string, left: unknown, right: unknown, delta?: number): void => report({ id: recordA.id, field, a: left, b: right, ...(delta === undefined ? {} : { delta }) });
    compareValues(comparable(recordA), comparable(recordB), "", tolerance, found);
    for (const name of Object.keys(recordA.vectors)) {
      if (!recordB.vectors[name]) continue;
      const largest = compareVectors(vectorsA.get(recordA, name), vectorsB.get(recordB, name));
      if (!largest) found(`vectors.${name}`, vectorsA.get(recordA, name)?.length, vectorsB.get(recordB, name)?.length);
      else {
        result.maxDelta = Math.max(result.maxDelta, largest.delta);
        if (largest.delta > tolerance) found(`vectors.${name}`, largest.a, largest.b, largest.delta);
      }
    }
  }
  for (const record of b.records()) if (!currentA(record.id)) result.onlyB.push(record.id);
  compareMedia(a, b, result, report);
  result.equal = result.onlyA.length === 0 && result.onlyB.length === 0 && result.differingCount === 0;
  return result;
}

/** Records by id, but those of media that are superseded: a store that saw an older file is no different. */
function current(store: Store): (id: string) => FlowRecord | undefined {
  const hidden = store.superseded();
  return (id) => {
    const record = store.getRecord(id);
    return record && !hidden.has(record.media) ? record : undefined;
  };
}

/** Media that a run knows but made no record of, and media that one run did not finish. */
function compareMedia(a: Store, b: Store, result: StoreDifference, report: (difference: Difference) => void): void {
  const withRecord = (store: Store): Set<string> => new Set([...store.records({ kind: "media" })].map((record) => record.media));
  const [recordsA, recordsB] = [withRecord(a), withRecord(b)];
  const [rowsA, rowsB] = [a, b].map((store) => new Map([...store.mediaRows()].map((row) => [row.id, row])));
  for (const row of rowsA!.values()) {
    const other = rowsB!.get(row.id);
    if (other) {
      if (other.complete !== row.complete) report({ id: row.id, field: "complete", a: row.complete, b: other.complete });
    } else if (!recordsA.has(row.id)) result.onlyA.push(row.id);
  }
  for (const row of rowsB!.values()) if (!rowsA!.has(row.id) && !recordsB.has(row.id)) result.onlyB.push(row.id);
}

function comparable({ id: _, fields, ...record }: FlowRecord): Record<string, unknown> {
  return { ...record, fields: Object.fromEntries(Object.entries(fields).filter(([name]) => !PATH_FIELDS.has(name))) };
}

type Found = (field: string, a: unknown, b: unknown, delta?: number) => void;

function compareValues(a: unknown, b: unknown, field: string, tolerance: number, found: Found): void {
  if (Object.is(a, b)) return;
  if (typeof a === "number" && typeof b === "number") {
    const delta = Math.abs(a - b);
    const exact = Number.isInteger(a) && Number.isInteger(b);
    // -0 and 0 have delta 0; NaN on one side has delta NaN.
    if (delta === 0 || (!exact && delta <= tolerance * Math.max(1, Math.abs(a), Math.abs(b)))) return;
    return Number.isFinite(delta) ? found(field, a, b, delta) : found(field, String(a), String(b));
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) return a.forEach((entry, i) => compareValues(entry, b[i], `${field}[${i}]`, tolerance, found));
  if (isPlain(a) && isPlain(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) compareValues(a[key], b[key], field === "" ? key : `${field}.${key}`, tolerance, found);
    return;
  }
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && bytesOf(a).equals(bytesOf(b))) return;
  found(field, a, b);
}

const isPlain = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
const bytesOf = (view: ArrayBufferView): Buffer => Buffer.from(view.buffer, view.byteOffset, view.byteLength);

/** The component of the two normalised vectors that differs most; null when one is missing or of other dims. */
function compareVectors(a: Float32Array | undefined, b: Float32Array | undefined): { a: number; b: number; delta: number } | null {
  if (!a || !b) return a === b ? { a: 0, b: 0, delta: 0 } : null;
  if (a.length !== b.length) return null;
  const scaleA = 1 / (norm(a, 0, a.length) || 1);
  const scaleB = 1 / (norm(b, 0, b.length) || 1);
  let largest = { a: 0, b: 0, delta: 0 };
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) && (scaleA === scaleB || Number.isNaN(a[i]))) continue;
    const left = a[i]! * scaleA;
    const right = b[i]! * scaleB;
    // 2 is the most that components of unit vectors can differ: what a number against no number counts as.
    const delta = Number.isNaN(left - right) ? 2 : Math.abs(left - right);
    if (delta > largest.delta) largest = { a: left, b: right, delta };
  }
  return largest;
}
