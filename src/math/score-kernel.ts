import { hsvOf, lumaOf } from './pixel-colour.js';
import { I32, V128, f32x4, get, i16x8, i32, i32x4, interleave16, passOf, repeatWhile, set, swizzle, u8x16, v128, type Code } from './wasm-code.js';

/*
 * One pass over a frame as a WebAssembly SIMD function: sixteen pixels at a time, to the integers of pixel-colour.ts. OpenCV's reciprocal tables cannot
 * be looked up by lane; they are quotients rounded to whole numbers, which a division in single precision followed by an addition of 1.5 x 2^23 gives
 * exactly for every divisor (the test compares all 16.7 million colours).
 */

/** Pixels a step: what a vector has bytes. */
const GROUP = 16;
/** Levels of luma, counted in four tables so that equal neighbours do not wait for each other. */
const COUNTS = 4 * 256;
const SUMS = 6;

let locals = 0;
const local = (): number => locals++;
const [PIXELS, PLANES, PLANE_BYTES, LEVELS, OUT, LEFT] = [local(), local(), local(), local(), local(), local()];
const PARAMETERS = locals;
const [X0, X1, X2, R, G, B, V, DIFF, S, H, Y] = [local(), local(), local(), local(), local(), local(), local(), local(), local(), local(), local()];
const [R16, G16, B16, V16, D16, TWICE, RAW, D32, BEFORE] = [local(), local(), local(), local(), local(), local(), local(), local(), local()];
const HALVES = [0, 1].map(() => ({ hue: local(), saturation: local() }));
const QUARTERS = [0, 1, 2, 3].map(() => ({ hue: local(), saturation: local(), luma: local() }));
const [D_HUE, D_SAT, D_LUM, TOTAL, SAT, D_LUMA] = [local(), local(), local(), local(), local(), local()];
const VECTORS = locals - PARAMETERS;
const PLANE = local();

const plus = (sum: number, value: Code): Code => set(sum, i32x4.add(get(sum), value));
const plusBytes = (sum: number, bytes: Code): Code => plus(sum, i16x8.addPairs(u8x16.addPairs(bytes)));
const bytes16 = (value: number): Code => v128.const(Array.from({ length: 16 }, () => value));
const words16 = (value: number): Code => i32x4.splat(value | (value << 16));
const pair = (low: number, high: number): Code => i32x4.splat(low | (high << 16));
const distance = (a: Code, b: Code): Code => v128.or(u8x16.subSat(a, b), u8x16.subSat(b, a));
/** round(dividend / divisor) of each lane. */
const quotient = (dividend: number, divisor: Code): Code => i32x4.sub(f32x4.add(f32x4.div(f32x4.splat(dividend), f32x4.fromI32(divisor)), f32x4.splat(12_582_912)), i32x4.splat(0x4b400000));
const fixed = (product: Code): Code => i32x4.shrS(i32x4.add(product, i32x4.splat(2048)), i32.const(12));
const advance = (pointer: number, bytes: number): Code => set(pointer, i32.add(get(pointer), i32.const(bytes)));

const NONE = 255;
/** Every third byte of the three vectors, from `channel` on. */
function channelOf(channel: number): Code {
  const part = (x: number, n: number): Code => swizzle(get(x), v128.const(Array.from({ length: GROUP }, (_, pixel) => {
    const at = 3 * pixel + channel - GROUP * n;
    return at >= 0 && at < GROUP ? at : NONE;
  })));
  return v128.or(v128.or(part(X0, 0), part(X1, 1)), part(X2, 2));
}

/** Compares the bytes with the plane's and puts them in their place. */
function replace(plane: number, value: number, sum: number): Code {
  return [
    ...set(PLANE, i32.add(get(PLANES), plane === 0 ? i32.const(0) : i32.mul(get(PLANE_BYTES), i32.const(plane)))),
    ...set(BEFORE, v128.load(get(PLANE))),
    ...plusBytes(sum, distance(get(value), get(BEFORE))),
    ...v128.store(get(PLANE), get(value)),
  ];
}

