import { I32, V128, f64x2, get, i32, i32x4, passOf, repeatWhile, set, swizzle, v128, type Code } from './wasm-code.js';

/*
 * What of a loudness row looks at every sample: the two filters of ITU-R BS.1770-4 with the sums of squares, and the highest sample of every sixteen.
 * In WebAssembly both channels go through the filters as one vector, in double precision: the same numbers as one after the other in JavaScript.
 */

/** Samples per second that the filters are for. */
export const LOUDNESS_RATE = 48_000;
/** Samples of a channel in a row of 100 ms. */
export const STEP = LOUDNESS_RATE / 10;
/** Samples of a channel in a block, of which the highest is told. */
export const PEAK_BLOCK = 16;
const BLOCKS = 1 + STEP / PEAK_BLOCK;

// 48 kHz: the head filter (high shelf), then the RLB high-pass.
const SHELF = [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585] as const;
const HIGH_PASS = [1, -2, 1, -1.99004745483398, 0.99007225036621] as const;
/** A decaying filter would run into denormals in long silence, which are slow. */
const DENORMAL = 1e-30;

export interface LoudnessKernel {
  /** Interleaved frames: PEAK_BLOCK of the row before (zeros at first), then those of the row, to be filled by the caller. */
  readonly samples: Float32Array;
  /** K-weighted and plain sums of squares by channel, of the row passed last. */
  readonly weighted: Float64Array;
  readonly plain: Float64Array;
  /** Highest |sample| of each block of `samples`: four numbers a block, of which the first ones are the channels'. */
  readonly highs: Float32Array;
  /** Takes the first `frames` of the row through the filters, and tells of its blocks; what lies behind the last frame counts as zeros. */
  pass(frames: number): void;
  /** Keeps the last frames for the next row. */
  next(frames: number): void;
}

const [SAMPLES, FRAMES, PAIRS, FROM, COUNT, HIGHS] = [0, 1, 2, 3, 4, 5];
const PARAMETERS = 6;
const [S1, S2, T1, T2, X, Y, Z, WEIGHTED, PLAIN, HIGH] = Array.from({ length: 10 }, (_, i) => PARAMETERS + i) as [number, number, number, number, number, number, number, number, number, number];
const NONE = 255;
const upperBytes = (count: number): Code => v128.const(Array.from({ length: 16 }, (_, i) => (i + count < 16 ? i + count : NONE)));
const advance = (pointer: number, bytes: number): Code => set(pointer, i32.add(get(pointer), i32.const(bytes)));
const times = (factor: number, value: number): Code => f64x2.mul(f64x2.splat(factor), get(value));
const squares = (sum: number, value: number): Code => set(sum, f64x2.add(get(sum), f64x2.mul(get(value), get(value))));

/** A biquad, transposed direct form II. */
function biquad([b0, b1, b2, a1, a2]: readonly [number, number, number, number, number], input: number, output: number, s1: number, s2: number): Code {
  return [
    ...set(output, f64x2.add(times(b0, input), get(s1))),
    ...set(s1, f64x2.add(f64x2.sub(times(b1, input), times(a1, output)), get(s2))),
    ...set(s2, f64x2.sub(times(b2, input), times(a2, output))),
  ];
}

