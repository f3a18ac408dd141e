import { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } from "msgpackr";
import { FlowError, type Outcome } from "../contracts/index.js";

/**
 * One Packr for the store. Records off: standard MessagePack that Python reads; typed arrays as extensions. (lmdb bundles msgpackr 1.x; ours is 2.x,
 * hence encoding "binary" in every database.)
 */
const packr = new Packr({ useRecords: false, moreTypes: true, variableMapSize: true });

/** Where values are packed before they are copied out, bytes; a larger one leaves no larger place behind. */
const SPACE_BYTES = 1 << 20;

/**
 * A copy of exactly the value's size. What the Packr itself gives is a part of a place four times as large, which lives as long as any part of it: a
 * minute of a run's scenes had several megabytes in such places.
 */
export function pack(value: unknown): Buffer {
  const space = packr.pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE) as Buffer & { start: number; end: number };
  const bytes = Buffer.from(space.subarray(space.start, space.end));
  if (space.length > SPACE_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(SPACE_BYTES));
  return bytes;
}
export const unpack = (bytes: Uint8Array): unknown => packr.unpack(bytes as Buffer);

/** Results of one node on the time grid, 16 s of one medium. Row i is data[i·width …] or bytes[i]. */
export interface Block {
  ptsUs: Float64Array;
  width: number;
  columns?: readonly string[];
  data?: Float32Array;
  bytes?: Uint8Array[];
  /** Sampling rate → rows that belong to it: what of this block is complete. */
  rates: Record<string, "all" | number[]>;
  /** Checksum of the last frame, for a verified seek; null when unknown. */
  adler: number | null;
  /** Items without a result. */
  failures: { ptsUs: number; outcome: Outcome }[];
}

const HEADER_LENGTH_BYTES = 8;

/** Layout: [u32 header length][u32 rows][header, MessagePack, padded to 8][pts f64 …][rows f32 … | bytes …]. */
export function encodeBlock(block: Block): Buffer {
  const { ptsUs, data, bytes, ...rest } = block;
  const header = pack({ ...rest, sizes: bytes ? bytes.map((b) => b.length) : null });
  const headerBytes = Math.ceil(header.length / 8) * 8;
  const payload = data ? data.byteLength : (bytes ?? []).reduce((sum, b) => sum + b.length, 0);
  const out = Buffer.alloc(HEADER_LENGTH_BYTES + headerBytes + ptsUs.byteLength + payload);
  out.writeUInt32LE(header.length, 0);
  out.writeUInt32LE(ptsUs.length, 4);
  header.copy(out, HEADER_LENGTH_BYTES);
  let at = HEADER_LENGTH_BYTES + headerBytes;
  out.set(new Uint8Array(ptsUs.buffer, ptsUs.byteOffset, ptsUs.byteLength), at);
  at += ptsUs.byteLength;
  if (data) out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
  else for (const entry of bytes ?? []) out.set(entry, at), (at += entry.length);
  return out;
}

export function decodeBlock(stored: Uint8Array): Block {
  // A copy of its own: LMDB's page is only ours until the read transaction ends, and typed arrays need alignment.
  const own = new Uint8Array(stored.length);
  own.set(stored);
  const view = new DataView(own.buffer);
  const headerLength = view.getUint32(0, true);
  const rows = view.getUint32(4, true);
  const { sizes, ...rest } = unpack(own.subarray(HEADER_LENGTH_BYTES, HEADER_LENGTH_BYTES + headerLength)) as Omit<Block, "ptsUs"> & { sizes: number[] | null };
  let at = HEADER_LENGTH_BYTES + Math.ceil(headerLength / 8) * 8;
  if (at + rows * 8 > own.length) throw new FlowError("STORE_CORRUPT", "A block of the store is shorter than its header says.", { hint: "Remove the store and run again, or restore it from a copy." });
  const ptsUs = new Float64Array(own.buffer, at, rows);
  at += rows * 8;
  const block: Block = { ...rest, ptsUs };
  if (sizes) {
    block.bytes = sizes.map((size) => {
      const entry = own.subarray(at, at + size);
      at += size;
      return entry;
    });
  } else block.data = new Float32Array(own.buffer, at, rows * rest.width);
  return block;
}

const ID_BYTES = 16;

/** A run of float32 rows with their record ids: [u32 rows][u32 dims][ids 16 × rows][f32 …]. */
export interface VectorRows {
  ids: string[];
  dims: number;
  data: Float32Array;
}

export function encodeVectors(rows: VectorRows): Buffer {
  const out = Buffer.alloc(8 + rows.ids.length * ID_BYTES + rows.data.byteLength);
  out.writeUInt32LE(rows.ids.length, 0);
  out.writeUInt32LE(rows.dims, 4);
  rows.ids.forEach((id, i) => out.write(id.padEnd(ID_BYTES), 8 + i * ID_BYTES, ID_BYTES, "latin1"));
  out.set(new Uint8Array(rows.data.buffer, rows.data.byteOffset, rows.data.byteLength), 8 + rows.ids.length * ID_BYTES);
  return out;
}

/** A copy of `stored` with one row more; null where that makes more rows than `most`, or rows of two lengths. */
export function appendRow(stored: Uint8Array, most: number, id: string, vector: Float32Array): Buffer | null {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const rows = view.getUint32(0, true);
  if (rows >= most || view.getUint32(4, true) !== vector.length) return null;
  const out = Buffer.allocUnsafeSlow(stored.length + ID_BYTES + vector.byteLength);
  const idsEnd = 8 + rows * ID_BYTES;
  out.set(stored.subarray(0, idsEnd));
  out.writeUInt32LE(rows + 1, 0);
  out.write(id.padEnd(ID_BYTES), idsEnd, ID_BYTES, "latin1");
  out.set(stored.subarray(idsEnd), idsEnd + ID_BYTES);
  out.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), out.length - vector.byteLength);
  return out;
}

export function decodeVectors(stored: Uint8Array): VectorRows {
  const own = new Uint8Array(stored.length);
  own.set(stored);
  const view = new DataView(own.buffer);
  const count = view.getUint32(0, true);
  const dims = view.getUint32(4, true);
  const text = Buffer.from(own.buffer, 8, count * ID_BYTES);
  const ids = Array.from({ length: count }, (_, i) => text.toString("latin1", i * ID_BYTES, (i + 1) * ID_BYTES).trimEnd());
  return { ids, dims, data: new Float32Array(own.buffer, 8 + count * ID_BYTES, count * dims) };
}
