import type { FlowErrorData } from "../contracts/errors.js";
import type { TapRef } from "../contracts/media.js";
import type { RingMemory } from "./ring.js";

/** What the main thread hands the media worker: structured-clone safe. */
export interface DecodeJob {
  ffmpeg: string;
  uri: string;
  startUs: number;
  /** Commands in the order they are tried: a resume goes further back while its frame is not found again; the last one starts at the start. */
  attempts: { args: string[]; seekUs: number | null }[];
  tracks: TrackJob[];
  fromUs: number;
  verify: { track: number; ptsUs: number; adler: number } | null;
}

interface TrackCommon {
  output: string;
  crcFd: number;
  rawFd: number;
  deliver: boolean;
  ring: RingMemory | null;
  taps: { key: string; tap: TapRef }[];
}

export interface VideoTrackJob extends TrackCommon {
  kind: "video";
  width: number;
  height: number;
  fps: number | "all";
  /** Frame duration where the frames do not tell, microseconds. */
  frameUs: number;
  /** Container duration: tells where the last sampled frame's cell is cut off. */
  durationUs: number | null;
  /** Frame numbers are true: every frame, from the start. */
  numbered: boolean;
}

export interface AudioTrackJob extends TrackCommon {
  kind: "audio";
  sampleRate: number;
  channels: number;
  windowUs: number;
  hopUs: number;
}

export type TrackJob = VideoTrackJob | AudioTrackJob;

/** What the worker sends, in batches (one array per turn of its event loop). `track` indexes DecodeJob.tracks. */
export type WorkerMessage =
  | { type: "item"; track: number; slot: number; ptsUs: number; frame: number; adler: number; samples: number }
  | { type: "rows"; track: number; tap: string; columns: readonly string[]; ptsUs: Float64Array<ArrayBuffer>; data: Float32Array<ArrayBuffer>; adler: Int32Array<ArrayBuffer> | null }
  | { type: "watermark"; track: number; ptsUs: number }
  | { type: "starving"; track: number }
  | { type: "health"; message: string; atUs: number }
  | { type: "progress"; ptsUs: number; frames: number }
  | { type: "end"; track: number; endUs: number; items: number }
  | { type: "done"; stats: WorkerStats }
  | { type: "failed"; error: FlowErrorData };

export interface WorkerStats {
  /** Source frames of the densest output, pre-roll included. */
  framesDecoded: number;
  rawBytes: number;
  starvedMs: number;
  ffmpegMs: number;
  attempts: number;
}
