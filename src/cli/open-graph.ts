import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import type { ModelManifest, Plan, Problem } from "../contracts/index.js";
import { EXIT, FlowError, toFlowError } from "../contracts/errors.js";
import { machineMemoryBytes } from "../engine/machine-memory.js";
import type { GraphSource } from "../graph/index.js";
import { hasErrors } from "../graph/problems.js";
import { cacheFolder } from "../models/store/folders.js";
import { graphFile, modelFolders } from "./environment.js";
import { GraphError, noteError } from "./failure.js";

/** More workers than this wait for the one decoder. `runtime.workers` in the graph says otherwise. */
const MAX_WORKERS = 8;

export interface GraphRequest {
  params?: Record<string, string> | undefined;
  profile?: string | undefined;
  /** Without one: check all of them. */
  everyProfile?: boolean | undefined;
  inputs?: readonly string[] | undefined;
  only?: readonly string[] | undefined;
  from?: string | undefined;
  until?: string | undefined;
  force?: readonly string[] | undefined;
  /** Roles that stand-ins play; true: all. */
  mock?: true | readonly string[] | undefined;
}

/** Catalogue, models and environment variables: what a graph is linked against. */
export async function linkEnvironment() {
  const [{ catalogue }, models, { mockManifest }] = await Promise.all([import("../operators/index.js"), installedModels(), import("../models/mock.js")]);
  return { catalogue, models, environment: process.env, standIn: mockManifest };
}

/** Every manifest that this program finds, with the places of its files and this user's calibration. */
export async function installedModels() {
  const [{ loadModels }, { createLocate }, { calibrated, readCalibrations }] = await Promise.all([import("../models/manifest.js"), import("../models/store/locate.js"), import("../models/store/calibration.js")]);
  const calibrations = readCalibrations(cacheFolder());
  return loadModels(modelFolders(), createLocate(), (model) => calibrated(model, calibrations));
}

/** All models whose manifests can be read; of the others `unreadable` says why: on stderr, if nobody else does. */
export function readable(models: ReadonlyMap<string, ModelManifest>, unreadable: (id: string, error: FlowError) => void = (_, error) => noteError(error)): ModelManifest[] {
  return [...models.keys()].flatMap((id) => {
    try {
      return models.get(id)!;
    } catch (thrown) {
      unreadable(id, toFlowError(thrown));
      return [];
    }
  });
}

/** The model of one manifest, wherever it lies; its files are looked for as any model's. */
export async function readModel(typed: string): Promise<ModelManifest> {
  const [{ parseManifest }, { createLocate }, { calibrated, readCalibrations }] = await Promise.all([import("../models/manifest.js"), import("../models/store/locate.js"), import("../models/store/calibration.js")]);
  let text: string;
  try {
    text = readFileSync(typed, "utf8");
  } catch (cause) {
    throw new FlowError("FILE_NOT_FOUND", `${typed} cannot be read: ${(cause as Error).message}`, { hint: "Name a manifest, or a model of `flow models list`.", exit: EXIT.badInput, cause });
  }
  return calibrated(parseManifest(text, resolve(typed), createLocate()), readCalibrations(cacheFolder()));
}

export async function readGraph(typed: string): Promise<GraphSource> {
  const path = graphFile(typed);
  const near = relative(process.cwd(), path);
  const file = near === "" || near.startsWith("..") ? path : near;
  try {
    return { path: file, text: readFileSync(path, "utf8") };
  } catch (cause) {
    throw new FlowError("GRAPH_UNREADABLE", `${file} cannot be read: ${(cause as Error).message}`, { hint: "Check the path and its permissions.", exit: EXIT.badInput, cause });
  }
}

/** parse → link → plan; every problem at once, plan null when one is an error. */
export async function loadPlan(typed: string, request: GraphRequest): Promise<{ file: string; plan: Plan | null; problems: Problem[] }> {
  const [{ loadGraph }, source, environment, { decoderVersion }] = await Promise.all([import("../graph/index.js"), readGraph(typed), linkEnvironment(), import("../media/binaries.js")]);
  const { plan, problems } = loadGraph(source, environment, { ...request, workers: Math.min(MAX_WORKERS, availableParallelism()), memoryBytes: machineMemoryBytes(), decoder: await decoderVersion() });
  return { file: source.path, plan, problems };
}

/** The plan, or GraphError with all problems. */
export async function requirePlan(typed: string, request: GraphRequest): Promise<{ file: string; plan: Plan; problems: Problem[] }> {
  const { file, plan, problems } = await loadPlan(typed, request);
  if (plan && !hasErrors(problems)) return { file, plan, problems };
  const { inputs, mock } = request;
  // An input may be what is wrong: another one in its place.
  const plain = { inputs: inputs && ["input"], mock };
  throw new GraphError(file, problems, hasErrors((await loadPlan(typed, plain)).problems) ? "graph" : "command line");
}
