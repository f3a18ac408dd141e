import { Packr } from "msgpackr";
import { FlowError, type Outcome } from "../contracts/index.js";

/**
 * One Packr for the store. Records off: standard MessagePack that Python reads; typed arrays as extensions. (lmdb bundles msgpackr 1.x; ours is 2.x,
 * hence encoding "binary" in every database.)
 */
const packr = new Packr({ useRecords: false, moreTypes: true, variableMapSize: true });

export const pack = (value: unknown): Buffer => packr.pack(value);
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

/** A run of float32 rows with their record ids: [u32 rows][u32 dims][ids 16 × rows][f32 …]. */
export interface VectorRows {
  ids: string[];
  dims: number;
  data: Float32Array;
}

export function encodeVectors(rows: VectorRows): Buffer {
  const out = Buffer.alloc(8 + rows.ids.length * 16 + rows.data.byteLength);
  out.writeUInt32LE(rows.ids.length, 0);
  out.writeUInt32LE(rows.dims, 4);
  rows.ids.forEach((id, i) => out.write(id.padEnd(16), 8 + i * 16, 16, "latin1"));
  out.set(new Uint8Array(rows.data.buffer, rows.data.byteOffset, rows.data.byteLength), 8 + rows.ids.length * 16);
  return out;
}

export function decodeVectors(stored: Uint8Array): VectorRows {
  const own = new Uint8Array(stored.length);
  own.set(stored);
  const view = new DataView(own.buffer);
  const count = view.getUint32(0, true);
  const dims = view.getUint32(4, true);
  const text = Buffer.from(own.buffer, 8, count * 16);
  const ids = Array.from({ length: count }, (_, i) => text.toString("latin1", i * 16, i * 16 + 16).trimEnd());
  return { ids, dims, data: new Float32Array(own.buffer, 8 + count * 16, count * dims) };
}
