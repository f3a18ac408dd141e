/** What a plan takes in memory: from the size of its models' files, or as they were measured; and how a run is cut into passes when they do not fit together. */
import type { ModelManifest, ModelMemory, ModelShare, Pass, PlanNode } from "../contracts/index.js";

/** Engine, store and one decoder beside the rings: measured on the lite profile, rounded up. */
const BASE_BYTES = 220e6;
/** A worker with ONNX Runtime and sharp, before its first model: a thread, and a process with a Node of its own. */
const WORKER_BYTES = { thread: 70e6, process: 150e6 } as const;
/** A session takes its weights and what it computes with; while it is made, the file too. */
const SESSION_FACTOR = 1.3;
/** An arena's pieces are larger than what is put into them: measured 1.00 to 1.05 at powers of two, up to 1.2 between them. */
const ARENA_FACTOR = 1.1;
/**
 * Video memory of a process that uses a device, before its first model; and what a batch takes there: so many times its input, at least. Read off an H200 (WebGPU, 2026-11-28,
 * bench/gpu.bench.ts): 54 MB; a ViT-B/32 of 350 MB took 442 MB with one row, 511 MB with 16, 713 MB with 64; other models 5 to 10 times their input. Buffers are the
 * device's, not the session's: models share them.
 */
const DEVICE_BYTES = 64e6;
const DEVICE_RUN_FACTOR = 10;
const DEVICE_RUN_BYTES = 48e6;
/** Of that process in the machine's memory, and of each model in it, by the size of its file: 985 MB with one of 350 MB, 2044 MB with three (the same H200). */
const DEVICE_PROCESS_BYTES = 350e6;
const DEVICE_RESIDENT_FACTOR = 1.8;
/** Of a text, in tokens, masks and the like. */
const TEXT_ROW_BYTES = 16e3;
/** Rows of a run of operators that cut no batches: more at once are no faster on a CPU (feeds.ts, src/inference). */
const ROWS_OF_EACH = 16;
/** A batch's inputs and outputs: once as they are made, once as they go in and come out. */
const BATCH_COPIES = 2;

export interface Shape {
  workers: number;
  mediaInFlight: number;
}

/** SHA-256 → what the model was measured to take; a model that is not in it is estimated. */
export type Memories = ReadonlyMap<string, ModelMemory>;

interface Resident {
  model: ModelManifest;
  gpu: boolean;
  memory: ModelMemory | undefined;
  /** Rows that its nodes send at once on the CPU. */
  wanted: number;
  /** Rows of a batch of its nodes. */
  batch: number;
}

/** Models of @huggingface/transformers run on the CPU, whatever is asked for. */
const accelerated = (node: PlanNode, role: string): boolean => {
  if (node.models[role]?.runtime === "transformers") return false;
  const order = node.runtime.devices[role] ?? ["cpu"];
  return order === "auto" || order[0] !== "cpu";
};

/** What a model takes where it runs, once, runs not counted. */
const residentBytes = (model: ModelManifest, memory: ModelMemory | undefined): number => memory?.residentBytes ?? (model.mock ? 0 : Math.ceil(model.sizeBytes * SESSION_FACTOR));

/** Models of these nodes by hash, each once, with the memory it is in: what was measured runs on the CPU. */
function modelsOf(nodes: readonly PlanNode[], memories: Memories): Map<string, Resident> {
  const models = new Map<string, Resident>();
  for (const node of nodes) {
    for (const [role, model] of Object.entries(node.models)) {
      const known = models.get(model.sha256);
      const memory = memories.get(model.sha256);
      const batch = node.op.run.form === "each" ? ROWS_OF_EACH : node.batch.size;
      const wanted = Math.min(memory?.atOnce ?? 1, batch);
      models.set(model.sha256, { model, memory, gpu: !memory && (accelerated(node, role) || (known?.gpu ?? false)), wanted: Math.max(wanted, known?.wanted ?? 1), batch: Math.max(batch, known?.batch ?? 1) });
    }
  }
  return models;
}

