import { InferenceSession, Tensor } from 'onnxruntime-node';
import { hashedNgrams } from '../../src/models/tokenizers/hashed-ngrams.js';
import { drawing, SIDE } from './drawings.js';
import { liteImage } from './lite-image.js';
import { liteSound, WINDOW_SAMPLES } from './lite-sound.js';
import { BAG_DIMS, liteText } from './lite-text.js';
import { SENTENCES } from './sentences.js';
import { synthesised } from './sounds.js';

/** What `models/build/lite-constants.json` holds: all that was fitted, and on what. */
export interface LiteConstants {
  readonly image: { readonly drawings: number; readonly mean: readonly number[]; readonly foreignMedian: number };
  readonly sound: { readonly sounds: number; readonly mean: readonly number[]; readonly deviation: readonly number[]; readonly foreignMedian: number };
  readonly text: { readonly sentences: number; readonly foreignMedian: number };
}

export const DRAWINGS = 600;
export const SOUNDS = 1200;

/** Draws and synthesises, runs the features, and takes means and deviations. About 50 s on one core. */
export async function fit(drawings = DRAWINGS, sounds = SOUNDS): Promise<LiteConstants> {
  const pictures = (i: number): Float32Array => drawing(i);
  const imageMean = rounded(moments(await rows(liteImage(), drawings, pictures, [3, SIDE, SIDE])).mean);
  const image = await rows(liteImage(Float32Array.from(imageMean)), drawings, pictures, [3, SIDE, SIDE]);
  const soundMoments = moments(await rows(liteSound(), sounds, synthesised, [WINDOW_SAMPLES]));
  const soundConstants = { mean: rounded(soundMoments.mean), deviation: rounded(soundMoments.deviation.map((d) => Math.max(d, 1e-3))) };
  const standard = { mean: Float32Array.from(soundConstants.mean), deviation: Float32Array.from(soundConstants.deviation) };
  const sound = await rows(liteSound(standard), sounds, synthesised, [WINDOW_SAMPLES]);
  const text = await rows(liteText(), SENTENCES.length, (i) => hashedNgrams(SENTENCES[i]!, BAG_DIMS), [BAG_DIMS]);
  return {
    image: { drawings, mean: imageMean, foreignMedian: pairMedian(image) },
    sound: { sounds, ...soundConstants, foreignMedian: pairMedian(sound) },
    text: { sentences: SENTENCES.length, foreignMedian: pairMedian(text) },
  };
}

async function rows(model: Uint8Array, count: number, make: (i: number) => Float32Array, dims: readonly number[]): Promise<Float32Array[]> {
  const session = await InferenceSession.create(model, { executionProviders: ['cpu'], intraOpNumThreads: 1 });
  const out: Float32Array[] = [];
  for (let i = 0; i < count; i++) {
    const result = await session.run({ [session.inputNames[0]!]: new Tensor('float32', make(i), [1, ...dims]) });
    out.push(result[session.outputNames[0]!]!.data as Float32Array);
  }
  await session.release();
  return out;
}

function moments(vectors: readonly Float32Array[]): { mean: number[]; deviation: number[] } {
  const n = vectors.length;
  const mean = Array.from(vectors[0]!, (_, i) => vectors.reduce((a, v) => a + v[i]!, 0) / n);
  const deviation = mean.map((m, i) => Math.sqrt(vectors.reduce((a, v) => a + (v[i]! - m) ** 2, 0) / n));
  return { mean, deviation };
}

/** Four decimals: finer than the fit is sure of, coarser than the last bits in which processors differ. */
function rounded(values: readonly number[]): number[] {
  return values.map((v) => Math.round(v * 1e4) / 1e4);
}

function pairMedian(vectors: readonly Float32Array[]): number {
  const cosines: number[] = [];
  vectors.forEach((a, i) => {
    for (let j = i + 1; j < vectors.length; j++) {
      const b = vectors[j]!;
      let dot = 0;
      for (let k = 0; k < a.length; k++) dot += a[k]! * b[k]!;
      cosines.push(dot);
    }
  });
  cosines.sort((x, y) => x - y);
  return Math.round(cosines[cosines.length >> 1]! * 100) / 100;
}
