import { EXIT, toFlowError, type Interval, type Plan, type PlanNode } from "../contracts/index.js";
import { upstream } from "../graph/index.js";
import { expandInputs, identify, type InputItem } from "../media/index.js";
import type { FailureRow, MediumRow, Store } from "../store/index.js";
import { blockKey, isVideoFed, rateName } from "./decode-plan.js";
import { doneKey, keepsStanding } from "./done.js";
import { openMedium, requireFiles, unionOfScenes } from "./preflight.js";
import { rehearse, type Rehearsed } from "./rehearse.js";

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
  requireFiles(plan, items);
  const identities = await Promise.allSettled(items.map((item) => identify(item.uri, store?.identities ?? null)));
  const given = new Map<string, Interval[] | null>();
  identities.forEach((identity, i) => {
    if (identity.status === "fulfilled") given.set(identity.value.id, unionOfScenes(given.get(identity.value.id) ?? null, items[i]!.scenes ?? null));
  });
  for (const [i, item] of items.entries()) {
    try {
      const identity = identities[i]!;
      if (identity.status === "rejected") throw identity.reason;
      states.push(await mediumState(plan, store, item, identity.value, given.get(identity.value.id) ?? null));
    } catch (thrown) {
      const error = toFlowError(thrown);
      // As for a run: what this machine lacks is not the medium's fault.
      if (error.exit === EXIT.environment) throw error;
      states.push({ uri: item.uri, medium: null, state: "unreadable", why: error.message, nodes: [] });
    }
  }
  return states;
}

async function mediumState(plan: Plan, store: Store | null, item: InputItem, identity: { id: string; memoisable: boolean }, scenes: Interval[] | null): Promise<MediumPlanState> {
  const { id, memoisable } = identity;
  const medium = store?.getMedium(id);
  if (!store || !medium) {
    await openMedium(item, identity, store);
    const reason = store ? "this medium is not in the store" : "there is no store yet";
    return { uri: item.uri, medium: id, state: "new", why: reason, nodes: plan.nodes.map((node) => ({ node: node.name, state: "new", why: reason, stored: 0 })) };
  }
  const key = doneKey(plan, scenes);
  const done = memoisable && (medium.plan === key || keepsStanding(plan, medium)) && store.getDone(id, key) !== undefined;
  const failures = [...store.failures()].filter((failure) => failure.medium === id);
  const known: Known = { plan, store, medium, id, done, failures, rehearsed: done ? null : await rehearse(plan, medium.info, scenes, store), open: new Set() };
  const nodes = plan.nodes.map((node) => nodeState(node, known));
  const why = whyOf(known, nodes.every(({ state }) => state === "cached"));
  return { uri: item.uri, medium: id, state: done ? "cached" : "incomplete", why, nodes };
}

function whyOf({ done, plan, medium, rehearsed }: Known, cached: boolean): string {
  if (done) return "every node of this plan is complete";
  if (cached) return plan.outputs.length > 0 ? "every result is stored: a run only puts the records together" : "every result is stored";
  if (rehearsed?.decoding.length === 0) return "nothing has to be decoded";
  return medium.complete ? "some results are missing or made by another version of the graph" : "an earlier run was interrupted";
}

interface Known {
  plan: Plan;
  store: Store;
  medium: MediumRow;
  id: string;
  done: boolean;
  failures: readonly FailureRow[];
  rehearsed: Rehearsed | null;
  /** Nodes so far that a run computes something of. */
  open: Set<PlanNode>;
}

function nodeState(node: PlanNode, known: Known): NodePlanState {
  const state = stateOf(node, known);
  if (state.state !== "cached" && state.state !== "unknown") known.open.add(node);
  return { node: node.name, ...state };
}

type StateOfNode = Omit<NodePlanState, "node">;
const state = (name: State, why: string, stored = 0): StateOfNode => ({ state: name, why, stored });

