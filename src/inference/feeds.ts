/** Cutting the rows of a run and joining what comes back: for files with a fixed batch, and for batches that do not fit into memory. */
import type { InferenceSession } from "onnxruntime-node";
import type { ModelHandle } from "../contracts/index.js";
import { joinRows } from "../models/rows.js";

export type Feeds = Parameters<ModelHandle["run"]>[0];
export type Fetched = Awaited<ReturnType<ModelHandle["run"]>>;
/** A file's inputs or outputs, as ONNX Runtime tells them. */
export type Metadata = readonly InferenceSession.ValueMetadata[];

/** The inputs that carry rows, and how many at once. */
export interface Rows {
  rows: number;
  batch: number;
  names: Set<string>;
}

/** Inputs whose first dimension the file fixes at another size than the rows offered. */
export function fixedBatch(inputs: Metadata, feeds: Feeds): Rows | null {
  const names = new Set<string>();
  let rows = 0;
  let batch = 0;
  for (const meta of inputs) {
    const feed = feeds[meta.name];
    const first = meta.isTensor ? meta.shape[0] : undefined;
    if (!feed || typeof first !== "number" || first < 1 || feed.dims[0] === undefined || feed.dims[0] === first) continue;
    names.add(meta.name);
    rows = feed.dims[0];
    batch = first;
  }
  return names.size > 0 ? { rows, batch, names } : null;
}

/** Inputs whose rows can be given in several runs: first dimension free, the same size everywhere. null: there are no rows to speak of. */
export function freeRows(inputs: Metadata, feeds: Feeds): Omit<Rows, "batch"> | null {
  const names = new Set<string>();
  let rows = 0;
  for (const meta of inputs) {
    const feed = feeds[meta.name];
    const first = meta.isTensor ? meta.shape[0] : undefined;
    if (!feed || first === undefined || (typeof first === "number" && first >= 0)) continue;
    if (names.size > 0 && feed.dims[0] !== rows) return null;
    names.add(meta.name);
    rows = feed.dims[0] ?? 0;
  }
  return rows > 0 ? { rows, names } : null;
}

/**
 * A session keeps the memory of its largest run, several times the run's input. On a processor more rows at once are no faster: 16 rows through a
 * ViT-B/32 take as long in runs of 4 (1434 ms of CPU, else 1438), through lite-image 19.6 ms instead of 20.3, with 14 MB kept instead of 56.
 */
const INPUT_BYTES_AT_ONCE = 2_500_000;

/** Rows that a run on the CPU takes at once. */
export function rowsAtOnce(feeds: Feeds, { rows, names }: Omit<Rows, "batch">): number {
  let bytes = 0;
  for (const name of names) bytes += feeds[name]!.data.byteLength / rows;
  return Math.max(1, Math.floor(INPUT_BYTES_AT_ONCE / bytes));
}

/** Runs `rows.batch` rows at a time; `pad`: the last run is filled with zeros to that size. Outputs are joined along their first dimension. */
export async function inParts(feeds: Feeds, { rows, batch, names }: Rows, pad: boolean, run: (part: Feeds) => Promise<Fetched>): Promise<Fetched> {
  const parts: Fetched[] = [];
  const counts: number[] = [];
  for (let start = 0; start < rows; start += batch) {
    const count = pad ? batch : Math.min(batch, rows - start);
    const part: Feeds = {};
    for (const [name, feed] of Object.entries(feeds)) part[name] = names.has(name) ? cutRows(feed, start, count) : feed;
    parts.push(await run(part));
    counts.push(count);
  }
  return joinRows(parts, counts, rows);
}

/**
 * What a call for rows gives where their number is free. An output whose first dimension the file fixes above 1 has no rows, also where a call happens to have as many: it
 * loses its numbers, as those that cannot be joined (`joinRows`).
 */
export function withoutFixed(fetched: Fetched, outputs: Metadata): Fetched {
  const rowless = new Set(outputs.flatMap((meta) => (meta.isTensor && typeof meta.shape[0] === "number" && meta.shape[0] > 1 ? [meta.name] : [])));
  if (rowless.size === 0) return fetched;
  return Object.fromEntries(Object.entries(fetched).map(([name, output]) => [name, rowless.has(name) ? { data: new Float32Array(0), dims: output.dims } : output]));
}

/** One row as two equal ones. */
export function doubled(feeds: Feeds, names: ReadonlySet<string>): Feeds {
  const twice = ({ data, dims }: Feeds[string]): Feeds[string] => {
    const Data = data.constructor as new (length: number) => Float32Array;
    const both = new Data(data.length * 2);
    both.set(data as Float32Array, 0);
    both.set(data as Float32Array, data.length);
    return { data: both, dims: [2, ...dims.slice(1)] };
  };
  return Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, names.has(name) ? twice(feed) : feed]));
}

/** Whether rows that ran alone have the bits that they have together; no where a value is not a number, of which bits say nothing. */
export function sameBits(together: Fetched, alone: Fetched): boolean {
  return Object.entries(together).every(([name, { data }]) => {
    const other = alone[name]?.data;
    return other?.length === data.length && data.every((value, i) => Object.is(value, other[i]) && !Number.isNaN(value));
  });
}

function cutRows(feed: Feeds[string], start: number, count: number): Feeds[string] {
  const rows = feed.dims[0] ?? 1;
  const stride = feed.data.length / rows;
  const dims = [count, ...feed.dims.slice(1)];
  if (start + count <= rows) return { data: feed.data.subarray(start * stride, (start + count) * stride), dims };
  const Data = feed.data.constructor as new (length: number) => Float32Array;
  const padded = new Data(count * stride);
  padded.set((feed.data as Float32Array).subarray(start * stride), 0);
  return { data: padded, dims };
}
