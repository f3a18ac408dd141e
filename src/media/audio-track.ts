import type { AudioTap } from "../contracts/media.js";
import type { AudioTrackJob } from "./decode-protocol.js";
import { PipeQueue } from "./pipe-queue.js";
import { RowBatch } from "./row-batch.js";
import { Track, type Session } from "./track.js";

/** Packet times jitter with the container's clock; only a step above this is a gap (zeros) or an overlap (trimmed). */
const STEP_MS = 40;
const STAGE_FRAMES = 8192;
/** A second of 48 kHz stereo: sound is cheap to keep up with. */
const AHEAD_BYTES = 384_000;

interface OpenWindow {
  k: number;
  endPos: number;
  slot: number;
  samples: Float32Array;
  startPos: number;
}

/** Makes the taps of a track; the time of the first sample is known with the first packet only. */
export type AudioTapMaker = (startUs: number) => { key: string; tap: AudioTap }[];

/** f32le PCM of one output, placed on the timeline by its packets' times, seen by the taps as one continuous stream, cut into windows. */
export class AudioTrack extends Track {
  readonly queue = new PipeQueue(1, AHEAD_BYTES);
  protected readonly stepsATurn = Infinity;
  readonly #stage: Float32Array;
  readonly #stageBytes: Uint8Array;
  readonly #zeros: Float32Array;
  readonly #frameBytes: number;
  readonly #open: OpenWindow[] = [];
  #staged = 0;
  #packetLeft = 0;
  #zerosLeft = 0;
  #skip = 0;
  /** Packets in a row that lie before what was fed: they are told as one. */
  #overlap = { at: 0, frames: 0 };
  /** Position (samples per channel from time 0) up to which everything has been fed; null before the first packet. */
  #pos: number | null = null;
  /** What is being fed: taps see it once, windows take it in steps because a step may wait for a slot. */
  #feed: Float32Array | null = null;
  #fed = 0;
  #nextK = 0;
  #taps: { tap: AudioTap; batch: RowBatch; seenUs: number; emit: (ptsUs: number, row: Float32Array) => void }[] = [];

  constructor(
    index: number,
    override readonly job: AudioTrackJob,
    session: Session,
    readonly makeTaps: AudioTapMaker,
  ) {
    super(index, job, session);
    this.#frameBytes = 4 * job.channels;
    this.#stage = new Float32Array(STAGE_FRAMES * job.channels);
    this.#stageBytes = new Uint8Array(this.#stage.buffer);
    this.#zeros = new Float32Array(STAGE_FRAMES * job.channels);
  }