export interface Need {
  rss: number;
  vram: number;
}

/** As few as give the same bits. */
const leastRows = ({ memory }: Resident): number => memory?.least ?? 1;

const runBytes = ({ memory }: Resident, rows: number): number => (memory?.rows ? (memory.rows.firstBytes + (rows - 1) * memory.rows.moreBytes) * ARENA_FACTOR : 0);

/** What a batch takes on a device. */
function deviceRunBytes({ model, batch }: Resident): number {
  const { preprocess } = model;
  const row = preprocess.kind === "image" ? preprocess.size[0] * preprocess.size[1] * 12 : preprocess.kind === "audio" ? preprocess.sampleRate * preprocess.windowSeconds * 4 : TEXT_ROW_BYTES;
  const fixed = model.inputs[0]?.dims[0];
  return Math.max(DEVICE_RUN_BYTES, row * (typeof fixed === "number" ? fixed : batch) * DEVICE_RUN_FACTOR);
}

/** What opening it takes for a moment. */
const openingBytes = ({ model, memory }: Resident): number => (memory ? memory.loadBytes - memory.residentBytes : model.mock ? 0 : model.sizeBytes);

/** Of a plan, or of one pass of it, at least. Rings: bytes of one medium's. */
export const needOf = (nodes: readonly PlanNode[], shape: Shape, ringBytes: number, memories: Memories): Need => needWith(nodes, shape, ringBytes, memories, leastRows);

function needWith(nodes: readonly PlanNode[], { workers, mediaInFlight }: Shape, ringBytes: number, memories: Memories, rowsOf: (model: Resident) => number): Need {
  const models = [...modelsOf(nodes, memories).values()];
  const inWorkers = models.filter(({ gpu }) => !gpu);
  const resident = inWorkers.reduce((sum, one) => sum + residentBytes(one.model, one.memory) + runBytes(one, rowsOf(one)), 0);
  // The last one is opened when the others have run.
  const loading = Math.max(0, ...inWorkers.map((one) => openingBytes(one) - runBytes(one, rowsOf(one))));
  const onDevice = models.filter(({ gpu, model }) => gpu && !model.mock);
  const vram = onDevice.length === 0 ? 0 : DEVICE_BYTES + onDevice.reduce((sum, { model, memory }) => sum + residentBytes(model, memory), 0) + Math.max(...onDevice.map(deviceRunBytes));
  const pooled = nodes.filter((node) => ["batch", "eachBatch"].includes(node.op.run.form) || (node.op.run.form === "each" && node.op.run.thread === "pool"));
  const kinds = new Set(pooled.map((node) => node.runtime.isolation));
  const worker = [...kinds].reduce((sum, kind) => sum + WORKER_BYTES[kind], 0);
  const batch = Math.max(0, ...nodes.map((node) => node.batch.size * BATCH_COPIES * Object.values(node.models).reduce((sum, model) => sum + (memories.get(model.sha256)?.ioBytes ?? 0), 0)));
  const device = onDevice.length === 0 ? 0 : DEVICE_PROCESS_BYTES + DEVICE_RESIDENT_FACTOR * onDevice.reduce((sum, { model }) => sum + model.sizeBytes, 0);
  return { rss: BASE_BYTES + ringBytes * mediaInFlight + device + (pooled.length > 0 ? workers * (worker + resident + loading + batch) : 0), vram };
}

