import type { TrackJob, WorkerMessage } from "./decode-protocol.js";
import { PacketLines } from "./packet-lines.js";
import type { PipeQueue } from "./pipe-queue.js";
import type { RowBatch } from "./row-batch.js";
import { RingWriter } from "./ring.js";

/** Why a track does not go on: no free slot, the line of its packet is not there yet, or the resume point is not confirmed yet. */
export type Blocked = "slot" | "line" | "hold" | null;

/** What the tracks of one attempt share. */
export interface Session {
  post(message: WorkerMessage, transfer?: ArrayBuffer[]): void;
  health(message: string): void;
  /** The input's timestamps jump back there. Every output may see it: it is said once. */
  jumped(atUs: number): void;
  /** Nothing at or after `fromUs` leaves before the resume point is confirmed. */
  confirmed: boolean;
  confirm(): void;
  /** Throws when ffmpeg came to an end that is not the medium's. `exitCode`: null when a signal ended it. */
  assertWhole(exitCode: number | null): void;
  fromUs: number;
  verify: { track: number; ptsUs: number; adler: number } | null;
  seeking: boolean;
  startUs: number;
}

/** Thrown by a track when a resumed decode does not meet the frame it left off at. */
export class ResumeMismatch extends Error {}

const LINE_BYTES = 64 * 1024;

/** A pipe of payload beside a pipe of lines: consumes what is queued until it is blocked. */
export abstract class Track {
  blocked: Blocked = null;
  ended = false;
  items = 0;
  readonly ring: RingWriter | null;
  abstract readonly queue: PipeQueue;
  protected abstract readonly stepsATurn: number;
  /** Where the pipe of lines is read into. */
  readonly text = Buffer.allocUnsafeSlow(LINE_BYTES);
  protected readonly batches: RowBatch[] = [];
  protected readonly lines = new PacketLines();
  #watermarkUs = -Infinity;

  constructor(
    readonly index: number,
    readonly job: TrackJob,
    protected readonly session: Session,
  ) {
    this.ring = job.ring ? new RingWriter(job.ring) : null;
  }

  /** One step: a frame, or what lies in a row of a stream. False when there is nothing to do before more bytes came, or while `blocked`. */
  protected abstract step(): boolean;
  protected abstract finish(): number;
  /** Everything before this has been handed to `post`. */
  protected abstract reachedUs(): number;
  abstract abandon(): void;

  /** The first `bytes` of `text` are new. */
  pushText(bytes: number): void {
    this.lines.push(this.text, bytes);
    if (this.lines.jumpedPts !== null) this.session.jumped(this.usOf(this.lines.jumpedPts));
  }

  /** Time of the newest packet that ffmpeg has written, however much of it still waits here; NaN before the first. */
  get writtenUs(): number {
    return this.usOf(this.lines.newestPts);
  }

  protected usOf(pts: number): number {
    const [num, den] = this.lines.timeBase;
    return Math.round((pts * num * 1e6) / den) - this.session.startUs;
  }

  /** Goes on with what is queued, but not for long: other pipes want to be emptied. True when there is more to do at once. */
  pump(): boolean {
    this.blocked = null;
    let more = true;
    for (let steps = 0; more && steps < this.stepsATurn; steps++) more = this.step();
    // Others have to go on before this one can, and they all come from one process.
    if (this.blocked === "hold") this.queue.spill();
    return more;
  }

  flushRows(): void {
    for (const batch of this.batches) batch.flush();
  }

  flushOldRows(now: number): void {
    for (const batch of this.batches) batch.flushOld(now);
  }

  /** Something of this output was posted since its last watermark. */
  protected posted = false;

  /** Posts how far this output has got, when that moved and something was posted since (`always`: whether or not). */
  tellWatermark(always: boolean): void {
    if (!always && !this.posted) return;
    this.posted = false;
    let ptsUs = this.reachedUs();
    for (const batch of this.batches) ptsUs = Math.min(ptsUs, batch.pendingUs);
    if (!(ptsUs > this.#watermarkUs) || ptsUs === Infinity || !this.session.confirmed) return;
    this.#watermarkUs = ptsUs;
    this.session.post({ type: "watermark", track: this.index, ptsUs });
  }

  /** The pipes are at their end and everything queued is consumed. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    const endUs = this.finish();
    this.flushRows();
    this.session.post({ type: "watermark", track: this.index, ptsUs: Math.max(endUs, this.#watermarkUs) });
    this.session.post({ type: "end", track: this.index, endUs, items: this.items });
  }
}
