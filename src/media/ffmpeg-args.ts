import type { AudioDemand, DecodeSpec, MediumInfo, VideoDemand } from "../contracts/media.js";
import { outputSize } from "./output-size.js";
import { RECONNECT_DELAY_MAX_S } from "./health-log.js";
import { ffmpegInput, protocolWhitelist } from "./uri.js";

/** First inherited descriptor of the outputs: 0–2 are the standard ones, 3 is the guard's (see guard.ts). */
export const FIRST_OUTPUT_FD = 4;

/**
 * What may wait inside ffmpeg behind an output of frames: a pipe holds 200 kB, and a reader that gets its core 3 ms late would stop the decoder. Ten
 * minutes of ego on two cores, time by CPU of ffmpeg: 1.16 with 4 frames behind the output of every frame, 1.12 with 38, 1.08 with 4 more behind each
 * sampled one. Sound gains nothing.
 */
const QUEUED_BYTES = 4 << 20;
const MAX_QUEUED_FRAMES = { all: 38, sampled: 4 };

const queuedFrames = ({ width, height, demand: { fps } }: VideoPipes): number =>
  Math.min(Math.max(1, Math.floor(QUEUED_BYTES / (width * height * 3))), fps === "all" ? MAX_QUEUED_FRAMES.all : MAX_QUEUED_FRAMES.sampled);

export interface VideoPipes {
  kind: "video";
  index: number;
  key: string;
  crcFd: number;
  rawFd: number;
  demand: VideoDemand;
  width: number;
  height: number;
}

export interface AudioPipes {
  kind: "audio";
  index: number;
  key: string;
  crcFd: number;
  rawFd: number;
  demand: AudioDemand;
}

export interface DecodeCommand {
  args: string[];
  pipes: (VideoPipes | AudioPipes)[];
}

export interface ArgOptions {
  passthrough: "-vsync" | "-fps_mode";
  /** Log lines can name their level: of a URL warnings are asked for as well, which tell that a connection was given up (health-log.ts). */
  levels?: boolean;
  /** Seek of the video, microseconds on flow's timeline; null: from the start. Audio always runs from its start. */
  seekUs: number | null;
}

/** First frame at or after each k/F: the half microsecond absorbs binary rounding and is the same for every F, so fps 1 stays a subset of fps 2. */
export function gridSelect(fps: number, startUs: number): string {
  const cell = (time: string): string => `floor((${time}-(${(startUs / 1e6).toFixed(6)})+0.0000005)*${fps})`;
  return `select='isnan(prev_t)+gt(${cell("t")}\\,${cell("prev_t")})'`;
}

/** Which outputs of a spec this medium can feed (no audio: no audio outputs), with their descriptors. */
export function decodePipes(info: MediumInfo, spec: DecodeSpec): (VideoPipes | AudioPipes)[] {
  const pipes: (VideoPipes | AudioPipes)[] = [];
  let fd = FIRST_OUTPUT_FD;
  for (const [index, { key, demand }] of spec.video.entries()) {
    if (info.video === null) continue;
    const [width, height] = outputSize(info.video, demand);
    pipes.push({ kind: "video", index, key, demand, crcFd: fd++, rawFd: fd++, width, height });
  }
  for (const [index, { key, demand }] of spec.audio.entries()) {
    if (info.audio === null) continue;
    const channels = info.audio.channels === 1 ? 1 : demand.channels;
    pipes.push({ kind: "audio", index, key, demand: { ...demand, channels }, crcFd: fd++, rawFd: fd++ });
  }
  return pipes;
}

/** The one ffmpeg command of a medium: split → sample → scale → rgb24, each output beside a framecrc pipe that gives its PTS and adler32. */
export function ffmpegArgs(info: MediumInfo, spec: DecodeSpec, options: ArgOptions): DecodeCommand {
  const pipes = decodePipes(info, spec);
  const video = pipes.filter((p) => p.kind === "video");
  const audio = pipes.filter((p) => p.kind === "audio");
  const twoInputs = options.seekUs !== null && video.length > 0 && audio.length > 0;

  const http = /^https?:/i.test(info.uri);
  const args = ["-nostdin", "-hide_banner", "-v", http && options.levels ? "level+warning" : "error", "-copyts", "-filter_complex_threads", "1"];
  if (options.passthrough === "-vsync") args.push("-vsync", "0");
  const input = (before: string[]): void => {
    args.push(...before, "-protocol_whitelist", protocolWhitelist(info.uri));
    if (http) args.push("-reconnect", "1", "-reconnect_delay_max", String(RECONNECT_DELAY_MAX_S), "-rw_timeout", "30000000");
    args.push("-threads", "1", "-i", ffmpegInput(info.uri));
  };
  const seek = options.seekUs === null ? [] : ["-ss", (options.seekUs / 1e6).toFixed(6)];
  if (twoInputs) input(["-vn"]);
  input(video.length === 0 ? ["-vn"] : audio.length === 0 || twoInputs ? [...seek, "-an"] : []);

  if (video.length > 0) args.push("-filter_complex", videoGraph(video, twoInputs ? 1 : 0, info.startUs));
  // Outputs must say that they keep negative times, or the tee muxer shifts a stream that starts before zero.
  const tee = (crcFd: number, rawFd: number, format: string, queued = 0): string[] => [
    "-avoid_negative_ts", "disabled", "-map_metadata", "-1", "-f", "tee",
    // The line comes first: when a frame is whole its time is already there.
    `[f=framecrc]pipe:${crcFd}|[f=${format}${queued > 0 ? `:use_fifo=1:fifo_options=queue_size=${queued}` : ""}]pipe:${rawFd}`,
  ];
  for (const [n, pipe] of video.entries()) {
    args.push("-map", `[v${n}]`, "-enc_time_base", "1:1000000");
    if (options.passthrough === "-fps_mode") args.push("-fps_mode", "passthrough");
    args.push("-c:v", "rawvideo", ...tee(pipe.crcFd, pipe.rawFd, "rawvideo", queuedFrames(pipe)));
  }
  for (const pipe of audio) {
    args.push("-map", "0:a:0", "-ar", String(pipe.demand.sampleRate), "-ac", String(pipe.demand.channels));
    args.push("-c:a", "pcm_f32le", ...tee(pipe.crcFd, pipe.rawFd, "f32le"));
  }
  return { args, pipes };
}

/**
 * The coded raster is what scene scores are measured on: area averaging and one chroma sample for four pixels reproduce the reference's cuts on all given clips
 * (bilinear from full chroma misses one adaptive cut), and cost less.
 */
export const SCALERS = { coded: "area,format=yuv420p", display: "bilinear" } as const;

function videoGraph(video: VideoPipes[], input: number, startUs: number): string {
  const branch = (pipe: VideoPipes): string => {
    const sample = pipe.demand.fps === "all" ? "" : `${gridSelect(pipe.demand.fps, startUs)},`;
    return `${sample}scale=${pipe.width}:${pipe.height}:flags=${SCALERS[pipe.demand.geometry]},format=rgb24`;
  };
  const [first] = video;
  if (video.length === 1 && first) return `[${input}:V:0]${branch(first)}[v0]`;
  const heads = video.map((_, n) => `[s${n}]`).join("");
  return [`[${input}:V:0]split=${video.length}${heads}`, ...video.map((pipe, n) => `[s${n}]${branch(pipe)}[v${n}]`)].join(";");
}
