/** Worker threads (Piscina): pixels are read where they lie, results are moved. A native abort in one of them ends the whole process. */
import { fileURLToPath } from "node:url";
import { Piscina, queueOptionsSymbol } from "piscina";
import { FlowError } from "../contracts/index.js";
import type { Ended, Lane, LaneOptions, Terms } from "./lane.js";
import { notCloneable, openingEnded, poolFull, taskOwner, WorkerEnded } from "./lane-errors.js";
import type { WorkerReply, WorkerSetup, WorkerTask } from "./protocol.js";

/** What the balancer knows of a task. */
interface Kind {
  kind: string;
}

const IDLE_TIMEOUT_MS = 3_600_000;

export class ThreadLane implements Lane {
  readonly #workers: number;
  readonly #ended: Ended;
  readonly #pool: Piscina<WorkerTask, WorkerReply>;
  /** Of tasks that have no reply yet. */
  readonly #rejections = new Set<(cause: Error) => void>();
  /** A thread that starts does not keep the event loop turning: without this the process could end in the middle of a task. */
  readonly #awake = setInterval(() => undefined, 2 ** 30).unref();

  constructor({ workers, intraOpThreads, maxQueue, stop, ended }: LaneOptions) {
    this.#workers = workers;
    this.#ended = ended;
    const setup: WorkerSetup = { stop, intraOpThreads };
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL("./worker-entry.cjs", import.meta.url)),
      minThreads: workers,
      maxThreads: workers,
      idleTimeout: IDLE_TIMEOUT_MS,
      maxQueue: Math.max(maxQueue, workers),
      concurrentTasksPerWorker: 1,
      // Workers await files, sharp and imports: an event loop that sleeps in Atomics.wait would stall them.
      atomics: "disabled",
      recordTiming: false,
      loadBalancer: takingTurns(),
      // Batches are short-lived garbage; V8 would let each worker's nursery grow to 48 MB before it looks.
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
      workerData: setup,
    });
    // An idle worker that dies is replaced by Piscina; without a listener the event would end the process.
    this.#pool.on("error", () => undefined);
    // Where a replacement ends before it is ready Piscina makes no other, and what waits would wait for ever. It counts its threads anew after the event.
    this.#pool.on("workerDestroy", () =>
      setImmediate(() => {
        if (this.#pool.threads.length === 0) for (const reject of this.#rejections) reject(new Error("worker threads end as soon as they start"));
      }),
    );
  }

  async run(task: WorkerTask, { node }: Pick<Terms, "node">): Promise<WorkerReply> {
    // A symbol does not cross to the worker.
    const told: WorkerTask & { [queueOptionsSymbol]: Kind } = { ...task, [queueOptionsSymbol]: { kind: node ?? task.type } };
    try {
      return await this.#answered(this.#pool.run(told));
    } catch (cause) {
      const error = outside(cause, task, node);
      if (task.type === "call" && error.code === "WORKER_DIED") this.#ended(taskOwner(task, node), "a worker thread ended");
      throw error;
    }
  }

  async #answered(reply: Promise<WorkerReply>): Promise<WorkerReply> {
    let reject = (_: Error): void => undefined;
    const lost = new Promise<never>((_, rejected) => (reject = rejected));
    this.#rejections.add(reject);
    this.#awake.ref();
    try {
      return await Promise.race([reply, lost]);
    } finally {
      this.#rejections.delete(reject);
      if (this.#rejections.size === 0) this.#awake.unref();
    }
  }

  async everywhere(task: Extract<WorkerTask, { type: "warm" }>): Promise<WorkerReply[]> {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const open = (): void => {
      // Whoever waits at the gate must not wait for one that never comes.
      Atomics.store(gate, 0, this.#workers);
      Atomics.notify(gate, 0);
    };
    const sent = Array.from({ length: this.#workers }, () =>
      this.run({ ...task, gate, count: this.#workers }, {}).catch((error: unknown) => {
        open();
        throw error;
      }),
    );
    const settled = await Promise.allSettled(sent);
    const failed = settled.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    return settled.map((one) => (one as PromiseFulfilledResult<WorkerReply>).value);
  }

  /** The flag in shared memory says it. */
  stop(): void {}

  async close(): Promise<void> {
    clearInterval(this.#awake);
    await this.#pool.destroy();
  }
}

type Balancer = NonNullable<NonNullable<ConstructorParameters<typeof Piscina>[0]>["loadBalancer"]>;

/**
 * The idle worker that has not had this kind of work for longest. Piscina's own choice is always the first idle one: the others then meet a model,
 * open its session and grow its memory only when all before them are busy, which is minutes into a medium. By kind, because nodes of one rate
 * fill their batches together: in plain turns each of them would stay with one worker.
 */
export function takingTurns(): Balancer {
  const turns = new Map<string, Map<number, number>>();
  let turn = 0;
  return (task, workers) => {
    const { kind } = task[queueOptionsSymbol] as Kind;
    let had = turns.get(kind);
    if (!had) turns.set(kind, (had = new Map()));
    let next: (typeof workers)[number] | null = null;
    for (const worker of workers) if (worker.currentUsage === 0 && (next === null || (had.get(worker.id) ?? 0) < (had.get(next.id) ?? 0))) next = worker;
    if (next) had.set(next.id, (turn += 1));
    return next;
  };
}

/** What Piscina itself reports: a full queue, a value that cannot cross, a worker that died. */
function outside(cause: unknown, task: WorkerTask, node: string | undefined): FlowError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/queue/i.test(message)) return poolFull(message, node, cause);
  if (cause instanceof Error && cause.name === "DataCloneError") return notCloneable(cause, node);
  if (task.type !== "call") return openingEnded(task, "worker thread", [new WorkerEnded("ended", { lastWords: message })]);
  return new FlowError("WORKER_DIED", `a worker ended in the middle of a call: ${message}`, {
    hint: "Run the same command again; if it happens again, please report it with the output of `flow doctor --json`.",
    node,
    cause,
  });
}
