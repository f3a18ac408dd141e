import { toFlowError, type Plan, type PlanNode } from "../contracts/index.js";
import { expandInputs, identify } from "../media/index.js";
import type { Store } from "../store/index.js";
import { blockKey, isVideoFed, rateName } from "./decode-plan.js";
import { doneKey } from "./done.js";

export type State = "new" | "stale" | "cached" | "partial" | "failed" | "unknown";

export interface NodePlanState {
  node: string;
  state: State;
  why: string;
  /** Items stored for this node as it stands. */
  stored: number;
}

export interface MediumPlanState {
  uri: string;
  medium: string | null;
  state: "cached" | "new" | "incomplete" | "unreadable";
  why: string;
  nodes: NodePlanState[];
}

/** What a run would do, per medium and node, asked of the store; nothing is decoded. `store` null: there is none yet. */
export async function explainPlan(plan: Plan, store: Store | null, inputs: readonly string[]): Promise<MediumPlanState[]> {
  const states: MediumPlanState[] = [];
  for (const item of await expandInputs(inputs)) {
    try {
      const { id, memoisable } = await identify(item.uri, store?.identities ?? null);
      const medium = store?.getMedium(id);
      if (!store || !medium) {
        const reason = store ? "this medium is not in the store" : "there is no store yet";
        states.push({ uri: item.uri, medium: id, state: "new", why: reason, nodes: plan.nodes.map((node) => ({ node: node.name, state: "new", why: reason, stored: 0 })) });
        continue;
      }
      const key = doneKey(plan, item.scenes ?? null);
      const done = memoisable && medium.plan === key && store.getDone(id, key) !== undefined;
      const failures = new Map<string, number>();
      for (const failure of store.failures()) if (failure.medium === id) failures.set(failure.node, (failures.get(failure.node) ?? 0) + 1);
      const nodes = plan.nodes.map((node) => nodeState(node, plan, store, id, done, failures.get(node.name) ?? 0, medium.info.video !== null, medium.info.audio !== null));
      states.push({ uri: item.uri, medium: id, state: done ? "cached" : "incomplete", why: done ? "every node of this plan is complete" : "some results are missing or made by another version of the graph", nodes });
    } catch (thrown) {
      states.push({ uri: item.uri, medium: null, state: "unreadable", why: toFlowError(thrown).message, nodes: [] });
    }
  }
  return states;
}

function nodeState(node: PlanNode, plan: Plan, store: Store, medium: string, done: boolean, failed: number, hasVideo: boolean, hasAudio: boolean): NodePlanState {
  const name = node.name;
  if (failed > 0) return { node: name, state: "failed", why: `${failed} items failed; a run tries them again`, stored: 0 };
  if (done) return { node: name, state: "cached", why: "complete", stored: 0 };
  if (node.level === "frame") {
    if (isVideoFed(node) ? !hasVideo : !hasAudio) return { node: name, state: "cached", why: `the medium has no ${isVideoFed(node) ? "video" : "audio"}`, stored: 0 };
    const rate = rateName(node);
    const key = blockKey(node, plan.runtime.blockUs);
    const blocks = store.listBlocks(medium, key);
    const end = store.getGridEnd(medium, key, rate);
    if (end) return { node: name, state: "cached", why: `${end.blocks} blocks`, stored: end.blocks };
    if (blocks.length > 0) return { node: name, state: "partial", why: `${blocks.length} blocks of ${plan.runtime.blockUs / 1e6} s are stored${rate === "all" ? "" : `, not all at ${rate} fps`}`, stored: blocks.length };
    return { node: name, state: "new", why: "nothing stored under this configuration", stored: 0 };
  }
  return { node: name, state: "unknown", why: "depends on the nodes before it: results whose inputs did not change are reused", stored: 0 };
}
