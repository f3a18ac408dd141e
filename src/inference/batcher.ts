/**
 * Batches of one node, cut across media. Who paces whom: at most `inFlight` calls run; full batches behind them wait, and so does
 * whoever holds the leases in them, until the ring starves and the decoder blocks. What bounds memory: the submitters' leases. Who
 * frees: the submitter, when its promise settles, which each one does exactly once.
 */
import { EMPTY, Subject, bufferCount, catchError, concat, defer, mergeMap, windowWhen, type Observable } from "rxjs";
import { FlowError } from "../contracts/index.js";

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
  readonly #jobs = new Subject<Job<I, O>>();
  readonly #flushes = new Subject<void>();
  #pending = 0;
  #partial = 0;
  #cuts = 0;
  #calls = 0;
  #items = 0;

  constructor(options: BatcherOptions<I, O>) {
    this.#options = options;
    this.#jobs
      .pipe(
        windowWhen(() => this.#flushes),
        mergeMap((window) => window.pipe(bufferCount(options.size))),
        mergeMap((batch) => this.#attempt(batch), options.inFlight),
      )
      .subscribe();
  }

  /** The item's own result, or the error of the call in which it was alone. */
  submit(item: I): Promise<O> {
    this.#pending++;
    this.#partial = (this.#partial + 1) % this.#options.size;
    if (this.#partial === 0) this.#cuts++;
    return new Promise<O>((resolve, reject) => this.#jobs.next({ item, resolve, reject }));
  }

  /** Cuts the partial batch now: a ring is starving, or no more items will come. */
  flush(): void {
    if (this.#partial > 0) this.#cuts++;
    this.#partial = 0;
    this.#flushes.next();
  }

  /** Submitted and not settled. */
  get pending(): number {
    return this.#pending;
  }

  /** Of those, waiting for a batch to fill. */
  get partial(): number {
    return this.#partial;
  }

  /** Batches cut so far, full ones and flushed ones: what was partial before the last cut is on its way. */
  get cuts(): number {
    return this.#cuts;
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

  #attempt(jobs: Job<I, O>[]): Observable<never> {
    return defer(async () => {
      this.#calls++;
      this.#items += jobs.length;
      const results = await this.#options.call(jobs.map((j) => j.item));
      if (results.length !== jobs.length) {
        throw new FlowError("BATCH_RESULTS", `a batch of ${jobs.length} items gave ${results.length} results`, {
          hint: "A batch function must return one result per item, in order.",
          permanent: true,
        });
      }
      this.#pending -= jobs.length;
      jobs.forEach((job, i) => job.resolve(results[i] as O));
    }).pipe(
      mergeMap(() => EMPTY),
      catchError((error: unknown) => {
        if (jobs.length === 1 || !(this.#options.bisect ?? isItemError)(error)) {
          this.#pending -= jobs.length;
          for (const job of jobs) job.reject(error);
          return EMPTY;
        }
        // One after the other: the halves use the slot of the call that failed.
        const middle = jobs.length >> 1;
        return concat(this.#attempt(jobs.slice(0, middle)), this.#attempt(jobs.slice(middle)));
      }),
    );
  }
}
