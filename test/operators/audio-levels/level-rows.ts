import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import type { Series } from "../../../src/contracts/items.js";
import { audioLevelsTap } from "../../../src/operators/audio/audio.levels.tap.js";

const ffmpeg = (createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg") as { path: string }).path;

/** 48 kHz stereo Float32 of a file's first sound stream. */
export function pcmOf(file: string): Float32Array {
  const run = spawnSync(ffmpeg, ["-nostdin", "-v", "error", "-i", file, "-vn", "-ac", "2", "-ar", "48000", "-f", "f32le", "pipe:1"], { maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(run.stderr.toString());
  const bytes = Uint8Array.from(run.stdout);
  return new Float32Array(bytes.buffer, 0, bytes.length >> 2);
}

/** Integrated loudness, range and true peak as the bundled ffmpeg's ebur128 filter measures them after the same conversion. */
export function ebur128(file: string): { integrated: number; range: number; peak: number } {
  const run = spawnSync(ffmpeg, ["-nostdin", "-hide_banner", "-i", file, "-vn", "-af", "aformat=sample_rates=48000:channel_layouts=stereo,ebur128=peak=true", "-f", "null", "-"], { maxBuffer: 1 << 26 });
  const text = run.stderr.toString();
  const summary = text.slice(text.lastIndexOf("Summary:"));
  const number = (pattern: RegExp): number => Number(pattern.exec(summary)![1]);
  return { integrated: number(/I:\s+(-?[\d.]+) LUFS/), range: number(/LRA:\s+(-?[\d.]+) LU/), peak: number(/Peak:\s+(-?[\d.]+) dBFS/) };
}

export function levelRows(pcm: Float32Array, startUs = 0, chunk = 4801): Series {
  const tap = audioLevelsTap({}, { sampleRate: 48_000, channels: 2, startUs });
  const ptsUs: number[] = [];
  const data: number[] = [];
  const emit = (at: number, row: Float32Array): void => {
    ptsUs.push(at);
    data.push(...row);
  };
  for (let i = 0; i < pcm.length; i += 2 * chunk) tap.push(pcm.subarray(i, i + 2 * chunk), emit);
  tap.end(emit);
  return { ptsUs: Float64Array.from(ptsUs), width: tap.columns.length, columns: tap.columns, data: Float32Array.from(data) };
}
