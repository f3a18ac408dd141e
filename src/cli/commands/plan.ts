import type { Command } from "commander";
import { readdirSync } from "node:fs";
import { portToString, type ModelManifest, type Plan } from "../../contracts/index.js";
import type { MediumPlanState } from "../../engine/explain.js";
import type { Decode } from "../../graph/index.js";
import type { Store } from "../../store/index.js";
import { runCommand } from "../command-line.js";
import { act, define, names, storeFor, withGraph, withMocks, withStore as withStoreOption, type GraphOptions, type MockOptions, type StoreOptions } from "../define.js";
import type { PlanDocument, PlanNodeDocument, ResolvedDocument } from "../json.js";
import { requirePlan } from "../open-graph.js";
import { withStore } from "../open-store.js";
import { clock, colours, plural, print, printJson, size, table } from "../output.js";
import { problemLines } from "../problems.js";

interface Options extends GraphOptions, MockOptions, StoreOptions {
  only?: string[];
  from?: string;
  until?: string;
  resolved?: boolean;
}

export function command(): Command {
  const plan = define("plan", {
    description: "Opens and identifies the inputs and reads the store; decodes nothing and loads no model.",
    examples: [
      ["flow plan graphs/ego.yaml talk.mp4", "what a run on this video would do, and why"],
      ["flow plan graphs/ego.yaml -p threshold=30", "what a moved threshold makes stale"],
      ["flow plan graphs/ego.yaml --resolved", "every value of the graph with its origin"],
    ],
  })
    .argument("<graph>", "graph file")
    .argument("[input...]", "files, folders, globs, lists or URLs (default: those of the graph)")
    .option("--only <nodes>", "only these nodes and what they need (a,b)", names)
    .option("--from <node>", "this node and everything after it")
    .option("--until <node>", "this node and what it needs")
    .option("--resolved", "print every value with its origin instead");
  return act<Options>(withStoreOption(withMocks(withGraph(plan))), async ([graph, inputs], typedOptions) => {
    const options = { ...typedOptions, store: storeFor(typedOptions) };
    const typed = String(graph);
    const given = (inputs ?? []) as string[];
    const request = { params: options.param, profile: options.profile, inputs: given.length > 0 ? given : undefined, only: options.only, from: options.from, until: options.until, mock: options.mockModels };
    const { plan: estimated, problems } = await requirePlan(typed, request);
    if (options.resolved) return printResolved(estimated, options.json === true);

    const [{ checkStandIns, explainPlan, measuredPlan }, { decodesOf }] = await Promise.all([import("../../engine/index.js"), import("../../graph/index.js")]);
    const explain = async (store: Store | null) => {
      if (store) checkStandIns(store, options.mockModels !== undefined);
      const measured = measuredPlan(estimated, store);
      return { ...measured, media: await explainPlan(measured.plan, store, estimated.inputs) };
    };
    const { plan: planned, unmeasured, estimated: unmeasurable, media } = isToCome(options.store) ? await explain(null) : await withStore(options.store, explain);
    const decodes = decodesOf(planned);
    if (options.json) {
      return printJson({
        name: planned.name, file: planned.file, profile: planned.profile, hash: planned.hash, inputs: planned.inputs,
        params: Object.fromEntries(Object.entries(planned.params).map(([name, { value, origin }]) => [name, { value, from: origin.from }])),
        nodes: planned.nodes.map(describeNode), decode: decodes, outputs: planned.outputs, runtime: planned.runtime, passes: planned.passes,
        memory: planned.runtime.rssBytes === null ? null : { measured: sharesOf(planned), unmeasured: unmeasured.map(({ id }) => id), estimated: unmeasurable.map(({ id }) => id) },
        notes: planned.notes,
        media: media.map(({ uri, medium, state, why, nodes }) => ({ uri, id: medium, state, why, nodes })), problems,
      } satisfies PlanDocument);
    }
    if (problems.length > 0) print(`${problemLines(problems, colours)}\n`);
    printPlan(planned, decodes, media, unmeasured, unmeasurable);
    print();
    print(`${colours.dim("next:")} ${runCommand(typed, given, options)}`);
  });
}

