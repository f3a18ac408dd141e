/**
 * `limits: { rss }`: what a model takes cannot be told from its file (small weights, large activations), so it is measured, once per file, ONNX Runtime
 * and store, and the plan is fitted to that. Without the limit nothing is measured. Two kinds of models stay estimated by their files: those of a device, and
 * those that @huggingface/transformers runs, of which a run takes what the node asks for (pictures, words of an answer), not the model.
 */
import { FlowError, toFlowError, type ModelManifest, type ModelMemory, type Plan } from "../contracts/index.js";
import { refitPlan } from "../graph/index.js";
import { onCpu, runtimeVersion } from "../inference/devices.js";
import type { PoolStats } from "../inference/index.js";
import type { Store } from "../store/index.js";

/** A session has one thread. `model/` keys belong to the machine, not to a medium. */
const memoryKey = ({ sha256 }: ModelManifest): string => `model/memory/${sha256}:cpu:${runtimeVersion()}:1`;

/** The real models of a plan with a limit, each once: those of our own sessions that will run on the CPU here, and the others; none when the plan has no limit. */
function limited(plan: Plan): { measurable: ModelManifest[]; estimated: ModelManifest[] } {
  if (plan.runtime.rssBytes === null) return { measurable: [], estimated: [] };
  const uses = plan.nodes.flatMap(({ models, runtime }) => Object.entries(models).map(([role, model]) => ({ model, own: model.runtime === "onnx" && onCpu(runtime.devices[role] ?? ["cpu"]) }))).filter(({ model }) => !model.mock);
  const models = [...new Map(uses.map(({ model }) => [model.sha256, model])).values()];
  const others = new Set(uses.filter(({ own }) => !own).map(({ model }) => model.sha256));
  return { measurable: models.filter(({ sha256 }) => !others.has(sha256)), estimated: models.filter(({ sha256 }) => others.has(sha256)) };
}

/** What a run says of models that its limit rests on and that nobody has measured. */
export function estimateNotes(plan: Plan): string[] {
  const { estimated } = limited(plan);
  return estimated.length === 0 ? [] : [`limits: { rss } takes ${estimated.map(({ id }) => id).join(", ")} as estimated from ${estimated.length === 1 ? "its" : "their"} files, not measured: the run may take more.`];
}

/** The plan as far as its models have been measured, those that have not been yet, and those that never are. Throws MEMORY_LIMIT. */
export function measuredPlan(plan: Plan, store: Store | null): { plan: Plan; unmeasured: ModelManifest[]; estimated: ModelManifest[] } {
  const memories = new Map<string, ModelMemory>();
  const unmeasured: ModelManifest[] = [];
  const { measurable, estimated } = limited(plan);
  for (const model of measurable) {
    const stored = store?.getMemo(memoryKey(model));
    if (stored?.kind === "done") memories.set(model.sha256, stored.value as ModelMemory);
    else unmeasured.push(model);
  }
  return { plan: refitPlan(plan, memories), unmeasured, estimated };
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
