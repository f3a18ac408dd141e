/** A run that only asks the store: how `flow plan` tells what would be computed behind a moved threshold or an edited template. */
import { FlowError, type Interval, type MediumInfo, type NodeCounts, type Plan, type PlanNode } from "../contracts/index.js";
import { upstream } from "../graph/index.js";
import type { Store } from "../store/index.js";
import { blockKey, isVideoFed, rateName } from "./decode-plan.js";
import { MediumRun } from "./medium-run.js";
import { NodePolicy } from "./retry.js";
import { Services } from "./services.js";

export interface Rehearsal {
  /** Items that are stored as they would come out. */
  cached: number;
  /** Items that would be computed. */
  run: number;
  /** Items behind one that would be computed: the same result there leaves these as they are. */
  behind: number;
}

export interface Rehearsed {
  /** Frame-level nodes that have to decode. */
  decoding: readonly PlanNode[];
  /** What a run would do with the items of a node, of those that depend on none of these; null when nothing can be told of any. */
  items: ReadonlyMap<string, Rehearsal> | null;
}

/** What a run would do with the items of each node, as far as that can be told without decoding. */
export async function rehearse(plan: Plan, info: MediumInfo, givenScenes: Interval[] | null, store: Store): Promise<Rehearsed> {
  const fed = plan.nodes.filter((node) => node.level === "frame" && info[streamOf(node)]);
  const ofNode = (node: PlanNode): string => blockKey(node, plan.runtime.blockUs);
  const decoding = fed.filter((node) => !store.getGridEnd(info.id, ofNode(node), rateName(node)));
  // Where the last scene ends, and the medium, is told by all streams: by another rate of one that has to be decoded, or by one of its kind.
  const ends = new Map(decoding.map((node) => [node, store.gridEnds(info.id, ofNode(node))]));
  const dark = decoding.some((node) => ends.get(node)!.length === 0 && !fed.some((other) => streamOf(other) === streamOf(node) && !ends.has(other)));
  if (dark) return { decoding, items: null };
  const nodes = plan.nodes.filter((node) => !upstream([node], plan.nodes).some((above) => ends.has(above)));
  const known = new Set(nodes.map((node) => node.name));
  const part: Plan = {
    ...plan,
    // A node that ends the medium on a failure must not end the rehearsal.
    nodes: nodes.map((node) => ({ ...node, onError: { ...node.onError, then: "dead_letter" as const } })),
    outputs: plan.outputs.filter(({ from }) => from.every((name) => known.has(name))),
  };
  const onlyRead = readOnly(store);
  const stop = new AbortController().signal;
  const services = new AskingServices(part, onlyRead, new Set(), () => 0, stop);
  const run = new MediumRun({ plan: part, info, uris: [info.uri], givenScenes, store: onlyRead, services, stop, progress: () => undefined });
  const counts = await run.rehearse(Math.max(0, ...[...ends.values()].flat()));
  return { decoding, items: counts && tally(part, counts) };
}

const streamOf = (node: PlanNode): "video" | "audio" => (isVideoFed(node) ? "video" : "audio");

/** Refuses to compute: an item without a memo comes out as failed(WOULD_RUN). */
class AskingServices extends Services {
  override policy(node: PlanNode): NodePolicy {
    return new AskingPolicy(node, new AbortController().signal);
  }

  override deadLetter(): void {
    // nothing failed
  }
}

class AskingPolicy extends NodePolicy {
  override async run<T>(): Promise<T> {
    throw new FlowError("WOULD_RUN", "This item would be computed.", { hint: "flow run" });
  }
}

const WRITES = /^(put|commit|remove|clear)/;

function readOnly(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return typeof name === "string" && WRITES.test(name) ? async () => undefined : (value as (...args: unknown[]) => unknown).bind(target);
    },
  });
}

function tally(plan: Plan, counts: Record<string, NodeCounts>): Map<string, Rehearsal> {
  const tallies = new Map<string, Rehearsal>();
  for (const node of plan.nodes) {
    const c = counts[node.name]!;
    const dirty = Object.values(node.inputs).some((input) => {
      const above = tallies.get(input.node);
      return above !== undefined && above.run + above.behind > 0;
    });
    // A join collects whatever comes; a skip without a memo says nothing of itself when something above it would run.
    if (node.op.run.form === "join") tallies.set(node.name, { cached: dirty ? 0 : c.done, run: 0, behind: dirty ? c.done : 0 });
    else if (dirty) tallies.set(node.name, { cached: c.cached, run: 0, behind: c.in - c.cached });
    else tallies.set(node.name, { cached: c.in - c.failed, run: c.failed, behind: 0 });
  }
  return tallies;
}
