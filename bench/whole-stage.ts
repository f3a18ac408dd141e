/** One stage of a run taken alone: `node whole-stage.js discard|null|taps|pool|model INPUT COUNTS [GRAPH]` (default: ego). Prints what it cost for the whole input. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-node";
import type { DecodeSpec, Delivery, FrameTapFactory, AudioTapFactory, GridItem, MediumInfo, Plan, PlanNode } from "../src/contracts/index.js";
import { decodeInput, isVideoFed, planDecode } from "../src/engine/decode-plan.js";
import type { GridStream } from "../src/engine/grid.js";
import { loadGraph } from "../src/graph/index.js";
import { InferencePool } from "../src/inference/index.js";
import { abilities, ffmpegArgs, ffmpegPath, openDecode, probe } from "../src/media/index.js";
import { loadModels } from "../src/models/manifest.js";
import { catalogue } from "../src/operators/index.js";
import { EGO } from "./inputs.js";

export interface StageCost {
  /** CPU of this process and of its children for one pass over what was measured, scaled to `items` = the whole input. */
  cpuMs: Record<string, number>;
  wallMs: number;
}

const SAMPLE_FRAMES = 400;
const SAMPLE_WINDOWS = 40;
const MEASURE_MS = 1500;

const [stage, input, counts, graph = EGO] = process.argv.slice(2) as [string, string, string, string?];
/** Node → items of the whole run. */
const items = JSON.parse(counts ?? "{}") as Record<string, number>;

async function planned(info: MediumInfo): Promise<{ plan: Plan; spec: DecodeSpec; nodes: PlanNode[] }> {
  const models = fileURLToPath(new URL("../../models", import.meta.url));
  const own = process.env["BENCH_MODELS"];
  const { plan } = loadGraph({ path: graph, text: readFileSync(graph, "utf8") }, { catalogue, models: loadModels([models, ...(own ? [own] : [])]), environment: process.env }, { params: {}, inputs: [input], profile: undefined });
  if (!plan) throw new Error("the graph does not lint");
  const nodes = plan.nodes.filter((node) => node.level === "frame" && (isVideoFed(node) ? info.video : info.audio));
  // Nothing stored yet: all that planning a decode asks of a stream.
  const streams = nodes.map((node) => ({ node, complete: false, resumeUs: 0, verify: null }) as unknown as GridStream);
  const { spec } = planDecode(info, streams, plan)!;
  return { plan, spec, nodes };
}

function childrenCpuMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

/** The engine's own ffmpeg command into readers that discard, or with every output thrown away by ffmpeg itself. */
async function decodeAlone(info: MediumInfo, spec: DecodeSpec, toNull: boolean): Promise<StageCost> {
  const { passthrough } = await abilities();
  const { args, pipes } = ffmpegArgs(info, spec, { passthrough, seekUs: null });
  if (toNull) for (let i = 0; i < args.length; i++) if (args[i] === "tee") args.splice(i, 2, "null", "-");
  const cpu = process.cpuUsage();
  const children = childrenCpuMs();
  const started = performance.now();
  const child = spawn(ffmpegPath(), args, { stdio: ["ignore", "ignore", "inherit", "ignore", ...(toNull ? [] : pipes.flatMap(() => ["pipe", "pipe"] as const))] });
  if (!toNull) for (const pipe of pipes) for (const fd of [pipe.crcFd, pipe.rawFd]) (child.stdio[fd] as Readable).resume();
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`ffmpeg ended with ${String(code)}`);
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMs: { ffmpeg: childrenCpuMs() - children, ...(toNull ? {} : { reader: (user + system) / 1000 }) }, wallMs: performance.now() - started };
}

/** The first frames and windows of each output, copied. */
async function sampled(info: MediumInfo, spec: DecodeSpec): Promise<Map<string, GridItem[]>> {
  const all: DecodeSpec = { video: spec.video.map((o) => ({ ...o, deliver: true, taps: [] })), audio: spec.audio.map((o) => ({ ...o, deliver: true, taps: [] })) };
  const found = new Map([...all.video, ...all.audio].map((o) => [o.key, [] as GridItem[]]));
  const decode = openDecode(info, all);
  const keep = (delivery: Delivery): void => {
    const list = found.get(delivery.output)!;
    const { buffer, byteOffset, byteLength, width, height } = delivery.slot;
    if (list.length < (width > 0 ? SAMPLE_FRAMES : SAMPLE_WINDOWS)) {
      const copy = new SharedArrayBuffer(byteLength);
      new Uint8Array(copy).set(new Uint8Array(buffer, byteOffset, byteLength));
      list.push({ ptsUs: delivery.ptsUs, samples: delivery.samples, slot: { buffer: copy, byteOffset: 0, byteLength, width, height } });
    }
    delivery.release();
  };
  await new Promise<void>((resolve, reject) => {
    decode.events.subscribe({ next: (event) => event.type === "delivery" && keep(event.delivery), error: reject, complete: resolve });
  });
  return found;
}

