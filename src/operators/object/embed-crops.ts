import type { Detection, GridItem, ModelHandle } from "../../contracts/index.js";
import type { NoCrop } from "../../models/families/crops.js";
import { imageInput, imagePreprocess } from "../../models/preprocess-image.js";
import type { Raster } from "../../models/resample.js";
import { runRows, splitRows } from "../../models/rows.js";
import type { Scratch } from "../../models/scratch.js";

/** Crops per run of the model: a frame of faces is small, a crowd of large inputs is not. */
const CROPS_PER_RUN = 64;

/** The crop of one detection, in a raster of its frame whose coordinates are those of `source`, or why none can be made. */
type Cutter = (detection: Detection, item: GridItem, source: { width: number; height: number }) => Raster | NoCrop;

/**
 * The detections of all frames with the vectors of their crops. The crops of the whole batch go through the model together, as one flat list, and each vector comes
 * back to the detection whose crop it is; a detection without a crop comes back without a vector and says why.
 */
export async function embedCrops(items: readonly GridItem[], input: string, model: ModelHandle, cut: Cutter, scratch: Scratch): Promise<Detection[][]> {
  const results = items.map(({ inputs }) => ((inputs?.[input] as Detection[] | undefined) ?? []).map(withoutVector));
  const flat: { crop: Raster; detection: Detection }[] = [];
  for (const [i, item] of items.entries()) {
    const source = item.source ?? item.slot;
    for (const detection of results[i]!) {
      const crop = cut(detection, item, source);
      if (typeof crop === "string") detection.noVector = crop;
      else flat.push({ crop, detection });
    }
  }
  const { manifest } = model;
  for (let at = 0; at < flat.length; at += CROPS_PER_RUN) {
    const part = flat.slice(at, at + CROPS_PER_RUN);
    const { data, dims } = await imageInput(part.map(({ crop }) => crop), imagePreprocess(manifest), { scratch });
    const vectors = splitRows(await runRows(model, { [manifest.inputs[0]!.name]: { data, dims } }), manifest, part.length);
    part.forEach(({ detection }, n) => (detection.vector = vectors[n]!));
  }
  return results;
}

/** A vector of another space must not be taken for one of this model. */
function withoutVector({ vector: _vector, noVector: _why, ...detection }: Detection): Detection {
  return detection;
}
