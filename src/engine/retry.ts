import { circuitBreaker, ConsecutiveBreaker, ExponentialBackoff, handleWhen, retry, wrap, BrokenCircuitError, type IPolicy } from "cockatiel";
import { FlowError, toFlowError, type PlanNode } from "../contracts/index.js";

/** After this many items in a row that failed for good, a node's breaker opens and its next items fail at once for a while. */
const BREAKER_FAILURES = 20;
const BREAKER_HALF_OPEN_MS = 10_000;

/** One policy per node: bounded retry with exponential backoff inside, a circuit breaker around it. */
export class NodePolicy {
  private readonly policy: IPolicy;

  constructor(private readonly node: PlanNode) {
    // A permanent failure (a corrupt item) says nothing about the node's health and is worth no second try.
    const transient = handleWhen((error) => !toFlowError(error).permanent);
    const breaker = circuitBreaker(transient, { halfOpenAfter: BREAKER_HALF_OPEN_MS, breaker: new ConsecutiveBreaker(BREAKER_FAILURES) });
    const { retry: attempts, backoffMinMs, backoffMaxMs } = node.onError;
    this.policy =
      attempts > 0
        ? wrap(breaker, retry(transient, { maxAttempts: attempts, backoff: new ExponentialBackoff({ initialDelay: backoffMinMs, maxDelay: backoffMaxMs }) }))
        : breaker;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.policy.execute(work);
    } catch (error) {
      if (error instanceof BrokenCircuitError) {
        throw new FlowError("BREAKER_OPEN", `${this.node.name} failed ${BREAKER_FAILURES} items in a row; this one was not tried.`, {
          node: this.node.name,
          hint: "See `flow errors` for the cause, then `flow retry`.",
        });
      }
      throw toFlowError(error, "OPERATOR_FAILED");
    }
  }
}
