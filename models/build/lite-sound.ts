import { unit } from './lite-image.js';
import { OnnxGraph } from './onnx-writer.js';

/**
 * lite-sound: [n,96000] (2 s, 48 kHz mono, −1..1) → [n,512]. The sound is brought to one loudness and to 16 kHz; of its log-mel picture (64 bands,
 * 128 frames of 32 ms every 16 ms, edges mirrored) these are taken:
 * - per band: mean 64, deviation 64, 10th and 90th percentile 64 + 64, mean absolute delta 64;
 * - modulation 160: strength at 10 rates of 1–16 Hz in 16 groups of bands (Greenberg & Kingsbury 1997: what tells speech from the rest);
 * - onset 32: rise of the lower and the upper half: 12 rates, mean, deviation, 90th percentile, maximum.
 * Each is standardised by constants fitted on synthesised sounds and clipped to ±3; of the first four parts half the mean over the bands is
 * taken away; parts are weighted, the whole is normalised.
 * Below −60 dBFS RMS the vector is zero.
 */
export const SOUND_DIMS = 512;
export const WINDOW_SAMPLES = 96_000;
const RATE = 16_000;
const FFT = 512;
const HOP = 256;
const BINS = FFT / 2 + 1;
const MELS = 64;
/**
 * 128, not the 124 that fit: with rows of a multiple of 64 bytes every item of a batch starts equally aligned. With 123 the vectorised sums of the runtime
 * began at another lane from item to item, and the last bits of a vector depended on its place in the batch.
 */
const FRAMES = 128;
const EDGE = (FFT + (FRAMES - 1) * HOP - 32_000) / 2;
const SILENCE_RMS = 1e-3;
const PARTS = [64, 64, 64, 64, 64, 160, 32] as const;
export const SOUND_WEIGHTS: readonly number[] = [1, 1, 0.5, 1, 1, 0.5, 0.4];
/** How much of a part's mean over the bands is taken away: what all bands do together (noise floor, tilt of a recording) counts less than their shape. */
const COMMON_SHARE = 0.5;

