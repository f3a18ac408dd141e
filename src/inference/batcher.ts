/**
 * Batches of one node, cut across media. Who paces whom: at most `inFlight` calls run; items behind them wait, and so does
 * whoever holds their leases, until the ring starves and the decoder blocks. What is in a batch is decided when a call is free for it:
 * the media that wait take turns. What bounds memory: the submitters' leases and credits. Who frees: the submitter, when its promise
 * settles, which each one does exactly once.
 */
import { FlowError } from "../contracts/index.js";
import { Turns } from "./turns.js";

export interface BatcherOptions<I, O> {
  /** Items per call. */
  size: number;
  /** Calls at once. */
  inFlight: number;
  /** Output i belongs to item i. Rejects for the batch as a whole; the batcher then halves it until the guilty item is alone. */
  call: (items: I[]) => Promise<O[]>;
  /** false: the error is not an item's, so every item of the batch gets it at once. Default: {@link isItemError}. */
  bisect?: (error: unknown) => boolean;
}

/** Whether halving a batch can find an item to blame: not when the pool stops or is full, or when a model or an operator cannot run at all. */
export function isItemError(error: unknown): boolean {
  return !(error instanceof FlowError && /^(CANCELLED|INTERRUPTED|POOL_FULL|MODEL_.*|OPERATOR_UNKNOWN|OPERATOR_FORM)$/.test(error.code));
}

interface Job<I, O> {
  item: I;
  resolve(value: O): void;
  reject(error: unknown): void;
}

export class Batcher<I, O> {
  readonly #options: BatcherOptions<I, O>;
  readonly #turns = new Turns<Job<I, O>>();
  /** Items up to this number go as soon as a call is free, in a full batch or not. */
  #due = 0;
  #running = 0;
  #pending = 0;
  #calls = 0;
  #items = 0;

  constructor(options: BatcherOptions<I, O>) {
    this.#options = options;
  }

  /** The item's own result, or the error of the call in which it was alone. `source`: whose turn it takes. */
  submit(item: I, source = ""): Promise<O> {
    this.#pending++;
    return new Promise<O>((resolve, reject) => {
      this.#turns.add(source, { item, resolve, reject });
      this.#deal();
    });
  }

  /** What waits has to go, in a batch that is not full if need be: a ring is starving, or no more items will come. `upTo`: only what was submitted by then ({@link submitted}). */
  flush(upTo = this.submitted): void {
    this.#due = Math.max(this.#due, upTo);
    this.#deal();
  }

  /** Submitted so far. */
  get submitted(): number {
    return this.#turns.added;
  }

  /** Submitted and not settled. */
  get pending(): number {
    return this.#pending;
  }

  /** Of those, in no call yet. */
  get waiting(): number {
    return this.#turns.count;
  }

  /** Items that a call may hold. */
  get size(): number {
    return this.#options.size;
  }

  /** Items in the calls made so far. */
  get items(): number {
    return this.#items;
  }

  /** Calls made so far, those of bisects included. */
  get calls(): number {
    return this.#calls;
  }

  /** Fills the free calls, as long as there is a full batch or something that has to go. */
  #deal(): void {
    const { size, inFlight } = this.#options;
    while (this.#running < inFlight && (this.#turns.count >= size || this.#turns.oldest <= this.#due)) {
      this.#running++;
      void this.#attempt(this.#turns.take(size)).then(() => {
        this.#running--;
        this.#deal();
      });
    }
  }

  /** One call, and those of its bisects; settles every job and never rejects. */
  async #attempt(jobs: Job<I, O>[]): Promise<void> {
    this.#calls++;
    this.#items += jobs.length;
    try {
      const results = await this.#options.call(jobs.map((j) => j.item));
      if (results.length !== jobs.length) {
        throw new FlowError("BATCH_RESULTS", `a batch of ${jobs.length} items gave ${results.length} results`, {
          hint: "A batch function must return one result per item, in order.",
          permanent: true,
        });
      }
      this.#pending -= jobs.length;
      jobs.forEach((job, i) => job.resolve(results[i] as O));
    } catch (error) {
      if (jobs.length === 1 || !(this.#options.bisect ?? isItemError)(error)) {
        this.#pending -= jobs.length;
        for (const job of jobs) job.reject(error);
        return;
      }
      // One after the other: the halves use the slot of the call that failed.
      const middle = jobs.length >> 1;
      await this.#attempt(jobs.slice(0, middle));
      await this.#attempt(jobs.slice(middle));
    }
  }
}
