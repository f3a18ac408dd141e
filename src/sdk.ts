import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { EXIT, FlowError, type OperatorDefinition } from "./contracts/index.js";
import { runPlan, type RunProgress, type RunSummary } from "./engine/index.js";
import { machineMemoryBytes } from "./engine/machine-memory.js";
import { loadGraph, modelNotes } from "./graph/index.js";
import { decoderVersion } from "./media/binaries.js";
import { loadModels } from "./models/manifest.js";
import { mockManifest } from "./models/mock.js";
import { createLocate } from "./models/store/locate.js";
import { catalogue } from "./operators/index.js";
import { Store } from "./store/index.js";

export interface RunGraphOptions {
  /** Store folder. */
  store: string;
  inputs?: string[];
  params?: Record<string, string>;
  profile?: string;
  /** Operators beside the built-in ones; each defined in a module of its own that workers can import. `any`: each has its own config type, which its schema checks. */
  operators?: readonly OperatorDefinition<any>[];
  /** Folders of manifests beside the built-in models. */
  models?: readonly string[];
  /** Stand-ins instead of models: all, or these roles. What they say means nothing. */
  mockModels?: true | readonly string[];
  /** Only these nodes and what they read; only the outputs behind a node; nothing behind a node. */
  only?: readonly string[];
  from?: string;
  until?: string;
  force?: readonly string[];
  stop?: AbortSignal;
  onProgress?: (progress: RunProgress) => void;
}

/** Reads, checks and runs a graph file. Rejects with BAD_GRAPH, listing every problem, when it does not lint. */
export async function runGraph(file: string, options: RunGraphOptions): Promise<RunSummary> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new FlowError("GRAPH_UNREADABLE", `${file} cannot be read: ${(cause as Error).message}`, { hint: "Check the path and its permissions.", cause, exit: EXIT.badInput });
  });
  const operators = new Map([...catalogue, ...(options.operators ?? []).map((operator) => [operator.name, operator] as const)]);
  const builtIn = fileURLToPath(new URL("../../models", import.meta.url));
  const { plan, problems } = loadGraph(
    { path: file, text },
    { catalogue: operators, models: loadModels([builtIn, ...(options.models ?? [])], createLocate()), environment: process.env, standIn: mockManifest },
    { params: options.params ?? {}, inputs: options.inputs ?? [], profile: options.profile, only: options.only, from: options.from, until: options.until, force: options.force, mock: options.mockModels, memoryBytes: machineMemoryBytes(), decoder: await decoderVersion() },
  );
  if (!plan) {
    const errors = problems.filter((problem) => problem.severity === "error");
    throw new FlowError("BAD_GRAPH", errors.map((p) => `${p.file}:${p.line}:${p.column} ${p.message}`).join("\n"), { hint: `flow lint ${file}`, exit: EXIT.badInput });
  }
  await using store = await Store.open(options.store);
  return await runPlan({
    plan,
    store,
    notes: modelNotes(problems),
    ...(options.inputs && options.inputs.length > 0 ? { inputs: options.inputs } : {}),
    ...(options.force ? { force: options.force } : {}),
    ...(options.mockModels ? { mock: true } : {}),
    ...(options.stop ? { stop: options.stop } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
}

/** Opens a store for reading. */
export const openStore = (dir: string): Promise<Store> => Store.open(dir, { readOnly: true });
