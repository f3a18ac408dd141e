import type { FrameTap } from "../contracts/media.js";
import type { VideoTrackJob } from "./decode-protocol.js";
import { RowBatch } from "./row-batch.js";
import { ResumeMismatch, Track, type Line, type Session } from "./track.js";

/** rgb24 frames of one output: into a ring slot (or one scratch frame), matched with their line, seen by the taps, lent. */
export class VideoTrack extends Track {
  readonly #frameBytes: number;
  readonly #views: (Uint8Array | undefined)[] = [];
  readonly #scratch: Uint8Array | null;
  readonly #taps: { tap: FrameTap; row: Float32Array; batch: RowBatch }[];
  #target: Uint8Array | null = null;
  #slot = -1;
  #filled = 0;
  #line: Line | null = null;
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
    this.#frameBytes = job.width * job.height * 3;
    this.#scratch = job.deliver ? null : new Uint8Array(this.#frameBytes);
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

  protected consume(chunk: Uint8Array, offset: number): number {
    const target = this.#target ?? this.#takeTarget();
    if (target === null) {
      this.blocked = "slot";
      return offset;
    }
    const n = Math.min(this.#frameBytes - this.#filled, chunk.length - offset);
    // A view per chunk costs less than a loop; the frame itself is copied exactly once.
    target.set(n === chunk.length ? chunk : chunk.subarray(offset, offset + n), this.#filled);
    this.#filled += n;
    return offset + n;
  }

  #takeTarget(): Uint8Array | null {
    if (this.#scratch) return (this.#target = this.#scratch);
    const ring = this.ring;
    if (ring === null) return null;
    const slot = ring.take();
    if (slot < 0) return null;
    const { data, strideBytes } = ring.memory;
    this.#slot = slot;
    return (this.#target = this.#views[slot] ??= new Uint8Array(data, slot * strideBytes, this.#frameBytes));
  }

  protected settle(): boolean {
    if (this.#filled < this.#frameBytes || this.#target === null) return true;
    this.#line ??= this.nextLine();
    if (this.#line === null) {
      this.blocked = "line";
      return false;
    }
    const line = this.#line;
    const [num, den] = this.timeBase;
    const ptsUs = Math.round((line.pts * num * 1e6) / den) - this.session.startUs;
    if (!this.session.confirmed) this.#confirm(ptsUs, line.adler);
    const wanted = ptsUs >= this.session.fromUs;
    if (wanted && !this.session.confirmed) {
      this.blocked = "hold";
      return false;
    }
    this.#line = null;
    this.#filled = 0;
    this.#emit(this.#target, ptsUs, line.adler, wanted);
    return true;
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

  #emit(pixels: Uint8Array, ptsUs: number, adler: number, wanted: boolean): void {
    const frame = this.frames++;
    if (ptsUs > this.#lastUs && this.job.fps === "all") this.#deltaUs = ptsUs - this.#lastUs;
    this.#lastUs = ptsUs;
    if (this.job.fps !== "all") {
      // ffmpeg's select forgets the last frame when the stream changes its size: one frame a cell, whatever it does.
      const cell = Math.floor(((ptsUs + 0.5) / 1e6) * this.job.fps);
      if (cell === this.#cell) return;
      this.#cell = cell;
    }
    for (const { tap, row, batch } of this.#taps) {
      tap.push(pixels, ptsUs, row);
      if (wanted) batch.add(ptsUs, row, adler);
    }
    if (!wanted) return;
    this.items++;
    if (!this.job.deliver) return;
    const slot = this.#slot;
    this.#target = null;
    this.#slot = -1;
    this.posted = true;
    this.session.post({ type: "item", track: this.index, slot, ptsUs, frame: this.job.numbered ? frame : -1, adler, samples: 0 });
  }

  protected reachedUs(): number {
    if (Number.isNaN(this.#lastUs)) return -Infinity;
    if (this.job.fps === "all") return this.#lastUs + 1;
    return Math.max(this.#lastUs + 1, Math.floor(((this.#cell + 1) / this.job.fps) * 1e6) - 1);
  }

  protected finish(): number {
    this.abandon();
    if (Number.isNaN(this.#lastUs)) return 0;
    const endUs = this.#lastUs + this.#deltaUs;
    const { fps, durationUs } = this.job;
    if (fps === "all" || durationUs === null) return endUs;
    // Frames behind the last sample were never seen here: the container says where they end, within the sample's cell.
    return Math.max(endUs, Math.min(durationUs, Math.round(((this.#cell + 1) / fps) * 1e6) + this.#deltaUs));
  }

  abandon(): void {
    if (this.#slot >= 0) this.ring?.putBack(this.#slot);
    this.#slot = -1;
    this.#target = null;
    this.#filled = 0;
  }
}