/** CPU per pass of `work` over `n` items, times the node's items in the whole run. */
async function costOf(name: string, n: number, work: () => Promise<void> | void): Promise<[string, number]> {
  await work();
  const cpu = process.cpuUsage();
  const started = performance.now();
  let passes = 0;
  while (performance.now() - started < MEASURE_MS || passes < 2) {
    await work();
    passes += 1;
  }
  const { user, system } = process.cpuUsage(cpu);
  return [name, ((user + system) / 1000 / (passes * n)) * (items[name] ?? 0)];
}

async function tapsAlone(samples: Map<string, GridItem[]>, spec: DecodeSpec): Promise<[string, number][]> {
  const costs: [string, number][] = [];
  for (const output of spec.video) {
    const frames = samples.get(output.key)!.map(({ ptsUs, slot }) => ({ ptsUs, pixels: new Uint8Array(new Uint8Array(slot.buffer)) }));
    const { width, height } = samples.get(output.key)![0]!.slot;
    for (const { key, tap } of output.taps) {
      const made = ((await import(tap.module)) as Record<string, FrameTapFactory>)[tap.export]!(tap.config, { width, height });
      const row = new Float32Array(made.columns.length);
      costs.push(await costOf(key, frames.length, () => frames.forEach(({ pixels, ptsUs }) => made.push(pixels, ptsUs, row))));
    }
  }
  for (const output of spec.audio) {
    const windows = samples.get(output.key)!.map(({ slot }) => Float32Array.from(new Float32Array(slot.buffer)));
    const { sampleRate, channels } = output.demand;
    for (const { key, tap } of output.taps) {
      const made = ((await import(tap.module)) as Record<string, AudioTapFactory>)[tap.export]!(tap.config, { sampleRate, channels, startUs: 0 });
      const rows = windows.reduce((sum, pcm) => sum + pcm.length, 0) / channels / sampleRate / 0.1;
      costs.push(await costOf(key, rows, () => windows.forEach((pcm) => made.push(pcm, () => undefined))));
    }
  }
  return costs;
}

const outputOf = (spec: DecodeSpec, node: PlanNode): string => {
  const demand = decodeInput(node)!;
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  return ("video" in demand ? spec.video.find((o) => same(o.demand, demand.video)) : spec.audio.find((o) => same(o.demand, demand.audio)))!.key;
};

/** Batch nodes through a pool of one worker: preprocessing, model or encoder, dispatch. */
async function poolAlone(samples: Map<string, GridItem[]>, spec: DecodeSpec, nodes: PlanNode[]): Promise<[string, number][]> {
  const costs: [string, number][] = [];
  await using pool = new InferencePool({ workers: 1, intraOpThreads: 1 });
  for (const node of nodes.filter(({ op }) => op.run.form === "batch")) {
    const list = samples.get(outputOf(spec, node))!;
    costs.push(
      await costOf(node.name, list.length, async () => {
        for (let i = 0; i < list.length; i += node.batch.size) await pool.run({ kind: "batch", module: node.op.module, operator: node.op.name, node: node.name, config: node.config, models: node.models, items: list.slice(i, i + node.batch.size) });
      }),
    );
  }
  return costs;
}

/** ONNX Runtime alone, on ready tensors. */
async function modelsAlone(nodes: PlanNode[]): Promise<[string, number][]> {
  const costs: [string, number][] = [];
  for (const node of nodes) {
    for (const model of Object.values(node.models)) {
      const session = await ort.InferenceSession.create(model.file, { intraOpNumThreads: 1, interOpNumThreads: 1 });
      const [first] = model.inputs;
      const { preprocess } = model;
      const dims = preprocess.kind === "image" ? [node.batch.size, 3, preprocess.size[1], preprocess.size[0]] : preprocess.kind === "audio" ? [node.batch.size, Math.round(preprocess.windowSeconds * preprocess.sampleRate)] : null;
      if (!dims) continue;
      const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => ((i * 7919) % 256) / 255);
      const feeds = { [first!.name]: new ort.Tensor("float32", data, dims) };
      costs.push(await costOf(node.name, node.batch.size, async () => void (await session.run(feeds))));
    }
  }
  return costs;
}

const info: MediumInfo = { ...(await probe(input)), id: "none", memoisable: false };
const { spec, nodes } = await planned(info);
const started = performance.now();
let cost: StageCost;
if (stage === "discard" || stage === "null") cost = await decodeAlone(info, spec, stage === "null");
else {
  const entries =
    stage === "taps" ? await tapsAlone(await sampled(info, spec), spec) : stage === "pool" ? await poolAlone(await sampled(info, spec), spec, nodes) : await modelsAlone(nodes);
  cost = { cpuMs: Object.fromEntries(entries), wallMs: performance.now() - started };
}
console.log(JSON.stringify(cost));
