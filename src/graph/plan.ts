import { EXIT, FlowError, type DeviceOrder, type ModelManifest, type NodeRuntime, type Origin, type Plan, type PlanInput, type PlanNode, type Problem } from "../contracts/index.js";
import type { Memories } from "./budget.js";
import { DEFAULT_BATCH, DEFAULT_MEDIA, fitMachine, fitMemory, type Fitted, type Limits, type Wish } from "./fit-memory.js";
import { demandsOf, groupDemands } from "./demand.js";
import { shortHash } from "./hash.js";
import type { LinkedGraph } from "./link.js";
import { reach } from "./order.js";
import { reporter, type Reporter } from "./problems.js";
import { resolvedValues } from "./resolved.js";
import { chooseDevices } from "./roles.js";
import { checkTimeout } from "./runtime.js";
import type { At } from "./tree.js";
import { reportRefusal, type LinkedNode } from "./wire.js";

export interface PlanOptions {
  /** Version of the decoder, which goes into the keys of what reads pictures and sound: another one may give other frames and samples. */
  decoder?: string | undefined;
  /** Only these nodes and what they read. */
  only?: readonly string[] | undefined;
  /** Only the outputs behind this node, and all that they read. */
  from?: string | undefined;
  /** Nothing behind this node. */
  until?: string | undefined;
  /** Nodes whose stored results will not count: they have to be among those that run. */
  force?: readonly string[] | undefined;
  /** Inference workers, when the graph does not say (the caller knows the machine). */
  workers?: number | undefined;
  /** Memory of the machine, of which a graph without `limits: { rss }` takes a share. Not given: as much as it wants. */
  memoryBytes?: number | undefined;
}

const DEFAULT_WORKERS = 2;
const DEFAULT_WAIT_MS = 40;
const BLOCK_US = 16_000_000;
/** Up to this difference a result is the same result, wherever it was computed: it has one memo key. */
const SAME_RESULT = 1e-3;

/** Prunes to what is asked for, states demand, keys and slots. `plan` is null when something is wrong. */
export function planGraph(linked: LinkedGraph, options: PlanOptions = {}): { plan: Plan | null; problems: Problem[] } {
  const report = reporter(linked.file);
  const wanted = choose(linked, options, report);
  const { runtime: asked } = linked;
  const wantedNodes = [...linked.nodes.values()].filter((node) => wanted.has(node.draft.name));
  const planned = new Map<string, PlanNode>();
  for (const node of wantedNodes) planned.set(node.draft.name, planNode(node, linked, planned, options.decoder, report));
  for (const node of wantedNodes) checkFrameInputs(node, planned, report);
  checkBeforeScenes(wantedNodes, planned, report);
  checkTimeout(asked.pool, asked.pool.isolation ?? "thread", report);
  const stated: Plan["stated"] = { schedule: asked.schedule, workers: asked.workers !== null, mediaInFlight: asked.mediaInFlight !== null, batches: wantedNodes.filter(({ draft }) => draft.batch.size !== null).map(({ draft }) => draft.name) };
  const limits = { rssBytes: asked.rssBytes?.value ?? null, vramBytes: asked.vramBytes };
  const wish = { nodes: [...planned.values()], workers: asked.workers ?? options.workers ?? DEFAULT_WORKERS, mediaInFlight: asked.mediaInFlight ?? DEFAULT_MEDIA };
  const { nodes, workers, mediaInFlight, passes, notes } = fitted(wish, limits, stated, options.memoryBytes, linked, report);
  // One batch per worker: more would only wait in the pool's queue while holding slots.
  const batchesInFlight = workers;
  const decodes = groupDemands(nodes, batchesInFlight);
  const needed = decodes.reduce((sum, decode) => sum + decode.slots, 0);
  const slots = asked.slots?.value ?? Math.max(needed, 2);
  if (asked.slots && slots < needed) {
    const shares = decodes.map((decode) => `${decode.consumers.map((consumer) => consumer.node).join("+")} ${decode.slots}`).join(", ");
    report.add("SLOTS", asked.slots.at, `${slots} slots cannot hold the batches in flight: ${needed} are needed (${shares}; Σ batch × (${batchesInFlight} in flight + 1) + 1 per decode).`, {
      found: String(slots),
      expected: `at least ${needed}`,
      hint: `Write slots: ${needed}, leave it out, or make batches smaller; flow plan ${linked.file} prints the decodes.`,
    });
  }
  const { outputs, omitted } = outputsOf(linked, wanted);
  if (report.problems.some((problem) => problem.severity === "error")) return { plan: null, problems: report.problems };
  const runtime: Plan["runtime"] = {
    workers, mediaInFlight, scenesInFlight: asked.scenesInFlight ?? 64, slots, blockUs: asked.blockUs ?? BLOCK_US, batchesInFlight,
    isolation: asked.pool.isolation ?? "thread", timeoutMs: asked.pool.timeout?.ms ?? null, ...limits,
  };
  const params = Object.fromEntries([...linked.params].map(([name, { value, at }]) => [name, { value, origin: originOf(at, linked.file) }]));
  const inputs = inputsOf(linked, nodes);
  const plan: Plan = { name: linked.name, file: linked.file, params, profile: linked.profile, inputs, nodes, outputs, omitted, runtime, passes, stated, shares: {}, notes, resolved: [], hash: planHash(nodes, outputs, runtime) };
  plan.resolved = resolvedValues(plan, linked.root);
  return { plan, problems: report.problems };
}

