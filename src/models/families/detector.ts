import { FlowError, type Detection, type ModelHandle, type ModelManifest } from "../../contracts/index.js";
import { imageInput, imagePreprocess } from "../preprocess-image.js";
import { runRows } from "../rows.js";
import type { Raster } from "../resample.js";
import type { Scratch } from "../scratch.js";
import { toSource, type Candidate } from "./boxes.js";
import type { Outputs } from "./outputs.js";
import { ultraLightFace } from "./ultra-light-face.js";
import { yolox } from "./yolox.js";
import { yunet } from "./yunet.js";

/** Thresholds of a node; what it does not say, the manifest's settings do. */
export interface DetectorOptions {
  minScore?: number | undefined;
  nms?: number | undefined;
}

/** Boxes of item `i` of `items` from a run's outputs, in pixels of the model's input, best first. */
type Decoder = (outputs: Outputs, i: number, items: number, input: { width: number; height: number }, manifest: ModelManifest, options: DetectorOptions) => Candidate[];

/** Family of a manifest → how its outputs become boxes. */
const DECODERS: Readonly<Record<string, Decoder>> = { yolox, yunet, "ultra-light-face": ultraLightFace };

export interface SourcedRaster {
  raster: Raster;
  source?: { width: number; height: number } | null | undefined;
}

/** One run of a detector that reads nothing but pictures: the detections of each raster, in pixels of its source, best first. */
export async function detect(frames: readonly SourcedRaster[], model: ModelHandle, labels: readonly string[], options: DetectorOptions, scratch?: Scratch): Promise<Detection[][]> {
  const { manifest } = model;
  const decode = DECODERS[manifest.family];
  if (!decode) {
    throw new FlowError("MODEL_FAMILY", `model ${manifest.id} is of family ${manifest.family}, which cannot be read here`, { hint: `Known: ${Object.keys(DECODERS).join(", ")}. State the family in ${manifest.origin}.`, permanent: true });
  }
  if (frames.length === 0) return [];
  const { data, dims, placements } = await imageInput(frames.map((f) => f.raster), imagePreprocess(manifest), { sources: frames.map((f) => f.source), ...(scratch ? { scratch } : {}) });
  const outputs = await runRows(model, { [manifest.inputs[0]!.name]: { data, dims } });
  return placements.map((at, i) =>
    decode(outputs, i, frames.length, at, manifest, options).flatMap((candidate) => toSource(candidate, labels[candidate.kind] ?? `class ${candidate.kind}`, at) ?? []),
  );
}
