import { toFlowError, type Interval, type Plan, type PlanNode } from "../contracts/index.js";
import { expandInputs, identify } from "../media/index.js";
import type { MediumRow, Store } from "../store/index.js";
import { blockKey, isVideoFed, rateName } from "./decode-plan.js";
import { doneKey, keepsStanding } from "./done.js";
import { unionOfScenes } from "./preflight.js";
import { rehearse, type Rehearsal } from "./rehearse.js";

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
  const items = await expandInputs(inputs);
  const identities = await Promise.allSettled(items.map((item) => identify(item.uri, store?.identities ?? null)));
  const given = new Map<string, Interval[] | null>();
  identities.forEach((identity, i) => {
    if (identity.status === "fulfilled") given.set(identity.value.id, unionOfScenes(given.get(identity.value.id) ?? null, items[i]!.scenes ?? null));
  });
  for (const [i, item] of items.entries()) {
    try {
      const identity = identities[i]!;
      if (identity.status === "rejected") throw identity.reason;
      const { id, memoisable } = identity.value;
      const scenes = given.get(id) ?? null;
      const medium = store?.getMedium(id);
      if (!store || !medium) {
        const reason = store ? "this medium is not in the store" : "there is no store yet";
        states.push({ uri: item.uri, medium: id, state: "new", why: reason, nodes: plan.nodes.map((node) => ({ node: node.name, state: "new", why: reason, stored: 0 })) });
        continue;
      }
      const key = doneKey(plan, scenes);
      const done = memoisable && (medium.plan === key || keepsStanding(plan, medium)) && store.getDone(id, key) !== undefined;
      const failures = new Map<string, number>();
      for (const failure of store.failures()) if (failure.medium === id) failures.set(failure.node, (failures.get(failure.node) ?? 0) + 1);
      const rehearsal = done ? null : await rehearse(plan, medium.info, scenes, store);
      const nodes = plan.nodes.map((node) => nodeState(node, { plan, store, medium, id, done, failed: failures.get(node.name) ?? 0, rehearsal }));
      states.push({ uri: item.uri, medium: id, state: done ? "cached" : "incomplete", why: whyOf(done, medium, rehearsal), nodes });
    } catch (thrown) {
      states.push({ uri: item.uri, medium: null, state: "unreadable", why: toFlowError(thrown).message, nodes: [] });
    }
  }
  return states;
}

function whyOf(done: boolean, medium: MediumRow, rehearsal: ReadonlyMap<string, Rehearsal> | null): string {
  if (done) return "every node of this plan is complete";
  if (rehearsal) return "nothing has to be decoded";
  return medium.complete ? "some results are missing or made by another version of the graph" : "an earlier run was interrupted";
}

interface Known {
  plan: Plan;
  store: Store;
  medium: MediumRow;
  id: string;
  done: boolean;
  failed: number;
  rehearsal: ReadonlyMap<string, Rehearsal> | null;
}

function nodeState(node: PlanNode, known: Known): NodePlanState {
  const state = (name: State, why: string, stored = 0): NodePlanState => ({ node: node.name, state: name, why, stored });
  if (known.failed > 0) return state("failed", `${known.failed} items failed; a run tries them again`);
  if (known.done || node.op.run.form === "source") return state("cached", "complete");
  if (node.level === "frame") return gridState(node, known, state);
  const items = known.rehearsal?.get(node.name);
  if (!items) return state("unknown", "behind nodes that decode; results whose inputs come out the same are reused");
  if (items.run > 0) return state(items.cached > 0 || isOther(node, known) ? "stale" : "new", `${items.run} to compute, ${items.cached} as stored`, items.cached);
  if (items.behind > 0) return state("unknown", `≤ ${items.behind} to compute: behind nodes that run, ${items.cached} as stored`, items.cached);
  return state("cached", node.op.run.form === "cut" ? `cut again from stored scores: ${items.cached}` : `${items.cached} as stored`, items.cached);
}

/** The plan that made the records had a node of this name with other settings. */
const isOther = (node: PlanNode, { plan, medium }: Known): boolean => {
  const before = medium.nodes?.[node.name];
  return before !== undefined && before.key !== blockKey(node, plan.runtime.blockUs);
};

function gridState(node: PlanNode, known: Known, state: (name: State, why: string, stored?: number) => NodePlanState): NodePlanState {
  const { plan, store, medium, id } = known;
  const stream = isVideoFed(node) ? "video" : "audio";
  if (!medium.info[stream]) return state("cached", `the medium has no ${stream}`);
  const rate = rateName(node);
  const key = blockKey(node, plan.runtime.blockUs);
  const blocks = store.listBlocks(id, key).length;
  const end = store.getGridEnd(id, key, rate);
  if (end) return state("cached", `${end.blocks} ${end.blocks === 1 ? "block" : "blocks"}`, end.blocks);
  if (blocks > 0) return state("partial", `${blocks} ${blocks === 1 ? "block" : "blocks"} of ${plan.runtime.blockUs / 1e6} s ${blocks === 1 ? "is" : "are"} stored${rate === "all" ? "" : `, not all at ${rate} fps`}`, blocks);
  return isOther(node, known) ? state("stale", "its settings or its model changed") : state("new", "nothing stored under this configuration");
}
