import type { NodeCounts, Outcome } from "../contracts/index.js";

const zero = (): NodeCounts => ({ in: 0, done: 0, cached: 0, skipped: 0, dropped: 0, failed: 0, inFlight: 0 });

/** The books: every item a node takes in ends in exactly one column, and `in` is their sum at any moment. */
export class Ledger {
  private readonly counts = new Map<string, NodeCounts>();
  /** Failures that a rerun will try again. */
  retryable = 0;

  constructor(nodes: Iterable<string>) {
    for (const name of nodes) this.counts.set(name, zero());
  }

  /** `n` items enter the node and are open until `close`. */
  open(node: string, n = 1): void {
    const c = this.of(node);
    c.in += n;
    c.inFlight += n;
  }

  close(node: string, outcome: Outcome): void {
    const c = this.of(node);
    c.inFlight -= 1;
    if (outcome.kind === "done") c[outcome.cached ? "cached" : "done"] += 1;
    else if (outcome.kind === "skipped" && outcome.cached) c.cached += 1;
    else c[outcome.kind] += 1;
    if (outcome.kind === "failed" && !outcome.permanent) this.retryable += 1;
  }

  /** One item whose outcome is known as it comes. */
  settle(node: string, outcome: Outcome): void {
    this.open(node);
    this.close(node, outcome);
  }

  /** `n` items that need no work at all. */
  cached(node: string, n: number): void {
    const c = this.of(node);
    c.in += n;
    c.cached += n;
  }

  /** `n` items done in one step (rows of a tap). */
  done(node: string, n: number): void {
    const c = this.of(node);
    c.in += n;
    c.done += n;
  }

  /** Counts of a whole medium found complete: nothing ran, so done and skipped become cached. */
  replay(stored: Record<string, NodeCounts>): void {
    for (const [node, c] of Object.entries(stored)) {
      const mine = this.counts.get(node);
      if (!mine) continue;
      mine.in += c.in;
      mine.failed += c.failed;
      mine.dropped += c.dropped;
      mine.cached += c.in - c.failed - c.dropped;
    }
  }

  snapshot(): Record<string, NodeCounts> {
    return Object.fromEntries([...this.counts].map(([name, c]) => [name, { ...c }]));
  }

  /** Adds another ledger's counts (one per medium → the run's). */
  add(other: Record<string, NodeCounts>): void {
    for (const [node, c] of Object.entries(other)) {
      const mine = this.of(node);
      for (const column of Object.keys(mine) as (keyof NodeCounts)[]) mine[column] += c[column];
    }
  }

  private of(node: string): NodeCounts {
    let c = this.counts.get(node);
    if (!c) this.counts.set(node, (c = zero()));
    return c;
  }
}

/** Does every node's `in` equal the sum of its columns? (A test and the end of each run ask.) */
export function unbalanced(counts: Record<string, NodeCounts>): string[] {
  return Object.entries(counts)
    .filter(([, c]) => c.in !== c.done + c.cached + c.skipped + c.dropped + c.failed + c.inFlight)
    .map(([node]) => node);
}
