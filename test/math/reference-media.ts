import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// Decoding for the tests of this room only: math itself does no input or output.

export const mediaDir = process.env['FLOW_MEDIA_DIR'] ?? '';
export const referenceDir = mediaDir === '' ? '' : join(mediaDir, '..', 'reference');
export const ffmpegPath = (createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string }).path;

/** Why a test that needs these files must be skipped, or false. */
export function missing(...paths: string[]): string | false {
  if (mediaDir === '') return 'FLOW_MEDIA_DIR is not set';
  const absent = paths.find((path) => !existsSync(path));
  return absent === undefined ? false : `${absent} is missing`;
}

/** Runs ffmpeg; chunks of stdout go to `onData`, stderr and fd 3 come back as text. */
export async function ffmpeg(args: string[], onData: (chunk: Buffer) => void): Promise<{ log: string; side: string }> {
  const child = spawn(ffmpegPath, ['-nostdin', ...args], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  let log = '';
  let side = '';
  child.stdout!.on('data', onData);
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stdio[3]!.on('data', (chunk: Buffer) => (side += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${log.slice(-500)}`);
  return { log, side };
}

/** Coded size and nominal rate of a file's first video stream. */
export async function probeVideo(file: string): Promise<{ width: number; height: number; rate: number }> {
  const { log } = await ffmpeg(['-hide_banner', '-i', file, '-map', '0:v:0', '-c', 'copy', '-f', 'null', '-'], () => {});
  const size = /Video:.*?, (\d+)x(\d+)/.exec(log);
  const rate = /([\d.]+) tbr/.exec(log);
  if (!size || !rate) throw new Error(`no video stream found in ${file}`);
  return { width: +size[1]!, height: +size[2]!, rate: +rate[1]! };
}

/** The frame size PySceneDetect works at: the longer side about 256. */
export function analysisSize(width: number, height: number): { width: number; height: number } {
  const factor = Math.max(1, Math.max(width, height) / 256);
  return { width: Math.round(width / factor), height: Math.round(height / factor) };
}

/** The frames flow's scene scores see: decoded and scaled by ffmpeg. */
export const scaledBy = (size: { width: number; height: number }): string =>
  `scale=${size.width}:${size.height}:flags=area,format=yuv420p,format=rgb24`;

/** Decodes every frame as rgb24 of the given size (`onFrame`'s view is reused); returns the PTS in microseconds. */
export async function decodeVideo(
  file: string,
  size: { width: number; height: number },
  filter: string,
  onFrame: (rgb: Uint8Array, frame: number) => void,
): Promise<number[]> {
  const frame = new Uint8Array(size.width * size.height * 3);
  let filled = 0;
  let count = 0;
  const args = ['-v', 'error', '-vsync', '0', '-copyts', '-threads', '1', '-i', file, '-filter_complex', `[0:V]${filter}[a]`];
  args.push('-map', '[a]', '-enc_time_base', '1:1000000', '-c:v', 'rawvideo', '-f', 'tee', '[f=rawvideo]pipe:1|[f=framecrc]pipe:3');
  const { side } = await ffmpeg(args, (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      const n = Math.min(chunk.length - at, frame.length - filled);
      frame.set(chunk.subarray(at, at + n), filled);
      filled += n;
      at += n;
      if (filled === frame.length) {
        onFrame(frame, count++);
        filled = 0;
      }
    }
  });
  const pts = side
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => Number(line.split(',')[2]));
  if (pts.length !== count) throw new Error(`${count} frames but ${pts.length} time stamps in ${file}`);
  return pts;
}

/** Decodes audio to interleaved float32 at 48 kHz. */
export async function decodeAudio(file: string, channels: number): Promise<Float32Array> {
  const chunks: Buffer[] = [];
  const args = ['-v', 'error', '-i', file, '-vn', '-ac', String(channels), '-ar', '48000', '-f', 'f32le', '-'];
  await ffmpeg(args, (chunk) => chunks.push(chunk));
  const bytes = Buffer.concat(chunks);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
