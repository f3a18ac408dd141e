/**
 * Entry of a pool worker. Import-light: ONNX Runtime, sharp and the operators' files are imported when a task first needs them.
 * A worker runs one task at a time; what it reads through SlotRefs is lent to it until it replies.
 */
import { threadId } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol, workerData } from "piscina";
import {
  FlowError,
  toFlowError,
  type BatchFunction,
  type GridItem,
  type ModelHandle,
  type ModelManifest,
  type OperatorDefinition,
} from "../contracts/index.js";
import { verifyModelFiles, verifyModelShape } from "../models/manifest.js";
import type { EachItem, ModelWire, PoolResult, WorkerReply, WorkerSetup, WorkerTask } from "./protocol.js";
import { Sessions } from "./sessions.js";

type Call = Extract<WorkerTask, { type: "call" }>["call"];

const setup = workerData as WorkerSetup;
let rows: Record<string, number> = {};
const sessions = new Sessions({
  intraOpThreads: setup.intraOpThreads,
  checkStop,
  counted: (model, count) => (rows[model] = (rows[model] ?? 0) + count),
});
const manifests = new Map<string, ModelManifest>();
const operators = new Map<string, Promise<OperatorDefinition>>();

function checkStop(): void {
  if (Atomics.load(setup.stop, 0) !== 0) {
    throw new FlowError("CANCELLED", "the pool is stopping", { hint: "Run the same command again: it goes on where it stopped." });
  }
}

export default async function handle(task: WorkerTask): Promise<unknown> {
  const startedMs = performance.now();
  const spent = () => ({ busyMs: performance.now() - startedMs, worker: threadId });
  rows = {};
  try {
    const results = await perform(task);
    const buffers = new Set<ArrayBuffer>();
    const reply: WorkerReply = { ok: true, results: results.map((r) => packed(r, buffers)), rows, ...spent() };
    return buffers.size === 0 ? reply : move({ [transferableSymbol]: [...buffers], [valueSymbol]: reply } as never);
  } catch (thrown) {
    const error = toFlowError(thrown, "OPERATOR_FAILED");
    const reply: WorkerReply = { ok: false, error: error.toJSON(), permanent: error.permanent, ...spent() };
    return reply;
  }
}

async function perform(task: WorkerTask): Promise<PoolResult[]> {
  switch (task.type) {
    case "warm":
      return warm(task.models, task.gate, task.count);
    case "verify": {
      const manifest = manifestOf(task.model);
      await verifyModelFiles(manifest);
      if (manifest.runtime === "transformers") return [];
      const { inputs, outputs } = await sessions.describe(manifest);
      verifyModelShape(manifest, inputs, outputs);
      return [];
    }
    case "call":
      checkStop();
      return call(task.call, await handles(task.models));
  }
}

async function call(task: Call, models: Record<string, ModelHandle>): Promise<PoolResult[]> {
  const definition = await operator(task.module, task.operator);
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
      checkStop();
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

function operator(module: string, name: string): Promise<OperatorDefinition> {
  const key = `${module}#${name}`;
  let found = operators.get(key);
  if (!found) {
    found = import(module).then((exports: Record<string, unknown>) => {
      const definition = Object.values(exports).find((e): e is OperatorDefinition => isDefinition(e) && e.name === name);
      if (definition) return definition;
      throw new FlowError("OPERATOR_UNKNOWN", `${module} exports no operator named ${name}`, {
        hint: "An operator's `module` must be import.meta.url of the file that exports it.",
        permanent: true,
      });
    });
    operators.set(key, found);
    found.catch(() => operators.delete(key));
  }
  return found;
}

function isDefinition(value: unknown): value is OperatorDefinition {
  return typeof value === "object" && value !== null && "run" in value && "name" in value;
}

function manifestOf({ key, json }: ModelWire): ModelManifest {
  let manifest = manifests.get(key);
  if (!manifest) manifests.set(key, (manifest = JSON.parse(json) as ModelManifest));
  return manifest;
}

async function handles(models: Record<string, ModelWire>): Promise<Record<string, ModelHandle>> {
  const byRole: Record<string, ModelHandle> = {};
  for (const [role, wire] of Object.entries(models)) byRole[role] = await sessions.handle(manifestOf(wire));
  return byRole;
}

async function warm(models: ModelWire[], gate: Int32Array, count: number): Promise<PoolResult[]> {
  Atomics.add(gate, 0, 1);
  Atomics.notify(gate, 0);
  for (let arrived = Atomics.load(gate, 0); arrived < count; arrived = Atomics.load(gate, 0)) {
    // waitAsync leaves the event loop free, and returns at once when the value has moved on.
    const wait = Atomics.waitAsync(gate, 0, arrived);
    if (wait.async) await keepAlive(wait.value);
  }
  for (const wire of models) await sessions.handle(manifestOf(wire));
  return [];
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