/** H, S and luma of eight pixels, as 32-bit lanes of two quarters; see hsvOf and lumaOf. */
function half(n: 0 | 1): Code {
  const widen = n === 0 ? u8x16.low : u8x16.high;
  const quarter = (low: boolean): Code => {
    const { hue, saturation, luma } = QUARTERS[2 * n + (low ? 0 : 1)]!;
    const widenSigned = low ? i16x8.low : i16x8.high;
    const widenUnsigned = low ? i16x8.lowU : i16x8.highU;
    return [
      ...set(D32, widenUnsigned(get(D16))),
      ...set(hue, fixed(i32x4.mul(widenSigned(get(RAW)), quotient(122_880, get(D32))))),
      ...set(saturation, fixed(i32x4.mul(get(D32), quotient(1_044_480, widenUnsigned(get(V16)))))),
      ...set(luma, i32x4.shrU(i32x4.add(i32x4.dot(interleave16(low, get(R16), get(G16)), pair(4899, 9617)), i32x4.dot(interleave16(low, get(B16), words16(1)), pair(1868, 8192))), i32.const(14))),
    ];
  };
  const { hue, saturation } = HALVES[n]!;
  const [first, second] = [QUARTERS[2 * n]!, QUARTERS[2 * n + 1]!];
  return [
    ...([[R16, R], [G16, G], [B16, B], [V16, V], [D16, DIFF]] as const).flatMap(([wide, narrow]) => set(wide, widen(get(narrow)))),
    ...set(TWICE, i16x8.add(get(D16), get(D16))),
    // g - b where R is the largest, else b - r + 2 diff where G is, else r - g + 4 diff.
    ...set(RAW, v128.select(i16x8.add(i16x8.sub(get(B16), get(R16)), get(TWICE)), i16x8.add(i16x8.sub(get(R16), get(G16)), i16x8.add(get(TWICE), get(TWICE))), i16x8.eq(get(G16), get(V16)))),
    ...set(RAW, v128.select(i16x8.sub(get(G16), get(B16)), get(RAW), i16x8.eq(get(R16), get(V16)))),
    ...quarter(true),
    ...quarter(false),
    ...set(saturation, i32x4.narrow(get(first.saturation), get(second.saturation))),
    ...set(hue, i32x4.narrow(get(first.hue), get(second.hue))),
    ...set(hue, i16x8.add(get(hue), v128.and(i16x8.shrS(get(hue), i32.const(15)), words16(180)))),
  ];
}

function count(pixel: number): Code {
  const address = i32.add(get(LEVELS), i32.shl(u8x16.lane(pixel, get(Y)), i32.const(2)));
  const table = 1024 * (pixel % 4);
  return [...set(PLANE, address), ...i32.store(get(PLANE), i32.add(i32.load(get(PLANE), table), i32.const(1)), table)];
}

const [HUE_PLANE, SATURATION_PLANE, VALUE_PLANE, LUMA_PLANE] = [0, 1, 2, 3];
const STEP: Code = [
  set(X0, v128.load(get(PIXELS))),
  set(X1, v128.load(get(PIXELS), GROUP)),
  set(X2, v128.load(get(PIXELS), 2 * GROUP)),
  plus(TOTAL, i16x8.addPairs(i16x8.add(i16x8.add(u8x16.addPairs(get(X0)), u8x16.addPairs(get(X1))), u8x16.addPairs(get(X2))))),
  set(R, channelOf(0)),
  set(G, channelOf(1)),
  set(B, channelOf(2)),
  set(V, u8x16.max(u8x16.max(get(R), get(G)), get(B))),
  set(DIFF, u8x16.sub(get(V), u8x16.min(u8x16.min(get(R), get(G)), get(B)))),
  half(0),
  half(1),
  set(H, i16x8.narrow(get(HALVES[0]!.hue), get(HALVES[1]!.hue))),
  set(S, i16x8.narrow(get(HALVES[0]!.saturation), get(HALVES[1]!.saturation))),
  set(Y, i16x8.narrow(i32x4.narrow(get(QUARTERS[0]!.luma), get(QUARTERS[1]!.luma)), i32x4.narrow(get(QUARTERS[2]!.luma), get(QUARTERS[3]!.luma)))),
  plusBytes(SAT, get(S)),
  replace(HUE_PLANE, H, D_HUE),
  replace(SATURATION_PLANE, S, D_SAT),
  replace(VALUE_PLANE, V, D_LUM),
  replace(LUMA_PLANE, Y, D_LUMA),
  Array.from({ length: GROUP }, (_, pixel) => count(pixel)).flat(),
  advance(PIXELS, 3 * GROUP),
  advance(PLANES, GROUP),
  set(LEFT, i32.sub(get(LEFT), i32.const(1))),
].flat();

