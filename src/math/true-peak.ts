const FACTOR = 4;
const TAPS = 16; // per phase; a windowed sinc this long is flat to 20 kHz within 0.1 dB

/** How many samples before the first one `truePeakOf` looks at. */
export const PEAK_HISTORY = TAPS;

// Phase p interpolates at p / 4 of the way between the two middle samples. Blackman-Harris would be narrower; Kaiser
// with beta 6 keeps the pass band flat.
const PHASES = new Float64Array(FACTOR * TAPS);
for (let p = 1; p < FACTOR; p++) {
  let sum = 0;
  for (let k = 0; k < TAPS; k++) {
    const x = k - (TAPS / 2 - 1) - p / FACTOR;
    const value = (Math.sin(Math.PI * x) / (Math.PI * x)) * kaiser(x / (TAPS / 2), 6);
    PHASES[p * TAPS + k] = value;
    sum += value;
  }
  for (let k = 0; k < TAPS; k++) PHASES[p * TAPS + k]! /= sum;
}

// A phase is the straight line between the two middle samples plus a sum over the steps between neighbours: no more than the larger of the
// two plus STEPS times the largest step (a hair more, for rounding).
let steps = 0;
for (let p = 1; p < FACTOR; p++) {
  let residual = 0;
  let sum = 0;
  for (let k = 0; k < TAPS; k++) {
    const line = k === TAPS / 2 - 1 ? 1 - p / FACTOR : k === TAPS / 2 ? p / FACTOR : 0;
    residual += PHASES[p * TAPS + k]! - line;
    sum += Math.abs(residual);
  }
  steps = Math.max(steps, sum);
}
const STEPS = steps;
const SLACK = 1 + 1e-9;

function kaiser(x: number, beta: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(beta * Math.sqrt(1 - x * x)) / bessel(beta);
}

function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; k < 40; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Samples of one channel, and the same bytes as integers: without their sign these are ordered as the samples' magnitudes are. */
export class Signal {
  readonly samples: Float32Array;
  readonly bits: Int32Array;

  constructor(length: number) {
    this.samples = new Float32Array(length);
    this.bits = new Int32Array(this.samples.buffer);
  }
}

const MAGNITUDE = 0x7fffffff;
const scratch = new Signal(1);

function magnitudeOf(bits: number): number {
  scratch.bits[0] = bits;
  return scratch.samples[0]!;
}

/**
 * Highest absolute value between the sample before `from` and the last of the `n` samples at `from`, by four-fold oversampling (ITU-R BS.1770-4,
 * annex 2); at least `floor`. The PEAK_HISTORY samples before `from` are those heard before, or zeros.
 *
 * Interpolates only where the samples around could exceed what was found already, first asked of sixteen of them at once, then of each: few can.
 */
export function truePeakOf(signal: Signal, from: number, n: number, floor: number): number {
  const end = from + n;
  let peak = Math.max(floor, highest(signal.bits, from, end));
  let before = highest(signal.bits, from - TAPS + 1, from);
  for (let at = from; at < end; at += TAPS) {
    const next = Math.min(at + TAPS, end);
    const high = highest(signal.bits, at, next);
    // No step is larger than from the highest sample to its negative.
    if (Math.max(high, before) * (1 + 2 * STEPS) * SLACK > peak) peak = interpolated(signal.samples, at, next, peak);
    before = high;
  }
  return peak;
}

function highest(bits: Int32Array, from: number, to: number): number {
  let most = 0;
  for (let i = from; i < to; i++) {
    // The larger of two without a jump that the processor would have to guess.
    const less = (most - (bits[i]! & MAGNITUDE)) | 0;
    most = (most - (less & (less >> 31))) | 0;
  }
  return magnitudeOf(most);
}

/** The largest step to a sample of the range from the one before it. */
function steepest(samples: Float32Array, from: number, to: number): number {
  let most = 0;
  for (let i = from; i < to; i++) {
    const step = Math.abs(samples[i]! - samples[i - 1]!);
    if (step > most) most = step;
  }
  return most;
}

/** Whatever exceeds `peak` of the values interpolated with one of the samples as the newest. */
function interpolated(samples: Float32Array, from: number, to: number, peak: number): number {
  const phases = PHASES;
  // Sixteen samples and those before them first.
  const first = from - TAPS + 1;
  const steep = steepest(samples, first + 1, to);
  for (let newest = from; newest < to; newest++) {
    const oldest = newest - TAPS + 1;
    const middle = Math.max(Math.abs(samples[oldest + TAPS / 2 - 1]!), Math.abs(samples[oldest + TAPS / 2]!));
    if ((middle + STEPS * steep) * SLACK <= peak) continue;
    let a = 0;
    let b = 0;
    let c = 0;
    for (let k = 0; k < TAPS; k++) {
      const value = samples[oldest + k]!;
      a += value * phases[TAPS + k]!;
      b += value * phases[2 * TAPS + k]!;
      c += value * phases[3 * TAPS + k]!;
    }
    peak = Math.max(peak, Math.abs(a), Math.abs(b), Math.abs(c));
  }
  return peak;
}
