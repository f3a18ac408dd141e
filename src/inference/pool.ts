/**
 * The pool of inference workers. Who paces whom: the engine's batchers bound what is in flight; beyond `maxQueue` waiting calls the
 * pool refuses (POOL_FULL), which is a defect of the caller. What bounds memory: calls hold SlotRefs, never pixels. Who frees: the
 * caller, after `run` has settled. Nothing here aborts a running task: a worker inside `session.run()` that is terminated takes the
 * whole process with it (SIGABRT), so `destroy` drains first, and nobody may call process.exit() before it has resolved.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { EXIT, FlowError, type ModelManifest } from "../contracts/index.js";
import type { ModelWire, PoolCall, PoolResult, WorkerReply, WorkerSetup, WorkerTask } from "./protocol.js";

export interface PoolOptions {
  /** Threads; each runs one call at a time. Default: the machine's cores. */
  workers?: number;
  /** ONNX Runtime threads per worker. Default 1, parallel by workers: only then are rows byte-equal at every batch size. */
  intraOpThreads?: number;
  /** Calls that may wait for a worker. Default 64 per worker. */
  maxQueue?: number;
}

export interface WorkerStats {
  calls: number;
  busyMs: number;
}

export interface PoolStats {
  /** Rows sent to each model by id, in calls that succeeded: each once, padding and retries not counted. */
  inferences: Record<string, number>;
  calls: number;
  failedCalls: number;
  busyMs: number;
  /** By thread id. */
  workers: Record<number, WorkerStats>;
}

const IDLE_TIMEOUT_MS = 3_600_000;

/** Runs operators in worker threads with their models loaded. */
export class InferencePool implements AsyncDisposable {
  readonly workers: number;
  readonly intraOpThreads: number;
  readonly #pool: Piscina<WorkerTask, WorkerReply>;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #wires = new WeakMap<ModelManifest, ModelWire>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #stats: PoolStats = { inferences: {}, calls: 0, failedCalls: 0, busyMs: 0, workers: {} };
  #warming: Promise<unknown> = Promise.resolve();
  #destroyed: Promise<void> | undefined;

