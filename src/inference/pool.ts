/**
 * The pool of inference workers. Who paces whom: the engine's batchers bound what is in flight; beyond `maxQueue` waiting calls the
 * pool refuses (POOL_FULL), which is a defect of the caller. What bounds memory: calls hold SlotRefs, never pixels. Who frees: the
 * caller, after `run` has settled. Nothing here aborts a running task: a thread inside `session.run()` that is terminated takes the
 * whole process with it (SIGABRT), so `destroy` drains first, and nobody may call process.exit() before it has resolved.
 *
 * Workers stand in lanes: one lane per kind of worker (thread, process) and device. The CPU's lanes have as many workers as the pool. Every
 * other device has one worker, always a process: two threads on WebGPU end the process (SIGSEGV), a second one after the first has ended hangs,
 * a driver that crashes takes nothing with it, and a second session would only share the device. It takes several calls, so that the device need not wait
 * for the next one's pixels to be normalised: one at a time, a ViT-B/32 on an H200 got 0.54 of what ONNX Runtime alone does.
 */
import { availableParallelism } from "node:os";
import { EXIT, FlowError, type Device, type DeviceOrder, type ModelManifest, type ModelMemory, type ModelShare } from "../contracts/index.js";
import { refuseTelemetry } from "../models/telemetry.js";
import { missingModels } from "../models/verify-model.js";
import { DeviceChooser, type DeviceChoice } from "./device-chooser.js";
import type { Ended, Lane, LaneOptions, Terms } from "./lane.js";
import type { Trial } from "./measure.js";
import { ProcessLane } from "./process-lane.js";
import { DEFAULT_CHECK, type CallRuntime, type ModelWire, type PoolCall, type PoolResult, type Prepared, type WorkerReply, type WorkerTask } from "./protocol.js";
import { limitKey } from "./sessions.js";
import { ThreadLane } from "./thread-lane.js";

export interface PoolOptions {
  /** Workers of a CPU lane; each runs one call at a time. Default: the machine's cores. */
  workers?: number;
  /** ONNX Runtime threads per worker. Default 1, parallel by workers: only then are rows byte-equal at every batch size. */
  intraOpThreads?: number;
  /** Calls that may wait for a worker. Default 64 per worker. */
  maxQueue?: number;
  /** For calls that do not say otherwise. Default: thread. */
  isolation?: "thread" | "process";
  /** For calls that do not say otherwise, and for what prepares the pool; with isolation: process only. */
  timeoutMs?: number | null;
  /** Aborted: what only prepares the pool (verify, device, measure, warm) is given up, where a process of its own can be killed for that; it ends as CANCELLED. */
  interrupted?: AbortSignal;
  /** Whether `verify` leaves no session behind. */
  releaseVerified?: boolean;
  /** What an earlier run found to fit: `sha256:device` → rows. */
  limits?: Readonly<Record<string, number>>;
  /** SHA-256 of a model → what it may take on each worker of the CPU. */
  shares?: Readonly<Record<string, Pick<ModelShare, "rows">>>;
}

interface VerifyOptions {
  reads?: ReadonlyMap<string, readonly string[]>;
  opened?: (model: ModelManifest) => Promise<boolean> | false;
}

export interface WorkerStats {
  calls: number;
  busyMs: number;
}

export interface PoolStats {
  /** Rows sent to each model by id, in calls that succeeded: each once, padding and retries not counted. */
  inferences: Record<string, number>;
  /** Sessions made and checkpoints opened, by model id. */
  loads: Record<string, number>;
  /** `sha256:device` → rows at once, where a run had to be halved for want of memory. */
  limits: Record<string, number>;
  /** What models run on that asked for more than the CPU, by model id. */
  devices: Record<string, DeviceChoice>;
  /** Workers that ended in the middle of their work and were replaced: node, or models that were opened → how → how often. */
  ended: Record<string, Record<string, number>>;
  calls: number;
  failedCalls: number;
  busyMs: number;
  /** By thread or process id. */
  workers: Record<number, WorkerStats>;
}

