/**
 * Outcomes of one frame-level node, frame by frame, for the frame-level nodes that read them (object.segment reads object.detect's boxes).
 *
 * Who paces: the readers hold the frame's lease while they wait. What bounds memory: values are kept for the last `KEPT` frames; older ones are in the
 * store's blocks by then. Who frees: `settle`, oldest first, and `end`.
 */
import type { GridOutcome, GridStream } from "./grid.js";

const KEPT = 4096;

const NOTHING: GridOutcome = { kind: "skipped", reason: "no such frame" };

export class Relay {
  private readonly outcomes = new Map<number, GridOutcome>();
  private readonly waiting = new Map<number, ((outcome: GridOutcome) => void)[]>();
  private ended = false;

  constructor(private readonly stream: GridStream) {}

  /** The node's outcome for a frame. */
  settle(ptsUs: number, outcome: GridOutcome): void {
    const waiters = this.waiting.get(ptsUs);
    this.waiting.delete(ptsUs);
    for (const resolve of waiters ?? []) resolve(outcome);
    if (this.outcomes.size >= KEPT) this.outcomes.delete(this.outcomes.keys().next().value!);
    this.outcomes.set(ptsUs, outcome);
  }

  /** The outcome of the frame at `ptsUs`, from this run or an earlier one. */
  read(ptsUs: number): Promise<GridOutcome> {
    const known = this.outcomes.get(ptsUs) ?? (ptsUs < this.stream.resumeUs || this.stream.complete || this.ended ? (this.stream.stored(ptsUs) ?? NOTHING) : null);
    if (known) return Promise.resolve(known);
    return new Promise((resolve) => this.waiting.set(ptsUs, [...(this.waiting.get(ptsUs) ?? []), resolve]));
  }

  /** No more frames come: who still waits gets none. */
  end(): void {
    this.ended = true;
    for (const waiters of this.waiting.values()) for (const resolve of waiters) resolve(NOTHING);
    this.waiting.clear();
  }
}