/** No folder, or one that is still empty. What cannot be looked into is not: opening it says why. */
function isToCome(store: string): boolean {
  try {
    return readdirSync(store).length === 0;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/** Every value with the place it was written at, or where else it came from. */
async function printResolved(plan: Plan, json: boolean): Promise<void> {
  const { resolvedGraph } = await import("../../graph/index.js");
  const values = resolvedGraph(plan);
  if (json) return printJson({ file: plan.file, hash: plan.hash, resolved: values } satisfies ResolvedDocument);
  print(table(values.map(({ path, value, origin }) => [colours.cyan(path), JSON.stringify(value) ?? "null", colours.dim(origin.from === "graph" || origin.from === "default" ? `${origin.from} :${origin.line}` : `${origin.from} ${origin.file}:${origin.line}`)]), { head: ["value of", "is", "from"] }));
}

function describeNode(node: Plan["nodes"][number]): PlanNodeDocument {
  return {
    name: node.name, op: node.op.name, version: node.op.version, level: node.level,
    inputs: Object.fromEntries(Object.entries(node.inputs).map(([port, input]) => [port, { from: `${input.node}.${input.port}`, type: portToString(input.type), mode: input.mode }])),
    outputs: Object.fromEntries(Object.entries(node.outputs).map(([port, type]) => [port, portToString(type)])),
    models: Object.fromEntries(Object.entries(node.models).map(([role, model]) => [role, model.id])),
    when: node.when, runtime: node.runtime, batch: node.batch, config: node.config, key: node.key,
  };
}

const STATE_COLOUR = { cached: colours.green, new: colours.cyan, partial: colours.yellow, stale: colours.yellow, failed: colours.red, unknown: colours.dim } as const;

function printPlan(plan: Plan, decodes: readonly Decode[], media: readonly MediumPlanState[], unmeasured: readonly ModelManifest[], unmeasurable: readonly ModelManifest[]): void {
  print(`${colours.bold(plan.name)} ${colours.dim(plan.file)}  ${plural(plan.nodes.length, "node")}${plan.profile ? `  profile ${plan.profile}` : ""}  ${colours.dim(`plan ${plan.hash.slice(0, 12)}`)}`);
  print();
  print(colours.bold("decode") + colours.dim("  one ffmpeg per medium delivers"));
  print(table(decodes.map((decode) => [demandText(decode), colours.dim(plural(decode.slots, "slot")), decode.consumers.map(({ node }) => colours.cyan(node)).join(" ")])));
  print();
  printPasses(plan);
  printMemory(plan, unmeasured, unmeasurable);
  for (const note of plan.notes) print(`${colours.bold("memory")}  ${note}\n`);
  const [only] = media.length === 1 && media[0]!.nodes.length > 0 ? media : [];
  const states = new Map(only?.nodes.map((state) => [state.node, state]));
  const rows = plan.nodes.map((node) => {
    const state = states.get(node.name);
    const models = Object.values(node.models).map((model) => model.id).join(" ");
    const from = [...new Set(Object.values(node.inputs).map((input) => input.node))].join(" ");
    const row = [node.op.name, node.level, from, models];
    return state ? [colours.cyan(node.name), STATE_COLOUR[state.state](state.state), ...row, colours.dim(state.why)] : [colours.cyan(node.name), ...row];
  });
  print(table(rows, { head: only ? ["node", "state", "operator", "level", "reads", "model", "why"] : ["node", "operator", "level", "reads", "model"] }));
  print();
  if (media.length === 0) print("no input media");
  for (const medium of media) {
    print(`${colours.bold(medium.uri)}: ${medium.state === "unreadable" ? colours.red("unreadable") : medium.state === "incomplete" ? openStates(medium) : medium.state} ${colours.dim(`(${medium.why})`)}`);
  }
}

/** "incomplete: 2 nodes partial, 4 unknown"; of records that are only to be put together: "nothing to compute". */
function openStates({ nodes }: MediumPlanState): string {
  const counts = new Map<string, number>();
  for (const { state } of nodes) if (state !== "cached") counts.set(state, (counts.get(state) ?? 0) + 1);
  const open = [...counts].map(([state, n], i) => `${i === 0 ? plural(n, "node") : n} ${state}`);
  return open.length > 0 ? `incomplete: ${open.join(", ")}` : "nothing to compute";
}

/** Only where there is something to see: several passes, stand-ins, a device beside the CPU. */
function printPasses(plan: Plan): void {
  if (plan.passes.length > 1) {
    print(colours.bold("passes") + colours.dim("  each over all media, with its own models in memory; what it computes waits in the store"));
    print(table(plan.passes.map((pass, i) => [String(i + 1), pass.models.join(" ") || colours.dim("no model"), colours.dim(`about ${size(pass.bytes)} a worker`), pass.nodes.map((name) => colours.cyan(name)).join(" ")])));
    print();
  }
  const elsewhere = plan.nodes.flatMap((node) => Object.entries(node.runtime.devices).flatMap(([role, order]) => (order !== "auto" && order[0] === "cpu" ? [] : [[colours.cyan(node.name), node.models[role]?.id ?? role, order === "auto" ? "auto" : order.join(", ")]])));
  if (elsewhere.length > 0) {
    print(colours.bold("devices") + colours.dim("  tried in this order"));
    print(table(elsewhere));
    print();
  }
  const mocked = plan.nodes.filter((node) => Object.values(node.models).some((model) => model.mock)).map((node) => node.name);
  if (mocked.length > 0) print(`${colours.red("stand-ins instead of models")}: ${mocked.join(", ")}\n`);
}

/** What measured models take, and what of the limit they get. */
function sharesOf({ nodes, shares }: Plan): NonNullable<PlanDocument["memory"]>["measured"] {
  const ids = new Map(nodes.flatMap((node) => Object.values(node.models)).map((model) => [model.sha256, model.id]));
  return Object.entries(shares).map(([sha256, { measured, rows }]) => ({ model: ids.get(sha256) ?? sha256, residentBytes: measured.residentBytes, loadBytes: measured.loadBytes, firstRowBytes: measured.rows?.firstBytes ?? null, moreRowBytes: measured.rows?.moreBytes ?? null, rows }));
}

/** Only where there is a limit. */
function printMemory(plan: Plan, unmeasured: readonly ModelManifest[], unmeasurable: readonly ModelManifest[]): void {
  const { rssBytes, workers, mediaInFlight } = plan.runtime;
  if (rssBytes === null) return;
  const shape = `${plural(workers, "worker")}, ${mediaInFlight} media at once`;
  print(colours.bold("memory") + colours.dim(unmeasured.length + unmeasurable.length === 0 ? `  at most ${size(rssBytes)}: ${shape}` : `  limit ${size(rssBytes)}; an estimate: ${shape}`));
  print(table([
    ...sharesOf(plan).map(({ model, residentBytes, firstRowBytes, moreRowBytes, rows }) => [
      model, `${size(residentBytes)} a worker`, firstRowBytes === null ? colours.dim("its runs could not be measured") : `${size(firstRowBytes)} for a row, ${size(moreRowBytes ?? 0)} for each more`, colours.dim(rows === null ? "measured" : `measured; at most ${plural(rows, "row")} at once`),
    ]),
    ...unmeasured.map(({ id }) => [id, "", "", colours.dim("estimated from its files")]),
    ...unmeasurable.map(({ id, runtime }) => [id, "", "", colours.dim(`estimated from its files, as models ${runtime === "transformers" ? "of @huggingface/transformers" : "on a device"} always are`)]),
  ]));
  if (unmeasured.length > 0) print(colours.yellow(`  ${plural(unmeasured.length, "model")} not measured in this store yet: the first run does that, fits the plan again, and ends before the first frame where the limit is too low`));
  print();
}

function demandText({ video, audio }: Decode): string {
  if (video) {
    const size = Array.isArray(video.size) ? video.size.join("×") : "longest" in video.size ? `longest side ${video.size.longest}` : `shorter side ${video.size.shortest}`;
    return `video  ${size}, ${video.fps === "all" ? "every frame" : `${video.fps} frames/s`}, ${video.geometry} raster`;
  }
  return audio ? `audio  ${audio.sampleRate} Hz, ${audio.channels === 1 ? "mono" : "stereo"}, windows of ${clock(audio.windowUs, 3)} every ${clock(audio.hopUs, 3)}` : "";
}
