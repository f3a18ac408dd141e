import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { TrackJob } from "./decode-protocol.js";
import { killGuarded, spawnGuarded } from "./guard.js";
import { readInto } from "./pipe-socket.js";
import { ResumeMismatch, type Session, type Track } from "./track.js";

export interface AttemptEnd {
  outcome: "ended" | "mismatch" | "stopped";
  exitCode: number | null;
  startError: Error | null;
}

/** One output: its track and its two pipes. */
interface Wire {
  track: Track;
  raw: Socket | null;
  rawEnded: boolean;
  linesEnded: boolean;
  /** Its payload is not read: the queue is full. */
  full: boolean;
  /** Until a slot is free. */
  waiting: boolean;
  closed: boolean;
  close: () => void;
}

/**
 * One run of ffmpeg. Each output is a pair of pipes: lines are always read, payload while the track's queue has room, so a full ring fills the queue,
 * that stops the pipe, and that ffmpeg. Between two frames all pipes are emptied, so that ffmpeg goes on while a frame is worked on. stop() kills the
 * process group at once.
 */
export class Attempt {
  readonly #child: ChildProcess;
  readonly #done: Promise<AttemptEnd>;
  readonly #wires: Wire[] = [];
  readonly #sockets: Socket[] = [];
  #stopped = false;
  #failure: unknown = null;
  #turn: NodeJS.Immediate | null = null;
  #allRead = false;
  /** ffmpeg says nothing any more: what it complained about is known before an output counts as ended. */
  #allSaid = false;
  /** Undefined while it runs: an output that is empty because nothing could be decoded has not ended. */
  #exitCode: number | null | undefined = undefined;
  starvedMs = 0;

