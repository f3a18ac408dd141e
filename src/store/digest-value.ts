import { createHash, hash, type Hash } from "node:crypto";

/**
 * SHA-256 of a value as a consumer sees it, 32 hex digits: type-tagged, key order irrelevant, entries that are undefined absent, floats by their bytes. Memo keys are
 * made of these, so an upstream node that ran again and gave the same value leaves everything below it cached (early cutoff).
 */
export function digestValue(value: unknown): string {
  at = 0;
  long = null;
  write(value);
  const bytes = buffer.subarray(0, at);
  return (long === null ? hash("sha256", bytes, "hex") : (long as Hash).update(bytes).digest("hex")).slice(0, 32);
}

const CAPACITY = 1 << 16;
/** A value is many small pieces and each call of a hash leaves JavaScript, so they are gathered here. Nothing here waits: one value at a time. */
const buffer = Buffer.allocUnsafeSlow(CAPACITY);
const number = new Float64Array(1);
const numberBytes = new Uint8Array(number.buffer);
let at = 0;
/** Of a value that is longer than the buffer. */
let long: Hash | null = null;

const NOTHING = 0, TEXT = 1, NUMBER = 2, TRUE = 3, FALSE = 4, BIGINT = 5, BYTES = 6, LIST = 7, FIELDS = 8, WIDE = 9;
const SHORT = 64;

function write(value: unknown): void {
  if (typeof value === "number") writeNumber(NUMBER, value);
  else if (typeof value === "string") writeText(TEXT, value);
  else if (value === null || value === undefined) tag(NOTHING);
  else if (typeof value === "boolean") tag(value ? TRUE : FALSE);
  else if (typeof value === "bigint") writeText(BIGINT, String(value));
  else if (ArrayBuffer.isView(value)) {
    // A Buffer is what a store gives back for bytes.
    writeText(BYTES, value instanceof Uint8Array ? "Uint8Array" : value.constructor.name);
    writeBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (Array.isArray(value)) {
    writeNumber(LIST, value.length);
    for (let i = 0; i < value.length; i++) write(value[i]);
  } else {
    const fields = value as Record<string, unknown>;
    const names = sortedNames(fields);
    writeNumber(FIELDS, names.length);
    for (let i = 0; i < names.length; i++) {
      writeText(TEXT, names[i]!);
      write(fields[names[i]!]);
    }
  }
}

function tag(kind: number): void {
  room(1);
  buffer[at++] = kind;
}

/** −0 is 0, as in JSON. */
function writeNumber(kind: number, value: number): void {
  room(9);
  buffer[at++] = kind;
  number[0] = value === 0 ? 0 : value;
  for (let i = 0; i < 8; i++) buffer[at++] = numberBytes[i]!;
}

/** Its length goes before it: what follows cannot be taken for part of it. */
function writeText(kind: number, text: string): void {
  // Most are names and short words in ASCII: cheaper here than by a call.
  if (text.length <= SHORT) {
    room(9 + SHORT);
    const start = at;
    writeNumber(kind, text.length);
    let i = 0;
    for (let code; i < text.length && (code = text.charCodeAt(i)) < 128; i++) buffer[at++] = code;
    if (i === text.length) return;
    at = start;
  }
  tag(WIDE);
  tag(kind);
  writeBytes(Buffer.from(text, "utf16le"));
}

function writeBytes(bytes: Uint8Array): void {
  writeNumber(NUMBER, bytes.length);
  if (bytes.length > CAPACITY - at) flush();
  if (bytes.length > CAPACITY) long!.update(bytes);
  else {
    buffer.set(bytes, at);
    at += bytes.length;
  }
}

function room(bytes: number): void {
  if (CAPACITY - at < bytes) flush();
}

function flush(): void {
  long ??= createHash("sha256");
  long.update(buffer.subarray(0, at));
  at = 0;
}

const INSERTED = 32;

/** Names of the entries that are not undefined, in the order of their UTF-16 code units. Inserted in place: most objects have a handful, for which `sort` would make lists of its own. */
export function sortedNames(fields: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(fields);
  let count = 0;
  for (const name of names) {
    if (fields[name] === undefined) continue;
    let place = count++;
    for (; place > 0 && names[place - 1]! > name && count <= INSERTED; place--) names[place] = names[place - 1]!;
    names[place] = name;
  }
  names.length = count;
  return count > INSERTED ? names.sort() : names;
}
