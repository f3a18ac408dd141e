import { EXIT, FlowError, type FlowRecord } from "../../contracts/index.js";
import type { Store } from "../store.js";
import { VectorReader } from "../vector-reader.js";

export interface Selection {
  /** Default: every kind (jsonl), else scene. */
  kind?: FlowRecord["kind"] | undefined;
  /** Content ids. */
  media?: readonly string[] | undefined;
  /** Also superseded media; one that `media` names is always there. */
  superseded?: boolean | undefined;
  where?: ((record: FlowRecord) => boolean) | undefined;
  /** Names of vectors; true: all that the records have. */
  vectors: boolean | readonly string[];
}

/** The records to export, in the store's order (kind, medium, start). */
export function* selected(store: Store, { kind, media, where, superseded = media !== undefined }: Selection): IterableIterator<FlowRecord> {
  for (const record of store.records({ superseded, ...(kind ? { kind } : {}) })) if ((!media || media.includes(record.media)) && (!where || where(record))) yield record;
}

export const wanted = (selection: Selection, name: string): boolean => selection.vectors === true || (selection.vectors !== false && selection.vectors.includes(name));

export const nothingSelected = (what: string): FlowError =>
  new FlowError("EXPORT_EMPTY", `There is nothing to export: ${what}.`, { hint: "`flow show` lists what the store has; check the kind, the medium and the condition.", exit: EXIT.badInput });

type Row = Pick<FlowRecord, "id" | "kind" | "media" | "startUs" | "endUs">;

/** All vectors of one name as a matrix whose rows are read when they are written. */
export interface VectorTable {
  name: string;
  dims: number;
  rows: Row[];
  vectors(): IterableIterator<Float32Array>;
}

/** One table per vector name. Throws EXPORT_DIMS when the vectors of a name do not fit into one matrix. */
export function vectorTables(store: Store, selection: Selection): VectorTable[] {
  const tables = new Map<string, VectorTable>();
  const reader = new VectorReader(store);
  for (const record of selected(store, selection)) {
    for (const name of Object.keys(record.vectors)) {
      const vector = wanted(selection, name) ? reader.get(record, name) : undefined;
      if (!vector) continue;
      const table = tables.get(name) ?? makeTable(store, name, vector.length);
      if (table.dims !== vector.length) {
        throw new FlowError("EXPORT_DIMS", `The vectors “${name}” have ${table.dims} dims in one record and ${vector.length} in another.`, { hint: "Export one medium at a time, or as jsonl or parquet.", item: record.id, exit: EXIT.badInput });
      }
      const { id, kind, media, startUs, endUs } = record;
      table.rows.push({ id, kind, media, startUs, endUs });
      tables.set(name, table);
    }
  }
  if (tables.size === 0) throw nothingSelected(selection.vectors === true ? "no record has a vector" : `no record has a vector ${String(selection.vectors)}`);
  return [...tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function makeTable(store: Store, name: string, dims: number): VectorTable {
  const rows: Row[] = [];
  return {
    name,
    dims,
    rows,
    *vectors() {
      const reader = new VectorReader(store);
      for (const row of rows) {
        const vector = reader.get(row, name);
        // A run may write into the store while we read it.
        if (vector?.length !== dims) throw new FlowError("EXPORT_CHANGED", `The record ${row.id} changed while it was exported.`, { hint: "Export again when the run has ended.", item: row.id });
        yield vector;
      }
    },
  };
}

/** Strings as rows of equal length, `bytesPerCharacter` little-endian code units each, zero-padded. */
export function stringRows(values: readonly string[], bytesPerCharacter: 1 | 4): { width: number; data: Uint8Array } {
  const width = Math.max(1, ...new Set(values.map((value) => value.length)));
  const data = new Uint8Array(values.length * width * bytesPerCharacter);
  values.forEach((value, row) => {
    for (let i = 0; i < value.length; i++) data[(row * width + i) * bytesPerCharacter] = value.charCodeAt(i);
  });
  return { width, data };
}

export const int64Rows = (values: readonly number[]): Uint8Array => new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
