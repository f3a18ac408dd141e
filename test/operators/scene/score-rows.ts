import { spawn } from "node:child_process";
import { chmodSync } from "node:fs";
import { createRequire } from "node:module";
import type { MediumInfo } from "../../../src/contracts/media.js";
import type { Series } from "../../../src/contracts/items.js";
import { sceneScoresTap } from "../../../src/operators/scene/scene.scores.tap.js";

const require = createRequire(import.meta.url);
const ffmpeg = (require("@ffmpeg-installer/ffmpeg") as { path: string }).path;
const ffprobe = (require("@ffprobe-installer/ffprobe") as { path: string }).path;

function collect(command: string, args: string[], onData: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.on("data", onData);
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${command} exited with ${code}`))));
  });
}

/** A reader of the file without the engine: true PTS from ffprobe, pixels from one ffmpeg, rows from the operator's own tap. */
export async function scoreRows(file: string, config = { hash: false, edges: false }): Promise<{ series: Series; endUs: number; width: number; height: number }> {
  chmodSync(ffprobe, 0o755);
  let text = "";
  await collect(ffprobe, ["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height,start_time,r_frame_rate:frame=best_effort_timestamp_time", "-of", "json", file], (chunk) => (text += chunk.toString()));
  const probe = JSON.parse(text) as { frames: { best_effort_timestamp_time: string }[]; streams: { width: number; height: number; r_frame_rate: string }[] };
  const stream = probe.streams[0]!;
  const pts = probe.frames.map((frame) => Math.round(Number(frame.best_effort_timestamp_time) * 1e6));
  const zero = pts[0]!;
  const scale = Math.max(stream.width, stream.height) / 256;
  const width = Math.round(stream.width / scale);
  const height = Math.round(stream.height / scale);
  const tap = sceneScoresTap(config, { width, height });
  const bytes = width * height * 3;
  const data: number[] = [];
  const row = new Float32Array(tap.columns.length);
  let rest = Buffer.alloc(0);
  let frame = 0;
  await collect(ffmpeg, ["-nostdin", "-v", "error", "-vsync", "0", "-i", file, "-map", "0:V:0", "-vf", `scale=${width}:${height}:flags=area,format=yuv420p,format=rgb24`, "-f", "rawvideo", "pipe:1"], (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= bytes) {
      tap.push(rest.subarray(0, bytes), pts[frame++]! - zero, row);
      data.push(...row);
      rest = rest.subarray(bytes);
    }
  });
  const ptsUs = Float64Array.from(pts.slice(0, frame), (at) => at - zero);
  const [num, den] = stream.r_frame_rate.split("/").map(Number);
  return { series: { ptsUs, width: row.length, columns: tap.columns, data: Float32Array.from(data) }, endUs: ptsUs.at(-1)! + Math.round((1e6 * den!) / num!), width, height };
}

/** A medium as the media room would describe it, with only what folds look at made up. */
export function mediumOf(kind: MediumInfo["kind"], name = "clip.mp4", durationUs: number | null = null): MediumInfo {
  return {
    id: "0".repeat(64), uri: `/media/${name}`, name, kind, container: "mp4", sizeBytes: null, durationUs, startUs: 0, video: null, audio: null, subtitles: [], memoisable: true,
  };
}

export function slice(series: Series, from: number, to: number): Series {
  return { ...series, ptsUs: series.ptsUs.subarray(from, to), data: series.data!.subarray(from * series.width, to * series.width) };
}
