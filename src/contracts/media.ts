/** The media room's words: what a medium is, what the plan asks of its one decode, and what comes back. */

export interface VideoStreamInfo {
  codec: string;
  /** Coded raster, before rotation. */
  width: number;
  height: number;
  /** Sample aspect ratio, [1, 1] when square or unknown. */
  sar: [number, number];
  /** Degrees clockwise that ffmpeg applies by itself: 0, 90, 180, 270. */
  rotation: number;
  /** After rotation; what ffmpeg's filters see as iw × ih. */
  orientedWidth: number;
  orientedHeight: number;
  /** Average and base frame rate (frames a second). */
  avgFps: number;
  baseFps: number;
  startUs: number;
  /** Where the container says that it ends, on the same clock; null when it does not say. */
  endUs: number | null;
  frames: number | null;
}

export interface AudioStreamInfo {
  codec: string;
  sampleRate: number;
  channels: number;
  startUs: number;
  /** As of the picture. */
  endUs: number | null;
}

export interface MediumInfo {
  /** Content id: SHA-256 of the bytes, hex (URLs: hash of validators; see identify.ts). */
  id: string;
  uri: string;
  name: string;
  kind: "video" | "audio" | "image";
  container: string;
  sizeBytes: number | null;
  /** Container duration; null when unknown. Times inside flow are PTS minus `startUs`. */
  durationUs: number | null;
  startUs: number;
  video: VideoStreamInfo | null;
  audio: AudioStreamInfo | null;
  subtitles: { index: number; codec: string; language: string | null; text: boolean }[];
  /** false: not memoised (a URL without validators). */
  memoisable: boolean;
}

export interface VideoDemand {
  /** [width, height] exact, or { longest: n }: longer side n, or { shortest: n }: shorter side n; aspect kept (even numbers); never upscaled unless exact. */
  size: [number, number] | { longest: number } | { shortest: number };
  /** Sampled frames a second on the absolute grid, or every frame. */
  fps: number | "all";
  /** coded: the raster as stored (scene reference); display: square pixels. With an exact [w, h] the two are the same picture. */
  geometry: "coded" | "display";
}

export interface AudioDemand {
  sampleRate: number;
  /** 2: stereo, but one channel of a mono source (ffmpeg would spread it over two, each 3 dB lower). */
  channels: 1 | 2;
  /** Windows on the absolute grid: window k starts at k·hopUs and holds windowUs of samples (Float32, interleaved, −1..1). */
  windowUs: number;
  hopUs: number;
}

/** A function that runs in the media worker on every frame; pixels never leave it, only its rows do. */
export interface FrameTap {
  readonly columns: readonly string[];
  /** Fills `row` (columns.length floats) for this frame; frames come in order. `pixels`: rgb24, width × height × 3. */
  push(pixels: Uint8Array, ptsUs: number, row: Float32Array): void;
}
export type FrameTapFactory = (config: unknown, geometry: { width: number; height: number }) => FrameTap;

/** The same for audio: emits a row whenever one is complete. PCM: interleaved Float32 −1..1 of the demanded rate and channels. */
export interface AudioTap {
  readonly columns: readonly string[];
  push(pcm: Float32Array, emit: (ptsUs: number, row: Float32Array) => void): void;
  end(emit: (ptsUs: number, row: Float32Array) => void): void;
}
/** `startUs`: time of the first sample that will be pushed (gaps after it arrive as zeros). */
export type AudioTapFactory = (config: unknown, format: { sampleRate: number; channels: number; startUs: number }) => AudioTap;

export interface TapRef {
  /** file: URL of the module and the name of the exported factory. */
  module: string;
  export: string;
  config: unknown;
}

export interface DecodeSpec {
  /** Frame outputs; `taps` see each frame of the output, `deliver` sends the frames as leases too. */
  video: { key: string; demand: VideoDemand; slots: number; deliver: boolean; taps: { key: string; tap: TapRef }[] }[];
  audio: { key: string; demand: AudioDemand; slots: number; deliver: boolean; taps: { key: string; tap: TapRef }[] }[];
  /** First PTS wanted per whole decode: frames before it only feed the taps' memory (pre-roll) and are not delivered. */
  resume?: { fromUs: number; verify: { output: string; ptsUs: number; adler: number } | null };
}

/** Where a slot's payload lies: rgb24 (video) or Float32 samples (audio). Structured-clone safe: goes to workers as it is. */
export interface SlotRef {
  buffer: SharedArrayBuffer;
  byteOffset: number;
  byteLength: number;
  width: number;
  height: number;
}

/** A lease on a ring slot. The receiver releases it exactly once, when nobody reads it any more. */
export interface Delivery {
  output: string;
  ptsUs: number;
  /** Video: number of the decoded source frame on this output since its start (only for outputs with fps "all" and no resume: the true frame number), else −1. */
  frame: number;
  adler: number;
  /** Audio: valid samples per channel (the last window may be short; the rest is zero). */
  samples: number;
  slot: SlotRef;
  release(): void;
}

/** A decoder's complaint about damaged input. atUs: the last PTS delivered before it, −1 if none. */
export interface Complaint {
  message: string;
  atUs: number;
}

/** Containers round and pad their duration; this much, µs, that cannot be decoded is damage. */
export const MISSING_END_US = 1_000_000;

export type DecodeEvent =
  | { type: "delivery"; delivery: Delivery }
  | { type: "rows"; output: string; tap: string; columns: readonly string[]; ptsUs: Float64Array; data: Float32Array; adler: Int32Array | null }
  /** Every item of this output with pts < ptsUs has been sent. */
  | { type: "watermark"; output: string; ptsUs: number }
  /** The ring of this output has no free slot: flush partial batches. */
  | { type: "starving"; output: string }
  | ({ type: "health" } & Complaint)
  /** This output is complete. endUs: end of its last frame (pts + last frame duration) or of its last sample. */
  | { type: "end"; output: string; endUs: number; items: number }
  | { type: "progress"; ptsUs: number; frames: number };
