/*
 * A very small assembler for WebAssembly: one function over one memory, which is all that a pass over pixels needs. Node has SIMD in WebAssembly and not in
 * JavaScript. Opcodes: WebAssembly core specification 2.0, chapter 5.4.
 */

/** Bytes of instructions. Operands come before their operation, so an expression is its operands' code and its own. */
export type Code = readonly number[];

export const I32 = 0x7f;
export const V128 = 0x7b;

export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value > 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const byte = value & 127;
    value >>= 7;
    const last = (value === 0 && (byte & 64) === 0) || (value === -1 && (byte & 64) !== 0);
    bytes.push(last ? byte : byte | 128);
    if (last) return bytes;
  }
}

const op =
  (...opcode: number[]) =>
  (...operands: Code[]): Code => [...operands.flat(), ...opcode];
const simd = (opcode: number, ...immediate: number[]): ((...operands: Code[]) => Code) => op(0xfd, ...unsigned(opcode), ...immediate);
/** Alignment 1 promises nothing. */
const at = (offset: number): number[] => [0, ...unsigned(offset)];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: op(0x6a),
  sub: op(0x6b),
  mul: op(0x6c),
  and: op(0x71),
  shl: op(0x74),
  shrU: op(0x76),
  load: (address: Code, offset = 0): Code => [...address, 0x28, ...at(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0x36, ...at(offset)],
};
export const v128 = {
  load: (address: Code, offset = 0): Code => simd(0x00, ...at(offset))(address),
  /** Four bytes into the lowest lane, zeros above. */
  loadZero: (address: Code, offset = 0): Code => simd(0x5c, ...at(offset))(address),
  /** Eight bytes into the lower half, zeros above. */
  loadHalf: (address: Code, offset = 0): Code => simd(0x5d, ...at(offset))(address),
  /** `value` with eight bytes as its upper half. */
  loadUpper: (address: Code, value: Code, offset = 0): Code => simd(0x57, ...at(offset), 1)(address, value),
  store: (address: Code, value: Code, offset = 0): Code => simd(0x0b, ...at(offset))(address, value),
  const: (bytes: readonly number[]): Code => [0xfd, 0x0c, ...bytes],
  and: simd(0x4e),
  or: simd(0x50),
  /** Bits of the first where the third has ones, of the second elsewhere. */
  select: simd(0x52),
};
/** Bytes of the first operand by the places in the second; a place past 15 gives 0. */
export const swizzle = simd(0x0e);
export const u8x16 = {
  lane: (lane: number, value: Code): Code => simd(0x16, lane)(value),
  sub: simd(0x71),
  /** Not below 0. */
  subSat: simd(0x73),
  min: simd(0x77),
  max: simd(0x79),
  /** Neighbours added, as 16-bit lanes. */
  addPairs: simd(0x7d),
  /** Either half as 16-bit lanes. */
  low: simd(0x89),
  high: simd(0x8a),
};
export const i16x8 = {
  eq: simd(0x2d),
  /** Of two vectors, as bytes; below 0 as 0. */
  narrow: simd(0x66),
  /** Neighbours added, without a sign, as 32-bit lanes. */
  addPairs: simd(0x7f),
  shrS: simd(0x8c),
  add: simd(0x8e),
  sub: simd(0x91),
  /** Either half as 32-bit lanes. */
  low: simd(0xa7),
  high: simd(0xa8),
  lowU: simd(0xa9),
  highU: simd(0xaa),
};
/** 16-bit lanes of one half of both in turn. */
export function interleave16(low: boolean, a: Code, b: Code): Code {
  const from = low ? 0 : 8;
  return simd(0x0d, ...[0, 2, 4, 6].flatMap((at) => [from + at, from + at + 1, 16 + from + at, 16 + from + at + 1]))(a, b);
}
export const i32x4 = {
  splat: (value: number): Code => v128.const([0, 1, 2, 3].flatMap(() => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255])),
  lane: (lane: number, value: Code): Code => simd(0x1b, lane)(value),
  /** Of two vectors, as 16-bit lanes. */
  narrow: simd(0x85),
  abs: simd(0xa0),
  /** By a count of bits, an i32. */
  shl: simd(0xab),
  shrS: simd(0xac),
  shrU: simd(0xad),
  add: simd(0xae),
  sub: simd(0xb1),
  mul: simd(0xb5),
  minS: simd(0xb6),
  maxS: simd(0xb8),
  /** Products of 16-bit halves, each two neighbours added. */
  dot: simd(0xba),
};
export const f64x2 = {
  splat: (value: number): Code => {
    const bytes = [...new Uint8Array(new Float64Array([value]).buffer)];
    return v128.const([...bytes, ...bytes]);
  },
  /** The lower two of four single precision numbers. */
  promoteLow: simd(0x5f),
  add: simd(0xf0),
  sub: simd(0xf1),
  mul: simd(0xf2),
};
export const f32x4 = {
  splat: (value: number): Code => i32x4.splat(new Int32Array(new Float32Array([value]).buffer)[0]!),
  add: simd(0xe4),
  div: simd(0xe7),
  fromI32: simd(0xfa),
};

/** `body` over and over while `condition`, looked at after it, is not 0. */
export const repeatWhile = (body: Code, condition: Code): Code => [0x03, 0x40, ...body, ...condition, 0x0d, 0x00, 0x0b];

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];

/** A module that imports the memory `m.m` and exports one function `f` of i32 parameters without a result. `locals`: types of the locals behind the parameters. */
function moduleOf(parameters: number, locals: Code, body: Code): Uint8Array<ArrayBuffer> {
  const code = [...unsigned(locals.length), ...locals.flatMap((type) => [1, type]), ...body, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, ...unsigned(parameters), ...Array.from({ length: parameters }, () => I32), 0]),
    ...section(2, [1, 1, 0x6d, 1, 0x6d, 0x02, 0x00, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0x00, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

/** What is used of the global that TypeScript's library without a DOM does not describe. */
interface Wasm {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: { f: (...parameters: number[]) => void } };
  Memory: new (size: { initial: number }) => { buffer: ArrayBuffer };
}
const wasm = (globalThis as unknown as { WebAssembly?: Wasm }).WebAssembly;
const PAGE = 65_536;

/** A function over a memory of its own. */
export interface Pass {
  readonly buffer: ArrayBuffer;
  readonly run: (...parameters: number[]) => void;
}

/** Compiles once, and gives a function with `bytes` of memory at each call; null on a processor without the instructions. */
export function passOf(parameters: number, locals: Code, body: Code): (bytes: number) => Pass | null {
  let compiled: object | null | undefined;
  return (bytes) => {
    if (compiled === undefined) {
      const code = moduleOf(parameters, locals, body);
      compiled = wasm?.validate(code) ? new wasm.Module(code) : null;
    }
    if (compiled === null || !wasm) return null;
    const memory = new wasm.Memory({ initial: Math.ceil(bytes / PAGE) });
    return { buffer: memory.buffer, run: new wasm.Instance(compiled, { m: { m: memory } }).exports.f };
  };
}
