import type { TrackJob, WorkerMessage } from "./decode-protocol.js";
import type { RowBatch } from "./row-batch.js";
import { RingWriter } from "./ring.js";

/** One packet as framecrc tells it: time in units of the output's time base, payload bytes, checksum (signed 32 bit). */
export interface Line {
  pts: number;
  bytes: number;
  adler: number;
}

/** Why a track does not go on: no free slot, the line of its packet is not there yet, or the resume point is not confirmed yet. */
export type Blocked = "slot" | "line" | "hold" | null;

/** What the tracks of one attempt share. */
export interface Session {
  post(message: WorkerMessage, transfer?: ArrayBuffer[]): void;
  health(message: string): void;
  /** Nothing at or after `fromUs` leaves before the resume point is confirmed. */
  confirmed: boolean;
  confirm(): void;
  fromUs: number;
  verify: { track: number; ptsUs: number; adler: number } | null;
  seeking: boolean;
  startUs: number;
}

/** Thrown by a track when a resumed decode does not meet the frame it left off at. */
export class ResumeMismatch extends Error {}

/** A pipe of payload beside a pipe of lines: queues what arrives and consumes it until it is blocked. */
export abstract class Track {
  blocked: Blocked = null;
  ended = false;
  items = 0;
  bytes = 0;
  readonly ring: RingWriter | null;
  protected readonly batches: RowBatch[] = [];
  /** Seconds per unit of `Line.pts`, as a fraction. */
  protected timeBase: [number, number] = [1, 1_000_000];
  readonly #chunks: Uint8Array[] = [];
  #offset = 0;
  readonly #lines: Line[] = [];
  #lineHead = 0;
  #text = "";
  #watermarkUs = -Infinity;

  constructor(
    readonly index: number,
    readonly job: TrackJob,
    protected readonly session: Session,
  ) {
    this.ring = job.ring ? new RingWriter(job.ring) : null;
  }

  /** Copies from `chunk` at `offset`; returns the new offset and sets `blocked` when it cannot take all. */
  protected abstract consume(chunk: Uint8Array, offset: number): number;
  /** Continues work that needs no new bytes (a whole frame waiting for its line, staged samples); false while blocked. */
  protected abstract settle(): boolean;
  protected abstract finish(): number;
  /** Everything before this has been handed to `post`. */
  protected abstract reachedUs(): number;
  abstract abandon(): void;

  pushChunk(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  pushText(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("#tb")) {
        const match = /(\d+)\/(\d+)/.exec(line);
        if (match) this.timeBase = [Number(match[1]), Number(match[2])];
      } else if (line !== "" && !line.startsWith("#")) {
        const fields = line.split(",");
        this.#lines.push({ pts: Number(fields[2]), bytes: Number(fields[4]), adler: Number(fields[5]) | 0 });
      }
    }
  }

  protected nextLine(): Line | null {
    const line = this.#lines[this.#lineHead];
    if (line === undefined) return null;
    this.#lineHead++;
    if (this.#lineHead === 256) {
      this.#lines.splice(0, 256);
      this.#lineHead = 0;
    }
    return line;
  }

  /** Consumes what is queued. True when all of it is gone. */
  pump(): boolean {
    this.blocked = null;
    while (this.settle()) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) return true;
      this.#offset = this.consume(chunk, this.#offset);
      if (this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
      if (this.blocked !== null) return false;
    }
    return false;
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