/** By the sizes of the models' files. */
function fitted(wish: Wish, limits: Limits, stated: Plan["stated"], memoryBytes: number | undefined, linked: LinkedGraph, report: Reporter): Fitted & Pick<Plan, "notes"> {
  const { fit, note } = limits.rssBytes === null && memoryBytes !== undefined ? fitMachine(wish, limits, stated, memoryBytes) : { fit: fitMemory(wish, limits, stated, new Map()), note: null };
  if ("nodes" in fit) return { ...fit, notes: note === null ? [] : [note] };
  const { message, least: _, ...more } = fit;
  report.add("MEMORY_LIMIT", linked.runtime.rssBytes?.at ?? linked.root.at, message, more);
  return { ...wish, passes: [], shares: {}, notes: [] };
}

/** The same plan by what its models were measured to take: what it says of how much runs at once only shrinks. Throws MEMORY_LIMIT. */
export function refitPlan(plan: Plan, memories: Memories): Plan {
  if (memories.size === 0) return plan;
  const { workers, mediaInFlight } = plan.runtime;
  const fit = fitMemory({ nodes: plan.nodes, workers, mediaInFlight }, plan.runtime, plan.stated, memories);
  if (!("nodes" in fit)) throw new FlowError("MEMORY_LIMIT", fit.message, { hint: fit.hint, exit: EXIT.badInput });
  return { ...plan, nodes: fit.nodes, passes: fit.passes, shares: fit.shares, runtime: { ...plan.runtime, workers: fit.workers, mediaInFlight: fit.mediaInFlight, batchesInFlight: fit.workers } };
}

export const originOf = (at: At, file: string): Origin => ({ file, line: at.line, column: at.column, from: at.from });

/** What is to be opened: as the sources say, whether a parameter fills it or the graph names it; else the media parameters. */
function inputsOf(linked: LinkedGraph, nodes: readonly PlanNode[]): string[] {
  const texts = (value: unknown): string[] => [value].flat().filter((item): item is string => typeof item === "string");
  const opened = nodes.filter((node) => node.op.run.form === "source").flatMap((node) => texts((node.config as { uri?: unknown } | null)?.uri));
  const given = [...linked.params.values()].filter((param) => param.types.includes("media")).flatMap((param) => texts(param.value));
  return [...new Set(opened.length > 0 ? opened : given)];
}

/** Outputs that are made whole. A record is never written by halves: it would hide what a run of the whole graph has put there. */
function outputsOf(linked: LinkedGraph, wanted: ReadonlySet<string>): Pick<Plan, "outputs" | "omitted"> {
  const outputs: Plan["outputs"] = [];
  const omitted: Plan["omitted"] = [];
  for (const { at: _, ...output } of linked.outputs) {
    const from = output.from.filter((name) => linked.nodes.has(name));
    if (from.length === 0) continue;
    if (from.every((name) => wanted.has(name))) outputs.push({ ...output, from });
    else omitted.push(output.kind);
  }
  return { outputs, omitted };
}