function stateOf(node: PlanNode, known: Known): StateOfNode {
  const failed = known.failures.filter((failure) => failure.node === node.name);
  if (failed.length > 0) return state("failed", `${plural(failed.length, "item")} failed; ${failed.every(({ permanent }) => permanent) ? `only --force ${node.name} tries again` : "a run tries again"}`);
  if (known.done || node.op.run.form === "source") return state("cached", "complete");
  if (node.level === "frame") return gridState(node, known);
  const items = known.rehearsed?.items?.get(node.name);
  if (!items) return behindState(node, known, null, 0);
  if (items.run > 0) return state(items.cached > 0 || isOther(node, known) ? "stale" : "new", `${items.run} to compute, ${items.cached} as stored`, items.cached);
  if (items.behind > 0) return behindState(node, known, items.behind, items.cached);
  return state("cached", node.op.run.form === "cut" ? `cut again from stored scores: ${items.cached}` : `${items.cached} as stored`, items.cached);
}

/** A node that reads what a run computes first. `atMost`: items that may have to be computed; null: that many as there are. */
function behindState(node: PlanNode, known: Known, atMost: number | null, stored: number): StateOfNode {
  const { plan, store, id, open } = known;
  const above = upstream([node], plan.nodes).filter((other) => other !== node && open.has(other));
  // A node that reads none of these waits for the medium's end, which they tell.
  const reads = (above.length > 0 ? above : (known.rehearsed?.decoding ?? [])).map(({ name }) => name);
  const { form } = node.op.run;
  if (form !== "join" && form !== "cut" && !store.hasMemos(node.key, id)) {
    return state(isOther(node, known) ? "stale" : "new", `${isOther(node, known) ? "its settings or its model changed" : "nothing stored under this configuration"}; after ${reads.join(", ")}`);
  }
  if (form === "cut") return state("unknown", `cut from what ${reads.join(", ")} give${reads.length === 1 ? "s" : ""}`);
  const most = atMost ?? itemsOf(node, known);
  const what = most === null ? "as many items as there are scenes" : `≤ ${most} to compute`;
  return state("unknown", `${what}${stored > 0 ? `, ${stored} as stored` : ""}: depends on what ${reads.join(", ")} give${reads.length === 1 ? "s" : ""}; what comes out the same leaves it as stored`, stored);
}

/** Items of a node that was not rehearsed; null while what its scenes are cut from has to be decoded. */
function itemsOf(node: PlanNode, { plan, rehearsed }: Known): number | null {
  if (node.level === "media") return 1;
  const cut = plan.nodes.find(({ op }) => op.run.form === "cut");
  return (cut && rehearsed?.items?.get(cut.name)?.cached) ?? null;
}

/** The plan that made the records had a node of this name with other settings. */
const isOther = (node: PlanNode, { plan, medium }: Known): boolean => {
  const before = medium.nodes?.[node.name];
  return before !== undefined && before.key !== blockKey(node, plan.runtime.blockUs);
};

function gridState(node: PlanNode, known: Known): StateOfNode {
  const { plan, store, medium, id } = known;
  const stream = isVideoFed(node) ? "video" : "audio";
  if (!medium.info[stream]) return state("cached", `the medium has no ${stream}`);
  const rate = rateName(node);
  const key = blockKey(node, plan.runtime.blockUs);
  const blocks = store.listBlocks(id, key).length;
  const end = store.getGridEnd(id, key, rate);
  if (end) return state("cached", plural(end.blocks, "block"), end.blocks);
  if (blocks > 0) return state("partial", `${plural(blocks, "block")} of ${plan.runtime.blockUs / 1e6} s ${blocks === 1 ? "is" : "are"} stored; what is missing${rate === "all" ? "" : ` at ${rate} fps`} is added`, blocks);
  return isOther(node, known) ? state("stale", "its settings or its model changed") : state("new", "nothing stored under this configuration");
}

const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;
