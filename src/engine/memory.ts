/**
 * `limits: { rss }`: what a model takes cannot be told from its file (small weights, large activations), so it is measured, once per file, ONNX Runtime
 * and store, and the plan is fitted to that. Without the limit nothing is measured.
 */
import { FlowError, toFlowError, type ModelManifest, type ModelMemory, type Plan } from "../contracts/index.js";
import { refitPlan } from "../graph/index.js";
import { onCpu, runtimeVersion } from "../inference/devices.js";
import type { PoolStats } from "../inference/index.js";
import type { Store } from "../store/index.js";

/** A session has one thread. `model/` keys belong to the machine, not to a medium. */
const memoryKey = ({ sha256 }: ModelManifest): string => `model/memory/${sha256}:cpu:${runtimeVersion()}:1`;

/** Models of our own sessions that will run on the CPU here, each once; none when the plan has no limit. */
function measurable(plan: Plan): ModelManifest[] {
  if (plan.runtime.rssBytes === null) return [];
  const uses = plan.nodes.flatMap(({ models, runtime }) => Object.entries(models).map(([role, model]) => ({ model, cpu: onCpu(runtime.devices[role] ?? ["cpu"]) })));
  const elsewhere = new Set(uses.filter(({ cpu }) => !cpu).map(({ model }) => model.sha256));
  return [...new Map(uses.filter(({ model }) => !model.mock && model.runtime === "onnx" && !elsewhere.has(model.sha256)).map(({ model }) => [model.sha256, model])).values()];
}

/** The plan as far as its models have been measured, and those that have not. Throws MEMORY_LIMIT. */
export function measuredPlan(plan: Plan, store: Store | null): { plan: Plan; unmeasured: ModelManifest[] } {
  const memories = new Map<string, ModelMemory>();
  const unmeasured: ModelManifest[] = [];
  for (const model of measurable(plan)) {
    const stored = store?.getMemo(memoryKey(model));
    if (stored?.kind === "done") memories.set(model.sha256, stored.value as ModelMemory);
    else unmeasured.push(model);
  }
  return { plan: refitPlan(plan, memories), unmeasured };
}

/** The plan by what all its models take, and the ids of those that had to be measured for that. Throws MEMORY_LIMIT. */
export async function measureAndFit(plan: Plan, store: Store, stop: AbortSignal): Promise<{ fitted: Plan; measured: string[]; ended: PoolStats["ended"] }> {
  const { measured, ended } = await measureModels(plan, store, stop);
  return { fitted: measuredPlan(plan, store).plan, measured, ended };
}

/** Measures what has not been, one model after the other, and remembers it; the ids of those. Throws MEMORY_LIMIT when this machine has no room for one run. `stop` ends it where it is. */
async function measureModels(plan: Plan, store: Store, stop: AbortSignal): Promise<{ measured: string[]; ended: PoolStats["ended"] }> {
  const { unmeasured } = measuredPlan(plan, store);
  if (unmeasured.length === 0) return { measured: [], ended: {} };
  const { InferencePool } = await import("../inference/pool.js");
  await using pool = new InferencePool({ workers: 1, isolation: "process", timeoutMs: plan.runtime.timeoutMs, interrupted: stop });
  const measured: string[] = [];
  for (const model of unmeasured) {
    if (stop.aborted) break;
    const memory = await pool.measure(model).catch((thrown: unknown) => {
      const error = toFlowError(thrown);
      if (stop.aborted) return null;
      if (error.code !== "OUT_OF_MEMORY") throw error;
      throw new FlowError("MEMORY_LIMIT", `Model ${model.id} could not be measured for limits: { rss }, two rows of it do not fit into this machine: ${error.message}`, { hint: "Give its role a smaller model, or make its inputs smaller.", exit: error.exit, cause: error });
    });
    if (memory === null) break;
    await store.putMemo(memoryKey(model), { kind: "done", value: memory });
    measured.push(model.id);
  }
  return { measured, ended: pool.stats().ended };
}