const BODY: Code = [repeatWhile(STEP, get(LEFT)), [D_HUE, D_SAT, D_LUM, TOTAL, SAT, D_LUMA].flatMap((sum, i) => v128.store(get(OUT), get(sum), 16 * i))].flat();
const passWith = passOf(PARAMETERS, [...Array.from({ length: VECTORS }, () => V128), I32], BODY);

/** One frame after the other, compared with the one before. */
export interface ScoreKernel {
  /** Of the last frame, a byte a pixel, in whole groups of sixteen: H 0..179, S, V and luma 0..255. */
  readonly hue: Uint8Array;
  readonly saturation: Uint8Array;
  readonly value: Uint8Array;
  readonly luma: Uint8Array;
  /**
   * Takes the first `bytes` of `rgb`. `sums` receives the sums of |dH|, |dS|, |dV|, R+G+B, S and |dY|; `counts` (4 x 256) is replaced by how often
   * each level of luma occurs.
   */
  pass(rgb: Uint8Array, bytes: number, sums: Float64Array, counts: Int32Array): void;
}

/** The kernel for frames of `pixels` pixels; black fills the last group. `javascript` keeps to what the WebAssembly replaces, for a processor without SIMD. */
export function scoreKernel(pixels: number, javascript = false): ScoreKernel {
  const bytes = Math.ceil(pixels / GROUP) * GROUP;
  return (javascript ? null : inWasm(bytes)) ?? inJavaScript(bytes);
}

function inWasm(bytes: number): ScoreKernel | null {
  const planesAt = 3 * bytes;
  const countsAt = planesAt + 4 * bytes;
  const outAt = countsAt + 4 * COUNTS;
  const made = passWith(outAt + 16 * SUMS);
  if (made === null) return null;
  const { buffer, run } = made;
  const plane = (n: number): Uint8Array => new Uint8Array(buffer, planesAt + n * bytes, bytes);
  const frame = new Uint8Array(buffer, 0, planesAt);
  const levels = new Int32Array(buffer, countsAt, COUNTS);
  const out = new Int32Array(buffer, outAt, 4 * SUMS);
  return {
    hue: plane(HUE_PLANE),
    saturation: plane(SATURATION_PLANE),
    value: plane(VALUE_PLANE),
    luma: plane(LUMA_PLANE),
    pass(rgb, length, sums, counts) {
      frame.set(rgb.length === length ? rgb : rgb.subarray(0, length));
      levels.fill(0);
      run(0, planesAt, bytes, countsAt, outAt, bytes / GROUP);
      for (let i = 0; i < SUMS; i++) sums[i] = out[4 * i]! + out[4 * i + 1]! + out[4 * i + 2]! + out[4 * i + 3]!;
      counts.set(levels);
    },
  };
}

function inJavaScript(bytes: number): ScoreKernel {
  const frame = new Uint8Array(3 * bytes);
  const plane = (): Uint8Array => new Uint8Array(bytes);
  const [hue, saturation, value, luma] = [plane(), plane(), plane(), plane()];
  return {
    hue,
    saturation,
    value,
    luma,
    pass(rgb, length, sums, counts) {
      frame.set(rgb.length === length ? rgb : rgb.subarray(0, length));
      counts.fill(0);
      let [dHue, dSat, dLum, total, sat, dLuma] = [0, 0, 0, 0, 0, 0];
      for (let i = 0, p = 0; i < bytes; i++, p += 3) {
        const [r, g, b] = [frame[p]!, frame[p + 1]!, frame[p + 2]!];
        const hsv = hsvOf(r, g, b);
        const [h, s, v, y] = [hsv >> 16, (hsv >> 8) & 255, hsv & 255, lumaOf(r, g, b)];
        dHue += Math.abs(h - hue[i]!);
        dSat += Math.abs(s - saturation[i]!);
        dLum += Math.abs(v - value[i]!);
        dLuma += Math.abs(y - luma[i]!);
        total += r + g + b;
        sat += s;
        counts[256 * (i % 4) + y]!++;
        [hue[i], saturation[i], value[i], luma[i]] = [h, s, v, y];
      }
      sums.set([dHue, dSat, dLum, total, sat, dLuma]);
    },
  };
}