  constructor(options: PoolOptions = {}) {
    const cores = availableParallelism();
    this.workers = options.workers ?? cores;
    this.intraOpThreads = options.intraOpThreads ?? 1;
    const setup: WorkerSetup = { stop: this.#stop, intraOpThreads: this.intraOpThreads };
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL("./worker.js", import.meta.url)),
      minThreads: this.workers,
      maxThreads: this.workers,
      idleTimeout: IDLE_TIMEOUT_MS,
      maxQueue: Math.max(options.maxQueue ?? 64 * this.workers, this.workers),
      concurrentTasksPerWorker: 1,
      // Workers await files, sharp and imports: an event loop that sleeps in Atomics.wait would stall them.
      atomics: "disabled",
      recordTiming: false,
      // Batches are short-lived garbage; V8 would let each worker's nursery grow to 48 MB before it looks.
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
      workerData: setup,
    });
    // An idle worker that dies is replaced by Piscina; without a listener the event would end the process.
    this.#pool.on("error", () => undefined);
  }

  /**
   * One call of one node. Result i belongs to item i. Rejects with a FlowError when the whole call failed (batch, eachBatch: bisect);
   * in `each` calls an item's error is its result.
   */
  async run(call: PoolCall): Promise<PoolResult[]> {
    const { models, ...rest } = call;
    const wires: Record<string, ModelWire> = {};
    for (const [role, manifest] of Object.entries(models)) wires[role] = this.#wire(manifest);
    const reply = await this.#send({ type: "call", call: rest, models: wires }, call.node);
    return reply.results;
  }

  /** Opens the models' sessions in every worker. Rejects with MODEL_MISSING or MODEL_CORRUPT. */
  async warm(models: readonly ModelManifest[]): Promise<void> {
    const wires = distinct(models).map((m) => this.#wire(m));
    // One warming at a time: two, each holding a worker, would wait for each other's workers for ever.
    const turn = this.#warming.then(() => this.#warmAll(wires));
    this.#warming = turn.catch(() => undefined);
    await turn;
  }

  async #warmAll(models: ModelWire[]): Promise<void> {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const task: WorkerTask = { type: "warm", models, gate, count: this.workers };
    const sent = Array.from({ length: this.workers }, () =>
      this.#send(task).catch((error: unknown) => {
        // Whoever waits at the gate must not wait for one that never comes.
        Atomics.store(gate, 0, this.workers);
        Atomics.notify(gate, 0);
        throw error;
      }),
    );
    const failed = (await Promise.allSettled(sent)).find((s) => s.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** Pre-flight: file, size, SHA-256, names, dimensions and types of every model. All problems, not only the first. */
  async verify(models: readonly ModelManifest[]): Promise<FlowError[]> {
    const checks = await Promise.allSettled(distinct(models).map((m) => this.#send({ type: "verify", model: this.#wire(m) })));
    return checks.filter((c) => c.status === "rejected").map((c) => c.reason as FlowError);
  }

  /** Sets the flag that workers read between runs: what has not begun fails with CANCELLED, what runs finishes. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1);
  }

  /** A snapshot; `failedCalls` counts calls that rejected as a whole. */
  stats(): PoolStats {
    return structuredClone(this.#stats);
  }

  /** Calls sent and not settled. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Refuses new calls, waits for all that were sent (call `stop()` first to skip the waiting ones), then ends the workers. */
  destroy(): Promise<void> {
    this.#destroyed ??= (async () => {
      while (this.#pending.size > 0) await Promise.allSettled([...this.#pending]);
      await this.#pool.destroy();
    })();
    return this.#destroyed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  #send(task: WorkerTask, node?: string): Promise<Extract<WorkerReply, { ok: true }>> {
    const sent = this.#exchange(task, node);
    this.#pending.add(sent);
    const settled = () => void this.#pending.delete(sent);
    sent.then(settled, settled);
    return sent;
  }

  async #exchange(task: WorkerTask, node?: string): Promise<Extract<WorkerReply, { ok: true }>> {
    if (this.#destroyed) throw new FlowError("CANCELLED", "the pool has been closed", { hint: "Run the command again.", node });
    let reply: WorkerReply;
    try {
      reply = await this.#pool.run(task);
    } catch (cause) {
      throw outside(cause, node);
    }
    this.#count(task, reply);
    if (reply.ok) return reply;
    const { code, message, hint, item } = reply.error;
    throw new FlowError(code, message, {
      hint,
      item,
      node: reply.error.node ?? node,
      permanent: reply.permanent,
      exit: code.startsWith("MODEL_") ? EXIT.environment : EXIT.failedItems,
    });
  }

  #count(task: WorkerTask, reply: WorkerReply): void {
    if (task.type !== "call") return;
    const { inferences, workers } = this.#stats;
    const worker = (workers[reply.worker] ??= { calls: 0, busyMs: 0 });
    worker.calls++;
    worker.busyMs += reply.busyMs;
    this.#stats.calls++;
    this.#stats.busyMs += reply.busyMs;
    if (!reply.ok) this.#stats.failedCalls++;
    else for (const [model, rows] of Object.entries(reply.rows)) inferences[model] = (inferences[model] ?? 0) + rows;
  }

  #wire(manifest: ModelManifest): ModelWire {
    let wire = this.#wires.get(manifest);
    if (!wire) {
      wire = { key: `${manifest.id}:${manifest.sha256}:${manifest.file}`, json: JSON.stringify(manifest) };
      this.#wires.set(manifest, wire);
    }
    return wire;
  }
}

/** Shared by hash: one session serves every manifest of the same file, but each manifest is checked. */
function distinct(models: readonly ModelManifest[]): ModelManifest[] {
  return [...new Map(models.map((m) => [`${m.id}:${m.sha256}`, m])).values()];
}

/** What Piscina itself reports: a full queue, a value that cannot cross, a worker that died. */
function outside(cause: unknown, node: string | undefined): FlowError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/queue/i.test(message)) {
    return new FlowError("POOL_FULL", `the pool's queue is full: ${message}`, { hint: "This is a defect of the engine: please report it.", node, cause });
  }
  if (cause instanceof Error && cause.name === "DataCloneError") {
    return new FlowError("NOT_CLONEABLE", `a value of ${node ?? "this call"} cannot cross to a worker: ${message}`, {
      hint: "Config, inputs and results of operators that run in the pool must be plain data.",
      node,
      permanent: true,
      cause,
    });
  }
  return new FlowError("WORKER_DIED", `a worker ended in the middle of a call: ${message}`, {
    hint: "Run the same command again; if it happens again, please report it with the output of `flow doctor --json`.",
    node,
    cause,
  });
}