/** Names of the nodes that will run. */
function choose(linked: LinkedGraph, options: PlanOptions, report: Reporter): Set<string> {
  const sources = (name: string): string[] => {
    const node = linked.nodes.get(name);
    return node ? [...Object.values(node.inputs).map((input) => input.node), ...(node.scenes !== null && node.scenes !== name ? [node.scenes] : [])] : [];
  };
  const known = (name: string, option: string): boolean => {
    if (linked.names.has(name)) return true;
    report.add("UNKNOWN_NODE", { line: 1, column: 1 }, `--${option} ${name}: the graph has no such node.`, { found: name, among: linked.names });
    return false;
  };
  const ends = linked.outputs.flatMap((output) => output.from);
  let targets = ends.length > 0 ? ends : [...linked.nodes.keys()];
  if (options.only && options.only.length > 0) targets = options.only.filter((name) => known(name, "only"));
  if (options.until !== undefined && !known(options.until, "until")) targets = [];
  else if (options.until !== undefined) {
    const needed = reach([options.until], sources);
    targets = options.only?.length ? targets.filter((name) => needed.has(name)) : [options.until];
  }
  if (options.from !== undefined && known(options.from, "from")) {
    const first = options.from;
    targets = targets.filter((name) => reach([name], sources).has(first));
  }
  const left = targets.filter((name) => linked.nodes.has(name));
  if (left.length === 0 && report.problems.length === 0) reportEmpty(linked, options, targets, report);
  const wanted = reach(left, sources);
  for (const name of options.force ?? []) {
    if (wanted.has(name) || !known(name, "force")) continue;
    report.add("UNKNOWN_NODE", { line: 1, column: 1 }, `--force ${name}: ${linked.nodes.has(name) ? "this run does not need it" : "it is disabled here"}.`, { found: name, expected: [...linked.nodes.keys()].filter((one) => wanted.has(one)).join(", "), hint: "Leave it out, or choose what it is part of." });
  }
  return wanted;
}

/** A choice that leaves nothing would run nothing and call it done. */
function reportEmpty({ disabled, names, nodes }: LinkedGraph, { only = [], from, until }: PlanOptions, targets: readonly string[], report: Reporter): void {
  const named = [...only, ...(until === undefined ? [] : [until]), ...(from === undefined ? [] : [from])];
  // A node that is neither there nor disabled is broken, which is reported.
  if (named.length === 0 || [...targets, ...named].some((name) => names.has(name) && !nodes.has(name) && !disabled.has(name))) return;
  const off = named.filter((name) => disabled.has(name));
  const wanted = only.join(", ");
  const why =
    off.length > 0 ? `${off.join(", ")} ${off.length > 1 ? "are" : "is"} disabled here`
    : only.length > 0 && until !== undefined ? `${until} does not need ${wanted}${from === undefined ? "" : `, or that does not need ${from}`}`
    : `${only.length > 0 ? wanted : (until ?? "what the outputs read")} does not need ${from}`;
  const choice = [only.length > 0 ? `--only ${only.join(",")}` : "", from === undefined ? "" : `--from ${from}`, until === undefined ? "" : `--until ${until}`].filter(Boolean).join(" ");
  report.add("NOTHING_CHOSEN", { line: 1, column: 1 }, `${choice} leaves no node to run: ${why}.`, { found: choice, expected: "enabled nodes that need each other", hint: "flow graph FILE draws which node needs which." });
}

function nodeRuntime({ draft, op, models }: LinkedNode, linked: LinkedGraph, report: Reporter): NodeRuntime {
  const { pool } = linked.runtime;
  const byRole = chooseDevices(draft, op, linked.roles);
  const devices: Record<string, DeviceOrder> = {};
  for (const role of Object.keys(models)) devices[role] = draft.runtime.device ?? byRole[role] ?? pool.device ?? ["cpu"];
  const check = draft.runtime.check ?? pool.check ?? SAME_RESULT;
  const isolation = draft.runtime.isolation ?? pool.isolation ?? "thread";
  checkTimeout(draft.runtime, isolation, report);
  return { devices, check: check === "off" ? null : check, isolation, timeoutMs: draft.runtime.timeout?.ms ?? pool.timeout?.ms ?? null };
}

