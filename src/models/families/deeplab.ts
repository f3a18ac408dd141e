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
 * probability of the class over them. Logits are interpolated bilinearly to the mask's raster before the argmax. Layout by the manifest: [n, h, w, classes] or [n, classes, h, w].
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
  const size = maskSize(at.source, options.maskLongest);
  const { x: across, y: down } = sampler(size, at, columns, rows);
  const best = new Uint16Array(size.width * size.height);
  const pixels = new Float64Array(classes);
  const sure = new Float64Array(classes);
  const values = new Float64Array(classes);
  for (let y = 0, p = 0; y < size.height; y++) {
    const [above, below, v] = [down.first[y]! * columns, down.second[y]! * columns, down.share[y]!];
    for (let x = 0; x < size.width; x++, p++) {
      const [left, right, u] = [across.first[x]!, across.second[x]!, across.share[x]!];
      let kind = 0;
      for (let c = 0; c < classes; c++) {
        const o = c * classStride;
        const upper = logits[(above + left) * pixelStride + o]! * (1 - u) + logits[(above + right) * pixelStride + o]! * u;
        const lower = logits[(below + left) * pixelStride + o]! * (1 - u) + logits[(below + right) * pixelStride + o]! * u;
        values[c] = upper * (1 - v) + lower * v;
        if (values[c]! > values[kind]!) kind = c;
      }
      best[p] = kind;
      pixels[kind]! += 1;
      if (kind === background) continue;
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += Math.exp(values[c]! - values[kind]!);
      sure[kind]! += 1 / sum;
    }
  }
  const seen = Array.from(pixels, (_, c) => c).filter((c) => c !== background && pixels[c]! > 0 && pixels[c]! / best.length >= (options.minShare ?? minShare));
  return seen
    .sort((a, b) => pixels[b]! - pixels[a]! || a - b)
    .map((kind) => {
      const bitmap = Uint8Array.from(best, (value) => (value === kind ? 1 : 0));
      return { label: labels[kind] ?? `class ${kind}`, score: sure[kind]! / pixels[kind]!, box: boxOf(bitmap, size, at.source)!, mask: encodeMask(bitmap, size.width, size.height) };
    });
}
