import { PEAK_BLOCK, STEP, loudnessKernel, type LoudnessKernel } from './loudness-kernel.js';
import { truePeakOf } from './true-peak.js';

export { LOUDNESS_RATE } from './loudness-kernel.js';

/** The columns of one row of loudness measurements; a row stands for 100 ms. */
export const LOUDNESS_COLUMNS = [
  'momentaryLufs', // of the 400 ms that end with this row, ungated; FLOOR_DB before the first 400 ms are complete
  'meanSquareK', // mean square of the K-weighted signal over these 100 ms, channels added
  'rmsDb', // RMS of the plain signal over these 100 ms and all channels, dBFS
  'truePeakDb', // highest inter-sample peak of any channel in these 100 ms, dBTP
] as const;

/** Loudness and levels of digital silence, and the least value any column in dB takes. */
export const FLOOR_DB = -120;
const WIDTH = LOUDNESS_COLUMNS.length;
const SQUARE = 1;

const decibels = (power: number): number => (power > 0 ? Math.max(FLOOR_DB, 10 * Math.log10(power)) : FLOOR_DB);
const lufs = (meanSquareK: number): number => (meanSquareK > 0 ? Math.max(FLOOR_DB, decibels(meanSquareK) - 0.691) : FLOOR_DB);

/** EBU R128 meter: one row per 100 ms of 48 kHz PCM, however it is cut into chunks. Source: ITU-R BS.1770-4. */
export class LoudnessMeter {
  readonly #channels: number;
  readonly #kernel: LoudnessKernel;
  readonly #row = new Float32Array(WIDTH);
  readonly #recent: number[] = []; // meanSquareK of the last rows, at most four
  #filled = 0; // samples a channel in the unfinished row

  constructor(channels: 1 | 2) {
    if (channels !== 1 && channels !== 2) throw new RangeError(`the meter takes mono or stereo, got ${String(channels)} channels`);
    this.#channels = channels;
    this.#kernel = loudnessKernel(channels);
  }

  /**
   * Takes interleaved samples (whole frames; Float32 in -1..1 or Int16) and calls `onRow` for every full 100 ms with a
   * row of LOUDNESS_COLUMNS that is reused by the next call.
   */
  push(samples: Float32Array | Int16Array, onRow: (row: Float32Array) => void): void {
    const channels = this.#channels;
    if (samples.length % channels !== 0) throw new RangeError('samples must come in whole frames of all channels');
    const frames = samples.length / channels;
    for (let at = 0; at < frames; ) {
      const n = Math.min(frames - at, STEP - this.#filled);
      const place = (PEAK_BLOCK + this.#filled) * channels;
      this.#kernel.samples.set(samples.subarray(at * channels, (at + n) * channels), place);
      if (samples instanceof Int16Array) for (let i = place; i < place + n * channels; i++) this.#kernel.samples[i]! /= 32768;
      this.#filled += n;
      at += n;
      if (this.#filled === STEP) onRow(this.#finish());
    }
  }

  /** The row of the last, incomplete 100 ms (averages over what there is), or null if nothing is left. */
  end(): Float32Array | null {
    return this.#filled > 0 ? this.#finish() : null;
  }

  #finish(): Float32Array {
    const n = this.#filled;
    this.#kernel.pass(n);
    const peak = truePeakOf(this.#kernel, this.#channels, n);
    const square = sum(this.#kernel.weighted) / n;
    this.#recent.push(square);
    if (this.#recent.length > 4) this.#recent.shift();
    const complete = this.#recent.length === 4;
    const row = this.#row;
    row[0] = complete ? lufs((this.#recent[0]! + this.#recent[1]! + this.#recent[2]! + this.#recent[3]!) / 4) : FLOOR_DB;
    row[SQUARE] = square;
    row[2] = decibels(sum(this.#kernel.plain) / (n * this.#channels));
    row[3] = decibels(peak * peak);
    this.#kernel.next(n);
    this.#filled = 0;
    return row;
  }
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Mean squares over every run of `span` consecutive rows, one per row step. */
function windows(rows: Float32Array, span: number): Float64Array {
  const count = Math.floor(rows.length / WIDTH);
  const result = new Float64Array(Math.max(0, count - span + 1));
  for (let i = 0; i < result.length; i++) {
    let sum = 0;
    for (let k = 0; k < span; k++) sum += rows[(i + k) * WIDTH + SQUARE]!;
    result[i] = sum / span;
  }
  return result;
}

const powerOf = (loudness: number): number => 10 ** ((loudness + 0.691) / 10);

/** Mean of the powers at or above `gate`, or null if there are none. */
function gatedMean(powers: Float64Array, gate: number): number | null {
  let sum = 0;
  let n = 0;
  for (const power of powers) {
    if (power < gate) continue;
    sum += power;
    n++;
  }
  return n > 0 ? sum / n : null;
}

/**
 * Integrated loudness in LUFS of consecutive rows (flat, LOUDNESS_COLUMNS a row): 400 ms blocks every 100 ms, gated at
 * -70 LUFS and 10 LU below the mean of what passes. Null where nothing passes (silence, or less than 400 ms).
 */
export function integratedLoudness(rows: Float32Array): number | null {
  const blocks = windows(rows, 4);
  const first = gatedMean(blocks, powerOf(-70));
  if (first === null) return null;
  const mean = gatedMean(blocks, Math.max(powerOf(-70), first / 10));
  return mean === null ? null : lufs(mean);
}

/**
 * Loudness range in LU (EBU Tech 3342): 3 s blocks every 100 ms, gated at -70 LUFS and 20 LU below the mean, 10th to
 * 95th percentile. Null where nothing passes (silence, or less than 3 s).
 */
export function loudnessRange(rows: Float32Array): number | null {
  const blocks = windows(rows, 30);
  const first = gatedMean(blocks, powerOf(-70));
  if (first === null) return null;
  const gate = Math.max(powerOf(-70), first / 100);
  const kept = blocks.filter((power) => power >= gate).sort();
  if (kept.length === 0) return null;
  const at = (share: number): number => lufs(kept[Math.round((kept.length - 1) * share)]!);
  return at(0.95) - at(0.1);
}

/** Highest true peak of the rows in dBTP, FLOOR_DB if there are none. */
export function truePeak(rows: Float32Array): number {
  let peak = FLOOR_DB;
  for (let i = 3; i < rows.length; i += WIDTH) peak = Math.max(peak, rows[i]!);
  return peak;
}