/** Rows that each measured model of these nodes may run at once, when the least of all fits: all that are wanted, as far as there is room; the heaviest gives way first. */
export function sharesOf(nodes: readonly PlanNode[], shape: Shape, ringBytes: number, memories: Memories, rss: number): Record<string, ModelShare> {
  const measured = [...modelsOf(nodes, memories)].filter(([, { memory }]) => memory !== undefined);
  const models = measured.filter(([, { memory }]) => memory!.rows !== null);
  const rows = new Map(models.map(([sha256, { wanted, memory }]) => [sha256, powerOfTwo(Math.max(wanted, memory!.least))]));
  const rowsOf = (one: Resident): number => rows.get(one.model.sha256) ?? 1;
  while (needWith(nodes, shape, ringBytes, memories, rowsOf).rss > rss) {
    const [heaviest] = models.filter(([, one]) => rowsOf(one) > leastRows(one)).sort(([, a], [, b]) => runBytes(b, rowsOf(b)) - runBytes(a, rowsOf(a)));
    if (!heaviest) break;
    rows.set(heaviest[0], rowsOf(heaviest[1]) / 2);
  }
  return Object.fromEntries(measured.map(([sha256, { memory }]) => [sha256, { measured: memory!, rows: rows.get(sha256) ?? null }]));
}

const powerOfTwo = (atMost: number): number => 2 ** Math.floor(Math.log2(atMost));

/**
 * Groups nodes so that the models of each group fit together (`fits`), in the order of the plan: a group takes the next node with models as
 * long as it fits. Nodes without models go where they are first needed, those of the time grid into the first decode; the last pass has
 * everything else.
 */
export function passesOf(nodes: readonly PlanNode[], memories: Memories, fits: (group: readonly PlanNode[]) => boolean): Pass[] {
  const groups: PlanNode[][] = [];
  const groupOf = new Map<string, number>();
  for (const node of nodes.filter((one) => Object.keys(one.models).length > 0)) {
    const earliest = Math.max(0, ...upstream([node], nodes).map((one) => groupOf.get(one.name) ?? 0));
    // Where its models are loaded anyway, else beside the last ones, else alone.
    let index = groups.findIndex((group, i) => i >= earliest && sameModels(group, node));
    if (index < 0) index = groups.length > 0 && fits([...groups.at(-1)!, node]) ? groups.length - 1 : groups.length;
    (groups[index] ??= []).push(node);
    groupOf.set(node.name, index);
  }
  if (groups.length <= 1) return [passOf(nodes, nodes, memories)];
  const taken = new Set<string>();
  return groups.map((group, i) => {
    // What folds frames without a model goes with the first decode.
    const along = i === 0 ? nodes.filter((node) => node.level === "frame" && upstream([node], nodes).every((one) => Object.keys(one.models).length === 0)) : [];
    const wanted = i === groups.length - 1 ? nodes : upstream([...group, ...along], nodes);
    const added = wanted.filter((node) => !taken.has(node.name) && (i === groups.length - 1 || Object.keys(node.models).length === 0 || group.includes(node)));
    for (const node of added) taken.add(node.name);
    return passOf(added, group, memories);
  });
}

function passOf(added: readonly PlanNode[], withModels: readonly PlanNode[], memories: Memories): Pass {
  const models = [...modelsOf(withModels, memories).values()];
  return { nodes: added.map((node) => node.name), models: [...new Set(models.map(({ model }) => model.id))], bytes: models.reduce((sum, { model, memory }) => sum + residentBytes(model, memory), 0) };
}

const sameModels = (group: readonly PlanNode[], node: PlanNode): boolean => {
  const loaded = new Set(group.flatMap((one) => Object.values(one.models)).map((model) => model.sha256));
  return Object.values(node.models).every((model) => loaded.has(model.sha256));
};

/** These nodes and all that they read, in the order of the plan. */
export function upstream(targets: readonly PlanNode[], nodes: readonly PlanNode[]): PlanNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const found = new Set<string>();
  const visit = (name: string): void => {
    const node = byName.get(name);
    if (!node || found.has(name)) return;
    found.add(name);
    for (const input of Object.values(node.inputs)) visit(input.node);
    if (node.scenes !== null) visit(node.scenes);
  };
  for (const target of targets) visit(target.name);
  return nodes.filter((node) => found.has(node.name));
}
