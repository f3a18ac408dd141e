import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** The given clips, decoded just far enough to measure the lite models on them: no part of the media room, so that neither can hide the other's faults. */
export const SIDE = 224;
export const FRAME = 3 * SIDE * SIDE;
export const WINDOW = 96_000;
export const SAMPLE_RATE = 48_000;

export interface Clip {
  readonly name: string;
  readonly file: string;
}

function list(folder: string, pattern: RegExp): Clip[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((f) => pattern.test(f)).sort().map((f) => ({ name: f, file: path.join(folder, f) }));
}

export function videoClips(mediaDir: string): Clip[] {
  return list(path.join(mediaDir, 'video'), /\.(mp4|mkv|webm)$/);
}

/** Everything with a sound track; jfk.flac is jfk.wav again and would count a clip as foreign to itself. */
export function soundClips(mediaDir: string): Clip[] {
  return [...videoClips(mediaDir), ...list(path.join(mediaDir, 'speech'), /\.(wav|mp3)$/)];
}

function ffmpeg(args: readonly string[]): Promise<Buffer> {
  const require = createRequire(import.meta.url);
  const binary = process.env['FLOW_FFMPEG'] ?? (require('@ffmpeg-installer/ffmpeg') as { path: string }).path;
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['-nostdin', '-v', 'error', '-threads', '1', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (b: Buffer) => out.push(b));
    child.stderr.on('data', (b: Buffer) => err.push(b));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(Buffer.concat(out)) : reject(new Error(Buffer.concat(err).toString()))));
  });
}

/** Frames on the grid of `fps` (the first frame of each interval), 224×224 rgb24. */
export async function frames(clip: Clip, fps: number): Promise<Buffer[]> {
  const select = `select='isnan(prev_t)+gt(floor(t*${fps})\\,floor(prev_t*${fps}))',scale=${SIDE}:${SIDE}:flags=bilinear,format=rgb24`;
  const bytes = await ffmpeg(['-i', clip.file, '-vsync', '0', '-map', '0:V:0', '-vf', select, '-f', 'rawvideo', 'pipe:1']);
  return Array.from({ length: Math.floor(bytes.length / FRAME) }, (_, i) => bytes.subarray(i * FRAME, (i + 1) * FRAME));
}

/** The sound as 48 kHz mono; empty where there is none. */
export async function sound(clip: Clip): Promise<Float32Array> {
  try {
    const bytes = await ffmpeg(['-i', clip.file, '-map', '0:a:0', '-ac', '1', '-ar', String(SAMPLE_RATE), '-f', 'f32le', 'pipe:1']);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~3)));
  } catch (error) {
    if (String(error).includes('matches no streams')) return new Float32Array();
    throw error;
  }
}

/** Windows of 2 s without overlap, the last one repeated to its length; below −60 dBFS a window is silent and is not embedded. */
export function windows(samples: Float32Array): Float32Array[] {
  const out: Float32Array[] = [];
  for (let start = 0; start + SAMPLE_RATE / 2 <= samples.length; start += WINDOW) {
    const part = samples.subarray(start, start + WINDOW);
    const window = Float32Array.from({ length: WINDOW }, (_, i) => part[i % part.length]!);
    const rms = Math.sqrt(window.reduce((a, v) => a + v * v, 0) / WINDOW);
    if (20 * Math.log10(rms + 1e-12) >= -60) out.push(window);
  }
  return out;
}

/** rgb24 → planar 0..1, the preprocessing that models/lite-image.yaml states (mean 0, std 1). */
export function planar(rgb: Uint8Array): Float32Array {
  const out = new Float32Array(FRAME);
  const plane = SIDE * SIDE;
  for (let i = 0; i < plane; i++) for (let k = 0; k < 3; k++) out[k * plane + i] = rgb[3 * i + k]! / 255;
  return out;
}