function planNode(node: LinkedNode, linked: LinkedGraph, planned: ReadonlyMap<string, PlanNode>, decoder: string | undefined, report: Reporter): PlanNode {
  const { draft, op } = node;
  const { file } = linked;
  let demands: ReturnType<typeof demandsOf> = {};
  try {
    demands = demandsOf(node);
  } catch (thrown) {
    reportRefusal(node, thrown, "cannot say what it needs decoded", report);
  }
  const inputs: Record<string, PlanInput> = {};
  for (const [entry, input] of Object.entries(node.inputs)) {
    const demand = demands[entry] ?? {};
    if (input.type.kind === "frames" && !demand.video) {
      report.add("MISSING_KEY", node.refs[entry]?.at ?? draft.keyAt, `${draft.name} reads frames, and neither ${op.name} nor the input says in which size.`, { found: "nothing", expected: "size: [width, height]", hint: `in: { ${entry}: { from: ${input.node}.${input.port}, size: { longest: 256 } } }` });
    }
    inputs[entry] = { ...input, ...demand };
  }
  const batched = op.run.form === "batch" || op.run.form === "eachBatch";
  const runtime = nodeRuntime(node, linked, report);
  const size = draft.batch.size ?? (batched ? DEFAULT_BATCH : 1);
  return {
    name: draft.name,
    op,
    config: draft.config,
    level: node.level,
    inputs,
    outputs: node.outputs,
    models: node.models,
    scenes: node.scenes,
    absent: node.absent,
    when: node.when,
    runtime,
    batch: { size, waitMs: draft.batch.waitMs ?? DEFAULT_WAIT_MS },
    queue: { max: draft.queueMax ?? Math.max(32, 2 * size), policy: "block" },
    onError: draft.onError,
    missing: null,
    key: nodeKey(node, inputs, planned, runtime, decoder),
    origin: originOf(draft.keyAt, file),
  };
}

/**
 * The static part of a memo key. The rate is left out: a frame's vector does not depend on which others are sampled. A tap is a
 * fold over consecutive frames, so for it the rate belongs to the result. What media.open opens is the item, not the operator. Values that a
 * frame-level node reads of another one are not digested frame by frame: that node's own key stands for them. The device is left out as long as it has to
 * agree with the CPU within 1e-3: then it is the same result; a graph that allows more (`check: off`) gets keys of its own. What is decoded goes by the decoder's version.
 */
function nodeKey(node: LinkedNode, inputs: Readonly<Record<string, PlanInput>>, planned: ReadonlyMap<string, PlanNode>, runtime: NodeRuntime, decoder: string | undefined): string {
  const { op, draft, models } = node;
  const tap = op.run.form === "tap";
  const demand: Record<string, unknown> = {};
  for (const [entry, { video, audio }] of Object.entries(inputs)) {
    if (video) demand[entry] = { size: video.size, geometry: video.geometry, ...(tap ? { fps: video.fps } : {}) };
    else if (audio) demand[entry] = { sampleRate: audio.sampleRate, channels: audio.channels, windowUs: audio.windowUs, ...(tap ? { hopUs: audio.hopUs } : {}) };
  }
  for (const [entry, input] of frameInputs(inputs, node.level)) demand[entry] = { of: planned.get(input.node)?.key, port: input.port };
  const config: unknown = op.run.form === "source" && typeof draft.config === "object" ? { ...draft.config, uri: undefined } : draft.config;
  return shortHash({ op: op.name, version: op.version, level: op.level === "inherit" ? node.level : undefined, config, models: Object.fromEntries(Object.entries(models).map(([role, model]) => [role, modelKey(model)])), demand, ...looseDevices(runtime), ...(decodes(inputs) ? { decoder } : {}) });
}