function body(channels: 1 | 2): Code {
  const load = channels === 1 ? v128.loadZero : v128.loadHalf;
  const vectors = (PEAK_BLOCK * channels) / 4;
  const high = (n: number): Code => v128.and(v128.load(get(FROM), 16 * n), i32x4.splat(0x7fffffff));
  return [
    ...[S1, S2, T1, T2].flatMap((state, i) => set(state, v128.load(get(PAIRS), 16 * i))),
    ...repeatWhile(
      [
        ...set(X, f64x2.promoteLow(load(get(SAMPLES)))),
        ...biquad(SHELF, X, Y, S1, S2),
        ...biquad(HIGH_PASS, Y, Z, T1, T2),
        ...squares(WEIGHTED, Z),
        ...squares(PLAIN, X),
        ...advance(SAMPLES, 4 * channels),
        ...set(FRAMES, i32.sub(get(FRAMES), i32.const(1))),
      ],
      get(FRAMES),
    ),
    ...[S1, S2, T1, T2, WEIGHTED, PLAIN].flatMap((value, i) => v128.store(get(PAIRS), get(value), 16 * i)),
    ...repeatWhile(
      [
        // Without their sign the bits of numbers are ordered as their magnitudes are.
        ...set(HIGH, high(0)),
        ...Array.from({ length: vectors - 1 }, (_, i) => set(HIGH, i32x4.maxS(get(HIGH), high(i + 1)))).flat(),
        ...(channels === 1 ? [4, 8] : [8]).flatMap((bytes) => set(HIGH, i32x4.maxS(get(HIGH), swizzle(get(HIGH), upperBytes(bytes))))),
        ...v128.store(get(HIGHS), get(HIGH)),
        ...advance(FROM, 16 * vectors),
        ...advance(HIGHS, 16),
        ...set(COUNT, i32.sub(get(COUNT), i32.const(1))),
      ],
      get(COUNT),
    ),
  ];
}

const LOCALS: Code = [...Array.from({ length: 10 }, () => V128)];
const passes = { 1: passOf(PARAMETERS, LOCALS, body(1)), 2: passOf(PARAMETERS, LOCALS, body(2)) };

/** `javascript` keeps to the loops that the WebAssembly replaces, for a processor without SIMD. */
export function loudnessKernel(channels: 1 | 2, javascript = false): LoudnessKernel {
  const length = channels * PEAK_BLOCK * BLOCKS;
  const pairsAt = 4 * length;
  const highsAt = pairsAt + 16 * 6;
  const bytes = highsAt + 16 * BLOCKS;
  const made = javascript ? null : passes[channels](bytes);
  const buffer = made?.buffer ?? new ArrayBuffer(bytes);
  const samples = new Float32Array(buffer, 0, length);
  const pairs = new Float64Array(buffer, pairsAt, 12);
  const states = pairs.subarray(0, 8);
  const highs = new Float32Array(buffer, highsAt, 4 * BLOCKS);
  return {
    samples,
    highs,
    weighted: pairs.subarray(8, 8 + channels),
    plain: pairs.subarray(10, 10 + channels),
    pass(frames) {
      samples.fill(0, channels * (PEAK_BLOCK + frames));
      if (made) made.run(4 * channels * PEAK_BLOCK, frames, pairsAt, 0, BLOCKS, highsAt);
      else inJavaScript(channels, frames, samples, pairs, highs);
      for (let i = 0; i < states.length; i++) if (Math.abs(states[i]!) < DENORMAL) states[i] = 0;
    },
    next(frames) {
      samples.copyWithin(0, channels * frames, channels * (frames + PEAK_BLOCK));
    },
  };
}

function inJavaScript(channels: number, frames: number, samples: Float32Array, pairs: Float64Array, highs: Float32Array): void {
  const [b0, b1, b2, a1, a2] = SHELF;
  const [d0, d1, d2, c1, c2] = HIGH_PASS;
  for (let channel = 0; channel < channels; channel++) {
    let [s1, s2, t1, t2] = [pairs[channel]!, pairs[2 + channel]!, pairs[4 + channel]!, pairs[6 + channel]!];
    let [weighted, plain] = [0, 0];
    for (let i = 0, p = channels * PEAK_BLOCK + channel; i < frames; i++, p += channels) {
      const x = samples[p]!;
      const y = b0 * x + s1;
      s1 = b1 * x - a1 * y + s2;
      s2 = b2 * x - a2 * y;
      const z = d0 * y + t1;
      t1 = d1 * y - c1 * z + t2;
      t2 = d2 * y - c2 * z;
      weighted += z * z;
      plain += x * x;
    }
    [s1, s2, t1, t2, weighted, plain].forEach((value, i) => (pairs[2 * i + channel] = value));
    for (let block = 0, p = channel; block < BLOCKS; block++) {
      let high = 0;
      for (let i = 0; i < PEAK_BLOCK; i++, p += channels) high = Math.max(high, Math.abs(samples[p]!));
      highs[4 * block + channel] = high;
    }
  }
}
