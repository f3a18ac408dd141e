import type { AudioDemand, VideoDemand } from "./media.js";
import type { DeviceOrder, ModelManifest, ModelMemory } from "./model.js";
import type { OperatorDefinition } from "./operator.js";
import type { Level, PortType } from "./ports.js";

/** Where a value of the resolved graph came from. */
export interface Origin {
  file: string;
  line: number;
  column: number;
  /** "graph" | "profile:NAME" | "param:NAME" | "command line" | "environment" | "default" */
  from: string;
}

/** One value of the resolved graph, `nodes.scenes.with.threshold`, for `flow plan --resolved`. */
export interface ResolvedValue {
  path: string;
  value: unknown;
  origin: Origin;
}

export interface PlanInput {
  node: string;
  port: string;
  /**
   * Input port of the operator that takes it. Usually the entry's own name; a list (`vectors: [video, sound]`) gives entries
   * `video`, `sound` with into "vectors": the operator receives { vectors: { video, sound } }.
   */
  into: string;
  /** Type of the output that feeds it. */
  type: PortType;
  /** same: item by item; group: finer items inside the interval, as a Series or a list; broadcast: the coarser item's value. */
  mode: "same" | "group" | "broadcast";
  /** What this input asks of decoding, when it is fed by media.open's frames or audio. */
  video?: VideoDemand;
  audio?: AudioDemand;
  optional: boolean;
  nullable: boolean;
}

export interface ErrorPolicy {
  retry: number;
  backoffMinMs: number;
  backoffMaxMs: number;
  then: "dead_letter" | "fail";
}

/** Where the calls of a node run. */
export interface NodeRuntime {
  /** Role of the operator → what to try, in order. */
  devices: Record<string, DeviceOrder>;
  /** How far another device may differ from the CPU at its start, relative to max(1, |value|); null: not compared. */
  check: number | null;
  isolation: "thread" | "process";
  /** isolation: process: a call that takes longer is ended. null: never. */
  timeoutMs: number | null;
}

/** Part of a run in which only these models are in memory, over all media. The last pass makes the records. */
export interface Pass {
  /** Nodes that this pass adds; those of earlier passes are read from the store. */
  nodes: string[];
  /** Models by id, each once. */
  models: string[];
  /** What these models take on one worker, estimated. */
  bytes: number;
}

/** What of `limits: { rss }` a model may take on each worker, once it has been measured. */
export interface ModelShare {
  measured: ModelMemory;
  /** Rows of one run at most; null: any, for its runs could not be measured. */
  rows: number | null;
}

/** What the graph itself says of how much runs at once: it is kept when the plan is fitted into its limits. */
export interface Stated {
  schedule: "stream" | "stages" | "auto";
  workers: boolean;
  mediaInFlight: boolean;
  /** Nodes with a batch size. */
  batches: string[];
}

export interface PlanRuntime {
  workers: number;
  mediaInFlight: number;
  scenesInFlight: number;
  slots: number;
  blockUs: number;
  /** Batches that one node may have in the pool at once. */
  batchesInFlight: number;
  isolation: "thread" | "process";
  timeoutMs: number | null;
  /** Limits as written; null: auto. */
  rssBytes: number | null;
  vramBytes: number | null;
}

export interface PlanNode {
  name: string;
  op: OperatorDefinition;
  config: unknown;
  level: Level;
  inputs: Record<string, PlanInput>;
  outputs: Record<string, PortType>;
  /** role → manifest. */
  models: Record<string, ModelManifest>;
  /** scene level: the `cut` node whose scenes are this node's items; a node need not be wired to it. null at other levels. */
  scenes: string | null;
  /** Inputs whose source is disabled: a join writes `missing` there, everybody else does without. */
  absent: string[];
  /** CEL source, asked per item over { media, scene, and the nodes that `in` names }; null: always. */
  when: string | null;
  runtime: NodeRuntime;
  batch: { size: number; waitMs: number };
  queue: { max: number; policy: "block" };
  onError: ErrorPolicy;
  /** join: what a missing input becomes. */
  missing: null;
  /** Hash of operator name, version, config, model hashes and demand: the static part of the memo key (hex, 16 characters). */
  key: string;
  /** Position of the node in the graph file, for messages. */
  origin: Origin;
}

export interface OutputSpec {
  kind: "scene" | "media";
  /** Node that makes the record (join, or a media-level node), null: none. */
  from: string[];
  vectors: Record<string, { weight: number }>;
  fulltext: string[];
  index: string[];
}

export interface Plan {
  name: string;
  file: string;
  params: Record<string, { value: unknown; origin: Origin }>;
  profile: string | null;
  /** Media URIs, folders, globs that the plan's sources open, unexpanded. */
  inputs: string[];
  nodes: PlanNode[]; // topological order, only what an output or --only/--until reaches
  outputs: OutputSpec[];
  /** Kinds of records that the graph makes and this plan does not, because --only, --until or --from leave out some of what they consist of. */
  omitted: OutputSpec["kind"][];
  runtime: PlanRuntime;
  /** One: everything at once. Several: `schedule: stages`, one after the other. */
  passes: Pass[];
  stated: Stated;
  /** By SHA-256 of the model; empty as long as nothing was measured (`limits: { rss }` alone asks for it). */
  shares: Record<string, ModelShare>;
  /** What is less than the graph or its defaults ask for, and why: for who runs it. */
  notes: string[];
  /** Every value with its origin. */
  resolved: ResolvedValue[];
  /** Hash of everything that decides results (nodes' keys, wiring, outputs), not names of files or inputs. */
  hash: string;
}

export interface Problem {
  severity: "error" | "warning";
  file: string;
  line: number;
  column: number;
  code: string;
  message: string;
  found: string;
  expected: string;
  nearest?: string;
  hint: string;
}
