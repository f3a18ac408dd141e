/**
 * What every worker does with a task, whether it is a thread or a process. Import-light: ONNX Runtime, sharp and the operators' files are
 * imported when a task first needs them. A worker runs one task at a time.
 */
import {
  FlowError,
  toFlowError,
  type BatchFunction,
  type GridItem,
  type ModelHandle,
  type ModelManifest,
  type OperatorDefinition,
} from "../contracts/index.js";
import { verifyModelFiles, verifyModelShape } from "../models/verify-model.js";
import type { Runtime } from "./onnx.js";
import type { EachItem, ModelWire, PoolResult, Prepared, Spent, WorkerReply, WorkerTask } from "./protocol.js";
import { Sessions } from "./sessions.js";

type Call = Extract<WorkerTask, { type: "call" }>["call"];

export interface RunnerOptions {
  runtime: Runtime;
  /** How this worker is called in the statistics. */
  worker: number;
  stopped(): boolean;
  /** Told when the models of a call are open, its operator is loaded, and the operator begins. */
  began?(): void;
}

export class TaskRunner {
  readonly #options: RunnerOptions;
  readonly #sessions: Sessions;
  readonly #manifests = new Map<string, ModelManifest>();
  readonly #operators = new Map<string, Promise<OperatorDefinition>>();
  #spent: Omit<Spent, "busyMs" | "worker"> = { rows: {}, loads: {}, limits: {} };

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#sessions = new Sessions({
      runtime: options.runtime,
      checkStop: () => this.#checkStop(),
      counted: (model, count) => (this.#spent.rows[model] = (this.#spent.rows[model] ?? 0) + count),
      loaded: (model) => (this.#spent.loads[model] = (this.#spent.loads[model] ?? 0) + 1),
      limited: (key, rows) => (this.#spent.limits[key] = rows),
    });
  }

  /** Never rejects. `buffers`: memory of the results, which may be moved instead of copied. */
  async handle(task: WorkerTask): Promise<{ reply: WorkerReply; buffers: Set<ArrayBuffer> }> {
    const startedMs = performance.now();
    const buffers = new Set<ArrayBuffer>();
    this.#spent = { rows: {}, loads: {}, limits: {} };
    const spent = (): Spent => ({ ...this.#spent, busyMs: performance.now() - startedMs, worker: this.#options.worker });
    try {
      const results = await this.#perform(task);
      return { reply: { ok: true, results: results.map((r) => packed(r, buffers)), ...spent() }, buffers };
    } catch (thrown) {
      const error = toFlowError(thrown, "OPERATOR_FAILED");
      return { reply: { ok: false, error: error.toJSON(), permanent: error.permanent, ...spent() }, buffers };
    }
  }

  #checkStop(): void {
    if (this.#options.stopped()) throw new FlowError("CANCELLED", "the pool is stopping", { hint: "Run the same command again: it goes on where it stopped." });
  }

  async #perform(task: WorkerTask): Promise<PoolResult[]> {
    switch (task.type) {
      case "warm":
        return this.#warm(task);
      case "verify": {
        const manifest = this.#manifestOf(task.model);
        await verifyModelFiles(manifest);
        if (!task.shape || manifest.runtime === "transformers") return [];
        const { inputs, outputs } = await this.#sessions.describe(manifest, task.release);
        verifyModelShape(manifest, inputs, outputs, task.reads);
        return [];
      }
      case "prepare": {
        this.#checkStop();
        const value: Prepared = await this.#sessions.prepare(this.#manifestOf(task.model), task.model.device, task.check, task.against);
        return [{ ok: true, value }];
      }
      case "measure":
        return [{ ok: true, value: await this.#sessions.measure(this.#manifestOf(task.model), task.rows) }];
      case "call": {
        this.#checkStop();
        const models = await this.#handles(task.models);
        const definition = await this.#operator(task.call.module, task.call.operator);
        this.#options.began?.();
        return this.#call(task.call, definition, models);
      }
    }
  }

  async #call(task: Call, definition: OperatorDefinition, models: Record<string, ModelHandle>): Promise<PoolResult[]> {
    const { node } = task;
    const config = task.config as never;
    const run = definition.run;
    if (task.kind === "batch" && definition.batch) {
      const values = await (definition.batch as BatchFunction)(task.items as GridItem[], config, { node, models });
      return exactly(values, task);
    }
    const items = task.items as EachItem[];
    const contexts = items.map(({ medium, interval }) => ({ node, medium, interval, models }));
    if (task.kind === "eachBatch" && run.form === "eachBatch") {
      return exactly(await run.eachBatch(items.map((i) => i.inputs), config, contexts), task);
    }
    if (task.kind === "each" && run.form === "each") {
      const results: PoolResult[] = [];
      for (const [i, item] of items.entries()) {
        this.#checkStop();
        try {
          results.push({ ok: true, value: await run.each(item.inputs, config, contexts[i]!) });
        } catch (thrown) {
          const error = toFlowError(thrown, "OPERATOR_FAILED");
          results.push({ ok: false, error: error.toJSON(), permanent: error.permanent });
        }
      }
      return results;
    }
    throw new FlowError("OPERATOR_FORM", `${task.operator} has form "${run.form}" and was called as "${task.kind}"`, {
      hint: "This is a defect of the engine: please report it.",
      node,
    });
  }

  #operator(module: string, name: string): Promise<OperatorDefinition> {
    const key = `${module}#${name}`;
    let found = this.#operators.get(key);
    if (!found) {
      found = import(module).then((exports: Record<string, unknown>) => {
        const definition = Object.values(exports).find((e): e is OperatorDefinition => isDefinition(e) && e.name === name);
        if (definition) return definition;
        throw new FlowError("OPERATOR_UNKNOWN", `${module} exports no operator named ${name}`, {
          hint: "An operator's `module` must be import.meta.url of the file that exports it.",
          permanent: true,
        });
      });
      this.#operators.set(key, found);
      found.catch(() => this.#operators.delete(key));
    }
    return found;
  }

  #manifestOf({ key, json }: ModelWire): ModelManifest {
    let manifest = this.#manifests.get(key);
    if (!manifest) this.#manifests.set(key, (manifest = JSON.parse(json) as ModelManifest));
    return manifest;
  }

  async #handles(models: Record<string, ModelWire>): Promise<Record<string, ModelHandle>> {
    const byRole: Record<string, ModelHandle> = {};
    for (const [role, wire] of Object.entries(models)) byRole[role] = await this.#open(wire);
    return byRole;
  }

