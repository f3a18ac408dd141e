/** The real weights, the real pictures and the pool, for tests of vision operators. What is missing is a reason to skip, by name. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lastValueFrom, tap } from "rxjs";
import { Batcher, InferencePool, type PoolResult } from "../../../src/inference/index.js";
import { openDecode, outputSize, probe, displaySize } from "../../../src/media/index.js";
import { loadModels, type Locate } from "../../../src/models/manifest.js";
import { FlowError, type GridItem, type ModelManifest, type OperatorDefinition, type SlotRef, type VideoDemand } from "../../../src/contracts/index.js";

export const MODELS = process.env["FLOW_MODELS_DIR"];
export const MEDIA = process.env["FLOW_MEDIA_DIR"];

const manifests = fileURLToPath(new URL("../../../../models", import.meta.url));

/** Folder under FLOW_MODELS_DIR of each model's files. */
const FOLDERS: Record<string, string> = {
  "yolox-nano": "yolox-nano",
  "mobilenet-v2-quant": "mobilenet-v2",
  yunet: "yunet",
  "yunet-dynamic": "yunet",
  "ultra-light-face": "ultra-light-face",
  deeplabv3: "deeplabv3",
  mobilefacenet: "mobilefacenet",
};

export const locateWeights: Locate = (id, file) => ({ at: join(MODELS ?? "", FOLDERS[id] ?? id, file.path) });

/** Options of a test that needs these models (and the media): skipped by name when something is missing. */
export function needs(...ids: string[]): { skip?: string } {
  if (!MEDIA) return { skip: "FLOW_MEDIA_DIR is not set" };
  if (!MODELS) return { skip: "FLOW_MODELS_DIR is not set" };
  const missing = ids.filter((id) => !existsSync(join(MODELS!, FOLDERS[id] ?? id)));
  return missing.length > 0 ? { skip: `FLOW_MODELS_DIR has no ${missing.join(", ")}` } : {};
}

export function model(id: string): ModelManifest {
  const manifest = loadModels(manifests, locateWeights).get(id);
  if (!manifest) throw new Error(`models/${id}.yaml does not exist`);
  return manifest;
}

export const media = (path: string): string => join(MEDIA!, path);

/** A picture as the decoder delivers it for a demand. */
export async function frameOf(path: string, demand: Pick<VideoDemand, "size">, ptsUs = 0): Promise<GridItem> {
  const info = { ...(await probe(path)), id: "0".repeat(64), memoisable: true };
  let slot: SlotRef | null = null;
  const decode = openDecode(info, { video: [{ key: "v", demand: { ...demand, fps: "all", geometry: "display" }, slots: 1, deliver: true, taps: [] }], audio: [] });
  await lastValueFrom(decode.events.pipe(tap((event) => {
    if (event.type === "delivery") slot = event.delivery.slot;
  })), { defaultValue: null });
  const [width, height] = displaySize(info.video!);
  return { ptsUs, slot: slot!, samples: 0, source: { width, height }, inputs: {} };
}

/** What the operator asks of decoding with these models and this config. */
export function demandOf(op: OperatorDefinition<any>, models: Record<string, ModelManifest>, config: object = {}): Pick<VideoDemand, "size"> {
  return Object.values(op.demand!({ config: op.config.parse(config), models, inputs: {} }))[0]!.video!;
}

/** Frames of files as the operator would get them. */
export async function framesFor(op: OperatorDefinition<any>, models: Record<string, ModelManifest>, paths: readonly string[], config: object = {}): Promise<GridItem[]> {
  const demand = demandOf(op, models, config);
  return Promise.all(paths.map((path, i) => frameOf(path, demand, i * 500_000)));
}

export type PoolOptions = ConstructorParameters<typeof InferencePool>[0];

/** Runs the operator over the items in batches of `size` through a pool: value i belongs to item i. */
export async function runBatches<T>(op: OperatorDefinition<any>, models: Record<string, ModelManifest>, items: readonly GridItem[], options: { config?: object; size?: number; pool?: PoolOptions } = {}): Promise<T[]> {
  await using pool = new InferencePool({ workers: 1, ...options.pool });
  const config = op.config.parse(options.config ?? {});
  const batcher = new Batcher<GridItem, PoolResult>({ size: options.size ?? 16, inFlight: 2, call: (batch) => pool.run({ kind: "batch", module: op.module, operator: op.name, node: op.name, config, models, items: batch }) });
  const results = items.map((item) => batcher.submit(item));
  batcher.flush();
  return (await Promise.all(results)).map((result) => {
    if (result.ok) return result.value as T;
    throw new FlowError(result.error.code, result.error.message, { hint: result.error.hint });
  });
}

/** Every way in which results must not differ. */
export const WAYS: readonly { size: number; pool: PoolOptions }[] = [...[1, 3, 16].map((size) => ({ size, pool: {} })), { size: 3, pool: { isolation: "process" } }];
