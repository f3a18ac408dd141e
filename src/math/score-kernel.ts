import { contentPass } from './content-pass.js';
import { lumaPass } from './luma-pass.js';
import { V128, f32x4, get, i32, i32x4, passOf, repeatWhile, set, swizzle, v128, type Code } from './wasm-code.js';

/*
 * contentPass and lumaPass as one WebAssembly SIMD function: four pixels at a time, the bytes unpacked once, to the same integers. OpenCV's reciprocal
 * tables cannot be looked up by lane; they are quotients rounded to whole numbers, which a division in single precision followed by an addition of
 * 1.5 x 2^23 gives exactly for every divisor (the test compares all 16.7 million colours).
 */

/** Levels of luma, counted in four tables so that equal neighbours do not wait for each other. */
const COUNTS_BYTES = 4 * 256 * 4;
const SUMS = 6;
const SUMS_BYTES = SUMS * 16;

const [PIXELS, HSV, LUMA, COUNTS, OUT, GROUPS] = [0, 1, 2, 3, 4, 5];
const PARAMETERS = 6;
const [BYTES, RG, B, R, G, V, DIFF, STEP, RAW, H, S, Y, BEFORE, D_HUE, D_SAT, D_LUM, TOTAL, SAT, D_LUMA] = Array.from({ length: 19 }, (_, i) => PARAMETERS + i) as [number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number];
const WORD = PARAMETERS + 19;

const NONE = 255;
const byPixel = (...bytes: number[]): Code => v128.const([0, 3, 6, 9].flatMap((pixel) => bytes.map((byte) => (byte === NONE ? NONE : pixel + byte))));
const pair = (low: number, high: number): Code => i32x4.splat(low | (high << 16));
const plus = (sum: number, value: Code): Code => set(sum, i32x4.add(get(sum), value));
/** round(dividend / divisor) of each lane. */
const quotient = (dividend: number, divisor: Code): Code => i32x4.sub(f32x4.add(f32x4.div(f32x4.splat(dividend), f32x4.fromI32(divisor)), f32x4.splat(12_582_912)), i32x4.splat(0x4b400000));
const fixed = (product: Code): Code => i32x4.shrS(i32x4.add(product, i32x4.splat(2048)), i32.const(12));
const advance = (pointer: number, bytes: number): Code => set(pointer, i32.add(get(pointer), i32.const(bytes)));
const sign = (value: Code): Code => i32x4.shrS(value, i32.const(31));

function count(pixel: number): Code {
  const level = pixel === 3 ? i32.shrU(get(WORD), i32.const(24)) : i32.and(i32.shrU(get(WORD), i32.const(8 * pixel)), i32.const(255));
  const address = i32.add(get(COUNTS), i32.shl(level, i32.const(2)));
  return i32.store(address, i32.add(i32.load(address, 1024 * pixel), i32.const(1)), 1024 * pixel);
}

const GROUP: Code = [
  set(BYTES, v128.load(get(PIXELS))),
  set(RG, swizzle(get(BYTES), byPixel(0, NONE, 1, NONE))),
  set(B, swizzle(get(BYTES), byPixel(2, NONE, NONE, NONE))),
  set(R, v128.and(get(RG), i32x4.splat(0xffff))),
  set(G, i32x4.shrU(get(RG), i32.const(16))),
  plus(TOTAL, i32x4.add(i32x4.add(get(R), get(G)), get(B))),
  // HSV: see packedHsv.
  set(V, i32x4.maxS(i32x4.maxS(get(R), get(G)), get(B))),
  set(DIFF, i32x4.sub(get(V), i32x4.minS(i32x4.minS(get(R), get(G)), get(B)))),
  set(STEP, i32x4.sub(i32x4.sub(i32x4.sub(i32x4.shl(get(DIFF), i32.const(1)), get(R)), get(G)), get(B))),
  set(RAW, i32x4.add(get(STEP), i32x4.mul(get(R), i32x4.splat(3)))),
  set(RAW, v128.and(sign(i32x4.sub(get(G), get(V))), get(RAW))),
  set(RAW, i32x4.add(get(RAW), i32x4.add(get(STEP), i32x4.mul(get(B), i32x4.splat(3))))),
  set(RAW, v128.and(sign(i32x4.sub(get(R), get(V))), get(RAW))),
  set(RAW, i32x4.add(get(RAW), i32x4.sub(get(G), get(B)))),
  set(H, fixed(i32x4.mul(get(RAW), quotient(122_880, get(DIFF))))),
  set(H, i32x4.add(get(H), v128.and(sign(get(H)), i32x4.splat(180)))),
  set(S, fixed(i32x4.mul(get(DIFF), quotient(1_044_480, get(V))))),
  plus(SAT, get(S)),
  set(BEFORE, v128.load(get(HSV))),
  plus(D_HUE, i32x4.abs(i32x4.sub(get(H), i32x4.shrU(get(BEFORE), i32.const(20))))),
  plus(D_SAT, i32x4.abs(i32x4.sub(get(S), v128.and(i32x4.shrU(get(BEFORE), i32.const(10)), i32x4.splat(1023))))),
  plus(D_LUM, i32x4.abs(i32x4.sub(get(V), v128.and(get(BEFORE), i32x4.splat(1023))))),
  v128.store(get(HSV), v128.or(v128.or(i32x4.shl(get(H), i32.const(20)), i32x4.shl(get(S), i32.const(10))), get(V))),
  // Luma: see lumaOf.
  set(Y, i32x4.shrU(i32x4.add(i32x4.dot(get(RG), pair(4899, 9617)), i32x4.dot(v128.or(get(B), pair(0, 1)), pair(1868, 8192))), i32.const(14))),
  plus(D_LUMA, i32x4.abs(i32x4.sub(get(Y), swizzle(v128.loadZero(get(LUMA)), v128.const([0, 1, 2, 3].flatMap((byte) => [byte, NONE, NONE, NONE])))))),
  set(WORD, i32x4.lane(0, swizzle(get(Y), v128.const([0, 4, 8, 12, ...Array.from({ length: 12 }, () => NONE)])))),
  i32.store(get(LUMA), get(WORD)),
  [0, 1, 2, 3].flatMap(count),
  advance(PIXELS, 12),
  advance(HSV, 16),
  advance(LUMA, 4),
  set(GROUPS, i32.sub(get(GROUPS), i32.const(1))),
].flat();