/** Reads frames, samples, the medium itself or its subtitles. */
const decodes = (inputs: Readonly<Record<string, PlanInput>>): boolean =>
  Object.values(inputs).some(({ type, video, audio }) => video || audio || type.kind === "clip" || type.kind === "subtitles");

function looseDevices({ devices, check }: NodeRuntime): { devices?: unknown } {
  const other = Object.entries(devices).filter(([, order]) => order === "auto" || order[0] !== "cpu");
  return other.length > 0 && (check === null || check > SAME_RESULT) ? { devices: { check, order: Object.fromEntries(other) } } : {};
}

/** What of a manifest decides results: its files, and what is done before and after them. */
const modelKey = ({ sha256, family, preprocess, output, settings }: ModelManifest): unknown => ({ sha256, family, preprocess, output, settings });

/** Inputs of a frame-level node that are values of other frame-level nodes. */
function frameInputs(inputs: Readonly<Record<string, PlanInput>>, level: PlanNode["level"]): [string, PlanInput][] {
  return level === "frame" ? Object.entries(inputs).filter(([, input]) => input.type.level === "frame" && !input.video && !input.audio && input.type.kind !== "frames" && input.type.kind !== "audio") : [];
}

/** A frame's value can only be read where both nodes see that frame. */
function checkFrameInputs(node: LinkedNode, planned: ReadonlyMap<string, PlanNode>, report: Reporter): void {
  const own = planned.get(node.draft.name)!;
  const rate = (other: PlanNode | undefined): unknown => Object.values(other?.inputs ?? {}).map((input) => input.video?.fps ?? input.audio?.hopUs).find((value) => value !== undefined);
  for (const [entry, input] of frameInputs(own.inputs, own.level)) {
    const theirs = rate(planned.get(input.node));
    if (theirs === rate(own)) continue;
    report.add("RATE_MISMATCH", node.refs[entry]?.at ?? node.draft.keyAt, `${own.name} reads ${input.node} frame by frame, and they do not see the same frames.`, {
      found: `fps ${String(rate(own))}, and ${String(theirs)} in ${input.node}`,
      expected: "the same fps on both inputs",
      hint: `Write fps: ${String(theirs)} on the frames of ${own.name}.`,
    });
  }
}

/** What scenes read of a node of the whole medium is made before them: it cannot wait for scenes or frames itself. */
function checkBeforeScenes(nodes: readonly LinkedNode[], planned: ReadonlyMap<string, PlanNode>, report: Reporter): void {
  for (const node of nodes.filter(({ level }) => level === "scene")) {
    for (const [entry, input] of Object.entries(node.inputs)) {
      if (planned.get(input.node)?.level !== "media") continue;
      const below = reach([input.node], (name) => Object.values(planned.get(name)?.inputs ?? {}).map((i) => i.node));
      const late = [...below].find((name) => planned.get(name)?.level === "scene" || planned.get(name)?.level === "frame");
      if (late === undefined) continue;
      report.add("NOT_SUPPORTED", node.refs[entry]?.at ?? node.draft.keyAt, `${node.draft.name} runs by scene and reads ${input.node}, which is known only when the whole medium is (it reads ${late}).`, {
        found: `${input.node} of the whole medium`,
        expected: "a node of the medium that reads only media.clip, media.info or media.subtitles",
        hint: `Run ${node.draft.name} over: media, or feed it by scene.`,
      });
    }
  }
}

/** Keys, edges, rates, conditions and outputs: two plans with the same hash give the same results on the same media. */
function planHash(nodes: readonly PlanNode[], outputs: Plan["outputs"], runtime: Plan["runtime"]): string {
  return shortHash({
    nodes: nodes
      .map((node) => ({
        name: node.name,
        key: node.key,
        level: node.level,
        when: node.when,
        scenes: node.scenes,
        absent: [...node.absent].sort(),
        inputs: Object.fromEntries(Object.entries(node.inputs).map(([entry, { node: source, port, into, mode, video, audio }]) => [entry, { source, port, into, mode, fps: video?.fps, hopUs: audio?.hopUs }])),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    outputs,
    blockUs: runtime.blockUs,
  });
}

