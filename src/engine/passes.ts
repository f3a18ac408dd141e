/**
 * A run in passes (`schedule: stages`): each keeps its own models in memory and goes over all media; what it computes waits in the store, frames
 * are decoded again. The last pass is the whole plan, which finds the rest computed and makes the records.
 */
import type { NodeCounts, Plan, PlanNode } from "../contracts/index.js";
import { upstream } from "../graph/index.js";

export interface PassPlan {
  plan: Plan;
  /** The whole plan, when this is not its last pass. */
  whole: Plan | null;
  /** Nodes that are computed here; what else the plan holds was computed before. */
  own: ReadonlySet<string>;
}

export function passPlans(plan: Plan): PassPlan[] {
  return plan.passes.map((pass, i) => {
    const own = new Set(pass.nodes);
    if (i === plan.passes.length - 1) return { plan, whole: null, own };
    const targets = plan.nodes.filter((node) => own.has(node.name));
    return { plan: { ...plan, nodes: upstream(targets, plan.nodes), outputs: [] }, whole: plan, own };
  });
}

/** What a pass left undone of its own, or a medium that it skipped, shows in a later one; all else of a later one is only read again. */
export function mergeCounts(earlier: Readonly<Record<string, NodeCounts>>, own: ReadonlySet<string>, later: Readonly<Record<string, NodeCounts>>, nodes: readonly PlanNode[]): Record<string, NodeCounts> {
  const merged = { ...later };
  for (const [node, counts] of Object.entries(earlier)) {
    const again = later[node];
    if (!own.has(node) || counts.in === 0 || (again && again.done + again.failed > 0)) continue;
    merged[node] = counts;
  }
  // A cut is cached where its rows were stored before it began; if a pass of this run stored them, it is this run's work.
  for (const { name, op, inputs } of nodes) {
    const counts = merged[name];
    if (op.run.form !== "cut" || !counts || !Object.values(inputs).some(({ node }) => (merged[node]?.done ?? 0) > 0)) continue;
    merged[name] = { ...counts, done: counts.done + counts.cached, cached: 0 };
  }
  return merged;
}
