import type { Interval } from "../contracts/items.js";
import type { MediumInfo } from "../contracts/media.js";
import { clipInput, clipOutput, clipPackets, type ClipPacket } from "./clip-packets.js";

/*
 * Operators that need an interval of a medium as a whole (a scene's speech, a scene's frames for a video model) decode it again here, by a
 * short run of ffmpeg, where they run: in a worker of the pool. Times are PTS minus the medium's start, as everywhere.
 */

export interface AudioClipOptions {
  sampleRate: number;
  /** Interleaved when 2. */
  channels?: 1 | 2;
  signal?: AbortSignal;
}

/** Packet times jitter with the container's clock; only a step above this is a gap (zeros) or an overlap (trimmed). As in audio-track.ts. */
const STEP_MS = 40;
/** What a decoder needs before its output is right (bit reservoirs, overlapped windows). */
const DECODER_US = 2_000_000;
/** Nearer to the start than this it is cheaper and as exact to decode from there. */
const NEAR_SECONDS = 10;
const CHUNK_FRAMES = 16_384;

/**
 * The samples of [startUs, endUs) as Float32 −1..1, in chunks: samples round(startUs·rate) to round(endUs·rate) of the medium's timeline.
 * Zeros before the sound begins and in its gaps; nothing after its end. No sound in the medium: nothing.
 *
 * A late interval is reached by seeking. Decoder and resampler then start some seconds early, at a whole number of seconds from the first
 * sample, so that they give the samples of a decode from the start (to the container's precision of time: exact in MP4 and WAV, half a
 * millisecond in Matroska). The same interval always gives the same samples.
 */
export async function* readAudio(info: MediumInfo, { startUs, endUs }: Interval, options: AudioClipOptions): AsyncGenerator<Float32Array, void, void> {
  if (!info.audio) return;
  const soundUs = info.audio.startUs - info.startUs;
  const seconds = Math.floor((startUs - soundUs) / 1e6) - 1;
  if (seconds >= NEAR_SECONDS) {
    const reached = yield* samplesFrom(info, { startUs, endUs }, options, soundUs + seconds * 1e6);
    // Nothing, or too late: a container without an index, or no sound there. Only a decode from the start can tell.
    if (reached) return;
  }
  yield* samplesFrom(info, { startUs, endUs }, options, null);
}

/** All samples of an interval in one array. */
export async function collectAudio(info: MediumInfo, interval: Interval, options: AudioClipOptions): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  let length = 0;
  for await (const part of readAudio(info, interval, options)) {
    parts.push(part);
    length += part.length;
  }
  const all = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The whole medium: ends where its sound ends. */
export const wholeMedium: Interval = { startUs: 0, endUs: Number.POSITIVE_INFINITY };

function audioArgs(info: MediumInfo, { sampleRate, channels = 1 }: AudioClipOptions, fromUs: number | null): string[] {
  const args = clipInput(info, fromUs === null ? null : Math.max(0, fromUs - DECODER_US));
  args.push("-vn", "-sn", "-dn", "-map", "0:a:0");
  if (fromUs !== null) args.push("-af", `atrim=start=${((info.startUs + fromUs) / 1e6).toFixed(6)}`);
  return [...args, "-ar", String(sampleRate), "-ac", String(channels), "-c:a", "pcm_f32le", ...clipOutput("f32le")];
}

/** False, before anything was given, when a seek did not lead to sound at or before the interval's start. */
async function* samplesFrom(info: MediumInfo, { startUs, endUs }: Interval, options: AudioClipOptions, fromUs: number | null): AsyncGenerator<Float32Array, boolean, void> {
  const { sampleRate, channels = 1 } = options;
  const from = Math.round((startUs * sampleRate) / 1e6);
  const to = Number.isFinite(endUs) ? Math.round((endUs * sampleRate) / 1e6) : Number.POSITIVE_INFINITY;
  const assembler = new Chunks(channels);
  let pos: number | null = null;
  for await (const packet of clipPackets(info, audioArgs(info, options, fromUs), options.signal)) {
    const at = positionOf(packet, info, sampleRate);
    const frames = packet.bytes.length / (4 * channels);
    let skip = 0;
    if (pos === null) {
      if (fromUs !== null && at > from) return false;
      pos = at;
    } else if (Math.abs(at - pos) * 1000 > STEP_MS * sampleRate) {
      if (at > pos) {
        yield* assembler.zeros(Math.min(at, to) - Math.max(pos, from));
        pos = at;
      } else skip = Math.min(pos - at, frames);
    }
    if (!assembler.begun) yield* assembler.begin(Math.min(Math.max(0, pos), to) - from);
    const first = Math.max(skip, from + skip - pos);
    const last = Math.min(frames, to + skip - pos);
    if (last > first) yield* assembler.push(samplesOf(packet.bytes).subarray(first * channels, last * channels));
    pos += frames - skip;
    if (pos >= to) break;
  }
  if (pos === null && fromUs !== null) return false;
  yield* assembler.rest();
  return true;
}

/** Sample of the medium's timeline that a packet begins with. */
function positionOf({ pts, timeBase: [num, den] }: ClipPacket, info: MediumInfo, sampleRate: number): number {
  return Math.round((pts * num * sampleRate) / den - (info.startUs * sampleRate) / 1e6);
}

function samplesOf(bytes: Buffer): Float32Array {
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Small packets → chunks of one size that belong to whoever gets them. */
class Chunks {
  begun = false;
  readonly #channels: number;
  #chunk: Float32Array;
  #filled = 0;

  constructor(channels: number) {
    this.#channels = channels;
    this.#chunk = new Float32Array(CHUNK_FRAMES * channels);
  }

  /** `frames` of silence lie between the interval's start and the first sample. */
  *begin(frames: number): Generator<Float32Array, void, void> {
    this.begun = true;
    yield* this.zeros(frames);
  }

  *zeros(frames: number): Generator<Float32Array, void, void> {
    for (let left = frames; left > 0; left -= CHUNK_FRAMES) yield* this.push(new Float32Array(Math.min(left, CHUNK_FRAMES) * this.#channels));
  }

  *push(samples: Float32Array): Generator<Float32Array, void, void> {
    for (let at = 0; at < samples.length; ) {
      const part = samples.subarray(at, at + this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#chunk.length) return;
      yield this.#chunk;
      this.#chunk = new Float32Array(CHUNK_FRAMES * this.#channels);
      this.#filled = 0;
    }
  }

  *rest(): Generator<Float32Array, void, void> {
    if (this.#filled > 0) yield this.#chunk.subarray(0, this.#filled);
    this.#filled = 0;
  }
}
