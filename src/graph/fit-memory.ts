import type { Pass, PlanNode } from "../contracts/index.js";
import { needOf, passesOf } from "./budget.js";
import { groupDemands } from "./demand.js";
import type { LinkedGraph } from "./link.js";
import type { Reporter } from "./problems.js";

export const DEFAULT_BATCH = 16;
const DEFAULT_MEDIA = 2;

export interface Asked {
  linked: LinkedGraph;
  /** Batch sizes that the graph states. */
  written: ReadonlyMap<string, number | null>;
  workers: number;
}

export interface Fitted {
  nodes: PlanNode[];
  workers: number;
  mediaInFlight: number;
  passes: Pass[];
}

/**
 * Makes the plan fit into `runtime.limits`: smaller batches and fewer media at once (prefetch), then fewer workers, then passes. What the graph
 * states is kept. None of it changes a result.
 */
export function fitMemory(nodes: PlanNode[], { linked, written, workers }: Asked, report: Reporter): Fitted {
  const { runtime: asked } = linked;
  const rss = asked.rssBytes?.value ?? Number.POSITIVE_INFINITY;
  const vram = asked.vramBytes ?? Number.POSITIVE_INFINITY;
  const media = asked.mediaInFlight ?? DEFAULT_MEDIA;
  const whole: Fitted = { nodes, workers, mediaInFlight: media, passes: passesOf(nodes, () => true) };
  const oneByOne = (): Pass[] => passesOf(nodes, () => false);
  if (!Number.isFinite(rss) && !Number.isFinite(vram)) return asked.schedule === "stages" ? { ...whole, passes: oneByOne() } : whole;
  const ringOf = (some: readonly PlanNode[], atOnce: number): number => groupDemands(some, atOnce).reduce((sum, decode) => sum + decode.slots * decode.slotBytes, 0);
  const smaller = (size: number): PlanNode[] =>
    nodes.map((node) => (node.op.run.form === "batch" && written.get(node.name) === null && node.batch.size > size ? { ...node, batch: { ...node.batch, size } } : node));
  const shapes: Fitted[] = [];
  for (const w of asked.workers !== null ? [workers] : Array.from({ length: workers }, (_, i) => workers - i)) {
    for (const mediaInFlight of asked.mediaInFlight !== null ? [media] : [...new Set([media, 1])]) {
      for (const size of [DEFAULT_BATCH, 8, 4, 1]) shapes.push({ nodes: smaller(size), workers: w, mediaInFlight, passes: [] });
    }
  }
  let least = Number.POSITIVE_INFINITY;
  const needIn = (group: readonly PlanNode[], shape: Fitted) => needOf(group, shape, ringOf(shape.nodes, shape.workers));
  const fits = (group: readonly PlanNode[], shape: Fitted): boolean => {
    const need = needIn(group, shape);
    return need.rss <= rss && need.vram <= vram;
  };
  const tried = (shape: Fitted): boolean => {
    const resident = shape.passes.map((pass) => shape.nodes.filter((node) => pass.nodes.includes(node.name)));
    least = Math.min(least, Math.max(...resident.map((group) => needIn(group, shape).rss)));
    return resident.every((group) => fits(group, shape));
  };
  if (asked.schedule !== "stages") {
    for (const shape of shapes) {
      const fitted = { ...shape, passes: passesOf(shape.nodes, () => true) };
      if (tried(fitted)) return fitted;
    }
  }
  if (asked.schedule !== "stream") {
    for (const shape of shapes) {
      const fitted = { ...shape, passes: passesOf(shape.nodes, (group) => asked.schedule !== "stages" && fits(group, shape)) };
      if (tried(fitted)) return fitted;
    }
  }
  const at = asked.rssBytes?.at ?? linked.root.at;
  report.add("MEMORY_LIMIT", at, `The plan takes about ${Math.ceil(least / 1e6)} MB at least${asked.schedule === "stream" ? " in one pass" : ""}, and the limits are ${Number.isFinite(rss) ? `${Math.round(rss / 1e6)} MB` : "auto"} of memory and ${Number.isFinite(vram) ? `${Math.round(vram / 1e6)} MB` : "auto"} of video memory.`, {
    found: Number.isFinite(rss) ? String(rss) : String(vram),
    expected: Number.isFinite(rss) ? `at least ${Math.ceil(least)}` : "a limit that the largest model fits into",
    hint: asked.schedule === "stream" ? "Leave schedule: stream out, raise the limit, or lower workers, batch sizes, frame sizes or media_in_flight." : "Raise the limit, or lower workers, batch sizes, frame sizes or media_in_flight.",
  });
  return whole;
}