  #startOf(k: number): number {
    return Math.round((k * this.job.hopUs * this.job.sampleRate) / 1e6);
  }

  get #windowFrames(): number {
    return Math.round((this.job.windowUs * this.job.sampleRate) / 1e6);
  }

  #timeUs(pos: number): number {
    return Math.round((pos * 1e6) / this.job.sampleRate);
  }

  protected step(): boolean {
    if (!this.#settle()) return false;
    const bytes = this.queue.peek();
    if (bytes === null) return false;
    if (this.#packetLeft === 0 && !this.#startPacket()) {
      this.blocked = "line";
      return false;
    }
    const n = Math.min(this.#packetLeft, this.#stageBytes.length - this.#staged, bytes.length);
    this.#stageBytes.set(n === bytes.length ? bytes : bytes.subarray(0, n), this.#staged);
    this.#staged += n;
    this.#packetLeft -= n;
    this.queue.consumed(n);
    return true;
  }

  #startPacket(): boolean {
    const line = this.lines.next();
    if (line === null) return false;
    const { sampleRate } = this.job;
    const [num, den] = this.lines.timeBase;
    const at = Math.round((line.pts * num * sampleRate) / den - (this.session.startUs * sampleRate) / 1e6);
    const frames = line.bytes / this.#frameBytes;
    this.#packetLeft = line.bytes;
    this.#skip = 0;
    if (this.#pos === null) {
      if (at + frames <= 0) this.#skip = frames;
      else this.#begin(at);
    } else {
      const step = at - this.#pos;
      const far = Math.abs(step) * 1000 > STEP_MS * sampleRate;
      if (far && step < 0) {
        this.#skip = Math.min(-step, frames);
        if (this.#overlap.frames === 0) this.#overlap.at = this.#pos;
        this.#overlap.frames += this.#skip;
      } else {
        this.#tellOverlap();
        if (far) {
          this.#zerosLeft = step;
          this.#tell("audio gap", step, this.#pos, "filled with silence");
        }
      }
    }
    return true;
  }

  #tellOverlap(): void {
    const { at, frames } = this.#overlap;
    // A jump has been told, and how far back it goes is not known here.
    if (frames > 0 && this.lines.jumpedPts === null) this.#tell("audio overlap", frames, at, "trimmed");
    this.#overlap.frames = 0;
  }

  #tell(what: string, frames: number, at: number, done: string): void {
    this.session.health(`${what} of ${Math.round((frames * 1000) / this.job.sampleRate)} ms at ${(this.#timeUs(at) / 1e6).toFixed(3)} s, ${done}`);
  }

  #begin(at: number): void {
    this.#skip = Math.max(0, -at);
    const pos = Math.max(0, at);
    this.#pos = pos;
    const hop = (this.job.hopUs * this.job.sampleRate) / 1e6;
    this.#nextK = Math.max(0, Math.floor((pos - this.#windowFrames) / hop));
    while (this.#startOf(this.#nextK) + this.#windowFrames <= pos) this.#nextK++;
    this.#taps = this.makeTaps(this.#timeUs(pos)).map(({ key, tap }) => {
      const batch = new RowBatch(this.index, key, tap.columns, false, (message, transfer) => {
        this.posted = true;
        this.session.post(message, transfer);
      });
      this.batches.push(batch);
      const entry = {
        tap,
        batch,
        seenUs: -Infinity,
        emit: (ptsUs: number, row: Float32Array): void => {
          entry.seenUs = Math.max(entry.seenUs, ptsUs + 1);
          if (ptsUs >= this.session.fromUs) batch.add(ptsUs, row, 0);
        },
      };
      return entry;
    });
  }

  /** Feeds what is staged; false while blocked. */
  #settle(): boolean {
    for (;;) {
      if (this.#feed !== null) {
        if (!this.#feedWindows(this.#feed)) return false;
        this.#feed = null;
      }
      const next = this.#nextFeed();
      if (next === null) return true;
      if (!this.session.confirmed && this.#timeUs((this.#pos ?? 0) + next.length / this.job.channels) > this.session.fromUs) {
        this.blocked = "hold";
        return false;
      }
      if (next.buffer === this.#stage.buffer) this.#staged = 0;
      else this.#zerosLeft -= next.length / this.job.channels;
      for (const { tap, emit } of this.#taps) tap.push(next, emit);
      this.#feed = next;
      this.#fed = 0;
    }
  }

  // Zeros of a gap come before the packet behind it; a packet is fed when it is whole or the stage is full.
  #nextFeed(): Float32Array | null {
    const { channels } = this.job;
    if (this.#zerosLeft > 0) return this.#zeros.subarray(0, Math.min(this.#zerosLeft, STAGE_FRAMES) * channels);
    if (this.#staged === 0 || (this.#packetLeft > 0 && this.#staged < this.#stageBytes.length)) return null;
    const frames = Math.floor(this.#staged / this.#frameBytes);
    const skipped = Math.min(this.#skip, frames);
    this.#skip -= skipped;
    if (skipped === frames) {
      this.#staged = 0;
      return null;
    }
    if (skipped > 0) {
      this.#stage.copyWithin(0, skipped * channels, frames * channels);
      this.#staged = (frames - skipped) * this.#frameBytes;
    }
    return this.#stage.subarray(0, (frames - skipped) * channels);
  }

  #feedWindows(pcm: Float32Array): boolean {
    const { channels } = this.job;
    const total = pcm.length / channels;
    let pos = this.#pos ?? 0;
    while (this.#fed < total) {
      while (this.#startOf(this.#nextK) <= pos) {
        if (!this.#openWindow(pos)) {
          this.#pos = pos;
          this.blocked = "slot";
          return false;
        }
      }
      let until = Math.min(pos + total - this.#fed, this.#startOf(this.#nextK));
      for (const window of this.#open) until = Math.min(until, window.endPos);
      const part = pcm.subarray(this.#fed * channels, (this.#fed + until - pos) * channels);
      for (const window of this.#open) window.samples.set(part, (pos - window.startPos) * channels);
      this.#fed += until - pos;
      pos = until;
      while (this.#open[0] && this.#open[0].endPos === pos) this.#deliver(this.#open.shift() as OpenWindow, pos);
    }
    this.#pos = pos;
    return true;
  }

  #openWindow(pos: number): boolean {
    const k = this.#nextK;
    if (this.job.deliver && this.ring && k * this.job.hopUs >= this.session.fromUs) {
      const slot = this.ring.take();
      if (slot < 0) return false;
      const startPos = this.#startOf(k);
      const { data, strideBytes } = this.ring.memory;
      const samples = new Float32Array(data, slot * strideBytes, this.#windowFrames * this.job.channels);
      samples.fill(0, 0, (pos - startPos) * this.job.channels);
      this.#open.push({ k, startPos, endPos: startPos + this.#windowFrames, slot, samples });
    }
    this.#nextK++;
    return true;
  }

  #deliver(window: OpenWindow, pos: number): void {
    const valid = pos - window.startPos;
    window.samples.fill(0, valid * this.job.channels);
    this.items++;
    this.posted = true;
    this.session.post({ type: "item", track: this.index, slot: window.slot, ptsUs: window.k * this.job.hopUs, frame: -1, adler: 0, samples: valid });
  }

  protected reachedUs(): number {
    if (this.#pos === null) return -Infinity;
    let ptsUs = this.job.deliver ? (this.#open[0]?.k ?? this.#nextK) * this.job.hopUs : this.#timeUs(this.#pos);
    for (const { seenUs } of this.#taps) ptsUs = Math.min(ptsUs, seenUs);
    return ptsUs;
  }

  protected finish(): number {
    this.#tellOverlap();
    for (const { tap, emit } of this.#taps) tap.end(emit);
    const pos = this.#pos ?? 0;
    for (const window of this.#open.splice(0)) this.#deliver(window, pos);
    return this.#timeUs(pos);
  }

  abandon(): void {
    for (const { slot } of this.#open.splice(0)) this.ring?.putBack(slot);
  }
}
