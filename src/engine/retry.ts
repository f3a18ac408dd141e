import { CircuitState, circuitBreaker, ConsecutiveBreaker, type CircuitBreakerPolicy, ExponentialBackoff, handleWhen, retry, wrap, BrokenCircuitError, type IPolicy } from "cockatiel";
import { FlowError, toFlowError, type PlanNode } from "../contracts/index.js";

/** After this many items in a row that failed for good, a node's breaker opens and its next items fail at once for a while. */
const BREAKER_FAILURES = 20;
const BREAKER_HALF_OPEN_MS = 10_000;

/** Code of an item that was not tried, or not again, because the run was stopped. */
export const INTERRUPTED = "INTERRUPTED";

export const interruptedError = ({ name }: PlanNode): FlowError =>
  new FlowError(INTERRUPTED, `${name} was stopped before its next try.`, { node: name, hint: "Run the same command again; it continues where it stopped." });

/** One policy per node: bounded retry with exponential backoff inside, a circuit breaker around it. */
export class NodePolicy {
  private readonly policy: IPolicy;
  private readonly breaker: CircuitBreakerPolicy;
  private readonly failures = new ConsecutiveBreaker(BREAKER_FAILURES);
  /** Rejects each item that sits in a back-off; a try that has begun is waited for. */
  private readonly resting = new Set<() => void>();

  constructor(
    private readonly node: PlanNode,
    private readonly stop: AbortSignal,
  ) {
    // A permanent failure (a corrupt item) says nothing about the node's health and is worth no second try.
    const transient = handleWhen((error) => !toFlowError(error).permanent);
    const breaker = (this.breaker = circuitBreaker(transient, { halfOpenAfter: BREAKER_HALF_OPEN_MS, breaker: this.failures }));
    const { retry: attempts, backoffMinMs, backoffMaxMs } = node.onError;
    this.policy =
      attempts > 0
        ? wrap(breaker, retry(transient, { maxAttempts: attempts, backoff: new ExponentialBackoff({ initialDelay: backoffMinMs, maxDelay: backoffMaxMs }) }))
        : breaker;
    stop.addEventListener("abort", () => this.resting.forEach((wake) => wake()), { once: true });
  }

  /** `work` is told whether it was tried before. @throws FlowError */
  async run<T>(work: (again: boolean) => Promise<T>): Promise<T> {
    if (this.breaker.state !== CircuitState.Closed || this.stop.aborted) return this.guarded(work);
    // The way of nearly every item: the policies would make a dozen objects for each, and do no more than this. A failure goes to them as it came.
    let first: unknown;
    try {
      const value = await work(false);
      this.failures.success();
      return value;
    } catch (error) {
      first = error;
    }
    return this.guarded((again) => (again ? work(true) : Promise.reject(first)), first);
  }

  /** `first`: what the first try failed with, if that was before the breaker opened. */
  private async guarded<T>(work: (again: boolean) => Promise<T>, first?: unknown): Promise<T> {
    let tries = 0;
    let wake = (): void => undefined;
    const woken = new Promise<never>((_, reject) => {
      wake = () => reject(interruptedError(this.node));
    });
    const attempt = async (): Promise<T> => {
      this.resting.delete(wake);
      if (tries > 0 && this.stop.aborted) throw interruptedError(this.node);
      tries += 1;
      try {
        return await work(tries > 1);
      } finally {
        if (!this.stop.aborted) this.resting.add(wake);
      }
    };
    try {
      return await Promise.race([this.policy.execute(attempt, this.stop), woken]);
    } catch (error) {
      if (error instanceof BrokenCircuitError && first !== undefined) throw toFlowError(first, "OPERATOR_FAILED");
      if (error instanceof BrokenCircuitError) {
        throw new FlowError("BREAKER_OPEN", `${this.node.name} failed ${BREAKER_FAILURES} items in a row; this one was not tried.`, {
          node: this.node.name,
          hint: "See `flow errors` for the cause, then `flow retry`.",
        });
      }
      throw toFlowError(error, "OPERATOR_FAILED");
    } finally {
      this.resting.delete(wake);
    }
  }
}
