import type { z } from "zod";
import type { MediumInfo, SlotRef, VideoDemand, AudioDemand } from "./media.js";
import type { Interval, Series } from "./items.js";
import type { Level, PortType } from "./ports.js";
import type { Device, ModelManifest, TensorInfo } from "./model.js";

export type Family = "media" | "scene" | "image" | "video" | "audio" | "speech" | "text" | "caption" | "quality" | "vectors" | "object" | "face" | "model" | "flow";

/** What linking knows when an operator states its outputs or its demand. */
export interface LinkContext<C = unknown> {
  config: C;
  models: Record<string, ModelManifest>;
  inputs: Record<string, PortType>;
}

export interface Demand {
  video?: Partial<VideoDemand> & Pick<VideoDemand, "size">;
  audio?: AudioDemand;
}

/** One frame, window or 2-second cut as a `batch` operator sees it: a borrow that ends when the call settles. */
export interface GridItem {
  ptsUs: number;
  slot: SlotRef;
  /** Audio: valid samples per channel. */
  samples: number;
  /** Video: the source's display raster, in whose pixels coordinates are given. */
  source?: { width: number; height: number } | null;
  /** Values of the same frame from other frame-level nodes, by input name; undefined where that node had none. */
  inputs?: Record<string, unknown>;
}

/** What an `each` operator gets: one value per input port (Series for a finer input, undefined for a nullable one without value). */
export type EachInputs = Record<string, unknown>;

/**
 * A model as an operator has it in a worker.
 *
 * Stand-ins (`--mock-models`): `mock` is true and no file of the model exists. `run()` then gives values made from a hash of the feeds, in the
 * manifest's shapes, so an operator that only calls `run()` needs nothing else. One that reads other files of the model (labels, tokenizer,
 * processor) or has another runtime (@huggingface/transformers) asks `mock` first and answers with src/models/mock.ts:
 * `mockText(handle, inputs)` where it would generate, `mockVector(handle, inputs)` where it would embed, `mockLabels(handle, n)` for names of
 * classes; `inputs` is whatever decides the result (texts, pixels, intervals). It calls `count(rows)` as ever.
 */
export interface ModelHandle {
  readonly manifest: ModelManifest;
  /** A stand-in without weights, see above. */
  readonly mock: boolean;
  /** What the model runs on in this worker. */
  readonly device: Device;
  /** Rows that another runtime (@huggingface/transformers) ran for this model. */
  count(rows: number): void;
  /** Another runtime has opened the model's checkpoint in this worker. */
  opened?(): void;
  /** Throws CANCELLED when the pool is stopping: asked between the steps of a generation, which `run()` knows nothing of. */
  checkStop?(): void;
  /**
   * feeds: name → data and dims (dims[0] = rows). Float32Array, BigInt64Array or Int32Array data, which the session converts to the
   * type of the file's input (integers are rounded and clamped); outputs of any type come as floats. `batched`: how many rows these are is chance
   * (a batch that was not full), so a row must give the bits it would give among others; rows of a larger call always do.
   */
  run(feeds: Record<string, { data: Float32Array | BigInt64Array | Int32Array; dims: number[] }>, options?: { batched?: boolean }): Promise<Record<string, { data: Float32Array; dims: number[] }>>;
}

export interface OperatorContext {
  node: string;
  medium: MediumInfo;
  /** The item's interval; the whole medium for media-level items. */
  interval: Interval;
  models: Record<string, ModelHandle>;
}

/** Outputs by port name. */
export type OutputValues = Record<string, unknown>;

/** How an operator runs. Where it runs follows: taps in the media worker, batches in the pool, `each` on the main thread or in the pool. */
export type OperatorForm =
  /** media.open: the engine itself. */
  | { form: "source" }
  /** Folds every frame of an input in the media worker; module = import.meta.url, factory = name of the exported FrameTapFactory / AudioTapFactory. */
  | { form: "tap"; stream: "frames" | "audio"; factory: string; columns: readonly string[] }
  /** Grid items (frames, audio windows) in batches in the pool; result i belongs to item i; throws only for the whole batch. */
  | { form: "batch"; result: "vector" | "image" | "rows" | "value"; input: string }
  /** Score rows → scenes, a pure fold on the main thread. `open` gives the fold for one medium. */
  | { form: "cut" }
  /** One item of the node's level → one outcome. Throw a FlowError to fail the item, return skip("reason") to skip it. */
  | { form: "each"; thread: "main" | "pool"; each: (inputs: EachInputs, config: never, ctx: OperatorContext) => OutputValues | Skip | Promise<OutputValues | Skip> }
  /** Many scene-level items in one pool call (text models). */
  | { form: "eachBatch"; eachBatch: (items: EachInputs[], config: never, ctxs: OperatorContext[]) => Promise<(OutputValues | Skip)[]> }
  /** Collects the inputs of one item into a record: never fails, whatever its inputs did. */
  | { form: "join" };