  #open(wire: ModelWire): Promise<ModelHandle> {
    return this.#sessions.handle(this.#manifestOf(wire), wire);
  }

  async #warm({ models, gate, count = 0 }: Extract<WorkerTask, { type: "warm" }>): Promise<PoolResult[]> {
    if (gate) await everybody(gate, count);
    for (const wire of models) await this.#open(wire);
    return [];
  }
}

/** An operator that loses or invents results would give items the values of their neighbours. */
function exactly(values: readonly unknown[], task: Call): PoolResult[] {
  if (values.length !== task.items.length) {
    throw new FlowError("OPERATOR_RESULTS", `${task.operator} gave ${values.length} results for ${task.items.length} items`, {
      hint: "The operator's batch function must return one result per item, in order.",
      node: task.node,
      permanent: true,
    });
  }
  return values.map((value) => ({ ok: true, value }));
}

function isDefinition(value: unknown): value is OperatorDefinition {
  return typeof value === "object" && value !== null && "run" in value && "name" in value;
}

/** Resolves when `count` workers have arrived. */
async function everybody(gate: Int32Array, count: number): Promise<void> {
  Atomics.add(gate, 0, 1);
  Atomics.notify(gate, 0);
  for (let arrived = Atomics.load(gate, 0); arrived < count; arrived = Atomics.load(gate, 0)) {
    // waitAsync leaves the event loop free, and returns at once when the value has moved on.
    const wait = Atomics.waitAsync(gate, 0, arrived);
    if (wait.async) await keepAlive(wait.value);
  }
}

/** A pending waitAsync alone does not keep a thread's event loop turning. */
async function keepAlive<T>(pending: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 1000);
  try {
    return await pending;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Moves a result's memory instead of copying it: what an operator returns is no longer its own. A Buffer may lie in Node's shared
 * pool, so bytes are copied out first. What cannot cross is the item's error here; at postMessage it would end the worker.
 */
function packed(result: PoolResult, buffers: Set<ArrayBuffer>): PoolResult {
  const pack = (value: unknown): unknown => {
    if (value instanceof Uint8Array) {
      const bytes = new Uint8Array(value);
      buffers.add(bytes.buffer);
      return bytes;
    }
    if (ArrayBuffer.isView(value)) {
      if (value.buffer instanceof ArrayBuffer) buffers.add(value.buffer);
      return value;
    }
    if (Array.isArray(value)) return value.map(pack);
    if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, pack(v)]));
    }
    if (typeof value === "function" || typeof value === "symbol" || value instanceof Promise) {
      throw new FlowError("NOT_CLONEABLE", `a result holds a ${value instanceof Promise ? "promise" : typeof value}, which cannot leave its worker`, {
        hint: "Results of operators that run in the pool must be plain data.",
        permanent: true,
      });
    }
    return value;
  };
  if (!result.ok) return result;
  try {
    return { ok: true, value: pack(result.value) };
  } catch (thrown) {
    return { ok: false, error: toFlowError(thrown).toJSON(), permanent: true };
  }
}
