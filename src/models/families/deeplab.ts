import { z } from "zod";
import type { Detection, ModelManifest } from "../../contracts/index.js";
import type { Placement } from "../preprocess-image.js";
import { labelsOf } from "./labels.js";
import { boxOf, encodeMask, maskSize, sampler } from "./masks.js";
import { rowOf, settingsOf, type Outputs } from "./outputs.js";

const settings = z.object({ background: z.int().min(0).default(0), minShare: z.number().min(0).max(1).default(0.005) });

export interface SegmentOptions {
  /** Least share of the picture that a class must have; the manifest's unless given. */
  minShare?: number | undefined;
  /** Longer side of the mask's raster. */
  maskLongest: number;
}

/**
 * Semantic segmentation (DeepLab and its kin): one detection per class that is seen, with the box and the mask of all its pixels, largest first. The score is the mean
 * probability of the class over the pixels of the model's own map that are of it. Logits are interpolated bilinearly to the mask's raster before the argmax. Layout by the manifest: [n, h, w, classes] or [n, classes, h, w].
 */
export function deeplab(outputs: Outputs, i: number, items: number, at: Placement, manifest: ModelManifest, options: SegmentOptions): Detection[] {
  const { background, minShare } = settingsOf(manifest, settings);
  const labels = labelsOf(manifest);
  const { name } = manifest.outputs[0]!;
  const dims = outputs[name]?.dims ?? [];
  const nhwc = manifest.preprocess.kind === "image" && manifest.preprocess.layout === "nhwc";
  const [rows, columns, classes] = (nhwc ? [dims[1], dims[2], dims[3]] : [dims[2], dims[3], dims[1]]).map((length) => length ?? 0) as [number, number, number];
  const logits = rowOf(outputs, name, i, items, rows * columns * classes, manifest);
  const [pixelStride, classStride] = nhwc ? [classes, 1] : [1, rows * columns];
  const map = bestOnMap(logits, rows * columns, classes, pixelStride, classStride, background);
  // Only what is the best somewhere on the map can be it between its pixels: a few classes of many.
  const rivals = Array.from(map.pixels, (_, c) => c).filter((c) => map.pixels[c]! > 0);
  const size = maskSize(at.source, options.maskLongest);
  const { x: across, y: down } = sampler(size, at, columns, rows);
  const best = new Uint16Array(size.width * size.height);
  const pixels = new Float64Array(classes);
  const row = new Float64Array(rivals.length * columns);
  for (let y = 0, p = 0; y < size.height; y++) {
    const [above, below, v] = [down.first[y]! * columns, down.second[y]! * columns, down.share[y]!];
    for (let x = 0, n = 0; x < columns; x++) {
      for (const c of rivals) row[n++] = logits[(above + x) * pixelStride + c * classStride]! * (1 - v) + logits[(below + x) * pixelStride + c * classStride]! * v;
    }
    for (let x = 0; x < size.width; x++, p++) {
      const [left, right, u] = [across.first[x]! * rivals.length, across.second[x]! * rivals.length, across.share[x]!];
      let kind = 0;
      let most = Number.NEGATIVE_INFINITY;
      for (let n = 0; n < rivals.length; n++) {
        const value = row[left + n]! * (1 - u) + row[right + n]! * u;
        if (value > most) [most, kind] = [value, n];
      }
      best[p] = rivals[kind]!;
      pixels[best[p]!]! += 1;
    }
  }
  const seen = rivals.filter((c) => c !== background && pixels[c]! > 0 && pixels[c]! / best.length >= (options.minShare ?? minShare));
  return seen
    .sort((a, b) => pixels[b]! - pixels[a]! || a - b)
    .map((kind) => {
      const bitmap = new Uint8Array(best.length);
      for (let p = 0; p < best.length; p++) if (best[p] === kind) bitmap[p] = 1;
      return { label: labels[kind] ?? `class ${kind}`, score: map.sure[kind]! / map.pixels[kind]!, box: boxOf(bitmap, size, at.source)!, mask: encodeMask(bitmap, size.width, size.height) };
    });
}

/** Pixels of each class on the model's own map, and the sum of its probabilities (softmax) over them; the background needs none. */
function bestOnMap(logits: Float32Array, length: number, classes: number, pixelStride: number, classStride: number, background: number): { pixels: Float64Array; sure: Float64Array } {
  const pixels = new Float64Array(classes);
  const sure = new Float64Array(classes);
  for (let p = 0, at = 0; p < length; p++, at += pixelStride) {
    let kind = 0;
    let most = logits[at]!;
    for (let c = 1, o = at + classStride; c < classes; c++, o += classStride) {
      const value = logits[o]!;
      if (value > most) [most, kind] = [value, c];
    }
    pixels[kind]! += 1;
    if (kind === background) continue;
    let sum = 0;
    for (let c = 0, o = at; c < classes; c++, o += classStride) sum += Math.exp(logits[o]! - most);
    sure[kind]! += 1 / sum;
  }
  return { pixels, sure };
}
