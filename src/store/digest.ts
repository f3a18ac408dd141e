import { createHash } from "node:crypto";
import type { FlowRecord } from "../contracts/index.js";
import { digestValue } from "./digest-value.js";

/** Fields that say where or when something was found, not what was found. */
export const PATH_FIELDS: ReadonlySet<string> = new Set(["uri", "uris", "name", "path", "health"]);

/**
 * Commutative digests of a run's results. `digest`: everything but the numbers inside vectors and scores, paths, clocks and messages;
 * `digestNumbers`: those numbers. Parts are added up modulo 2^256, so neither order nor timing matters.
 */
export class DigestBuilder {
  private content = 0n;
  private numbers = 0n;

  addRecord(record: FlowRecord, vectors: Record<string, Float32Array>): void {
    const fields = Object.fromEntries(Object.entries(record.fields).filter(([name]) => !PATH_FIELDS.has(name)));
    const content = digestValue([record.kind, record.id, record.parent, record.media, record.startUs, record.endUs, fields, record.vectors, record.outcome]);
    this.addContent("record", Buffer.from(content));
    for (const [name, vector] of Object.entries(vectors)) this.addNumbers(`${record.id}/${name}`, vector);
  }

  addContent(label: string, bytes: Uint8Array): void {
    this.content = add(this.content, hash(label, bytes));
  }

  addNumbers(label: string, values: Float32Array | Uint8Array): void {
    this.numbers = add(this.numbers, hash(label, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
  }

  /** The same for values that come in parts. */
  addNumbersOf(label: string, parts: Iterable<Float32Array>): void {
    const sum = createHash("sha256").update(label).update("\0");
    for (const values of parts) sum.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.numbers = add(this.numbers, BigInt(`0x${sum.digest("hex")}`));
  }

  finish(): { digest: string; digestNumbers: string } {
    return { digest: hex(this.content), digestNumbers: hex(this.numbers) };
  }
}

/** Digest of several media: of the set of their digests. */
export function combineDigests(digests: readonly string[]): string {
  return createHash("sha256").update([...digests].sort().join("\n")).digest("hex");
}

const MODULUS = 1n << 256n;
const add = (a: bigint, b: bigint): bigint => (a + b) % MODULUS;
const hex = (sum: bigint): string => sum.toString(16).padStart(64, "0");
const hash = (label: string, bytes: Uint8Array): bigint => BigInt(`0x${createHash("sha256").update(label).update("\0").update(bytes).digest("hex")}`);
