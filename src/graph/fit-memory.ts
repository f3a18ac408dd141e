import type { ModelShare, Pass, PlanNode, PlanRuntime, Stated } from "../contracts/index.js";
import { needOf, passesOf, sharesOf, type Memories, type Need } from "./budget.js";
import { groupDemands } from "./demand.js";

export const DEFAULT_BATCH = 16;
export const DEFAULT_MEDIA = 2;

/** One model measured twice differs by 1 to 2 MB in 50, and a new store measures anew: what is said to be enough has to be enough there too. */
const JITTER_FACTOR = 1.04;
const ROUND_BYTES = 10e6;
/** Of the machine's memory, for a run without `limits: { rss }`: the rest is the system's, and what the estimate errs by. */
const MACHINE_SHARE = 0.8;
const UNMEASURED: Memories = new Map();

export type Limits = Pick<PlanRuntime, "rssBytes" | "vramBytes">;

/** What runs at once. */
export interface Wish {
  nodes: PlanNode[];
  workers: number;
  mediaInFlight: number;
}

export interface Fitted extends Wish {
  passes: Pass[];
  shares: Record<string, ModelShare>;
}

/** What the plan would take at least. */
export interface Shortage {
  message: string;
  found: string;
  expected: string;
  hint: string;
  least: Need;
}

/** In one pass, or in the largest of them. */
function peakOf(shape: Wish, passes: readonly Pass[], memories: Memories): Need {
  const needs = residents(shape, passes).map((group) => needOf(group, shape, ringOf(shape), memories));
  return { rss: Math.max(...needs.map(({ rss }) => rss)), vram: Math.max(...needs.map(({ vram }) => vram)) };
}

const residents = ({ nodes }: Wish, passes: readonly Pass[]): PlanNode[][] => (passes.length === 1 ? [nodes] : passes.map((pass) => nodes.filter((node) => pass.nodes.includes(node.name))));
const ringOf = ({ nodes, workers }: Wish): number => groupDemands(nodes, workers).reduce((sum, decode) => sum + decode.slots * decode.slotBytes, 0);

/**
 * Makes the plan fit into `runtime.limits`: smaller batches and fewer media at once (prefetch), then fewer workers, then passes; of measured models
 * also the rows that a run takes at once. What the graph states is kept. None of it changes a result.
 */
export function fitMemory(wish: Wish, limits: Limits, stated: Stated, memories: Memories): Fitted | Shortage {
  const rss = limits.rssBytes ?? Number.POSITIVE_INFINITY;
  const vram = limits.vramBytes ?? Number.POSITIVE_INFINITY;
  const { nodes, workers, mediaInFlight: media } = wish;
  if (!Number.isFinite(rss) && !Number.isFinite(vram)) return { ...wish, passes: passesOf(nodes, memories, () => stated.schedule !== "stages"), shares: {} };
  const smaller = (size: number): PlanNode[] =>
    nodes.map((node) => (node.op.run.form === "batch" && !stated.batches.includes(node.name) && node.batch.size > size ? { ...node, batch: { ...node.batch, size } } : node));
  const shapes: Wish[] = [];
  for (const w of stated.workers ? [workers] : Array.from({ length: workers }, (_, i) => workers - i)) {
    for (const mediaInFlight of stated.mediaInFlight ? [media] : [...new Set([media, 1])]) {
      for (const size of [DEFAULT_BATCH, 8, 4, 1]) shapes.push({ nodes: smaller(size), workers: w, mediaInFlight });
    }
  }
  const least: Need = { rss: Number.POSITIVE_INFINITY, vram: Number.POSITIVE_INFINITY };
  const fits = (group: readonly PlanNode[], shape: Wish): boolean => {
    const need = needOf(group, shape, ringOf(shape), memories);
    return need.rss <= rss && need.vram <= vram;
  };
  const tried = (shape: Wish, passes: Pass[]): Fitted | null => {
    const peak = peakOf(shape, passes, memories);
    for (const kind of ["rss", "vram"] as const) least[kind] = Math.min(least[kind], peak[kind]);
    if (peak.rss > rss || peak.vram > vram) return null;
    const shares = residents(shape, passes).map((group) => sharesOf(group, shape, ringOf(shape), memories, rss));
    return { ...shape, passes, shares: Object.assign({}, ...shares) as Record<string, ModelShare> };
  };
  for (const inPasses of [false, true]) {
    if (stated.schedule === (inPasses ? "stream" : "stages")) continue;
    for (const shape of shapes) {
      const fitted = tried(shape, passesOf(shape.nodes, memories, (group) => !inPasses || (stated.schedule !== "stages" && fits(group, shape))));
      if (fitted) return fitted;
    }
  }
  return shortage(wish, limits, stated, memories, least);
}