  constructor(
    ffmpeg: string,
    args: string[],
    jobs: TrackJob[],
    readonly tracks: Track[],
    readonly session: Session,
    onStderr: (text: string) => void,
    readonly afterTurn: (urgent: boolean) => void,
  ) {
    const child = spawnGuarded(ffmpeg, args, jobs.length * 2);
    this.#child = child;
    const stdio = child.stdio as (Readable | null)[];
    stdio[2]
      ?.setEncoding("utf8")
      .on("data", onStderr)
      .on("error", ignore)
      .on("close", () => {
        this.#allSaid = true;
        this.pumpAll();
      });
    // The guard's pipe breaks when ffmpeg ends before us; that is its normal end.
    child.stdio[3]?.on("error", ignore);
    const ends = jobs.map((job, n) => this.#wire(tracks[n] as Track, stdio[job.crcFd], stdio[job.rawFd]));
    const closes = Promise.all(this.#wires.map((wire) => new Promise<void>((resolve) => (wire.close = resolve))));
    let startError: Error | null = null;
    const exited = new Promise<number | null>((resolve) => {
      const exit = (code: number | null): void => {
        this.#exitCode ??= code;
        this.pumpAll();
      };
      child.on("exit", exit).on("error", (error) => {
        startError = error;
        exit(null);
        resolve(null);
      });
      child.on("close", resolve);
    });
    void Promise.all([exited, ...ends]).then(() => {
      this.#allRead = startError === null;
      this.pumpAll();
    });
    this.#done = Promise.all([exited, closes]).then(([exitCode]) => {
      if (this.#failure !== null && !(this.#failure instanceof ResumeMismatch)) throw this.#failure;
      const outcome = this.#stopped ? "stopped" : this.#failure !== null ? "mismatch" : "ended";
      return { outcome, exitCode, startError };
    });
  }

  get done(): Promise<AttemptEnd> {
    return this.#done;
  }

  stop(): void {
    this.#stopped = true;
    this.#kill();
  }

  /** Lets every track go on: after bytes came, the resume point was confirmed, or waiting has become pointless. */
  pumpAll(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      this.#takeTurn();
    });
  }

  /** Resolves when both pipes are at their end. */
  #wire(track: Track, lines: Readable | null | undefined, raw: Readable | null | undefined): Promise<void> {
    const { queue, text } = track;
    const wire: Wire = { track, raw: null, rawEnded: false, linesEnded: false, full: false, waiting: false, closed: false, close: ignore };
    this.#wires.push(wire);
    return new Promise((resolve) => {
      const ended = (): void => {
        if (wire.rawEnded && wire.linesEnded) resolve();
        this.pumpAll();
      };
      wire.raw = this.#open(
        raw,
        () => queue.target(),
        (bytes) => {
          queue.wrote(bytes);
          wire.full = !queue.hasRoom;
          if (queue.ready && !wire.waiting) this.pumpAll();
          return !wire.full;
        },
        () => {
          wire.rawEnded = true;
          ended();
        },
      );
      this.#open(
        lines,
        () => text,
        (bytes) => {
          track.pushText(bytes);
          if (track.blocked === "line") this.pumpAll();
          return true;
        },
        () => {
          wire.linesEnded = true;
          ended();
        },
      );
    });
  }

  #open(stdio: Readable | null | undefined, buffer: () => Uint8Array, callback: (bytes: number) => boolean, ended: () => void): Socket | null {
    const socket = readInto(stdio, { buffer, callback });
    if (socket === null) ended();
    else this.#sockets.push(socket.on("error", ignore).on("close", ended));
    return socket;
  }

  /** A step of every output that can go on. The event loop looks at the pipes between two turns. */
  #takeTurn(): void {
    let more = false;
    let starving = false;
    for (const wire of this.#wires) {
      if (wire.waiting || wire.closed || this.#dead) continue;
      const { track } = wire;
      const seen = track.ring?.releases ?? 0;
      if (!this.#guarded(() => (more = track.pump() || more))) break;
      if (track.blocked === "slot" && track.ring) {
        starving = true;
        wire.waiting = true;
        this.#awaitSlot(wire, track.ring.waitForRelease(seen));
      }
      if (wire.full && track.queue.hasRoom) {
        wire.full = false;
        wire.raw?.resume();
      }
    }
    if (!more) this.#closeWires();
    this.afterTurn(starving);
    if (more) this.pumpAll();
  }

  #awaitSlot(wire: Wire, released: Promise<void>): void {
    for (const other of this.tracks) other.flushRows();
    this.session.post({ type: "starving", track: wire.track.index });
    const since = performance.now();
    void released.then(() => {
      this.starvedMs += performance.now() - since;
      wire.waiting = false;
      this.pumpAll();
    });
  }

  /** Nothing could go on by itself in this turn. */
  #closeWires(): void {
    // All is read and the frame never came: tracks that hold for it would hold forever.
    if (this.#allRead && !this.session.confirmed && !this.#dead) this.#guarded(() => this.#giveUp());
    for (const wire of this.#wires) {
      if (wire.closed) continue;
      const { track, rawEnded, linesEnded, waiting } = wire;
      // A frame cut off by the end of the process has no line, or not all its bytes: it is not a frame. A seek that found no frame at all has
      // not come to the end of the medium: before the resume point is confirmed nothing ends.
      const exitCode = this.#exitCode;
      const atEnd = rawEnded && linesEnded && this.#allSaid && exitCode !== undefined && !waiting && track.blocked !== "hold" && this.session.confirmed;
      if (!atEnd && !this.#dead) continue;
      wire.closed = true;
      if (!this.#dead) {
        this.#guarded(() => {
          this.session.assertWhole(exitCode ?? null);
          track.end();
        });
      }
      wire.close();
    }
  }

  #giveUp(): never {
    throw new ResumeMismatch();
  }

  get #dead(): boolean {
    return this.#stopped || this.#failure !== null;
  }

  #guarded(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (failure) {
      this.#failure = failure;
      this.#kill();
      return false;
    }
  }

  #kill(): void {
    killGuarded(this.#child);
    for (const socket of this.#sockets) socket.destroy();
    for (const stream of this.#child.stdio) (stream as Readable | null)?.destroy();
    this.pumpAll();
  }
}

function ignore(): void {}
