import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import type { Series } from "../../../src/contracts/items.js";
import { videoMotionTap } from "../../../src/operators/video/video.motion.tap.js";

const ffmpeg = (createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg") as { path: string }).path;

/** The operator's rows at 5 frames a second of constant-rate video, 160 px wide. */
export function motionRows(file: string, height = 90, options: string[] = []): Series {
  const run = spawnSync(ffmpeg, ["-nostdin", "-v", "error", ...options, "-i", file, "-an", "-vf", `fps=5,scale=160:${height}:flags=bilinear,format=rgb24`, "-f", "rawvideo", "pipe:1"], { maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(run.stderr.toString());
  const bytes = 160 * height * 3;
  return rowsOf(Array.from({ length: Math.floor(run.stdout.length / bytes) }, (_, i) => run.stdout.subarray(i * bytes, (i + 1) * bytes)), 160, height);
}

export function rowsOf(frames: Uint8Array[], width: number, height: number): Series {
  const tap = videoMotionTap({}, { width, height });
  const data = new Float32Array(frames.length * tap.columns.length);
  frames.forEach((frame, i) => tap.push(frame, i * 200_000, data.subarray(i * tap.columns.length, (i + 1) * tap.columns.length)));
  return { ptsUs: Float64Array.from(frames, (_, i) => i * 200_000), width: tap.columns.length, columns: tap.columns, data };
}

export function between(series: Series, startUs: number, endUs: number): Series {
  const from = series.ptsUs.findIndex((at) => at >= startUs);
  const found = series.ptsUs.findIndex((at) => at >= endUs);
  const to = found < 0 ? series.ptsUs.length : found;
  return { ...series, ptsUs: series.ptsUs.slice(from, to), data: series.data!.slice(from * series.width, to * series.width) };
}