const BODY: Code = [repeatWhile(GROUP, get(GROUPS)), [D_HUE, D_SAT, D_LUM, TOTAL, SAT, D_LUMA].flatMap((sum, i) => v128.store(get(OUT), get(sum), 16 * i))].flat();
const LOCALS: Code = [...Array.from({ length: 19 }, () => V128), 0x7f];

const passWith = passOf(PARAMETERS, LOCALS, BODY);

/** One frame after the other, compared with the one before. */
export interface ScoreKernel {
  /** packedHsv of the last frame, in groups of four pixels. */
  readonly hsv: Int32Array;
  /** Luma of the last frame, in groups of four pixels. */
  readonly luma: Uint8Array;
  /**
   * Takes the first `bytes` of `rgb`. `sums` receives the sums of |dH|, |dS|, |dV|, R+G+B, S and |dY|; `counts` (4 x 256) is replaced by how often
   * each level of luma occurs.
   */
  pass(rgb: Uint8Array, bytes: number, sums: Float64Array, counts: Int32Array): void;
}

/** The kernel for frames of `pixels` pixels; black fills the last group of four. `javascript` keeps to the passes it replaces. */
export function scoreKernel(pixels: number, javascript = false): ScoreKernel {
  return (javascript ? null : inWasm(pixels)) ?? inJavaScript(pixels);
}

function inWasm(pixels: number): ScoreKernel | null {
  const groups = Math.ceil(pixels / 4);
  // The last group is loaded with four bytes of what lies behind it.
  const hsvAt = Math.ceil((groups * 12 + 4) / 16) * 16;
  const lumaAt = hsvAt + groups * 16;
  const countsAt = Math.ceil((lumaAt + groups * 4) / 16) * 16;
  const outAt = countsAt + COUNTS_BYTES;
  const made = passWith(outAt + SUMS_BYTES);
  if (made === null) return null;
  const { buffer, run } = made;
  const frame = new Uint8Array(buffer, 0, groups * 12);
  const levels = new Int32Array(buffer, countsAt, COUNTS_BYTES / 4);
  const out = new Int32Array(buffer, outAt, SUMS * 4);
  return {
    hsv: new Int32Array(buffer, hsvAt, groups * 4),
    luma: new Uint8Array(buffer, lumaAt, groups * 4),
    pass(rgb, bytes, sums, counts) {
      frame.set(rgb.length === bytes ? rgb : rgb.subarray(0, bytes));
      levels.fill(0);
      run(0, hsvAt, lumaAt, countsAt, outAt, groups);
      for (let i = 0; i < SUMS; i++) sums[i] = out[4 * i]! + out[4 * i + 1]! + out[4 * i + 2]! + out[4 * i + 3]!;
      counts.set(levels);
    },
  };
}

function inJavaScript(pixels: number): ScoreKernel {
  const groups = Math.ceil(pixels / 4);
  const words = new Int32Array(groups * 3);
  const frame = new Uint8Array(words.buffer);
  const hsv = new Int32Array(groups * 4);
  const lumaWords = new Int32Array(groups);
  return {
    hsv,
    luma: new Uint8Array(lumaWords.buffer),
    pass(rgb, bytes, sums, counts) {
      frame.set(rgb.length === bytes ? rgb : rgb.subarray(0, bytes));
      contentPass(words, hsv, sums);
      counts.fill(0);
      sums[5] = lumaPass(words, lumaWords, counts);
    },
  };
}
