import path from 'node:path';
import sharp from 'sharp';
import { frames, planar, SIDE, sound, soundClips, videoClips, WINDOW, windows, type Clip } from './clips.js';
import { cosine, embed, open, percentile, separation, type Separation } from './measure.js';

export interface Copies {
  readonly p5: number;
  readonly median: number;
}

export interface LiteAccuracy {
  readonly image: Separation & { readonly clips: number; readonly items: number; readonly msPerItem: number; readonly copies: Readonly<Record<string, Copies>> };
  readonly sound: Separation & { readonly clips: number; readonly items: number; readonly msPerItem: number; readonly copies: Readonly<Record<string, Copies>> };
}

/** The figure at which CLIP's readers call two frames alike, and the bar that the issue sets for lite as well. */
export const THRESHOLD = 0.72;
const RAW = { raw: { width: SIDE, height: SIDE, channels: 3 as const } };

/** Changes that leave a picture the same picture, all made on the 224×224 frame itself, where they bite hardest. Grey is not one of them: it must move. */
const PICTURE_CHANGES: Readonly<Record<string, (rgb: Buffer) => Promise<Buffer> | Buffer>> = {
  jpegQ30: async (rgb) => sharp(await sharp(rgb, RAW).jpeg({ quality: 30 }).toBuffer()).removeAlpha().raw().toBuffer(),
  halfAndBack: async (rgb) => {
    const small = await sharp(rgb, RAW).resize(SIDE / 2, SIDE / 2).png().toBuffer();
    return sharp(small).resize(SIDE, SIDE).removeAlpha().raw().toBuffer();
  },
  brightness120: (rgb) => Buffer.from(rgb.map((v) => Math.min(255, Math.round(v * 1.2)))),
  grey: (rgb) => {
    const out = Buffer.alloc(rgb.length);
    for (let i = 0; i < rgb.length; i += 3) out.fill(Math.round(0.299 * rgb[i]! + 0.587 * rgb[i + 1]! + 0.114 * rgb[i + 2]!), i, i + 3);
    return out;
  },
};

const SOUND_CHANGES: Readonly<Record<string, (x: Float32Array) => Float32Array>> = {
  halfLevel: (x) => x.map((v) => v / 2),
  shifted100ms: (x) => x.map((_, i) => x[(i + 4800) % x.length]!),
  noise30dB: (x) => {
    const rms = Math.sqrt(x.reduce((a, v) => a + v * v, 0) / x.length);
    let state = 1;
    return x.map((v) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return v + rms * Math.sqrt(3) * (2 * (state / 4294967296) - 1) * Math.pow(10, -30 / 20);
    });
  },
};

/** Every `copyStep`-th item is also compared with its changed copies. Only constants drawn by models/build are in the models; these clips are new to them. */
export async function measureAccuracy(modelsDir: string, mediaDir: string, copyStep = 1): Promise<LiteAccuracy> {
  const pictures: { group: Clip; rgb: Buffer[] }[] = [];
  for (const clip of videoClips(mediaDir)) pictures.push({ group: clip, rgb: await frames(clip, 2) });
  const image = await measure(
    path.join(modelsDir, 'lite-image.onnx'),
    pictures.map((p) => p.rgb),
    planar,
    [3, SIDE, SIDE],
    PICTURE_CHANGES,
    copyStep,
  );
  const sounds: Float32Array[][] = [];
  for (const clip of soundClips(mediaDir)) sounds.push(windows(await sound(clip)));
  const heard = sounds.filter((w) => w.length > 0);
  return { image, sound: await measure(path.join(modelsDir, 'lite-sound.onnx'), heard, (x) => x, [WINDOW], SOUND_CHANGES, copyStep) };
}

async function measure<T>(
  model: string,
  groups: readonly (readonly T[])[],
  prepare: (item: T) => Float32Array,
  dims: readonly number[],
  changes: Readonly<Record<string, (item: T) => T | Promise<T>>>,
  copyStep: number,
): Promise<LiteAccuracy['image']> {
  const session = await open(model);
  let runMs = 0;
  const vectors: Float32Array[][] = [];
  for (const group of groups) {
    const rows = group.map(prepare);
    const start = performance.now();
    vectors.push(await embed(session, rows, dims));
    runMs += performance.now() - start;
  }
  const items = groups.flat();
  const own = vectors.flat();
  const copies: Record<string, Copies> = {};
  for (const [name, change] of Object.entries(changes)) {
    const cosines: number[] = [];
    for (let i = 0; i < items.length; i += copyStep) {
      const [copy] = await embed(session, [prepare(await change(items[i]!))], dims);
      cosines.push(cosine(copy!, own[i]!));
    }
    copies[name] = { p5: percentile(cosines, 0.05), median: percentile(cosines, 0.5) };
  }
  await session.release();
  return { clips: groups.length, items: items.length, msPerItem: runMs / items.length, ...separation(vectors, THRESHOLD), copies };
}
