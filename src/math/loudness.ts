import { PEAK_HISTORY, Signal, truePeakOf } from './true-peak.js';

/** The columns of one row of loudness measurements; a row stands for 100 ms. */
export const LOUDNESS_COLUMNS = [
  'momentaryLufs', // of the 400 ms that end with this row, ungated; FLOOR_DB before the first 400 ms are complete
  'meanSquareK', // mean square of the K-weighted signal over these 100 ms, channels added
  'rmsDb', // RMS of the plain signal over these 100 ms and all channels, dBFS
  'truePeakDb', // highest inter-sample peak of any channel in these 100 ms, dBTP
] as const;

/** Loudness and levels of digital silence, and the least value any column in dB takes. */
export const FLOOR_DB = -120;
/** Samples per second the meter expects. */
export const LOUDNESS_RATE = 48_000;

const STEP = LOUDNESS_RATE / 10;
const WIDTH = LOUDNESS_COLUMNS.length;
const SQUARE = 1;

// ITU-R BS.1770-4, 48 kHz: the head filter (high shelf), then the RLB high-pass.
const SHELF = [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585] as const;
const HIGH_PASS = [1, -2, 1, -1.99004745483398, 0.99007225036621] as const;

const decibels = (power: number): number => (power > 0 ? Math.max(FLOOR_DB, 10 * Math.log10(power)) : FLOOR_DB);
const lufs = (meanSquareK: number): number => (meanSquareK > 0 ? Math.max(FLOOR_DB, decibels(meanSquareK) - 0.691) : FLOOR_DB);

/** EBU R128 meter: one row per 100 ms of 48 kHz PCM, however it is cut into chunks. Source: ITU-R BS.1770-4. */
export class LoudnessMeter {
  readonly #channels: number;
  readonly #state: Float64Array; // four filter memories a channel
  /** Of each channel: the samples of the unfinished row, behind the last ones of the row before. */
  readonly #signals: Signal[];
  #filled = 0; // samples a channel in the unfinished row
  #weighted = 0;
  #plain = 0;
  /** Both channels have been the same so far (mono sound as stereo): the first is measured for both. */
  #twins: boolean;
  readonly #recent: number[] = []; // meanSquareK of the last rows, at most four

  constructor(channels: 1 | 2) {
    if (channels !== 1 && channels !== 2) throw new RangeError(`the meter takes mono or stereo, got ${String(channels)} channels`);
    this.#channels = channels;
    this.#twins = channels === 2;
    this.#state = new Float64Array(4 * channels);
    this.#signals = Array.from({ length: channels }, () => new Signal(PEAK_HISTORY + STEP));
  }

  /**
   * Takes interleaved samples (whole frames; Float32 in -1..1 or Int16) and calls `onRow` for every full 100 ms with a
   * row of LOUDNESS_COLUMNS that is reused by the next call.
   */
  push(samples: Float32Array | Int16Array, onRow: (row: Float32Array) => void): void {
    const channels = this.#channels;
    if (samples.length % channels !== 0) throw new RangeError('samples must come in whole frames of all channels');
    const frames = samples.length / channels;
    const scale = samples instanceof Int16Array ? 1 / 32768 : 1;
    for (let at = 0; at < frames; ) {
      const n = Math.min(frames - at, STEP - this.#filled);
      if (this.#twins && !equalChannels(samples, at * channels, n)) this.#part();
      for (let c = 0; c < (this.#twins ? 1 : channels); c++) {
        this.#filter(samples, at * channels + c, n, c, scale);
      }
      this.#filled += n;
      at += n;
      if (this.#filled === STEP) onRow(this.#finish());
    }
  }

  /** The row of the last, incomplete 100 ms (averages over what there is), or null if nothing is left. */
  end(): Float32Array | null {
    return this.#filled > 0 ? this.#finish() : null;
  }

  readonly #row = new Float32Array(WIDTH);

  #finish(): Float32Array {
    const n = this.#filled;
    let peak = 0;
    for (const signal of this.#twins ? this.#signals.slice(0, 1) : this.#signals) {
      peak = truePeakOf(signal, PEAK_HISTORY, n, peak);
      signal.samples.copyWithin(0, n, n + PEAK_HISTORY);
    }
    const square = this.#weighted / n;
    this.#recent.push(square);
    if (this.#recent.length > 4) this.#recent.shift();
    const complete = this.#recent.length === 4;
    const row = this.#row;
    row[0] = complete ? lufs((this.#recent[0]! + this.#recent[1]! + this.#recent[2]! + this.#recent[3]!) / 4) : FLOOR_DB;
    row[SQUARE] = square;
    row[2] = decibels(this.#plain / (n * this.#channels));
    row[3] = decibels(peak * peak);
    this.#filled = 0;
    this.#weighted = 0;
    this.#plain = 0;
    return row;
  }

  /** From here on the channels differ: the second goes on from where the first stands. */
  #part(): void {
    this.#twins = false;
    this.#state.copyWithin(4, 0, 4);
    this.#signals[1]!.samples.set(this.#signals[0]!.samples);
  }

  /** Takes `n` samples into the row of one channel and through both biquads, transposed direct form II; adds to the sums of squares. */
  #filter(samples: Float32Array | Int16Array, from: number, n: number, channel: number, scale: number): void {
    const [b0, b1, b2, a1, a2] = SHELF;
    const [d0, d1, d2, c1, c2] = HIGH_PASS;
    const step = this.#channels;
    const base = channel * 4;
    const signal = this.#signals[channel]!.samples;
    let s1 = this.#state[base]!;
    let s2 = this.#state[base + 1]!;
    let t1 = this.#state[base + 2]!;
    let t2 = this.#state[base + 3]!;
    let weighted = 0;
    let plain = 0;
    for (let i = 0, p = from, at = PEAK_HISTORY + this.#filled; i < n; i++, p += step, at++) {
      const x = samples[p]! * scale;
      signal[at] = x;
      const y = b0 * x + s1;
      s1 = b1 * x - a1 * y + s2;
      s2 = b2 * x - a2 * y;
      const z = d0 * y + t1;
      t1 = d1 * y - c1 * z + t2;
      t2 = d2 * y - c2 * z;
      weighted += z * z;
      plain += x * x;
    }
    // A decaying filter would run into denormals in long silence, which are slow.
    this.#state[base] = Math.abs(s1) < 1e-30 ? 0 : s1;
    this.#state[base + 1] = Math.abs(s2) < 1e-30 ? 0 : s2;
    this.#state[base + 2] = Math.abs(t1) < 1e-30 ? 0 : t1;
    this.#state[base + 3] = Math.abs(t2) < 1e-30 ? 0 : t2;
    for (let times = this.#twins ? 2 : 1; times > 0; times--) {
      this.#weighted += weighted;
      this.#plain += plain;
    }
  }
}

function equalChannels(samples: Float32Array | Int16Array, from: number, frames: number): boolean {
  for (let i = 0, p = from; i < frames; i++, p += 2) if (samples[p] !== samples[p + 1]) return false;
  return true;
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
