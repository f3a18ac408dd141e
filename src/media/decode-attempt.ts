import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import type { TrackJob } from "./decode-protocol.js";
import { killGuarded, spawnGuarded } from "./guard.js";
import { ResumeMismatch, type Session, type Track } from "./track.js";

export interface AttemptEnd {
  outcome: "ended" | "mismatch" | "stopped";
  exitCode: number | null;
  startError: Error | null;
}

/**
 * One run of ffmpeg. Each output is a pair of sockets: lines are always drained, payload is read while its track takes it, so a full ring stops
 * that socket, then ffmpeg. stop() kills the process group at once.
 */
export class Attempt {
  readonly #child: ChildProcess;
  readonly #done: Promise<AttemptEnd>;
  #stopped = false;
  #failure: unknown = null;
  starvedMs = 0;

  constructor(
    ffmpeg: string,
    args: string[],
    jobs: TrackJob[],
    readonly tracks: Track[],
    readonly session: Session,
    onStderr: (text: string) => void,
    readonly afterPump: () => void,
  ) {
    const child = spawnGuarded(ffmpeg, args, jobs.length * 2);
    this.#child = child;
    const stdio = child.stdio as (Readable | null)[];
    const drained: Promise<void>[] = [];
    stdio[2]?.setEncoding("utf8").on("data", onStderr).on("error", ignore);
    // The guard's pipe breaks when ffmpeg ends before us; that is its normal end.
    child.stdio[3]?.on("error", ignore);
    for (const [n, job] of jobs.entries()) {
      const track = tracks[n];
      const lines = stdio[job.crcFd];
      const raw = stdio[job.rawFd];
      if (track && lines && raw) drained.push(this.#wire(track, lines, raw));
    }
    let startError: Error | null = null;
    const exited = new Promise<number | null>((resolve) => {
      child.on("error", (error) => {
        startError = error;
        resolve(null);
      });
      child.on("close", (code) => {
        // All is read and the frame never came: tracks that hold for it would hold forever.
        if (!session.confirmed && !this.#dead) this.#guarded(() => this.#giveUp());
        this.pumpAll();
        resolve(code);
      });
    });
    this.#done = Promise.all([exited, startError === null ? Promise.all(drained) : null]).then(([exitCode]) => {
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
    killGuarded(this.#child);
    for (const stream of this.#child.stdio) (stream as Readable | null)?.destroy();
  }

  /** Lets every track go on: after the resume point was confirmed, or when waiting has become pointless. */
  pumpAll(): void {
    for (const resume of this.#resumers) resume();
  }

  #wire(track: Track, lines: Readable, raw: Readable): Promise<void> {
    let rawEnded = false;
    let linesEnded = false;
    let waiting = false;
    return new Promise((resolve) => {
      const closed = (): void => {
        if (!this.#dead && !track.ended) this.#guarded(() => track.end());
        if (!this.#dead) this.afterPump();
        resolve();
      };
      const go = (): void => {
        if (this.#dead) return closed();
        if (waiting) return;
        const seen = track.ring?.releases ?? 0;
        let idle = false;
        if (!this.#guarded(() => (idle = track.pump()))) return closed();
        if (track.blocked === "slot" && track.ring) {
          raw.pause();
          waiting = true;
          for (const other of this.tracks) other.flushRows();
          this.session.post({ type: "starving", track: track.index });
          this.afterPump();
          const since = performance.now();
          void track.ring.waitForRelease(seen).then(() => {
            this.starvedMs += performance.now() - since;
            waiting = false;
            go();
          });
          return;
        }
        this.afterPump();
        if (track.blocked === "line" && !linesEnded) raw.pause();
        else if (raw.isPaused()) raw.resume();
        // A frame cut off by the end of the process has no line, or not all its bytes: it is not a frame.
        if (rawEnded && linesEnded && (idle || track.blocked === "line")) closed();
      };
      this.#resumers.push(go);
      raw.on("data", (chunk: Buffer) => {
        if (this.#dead) return;
        track.pushChunk(chunk);
        go();
      });
      lines.setEncoding("utf8").on("data", (text: string) => {
        track.pushText(text);
        if (track.blocked === "line") go();
      });
      raw.on("error", ignore).on("close", () => {
        rawEnded = true;
        go();
      });
      lines.on("error", ignore).on("close", () => {
        linesEnded = true;
        go();
      });
    });
  }

  #giveUp(): never {
    throw new ResumeMismatch();
  }

  readonly #resumers: (() => void)[] = [];

  get #dead(): boolean {
    return this.#stopped || this.#failure !== null;
  }

  #guarded(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (failure) {
      this.#failure = failure;
      killGuarded(this.#child);
      for (const stream of this.#child.stdio) (stream as Readable | null)?.destroy();
      return false;
    }
  }
}

function ignore(): void {}
