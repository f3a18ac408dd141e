import { EXIT, FlowError } from "../contracts/index.js";
import { lastCommitFailure } from "./lmdb-noise.js";

/**
 * Where every write of a store reports. lmdb commits in groups, long after most callers stopped looking, so a full disk must surface at the
 * next `flushed()` or `close()` even if nobody awaited the write; and a promise nobody awaits must not end the process.
 */
export class WriteJournal {
  private failure: FlowError | null = null;
  private inFlight = 0;
  private waiting: (() => void)[] = [];

  /** @throws FlowError STORE_WRITE_FAILED through the promise it returns. */
  watch(write: PromiseLike<unknown>): Promise<void> {
    this.inFlight += 1;
    const settled = Promise.resolve(write).then(
      () => this.settle(),
      (thrown: unknown) => {
        const failure = this.fail(thrown);
        this.settle();
        throw failure;
      },
    );
    settled.catch(() => undefined);
    return settled;
  }

  get failed(): FlowError | null {
    return this.failure;
  }

  /** Resolves when every write so far is committed. @throws FlowError STORE_WRITE_FAILED, the first one. */
  async flushed(): Promise<void> {
    if (this.inFlight > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (this.failure) throw this.failure;
  }

  private fail(thrown: unknown): FlowError {
    // lmdb hangs the true cause on the error as a promise that is itself rejected: unhandled, it would end the process.
    const cause = (thrown as { commitError?: Promise<never> } | null)?.commitError;
    cause?.catch(() => undefined);
    this.failure ??= new FlowError("STORE_WRITE_FAILED", `The store could not be written: ${reasonOf(thrown)}`, {
      hint: "Check the free disk space, quota and permissions of the store's folder; then run the same command again, it goes on from what is committed.",
      exit: EXIT.environment,
      cause: thrown,
    });
    return this.failure;
  }

  private settle(): void {
    this.inFlight -= 1;
    if (this.inFlight === 0) for (const wake of this.waiting.splice(0)) wake();
  }
}

/** lmdb's own message points at a property of its error, which no user can look at. */
function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (!/commitError/.test(message)) return message;
  const reason = lastCommitFailure();
  // A write that the disk took only in part is EIO to LMDB, which says nothing of why.
  return reason === null || reason === "Input/output error" ? "the commit failed (disk full, quota or input/output error)" : `the commit failed (${reason})`;
}