function shortage({ nodes }: Wish, { rssBytes, vramBytes }: Limits, stated: Stated, memories: Memories, least: Need): Shortage {
  const stream = stated.schedule === "stream";
  const mega = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  const up = (bytes: number): number => Math.ceil(bytes / 1e6);
  const enough = (bytes: number): number => Math.ceil((bytes * JITTER_FACTOR) / ROUND_BYTES) * (ROUND_BYTES / 1e6);
  const measured = new Map(nodes.flatMap((node) => Object.values(node.models)).flatMap((model) => (memories.has(model.sha256) ? [[model.id, memories.get(model.sha256)!] as const] : [])));
  const each = [...measured].map(([id, { loadBytes, rows, least: atLeast }]) => `${id} ${mega(loadBytes)} to open${rows ? ` and ${mega(rows.firstBytes + (atLeast - 1) * rows.moreBytes)} for a run of ${atLeast === 1 ? "one row" : "two rows, its least"}` : ""}`);
  // Each limit that is too low; where each alone would do, both.
  const limits = [{ name: "memory", at: rssBytes, needs: least.rss, option: "rss" }, { name: "video memory", at: vramBytes, needs: least.vram, option: "vram" }].filter(({ at }) => at !== null);
  const low = limits.filter(({ at, needs }) => needs > at!);
  const told = low.length > 0 ? low : limits;
  const { at, needs } = told[0]!;
  const real = new Map(nodes.flatMap((node) => Object.values(node.models)).filter((model) => !model.mock).map((model) => [model.id, model]));
  const byFiles = told.some(({ option }) => option === "rss") ? [...real.values()].filter((model) => !memories.has(model.sha256)).map(({ id }) => id) : [];
  const basis =
    each.length > 0 ? ` (measured: ${each.join("; ")}${byFiles.length > 0 ? `; estimated by the files: ${byFiles.join(", ")}` : ""})`
    : byFiles.length > 0 ? " (estimated by the files of its models; a run measures those of runtime: onnx, which may give more)"
    : "";
  return {
    message: `The plan takes about ${told.map((one) => `${up(one.needs)} MB of ${one.name}`).join(" and ")} at least${stream ? " in one pass" : ""}${basis}, and ${told.length === 1 ? "the limit is" : "the limits are"} ${told.map((one) => mega(one.at!)).join(" and ")}.`,
    found: String(at),
    expected: `at least ${Math.ceil(needs)}`,
    hint: `${stream ? "Leave schedule: stream out, raise" : "Raise"} ${told.map((one) => `${one.option} to about ${enough(one.needs)}MB`).join(" and ")}, or lower workers, batch sizes, frame sizes or media_in_flight${each.length > 0 ? ", or give the role a smaller model" : ""}.`,
    least,
  };
}

/**
 * Without `limits: { rss }`: by the files of its models the plan takes no more than a share of the machine's memory, or as little as it can. An estimate
 * refuses nothing. `note`: what is less than wished, and why.
 */
export function fitMachine(wish: Wish, limits: Limits, stated: Stated, memoryBytes: number): { fit: Fitted | Shortage; note: string | null } {
  const share = memoryBytes * MACHINE_SHARE;
  const wished = fitMemory(wish, { rssBytes: null, vramBytes: null }, stated, UNMEASURED) as Fitted;
  if (peakOf(wished, wished.passes, UNMEASURED).rss <= share) return { fit: fitMemory(wish, limits, stated, UNMEASURED), note: null };
  const within = (rssBytes: number): Fitted | Shortage => fitMemory(wish, { ...limits, rssBytes }, stated, UNMEASURED);
  let fit = within(share);
  if (!("nodes" in fit)) fit = within(Math.max(share, fit.least.rss * JITTER_FACTOR));
  // What is left is the limit of video memory.
  if (!("nodes" in fit)) fit = fitMemory({ ...wish, workers: stated.workers ? wish.workers : 1 }, limits, stated, UNMEASURED);
  return { fit, note: "nodes" in fit ? noteOf(wished, fit, memoryBytes) : null };
}

function noteOf(wished: Fitted, fit: Fitted, memoryBytes: number): string {
  const [before, after] = [wished, fit].map((one) => peakOf(one, one.passes, UNMEASURED).rss) as [number, number];
  const giga = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  const workers = (n: number): string => `${n} worker${n === 1 ? "" : "s"}`;
  const changes = [
    ...(fit.workers < wished.workers ? [`${workers(fit.workers)} instead of ${wished.workers}`] : []),
    ...(fit.mediaInFlight < wished.mediaInFlight ? [`${fit.mediaInFlight} media at once instead of ${wished.mediaInFlight}`] : []),
    ...(fit.nodes.some(({ batch }, i) => batch.size < wished.nodes[i]!.batch.size) ? ["smaller batches"] : []),
    ...(fit.passes.length > wished.passes.length ? [`${fit.passes.length} passes`] : []),
  ];
  const count = `Estimated by the files of its models the run would take ${giga(before)} with ${workers(wished.workers)}, and this machine has ${giga(memoryBytes)}, of which ${MACHINE_SHARE * 100} % count: `;
  if (changes.length === 0) return `${count}the graph leaves nothing to lower. limits: { rss } sets a bound of your own.`;
  const still = after > memoryBytes * MACHINE_SHARE ? `; even so it may take ${giga(after)}` : "";
  return `${count}it runs with ${changes.join(", ")}${still}. limits: { rss } sets a bound of your own${fit.workers < wished.workers ? "; runtime: { workers } keeps their number" : ""}.`;
}
