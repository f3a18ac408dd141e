/** What a plan takes in memory, as far as it can be known beforehand, and how a run is cut into passes when its models do not fit together. */
import type { ModelManifest, Pass, PlanNode } from "../contracts/index.js";

/** Engine, store and one decoder beside the rings: measured on the lite profile, rounded up. */
const BASE_BYTES = 220e6;
/** A worker with ONNX Runtime and sharp, before its first model: a thread, and a process with a Node of its own. */
const WORKER_BYTES = { thread: 70e6, process: 150e6 } as const;
/** A session takes its weights and what it computes with; while it is made, the file too. */
const SESSION_FACTOR = 1.3;

export interface Shape {
  workers: number;
  mediaInFlight: number;
}

const accelerated = (node: PlanNode, role: string): boolean => {
  const order = node.runtime.devices[role] ?? ["cpu"];
  return order === "auto" || order[0] !== "cpu";
};

/** What a model takes where it runs, once. */
const residentBytes = (model: ModelManifest): number => (model.mock ? 0 : Math.ceil(model.sizeBytes * SESSION_FACTOR));

/** Models of these nodes by hash, each once, with the memory it is in. */
function modelsOf(nodes: readonly PlanNode[]): Map<string, { model: ModelManifest; gpu: boolean }> {
  const models = new Map<string, { model: ModelManifest; gpu: boolean }>();
  for (const node of nodes) {
    for (const [role, model] of Object.entries(node.models)) {
      const known = models.get(model.sha256);
      models.set(model.sha256, { model, gpu: accelerated(node, role) || (known?.gpu ?? false) });
    }
  }
  return models;
}

export interface Need {
  rss: number;
  vram: number;
}

/** Of a plan, or of one pass of it. Rings: bytes of one medium's. */
export function needOf(nodes: readonly PlanNode[], { workers, mediaInFlight }: Shape, ringBytes: number): Need {
  const models = [...modelsOf(nodes).values()];
  const inWorkers = models.filter(({ gpu }) => !gpu).reduce((sum, { model }) => sum + residentBytes(model), 0);
  const loading = Math.max(0, ...models.map(({ model }) => (model.mock ? 0 : model.sizeBytes)));
  const vram = models.filter(({ gpu }) => gpu).reduce((sum, { model }) => sum + residentBytes(model), 0);
  const pooled = nodes.filter((node) => ["batch", "eachBatch"].includes(node.op.run.form) || (node.op.run.form === "each" && node.op.run.thread === "pool"));
  const kinds = new Set(pooled.map((node) => node.runtime.isolation));
  const worker = [...kinds].reduce((sum, kind) => sum + WORKER_BYTES[kind], 0);
  return { rss: BASE_BYTES + ringBytes * mediaInFlight + (pooled.length > 0 ? workers * (worker + inWorkers + loading) : 0), vram };
}

/**
 * Groups nodes so that the models of each group fit together (`fits`), in the order of the plan: a group takes the next node with models as
 * long as it fits. Nodes without models go where they are first needed, those of the time grid into the first decode; the last pass has
 * everything else.
 */
export function passesOf(nodes: readonly PlanNode[], fits: (group: readonly PlanNode[]) => boolean): Pass[] {
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
  if (groups.length <= 1) return [passOf(nodes, nodes)];
  const taken = new Set<string>();
  return groups.map((group, i) => {
    // What folds frames without a model goes with the first decode.
    const along = i === 0 ? nodes.filter((node) => node.level === "frame" && upstream([node], nodes).every((one) => Object.keys(one.models).length === 0)) : [];
    const wanted = i === groups.length - 1 ? nodes : upstream([...group, ...along], nodes);
    const added = wanted.filter((node) => !taken.has(node.name) && (i === groups.length - 1 || Object.keys(node.models).length === 0 || group.includes(node)));
    for (const node of added) taken.add(node.name);
    return passOf(added, group);
  });
}

function passOf(added: readonly PlanNode[], withModels: readonly PlanNode[]): Pass {
  const models = [...modelsOf(withModels).values()];
  return { nodes: added.map((node) => node.name), models: [...new Set(models.map(({ model }) => model.id))], bytes: models.reduce((sum, { model }) => sum + residentBytes(model), 0) };
}

const sameModels = (group: readonly PlanNode[], node: PlanNode): boolean => {
  const loaded = modelsOf(group);
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
