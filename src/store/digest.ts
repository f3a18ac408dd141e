import { createHash } from "node:crypto";
import type { FlowRecord } from "../contracts/index.js";
import { pack } from "./codec.js";

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
    const fields = canonical(Object.fromEntries(Object.entries(record.fields).filter(([name]) => !PATH_FIELDS.has(name))));
    this.content = add(this.content, hash("record", pack([record.kind, record.id, record.parent, record.media, record.startUs, record.endUs, fields, canonical(record.vectors), record.outcome])));
    for (const [name, vector] of Object.entries(vectors)) this.addNumbers(`${record.id}/${name}`, vector);
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

/** Names of the entries that are not undefined, in the order of their UTF-16 code units. Inserted in place: most objects have a handful, for which `sort` would make lists of its own. */
export function sortedNames(fields: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(fields);
  let count = 0;
  for (const name of names) {
    if (fields[name] === undefined) continue;
    let at = count++;
    for (; at > 0 && names[at - 1]! > name && count <= INSERTED; at--) names[at] = names[at - 1]!;
    names[at] = name;
  }
  names.length = count;
  return count > INSERTED ? names.sort() : names;
}

const INSERTED = 32;

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value !== null && typeof value === "object" && !ArrayBuffer.isView(value)) {
    const fields = value as Record<string, unknown>;
    return Object.fromEntries(sortedNames(fields).map((name) => [name, canonical(fields[name])]));
  }
  return value;
}
