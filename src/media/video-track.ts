import type { FrameTap } from "../contracts/media.js";
import type { VideoTrackJob } from "./decode-protocol.js";
import type { PacketLine } from "./packet-lines.js";
import { PipeQueue } from "./pipe-queue.js";
import type { RingWriter } from "./ring.js";
import { RowBatch } from "./row-batch.js";
import { ResumeMismatch, Track, type Session } from "./track.js";

/** How far ffmpeg may run ahead of the taps of an output that has every frame: two seconds of score frames. */
const AHEAD_BYTES = 8 << 20;

/** rgb24 frames of one output: matched with their line, seen by the taps, copied into a ring slot and lent. */
export class VideoTrack extends Track {
  readonly queue: PipeQueue;
  protected readonly stepsATurn = 1;
  readonly #views: (Uint8Array | undefined)[] = [];
  readonly #taps: { tap: FrameTap; row: Float32Array; batch: RowBatch }[];
  #line: PacketLine | null = null;
  #cell = -Infinity;
  #lastUs = NaN;
  #deltaUs: number;
  frames = 0;

  constructor(
    index: number,
    override readonly job: VideoTrackJob,
    session: Session,
    taps: { key: string; tap: FrameTap }[],
  ) {
    super(index, job, session);
    this.queue = new PipeQueue(job.width * job.height * 3, job.fps === "all" ? AHEAD_BYTES : 0);
    this.#deltaUs = job.frameUs;
    this.#taps = taps.map(({ key, tap }) => {
      const batch = new RowBatch(index, key, tap.columns, true, (message, transfer) => {
        this.posted = true;
        session.post(message, transfer);
      });
      this.batches.push(batch);
      return { tap, row: new Float32Array(tap.columns.length), batch };
    });
  }

  get lastUs(): number {
    return this.#lastUs;
  }

  protected step(): boolean {
    const pixels = this.queue.peek();
    if (pixels === null) return false;
    this.#line ??= this.lines.next();
    if (this.#line === null) {
      this.blocked = "line";
      return false;
    }
    const line = this.#line;
    const ptsUs = this.usOf(line.pts);
    if (!this.session.confirmed) this.#confirm(ptsUs, line.adler);
    const wanted = ptsUs >= this.session.fromUs;
    if (wanted && !this.session.confirmed) {
      this.blocked = "hold";
      return false;
    }
    let slot = -1;
    if (wanted && this.ring && !this.#sameCell(ptsUs)) {
      slot = this.ring.take();
      if (slot < 0) {
        this.blocked = "slot";
        return false;
      }
      this.#slotView(this.ring, slot).set(pixels);
    }
    this.#line = null;
    this.#emit(pixels, ptsUs, line.adler, wanted, slot);
    this.queue.consumed(pixels.length);
    return true;
  }

  #slotView({ memory: { data, strideBytes } }: RingWriter, slot: number): Uint8Array {
    return (this.#views[slot] ??= new Uint8Array(data, slot * strideBytes, this.job.width * this.job.height * 3));
  }

  /** ffmpeg's select forgets the last frame when the stream changes its size: one frame a cell, whatever it does. */
  #sameCell(ptsUs: number): boolean {
    return this.job.fps !== "all" && cellOf(ptsUs, this.job.fps) === this.#cell;
  }

  #confirm(ptsUs: number, adler: number): void {
    const { verify, fromUs } = this.session;
    if (verify === null) {
      // Seeking landed behind the wanted point: a sampled output could not know whether its first frame is the first of its cell.
      if (ptsUs >= fromUs) throw new ResumeMismatch();
      this.session.confirm();
    } else if (verify.track === this.index) {
      if (ptsUs === verify.ptsUs && adler === verify.adler) this.session.confirm();
      else if (ptsUs >= verify.ptsUs) throw new ResumeMismatch();
    }
  }

  #emit(pixels: Uint8Array, ptsUs: number, adler: number, wanted: boolean, slot: number): void {
    const frame = this.frames++;
    if (ptsUs > this.#lastUs && this.job.fps === "all") this.#deltaUs = ptsUs - this.#lastUs;
    this.#lastUs = ptsUs;
    if (this.#sameCell(ptsUs)) return;
    if (this.job.fps !== "all") this.#cell = cellOf(ptsUs, this.job.fps);
    for (const { tap, row, batch } of this.#taps) {
      tap.push(pixels, ptsUs, row);
      if (wanted) batch.add(ptsUs, row, adler);
    }
    if (!wanted) return;
    this.items++;
    if (slot < 0) return;
    this.posted = true;
    this.session.post({ type: "item", track: this.index, slot, ptsUs, frame: this.job.numbered ? frame : -1, adler, samples: 0 });
  }

  protected reachedUs(): number {
    if (Number.isNaN(this.#lastUs)) return -Infinity;
    if (this.job.fps === "all") return this.#lastUs + 1;
    return Math.max(this.#lastUs + 1, Math.floor(((this.#cell + 1) / this.job.fps) * 1e6) - 1);
  }

  protected finish(): number {
    if (Number.isNaN(this.#lastUs)) return 0;
    const endUs = this.#lastUs + this.#deltaUs;
    const { fps, durationUs } = this.job;
    if (fps === "all" || durationUs === null) return endUs;
    // Frames behind the last sample were never seen here: the container says where they end, within the sample's cell.
    return Math.max(endUs, Math.min(durationUs, Math.round(((this.#cell + 1) / fps) * 1e6) + this.#deltaUs));
  }

  /** A slot is taken and lent in one step. */
  abandon(): void {}
}

const cellOf = (ptsUs: number, fps: number): number => Math.floor(((ptsUs + 0.5) / 1e6) * fps);