export interface Standardise {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

/** With constants the model; without, the features that the constants are fitted on. */
export function liteSound(constants?: Standardise, weights: readonly number[] = SOUND_WEIGHTS): Uint8Array {
  const g = new OnnxGraph('lite-sound', 'Log-mel statistics, modulation and onset of 2 s of sound, standardised. See models/build/lite-sound.ts.');
  const waveform = g.input('waveform', 'float32', ['n', WINDOW_SAMPLES]);
  const rms = g.op('Sqrt', [g.op('ReduceMean', [g.op('Mul', [waveform, waveform])], { axes: [1], keepdims: 1 })]);
  const level = g.op('Div', [waveform, g.op('Max', [rms, g.scalar(SILENCE_RMS)])]);
  const mel = logMel(g, g.op('Unsqueeze', [level, g.ints(1)]));
  const features = g.op('Concat', [...bandStatistics(g, mel), modulation(g, mel), onset(g, mel)], { axis: 1 });
  const dims = ['n', SOUND_DIMS];
  if (!constants) {
    g.output(features, 'features', 'float32', dims);
    return g.encode();
  }
  const scale = PARTS.flatMap((size, p) => new Array<number>(size).fill(weights[p]! / Math.sqrt(size)));
  const centred = g.op('Sub', [features, g.constant([1, SOUND_DIMS], constants.mean)]);
  const standard = g.op('Mul', [centred, g.constant([1, SOUND_DIMS], constants.deviation.map((d) => 1 / d))]);
  // One band that no drawn sound ever had must not decide the whole vector.
  const clipped = g.op('Min', [g.op('Max', [standard, g.scalar(-3)]), g.scalar(3)]);
  const vector = unit(g, g.op('Mul', [lessCommon(g, clipped), g.constant([1, SOUND_DIMS], Float32Array.from(scale))]), 1e-6);
  const audible = g.op('Cast', [g.op('GreaterOrEqual', [rms, g.scalar(SILENCE_RMS)])], { to: 1 });
  g.output(g.op('Mul', [vector, audible]), 'audio_embeds', 'float32', dims);
  return g.encode();
}

/** The four per-band parts (mean, deviation, percentiles) minus {@link COMMON_SHARE} of their mean over the bands; the rest unchanged. */
function lessCommon(g: OnnxGraph, x: string): string {
  const bands = 4 * MELS;
  const parts = g.op('Reshape', [g.op('Slice', [x, g.ints(0), g.ints(bands), g.ints(1)]), g.ints(0, 4, MELS)]);
  const less = g.op('Sub', [parts, g.op('Mul', [mean(g, parts, true), g.scalar(COMMON_SHARE)])]);
  const rest = g.op('Slice', [x, g.ints(bands), g.ints(SOUND_DIMS), g.ints(1)]);
  return g.op('Concat', [g.op('Flatten', [less], { axis: 1 }), rest], { axis: 1 });
}

/** [n,1,96000] at 48 kHz → [n,64,128] natural-log mel power. */
function logMel(g: OnnxGraph, sound: string): string {
  const taps = 49;
  const slow = g.op('Conv', [sound, g.constant([1, 1, taps], lowPass(taps, 7600 / 48_000))], { strides: [3], pads: [(taps - 1) / 2, (taps - 1) / 2] });
  const mirrored = g.op('Pad', [slow, g.ints(0, 0, EDGE, 0, 0, EDGE)], { mode: 'reflect' });
  const spectrum = g.op('Conv', [mirrored, g.constant([2 * BINS, 1, FFT], fourier())], { strides: [HOP] });
  const [re, im] = g.ops('Split', [g.op('Mul', [spectrum, spectrum]), g.ints(BINS, BINS)], 2, { axis: 1 });
  const mel = g.op('Conv', [g.op('Add', [re!, im!]), g.constant([MELS, BINS, 1], melFilters())]);
  // The floor is 50 dB under a white noise of the window's own loudness: what lies below is codec and room.
  return g.op('Log', [g.op('Add', [mel, g.scalar(1e-5)])]);
}

/** Hamming-windowed sinc with gain 1; `cutoff` as a share of the sampling rate. */
function lowPass(taps: number, cutoff: number): Float32Array {
  const half = (taps - 1) / 2;
  const h = Float64Array.from({ length: taps }, (_, i) => {
    const x = i - half;
    const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x);
    return sinc * (0.54 + 0.46 * Math.cos((Math.PI * x) / half));
  });
  const sum = h.reduce((a, v) => a + v, 0);
  return Float32Array.from(h, (v) => v / sum);
}

/** Cosine rows then sine rows of a Hann-windowed DFT, scaled so that white noise of power 1 gives 1 in each bin. */
function fourier(): Float32Array {
  const window = Float64Array.from({ length: FFT }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FFT));
  const scale = 1 / Math.sqrt(window.reduce((a, v) => a + v * v, 0));
  const out = new Float32Array(2 * BINS * FFT);
  for (let k = 0; k < BINS; k++)
    for (let i = 0; i < FFT; i++) {
      const phase = (2 * Math.PI * ((k * i) % FFT)) / FFT;
      out[k * FFT + i] = window[i]! * scale * Math.cos(phase);
      out[(BINS + k) * FFT + i] = -window[i]! * scale * Math.sin(phase);
    }
  return out;
}

/** Triangles on the HTK mel scale, 60–7600 Hz, each of sum 1 (the lowest, narrower than a bin, take the nearest bin). */
function melFilters(): Float32Array {
  const toMel = (hz: number): number => 2595 * Math.log10(1 + hz / 700);
  const toHz = (mel: number): number => 700 * (Math.pow(10, mel / 2595) - 1);
  const edges = Array.from({ length: MELS + 2 }, (_, i) => toHz(toMel(60) + ((toMel(7600) - toMel(60)) * i) / (MELS + 1)));
  const out = new Float32Array(MELS * BINS);
  for (let m = 0; m < MELS; m++) {
    const [low, mid, high] = [edges[m]!, edges[m + 1]!, edges[m + 2]!];
    const row = Float64Array.from({ length: BINS }, (_, k) => {
      const hz = (k * RATE) / FFT;
      return Math.max(0, Math.min((hz - low) / (mid - low), (high - hz) / (high - mid)));
    });
    const sum = row.reduce((a, v) => a + v, 0);
    if (sum === 0) row[Math.round((mid * FFT) / RATE)] = 1;
    row.forEach((v, k) => (out[m * BINS + k] = v / (sum || 1)));
  }
  return out;
}

