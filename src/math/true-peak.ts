import { PEAK_BLOCK, type LoudnessKernel } from './loudness-kernel.js';

const FACTOR = 4;
const TAPS = PEAK_BLOCK; // per phase: a block and the one before hold all that its samples are interpolated from; a windowed sinc this long is flat to 20 kHz within 0.1 dB

// Phase p interpolates at p / 4 of the way between the two middle samples. Blackman-Harris would be narrower; Kaiser
// with beta 6 keeps the pass band flat.
export const PHASES = new Float64Array(FACTOR * TAPS);
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

/**
 * Highest absolute value of the row of `frames` that `kernel` passed last, between its samples as well, by four-fold oversampling (ITU-R BS.1770-4, annex 2).
 *
 * Interpolates only where the samples around could exceed what was found already, first asked of a block at once, then of each sample: few can.
 */
export function truePeakOf({ samples, highs }: LoudnessKernel, channels: number, frames: number): number {
  const blocks = Math.ceil(frames / PEAK_BLOCK);
  let peak = 0;
  for (let channel = 0; channel < channels; channel++) for (let block = 1; block <= blocks; block++) peak = Math.max(peak, highs[4 * block + channel]!);
  for (let channel = 0; channel < channels; channel++) {
    for (let block = 1; block <= blocks; block++) {
      // No step is larger than from the highest sample to its negative.
      const most = Math.max(highs[4 * block + channel]!, highs[4 * (block - 1) + channel]!) * (1 + 2 * STEPS) * SLACK;
      if (most <= peak) continue;
      const from = PEAK_BLOCK * block;
      peak = interpolated(samples, channels, channel, from, Math.min(from + PEAK_BLOCK, PEAK_BLOCK + frames), peak);
    }
  }
  return peak;
}

/** Whatever exceeds `peak` of the values interpolated with one of a channel's samples `from`..`to` as the newest. Plain numbers in plain loops: this allocates nothing, even before it is compiled for good. */
function interpolated(samples: Float32Array, channels: number, channel: number, from: number, to: number, peak: number): number {
  let steepest = 0;
  let before = samples[(from - TAPS + 1) * channels + channel]!;
  for (let frame = from - TAPS + 2; frame < to; frame++) {
    const value = samples[frame * channels + channel]!;
    steepest = Math.max(steepest, Math.abs(value - before));
    before = value;
  }
  for (let newest = from; newest < to; newest++) {
    const oldest = (newest - TAPS + 1) * channels + channel;
    const middle = Math.max(Math.abs(samples[oldest + (TAPS / 2 - 1) * channels]!), Math.abs(samples[oldest + (TAPS / 2) * channels]!));
    if ((middle + STEPS * steepest) * SLACK <= peak) continue;
    let a = 0;
    let b = 0;
    let c = 0;
    for (let k = 0; k < TAPS; k++) {
      const value = samples[oldest + k * channels]!;
      a += value * PHASES[TAPS + k]!;
      b += value * PHASES[2 * TAPS + k]!;
      c += value * PHASES[3 * TAPS + k]!;
    }
    peak = Math.max(peak, Math.abs(a), Math.abs(b), Math.abs(c));
  }
  return peak;
}