/** Calls at once on a device: one runs, one is prepared, one waits. */
const SEATS = 3;

type Ok = Extract<WorkerReply, { ok: true }>;
type Isolation = "thread" | "process";

/** Runs operators in workers with their models loaded. */
export class InferencePool implements AsyncDisposable {
  readonly workers: number;
  readonly intraOpThreads: number;
  readonly #options: PoolOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #wires = new WeakMap<ModelManifest, Pick<ModelWire, "key" | "json">>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #stats: PoolStats = { inferences: {}, loads: {}, limits: {}, devices: {}, ended: {}, calls: 0, failedCalls: 0, busyMs: 0, workers: {} };
  readonly #ended: Ended = (of, how) => {
    const endings = (this.#stats.ended[of] ??= {});
    endings[how] = (endings[how] ?? 0) + 1;
  };
  readonly #chooser: DeviceChooser;
  #warming: Promise<unknown> = Promise.resolve();
  #destroyed: Promise<void> | undefined;

  constructor(options: PoolOptions = {}) {
    refuseTelemetry();
    this.#options = options;
    this.workers = options.workers ?? availableParallelism();
    this.intraOpThreads = options.intraOpThreads ?? 1;
    this.#chooser = new DeviceChooser(async (model, device, { timeoutMs, ...how }) => {
      const { results } = await this.#send({ type: "prepare", model: this.#wire(model, device), ...how }, "process", device, { timeoutMs });
      return (results[0] as { value: Prepared }).value;
    }, this.workers);
    Object.assign(this.#stats.limits, options.limits);
    // Threads take a moment to start, and a pool is made when the first call is due; processes start with their first call.
    if (this.#isolation() === "thread") this.#lane("thread", "cpu");
  }

  /**
   * One call of one node. Result i belongs to item i. Rejects with a FlowError when the whole call failed (batch, eachBatch: bisect);
   * in `each` calls an item's error is its result.
   */
  run(call: PoolCall): Promise<PoolResult[]> {
    return this.#track(this.#run(call));
  }

  async #run(call: PoolCall): Promise<PoolResult[]> {
    this.#open(call.node);
    const { models, runtime, ...rest } = call;
    const isolation = this.#isolation(runtime);
    const timeoutMs = runtime?.timeoutMs === undefined ? this.#timeoutMs : runtime.timeoutMs;
    const devices = await this.#devices(models, runtime, timeoutMs);
    const wires: Record<string, ModelWire> = {};
    for (const [role, manifest] of Object.entries(models)) wires[role] = this.#wire(manifest, devices[role]);
    const lane = Object.values(devices).find((device) => device !== "cpu") ?? "cpu";
    const reply = await this.#send({ type: "call", call: rest, models: wires }, isolation, lane, { node: call.node, timeoutMs });
    return reply.results;
  }

  /** Opens the models' sessions in every worker of the CPU. Rejects with MODEL_MISSING or MODEL_CORRUPT. */
  async warm(models: readonly ModelManifest[]): Promise<void> {
    const wires = distinct(models).map((m) => this.#wire(m));
    // One warming at a time: two, each holding a worker, would wait for each other's workers for ever.
    const turn = this.#warming.then(() => this.#track(this.#warmAll(wires)));
    this.#warming = turn.catch(() => undefined);
    await turn;
  }

  async #warmAll(models: ModelWire[]): Promise<void> {
    this.#open();
    const task = { type: "warm", models } as const;
    for (const reply of await this.#lane(this.#isolation(), "cpu").everywhere(task, { timeoutMs: this.#timeoutMs })) this.#unwrap(task, reply);
  }

  /**
   * Pre-flight: file, size, SHA-256, names, dimensions and types of every model, and the outputs that a graph names (`reads`, by model). All problems, not only the first.
   * `opened`: whether a device opens this model, which compares its names and shapes: then the CPU does not hold it too.
   */
  async verify(models: readonly ModelManifest[], { reads = new Map(), opened = () => false }: VerifyOptions = {}): Promise<FlowError[]> {
    this.#open();
    const real = models.filter((m) => !m.mock);
    // What is not there at all is told together, with one command for all of it.
    const missing = await missingModels(real);
    const absent = await Promise.all(real.map((model) => missingModels([model])));
    const there = distinct(real.filter((_, i) => absent[i] === null));
    const release = this.#options.releaseVerified ?? false;
    // A thread keeps part of what a session took; where memory counts, one process looks at one model after the other.
    const read = (m: ModelManifest, shape: boolean): Promise<Ok> => this.#send({ type: "verify", model: this.#wire(m), shape, reads: reads.get(m.id) ?? [], release }, release ? "process" : this.#isolation(), "cpu", { timeoutMs: this.#timeoutMs });
    const check = async (m: ModelManifest): Promise<void> => {
      const opening = opened(m);
      const bytes = read(m, opening === false);
      if (opening === false) await bytes;
      else if ((await Promise.all([opening, bytes]))[0] === false) await read(m, true);
    };
    const checks: PromiseSettledResult<void>[] = [];
    if (release) for (const model of there) checks.push(...(await Promise.allSettled([check(model)])));
    else checks.push(...(await Promise.allSettled(there.map(check))));
    return [...(missing ? [missing] : []), ...checks.filter((c) => c.status === "rejected").map((c) => c.reason as FlowError)];
  }

  /** What one session of the model takes on the CPU, found out in processes that end with the answer. */
  async measure(manifest: ModelManifest): Promise<ModelMemory> {
    const { bytes, ...first } = await this.#track(this.#tryRows(manifest, 1));
    if (bytes === null || first.atOnce === 1) return { ...first, rows: bytes === null ? null : { firstBytes: bytes, moreBytes: 0 } };
    const second = await this.#track(this.#tryRows(manifest, 2));
    return { ...first, least: second.least, rows: { firstBytes: bytes, moreBytes: Math.max(0, (second.bytes ?? 2 * bytes) - bytes) } };
  }

  async #tryRows(manifest: ModelManifest, rows: number): Promise<Trial> {
    this.#open();
    const lane = new ProcessLane({ workers: 1, intraOpThreads: this.intraOpThreads, maxQueue: 1, stop: this.#stop, interrupted: this.#options.interrupted, ended: this.#ended });
    try {
      const task = { type: "measure", model: this.#wire(manifest), rows } as const;
      const { results } = this.#unwrap(task, await lane.run(task, { timeoutMs: this.#timeoutMs }));
      return (results[0] as { value: Trial }).value;
    } finally {
      await lane.close();
    }
  }

  /** What the model will run on: tried in order, once per model and order. Rejects with MODEL_DEVICE when none of them works. */
  async device(manifest: ModelManifest, order: DeviceOrder, check: number | null = DEFAULT_CHECK, timeoutMs = this.#timeoutMs): Promise<DeviceChoice> {
    this.#open();
    return this.#choose(manifest, order, check, timeoutMs);
  }

  async #choose(manifest: ModelManifest, order: DeviceOrder, check: number | null, timeoutMs: number | null): Promise<DeviceChoice> {
    const choice = await this.#chooser.choose(manifest, order, check, timeoutMs);
    this.#stats.devices[manifest.id] = choice;
    return choice;
  }

  /** Sets the flag that workers read between runs: what has not begun fails with CANCELLED, what runs finishes. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1);
    for (const lane of this.#lanes.values()) lane.stop();
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
      await Promise.all([...this.#lanes.values()].map((lane) => lane.close()));
    })();
    return this.#destroyed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  get #timeoutMs(): number | null {
    return this.#options.timeoutMs ?? null;
  }

  #isolation(runtime?: CallRuntime): Isolation {
    return runtime?.isolation ?? this.#options.isolation ?? "thread";
  }

  #lane(wanted: Isolation, device: Device): Lane {
    const isolation = device === "cpu" ? wanted : "process";
    const key = `${isolation}:${device}`;
    let lane = this.#lanes.get(key);
    if (!lane) {
      const workers = device === "cpu" ? this.workers : 1;
      const options: LaneOptions = { workers, ...(device === "cpu" ? {} : { seats: SEATS }), intraOpThreads: this.intraOpThreads, maxQueue: this.#options.maxQueue ?? 64 * this.workers, stop: this.#stop, interrupted: this.#options.interrupted, ended: this.#ended };
      lane = isolation === "thread" ? new ThreadLane(options) : new ProcessLane(options);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** Role → device. A call runs in one worker, so all its models share one device beside the CPU: the first that any of them gets. */
  async #devices(models: Record<string, ModelManifest>, runtime: CallRuntime | undefined, timeoutMs: number | null): Promise<Record<string, Device>> {
    const devices: Record<string, Device> = {};
    let shared: Device | null = null;
    for (const [role, manifest] of Object.entries(models)) {
      const order = runtime?.devices?.[role];
      if (manifest.mock || order === undefined || (order !== "auto" && order[0] === "cpu")) {
        devices[role] = "cpu";
        continue;
      }
      const { device } = await this.#choose(manifest, order, runtime?.check === undefined ? DEFAULT_CHECK : runtime.check, timeoutMs);
      if (device !== "cpu" && shared !== null && device !== shared) {
        this.#stats.devices[manifest.id] = { device: "cpu", reason: `another model of the same node runs on ${shared}`, difference: null };
        devices[role] = "cpu";
        continue;
      }
      devices[role] = device;
      if (device !== "cpu") shared = device;
    }
    return devices;
  }

  #send(task: WorkerTask, isolation: Isolation, device: Device, terms: Terms): Promise<Ok> {
    return this.#track(this.#exchange(task, isolation, device, terms));
  }

  async #exchange(task: WorkerTask, isolation: Isolation, device: Device, terms: Terms): Promise<Ok> {
    return this.#unwrap(task, await this.#lane(isolation, device).run(task, terms), terms.node);
  }

  #track<T>(sent: Promise<T>): Promise<T> {
    this.#pending.add(sent);
    const settled = () => void this.#pending.delete(sent);
    sent.then(settled, settled);
    return sent;
  }

  #open(node?: string): void {
    if (this.#destroyed) throw new FlowError("CANCELLED", "the pool has been closed", { hint: "Run the command again.", node });
  }

  #unwrap(task: WorkerTask, reply: WorkerReply, node?: string): Ok {
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
    const { inferences, loads, limits, workers } = this.#stats;
    for (const [model, n] of Object.entries(reply.loads)) loads[model] = (loads[model] ?? 0) + n;
    for (const [key, rows] of Object.entries(reply.limits)) limits[key] = Math.min(rows, limits[key] ?? rows);
    if (task.type !== "call") return;
    const worker = (workers[reply.worker] ??= { calls: 0, busyMs: 0 });
    worker.calls++;
    worker.busyMs += reply.busyMs;
    this.#stats.calls++;
    this.#stats.busyMs += reply.busyMs;
    if (!reply.ok) this.#stats.failedCalls++;
    else for (const [model, rows] of Object.entries(reply.rows)) inferences[model] = (inferences[model] ?? 0) + rows;
  }

  #wire(manifest: ModelManifest, device: Device = "cpu"): ModelWire {
    let wire = this.#wires.get(manifest);
    if (!wire) {
      wire = { key: `${manifest.id}:${manifest.sha256}:${manifest.file}`, json: JSON.stringify(manifest) };
      this.#wires.set(manifest, wire);
    }
    const share = device === "cpu" ? this.#options.shares?.[manifest.sha256] : undefined;
    return { ...wire, device, maxRows: this.#stats.limits[limitKey(manifest, device)] ?? null, share: share?.rows ?? null };
  }
}

/** Shared by hash: one session serves every manifest of the same file, but each manifest is checked. */
function distinct(models: readonly ModelManifest[]): ModelManifest[] {
  return [...new Map(models.map((m) => [`${m.id}:${m.sha256}`, m])).values()];
}