export interface Skip {
  skip: string;
}
export const skip = (reason: string): Skip => ({ skip: reason });
export const isSkip = (value: unknown): value is Skip => typeof value === "object" && value !== null && typeof (value as Skip).skip === "string";

/** Runs in the pool for form "batch": one Float32Array (vector), JPEG (image) or plain value (value: detections, labels) per item. */
export type BatchFunction = (items: GridItem[], config: never, ctx: { node: string; models: Record<string, ModelHandle> }) => Promise<readonly unknown[]>;

/** The fold of a `cut` operator over one medium. */
export interface CutFold {
  push(series: Series): SceneCut[];
  /** endUs: end of the medium; lastFrame + 1 of the rows seen. */
  end(endUs: number): SceneCut[];
}
export interface SceneCut extends Interval {
  startFrame: number | null;
  endFrame: number | null;
}

export interface Example {
  title: string;
  /** A whole graph, or the text under `nodes:` for a one-node example; linted and run in a test. */
  yaml: string;
}

export interface ModelRole {
  /** What the manifest has to say; "any". */
  task: string;
  optional?: boolean;
  /**
   * Which inputs of an ONNX file the operator feeds, where that is not only the first one: here and nowhere else, because its family's code makes them. `models`: by role,
   * one of them alone where a manifest is looked at by itself; null: that depends on the others.
   */
  feeds?: (models: Readonly<Record<string, ModelManifest>>) => readonly string[] | null;
}

/** Inputs of the model at `role` that the operator leaves empty: every run of it would fail. */
export function unfedInputs({ feeds }: ModelRole, role: string, models: Readonly<Record<string, ModelManifest>>): TensorInfo[] {
  const manifest = models[role];
  if (!manifest || manifest.runtime !== "onnx") return [];
  const fed = feeds ? feeds(models) : manifest.inputs.slice(0, 1).map(({ name }) => name);
  return fed === null ? [] : manifest.inputs.filter(({ name }) => !fed.includes(name));
}

/** `pixels: float32[n, 3, 224, 224]`. */
export const tensorText = ({ name, type, dims }: TensorInfo): string => `${name}: ${type}[${dims.join(", ")}]`;

export interface OperatorDefinition<C = unknown> {
  /** `family.name`. */
  name: string;
  /** Part of the memo key: bump when results change. */
  version: number;
  summary: string;
  description?: string;
  /** import.meta.url of the defining file: what a worker imports to run it. */
  module: string;
  /** Level at which the operator runs: one outcome per item of this level. "inherit": that of its `by` / `over` option (join, vectors.mean). */
  level: Level | "inherit";
  inputs: Record<string, PortType> | "map";
  outputs: Record<string, PortType> | ((link: LinkContext<C>) => Record<string, PortType>);
  config: z.ZodType<C>;
  /** What options and models ask of inputs beyond what these declare: one that may else be left out, columns of their own. */
  narrow?: (link: Pick<LinkContext<C>, "config" | "models">) => Readonly<Record<string, Partial<PortType>>>;
  /** Config fields that hold expressions or templates: their variables are checked by lint. */
  expressions?: Record<string, readonly string[]>;
  templates?: Record<string, "inputs">;
  /** Model roles by name. One role: `model: image`; several: `model: { a: x, b: y }`. */
  models?: Record<string, ModelRole>;
  /** What each stream input asks of decoding. */
  demand?: (link: LinkContext<C>) => Record<string, Demand>;
  run: OperatorForm;
  /** form "batch". */
  batch?: BatchFunction;
  /** Throws when a file that the config names cannot be used, whatever the medium is: before anything is opened, so that no medium fails for it. */
  requires?: (config: C) => void;
  /** Outputs of a model that options name, by role: looked for in its file before the first frame. */
  reads?: (config: C) => Readonly<Record<string, readonly string[]>>;
  /** form "cut". */
  open?: (config: C, medium: MediumInfo) => CutFold;
  examples: Example[];
}

/** The one way to define an operator; checks what types cannot. */
export function defineOperator<C>(definition: OperatorDefinition<C>): OperatorDefinition<C> {
  if (!/^[a-z]+(\.[a-z_]+)?$/.test(definition.name)) throw new Error(`operator name ${definition.name}: family.name expected`);
  if (definition.run.form === "batch" && !definition.batch) throw new Error(`${definition.name}: form "batch" needs a batch function`);
  if (definition.run.form === "cut" && !definition.open) throw new Error(`${definition.name}: form "cut" needs open()`);
  return definition;
}