function mean(g: OnnxGraph, x: string, keep = false): string {
  return g.op('ReduceMean', [x], { axes: [2], keepdims: keep ? 1 : 0 });
}

function deviation(g: OnnxGraph, x: string): string {
  const centred = g.op('Sub', [x, mean(g, x, true)]);
  return g.op('Sqrt', [mean(g, g.op('Mul', [centred, centred]))]);
}

/** The values at positions `ranks` of the frames sorted downwards. */
function ranked(g: OnnxGraph, x: string, ranks: readonly number[]): string[] {
  const [sorted] = g.ops('TopK', [x, g.ints(FRAMES)], 2, { axis: 2, largest: 1, sorted: 1 });
  return ranks.map((rank) => g.op('Squeeze', [g.op('Slice', [sorted!, g.ints(rank), g.ints(rank + 1), g.ints(2)]), g.ints(2)]));
}

/** Change from the frame before; the first frame counts as unchanged. */
function step(g: OnnxGraph, mel: string): string {
  const before = g.op('Slice', [g.op('Pad', [mel, g.ints(0, 0, 1, 0, 0, 0)], { mode: 'edge' }), g.ints(0), g.ints(FRAMES), g.ints(2)]);
  return g.op('Sub', [mel, before]);
}

function bandStatistics(g: OnnxGraph, mel: string): string[] {
  const [p90, p10] = ranked(g, mel, [12, 115]);
  return [mean(g, mel), deviation(g, mel), p10!, p90!, mean(g, g.op('Abs', [step(g, mel)]))];
}

/** [n,bands,frames] → [n, rates × bands]: amplitude at rates from 1 to 16 Hz, geometrically spaced, by a Hann-windowed Fourier sum. */
function rates(g: OnnxGraph, x: string, count: number): string {
  const frameRate = RATE / HOP;
  const kernel = new Float32Array(2 * count * FRAMES);
  for (let k = 0; k < count; k++) {
    const hz = Math.pow(16, k / (count - 1));
    for (let i = 0; i < FRAMES; i++) {
      const window = (1 - Math.cos((2 * Math.PI * (i + 0.5)) / FRAMES)) / FRAMES;
      kernel[k * FRAMES + i] = window * Math.cos((2 * Math.PI * hz * i) / frameRate);
      kernel[(count + k) * FRAMES + i] = window * Math.sin((2 * Math.PI * hz * i) / frameRate);
    }
  }
  const centred = g.op('Unsqueeze', [g.op('Sub', [x, mean(g, x, true)]), g.ints(1)]);
  // A convolution, not a MatMul: it works row by row of the batch, so a row's bits do not depend on its neighbours.
  const wave = g.op('Conv', [centred, g.constant([2 * count, 1, 1, FRAMES], kernel)]);
  const [c, s] = g.ops('Split', [g.op('Mul', [wave, wave]), g.ints(count, count)], 2, { axis: 1 });
  return g.op('Flatten', [g.op('Sqrt', [g.op('Sqrt', [g.op('Add', [c!, s!])])])], { axis: 1 });
}

/** Means of equal groups of bands. */
function groups(g: OnnxGraph, x: string, count: number): string {
  const plane = g.op('Unsqueeze', [x, g.ints(1)]);
  return g.op('Squeeze', [g.op('AveragePool', [plane], { kernel_shape: [MELS / count, 1], strides: [MELS / count, 1] }), g.ints(1)]);
}

function modulation(g: OnnxGraph, mel: string): string {
  return rates(g, groups(g, mel, 16), 10);
}

function onset(g: OnnxGraph, mel: string): string {
  const rise = groups(g, g.op('Relu', [step(g, mel)]), 2);
  const [top, p90] = ranked(g, rise, [0, 12]);
  return g.op('Concat', [rates(g, rise, 12), mean(g, rise), deviation(g, rise), p90!, top!], { axis: 1 });
}
