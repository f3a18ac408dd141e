import type { Mask } from "../../contracts/index.js";
import type { Placement } from "../preprocess-image.js";
import type { Box } from "./boxes.js";

/** Run lengths of a bitmap, row by row: column after column, zeros first (COCO's uncompressed form). */
export function encodeMask(bitmap: Uint8Array, width: number, height: number, iou?: number): Mask {
  const counts: number[] = [];
  let [value, run, area] = [0, 0, 0];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const bit = bitmap[y * width + x] ? 1 : 0;
      area += bit;
      if (bit === value) run += 1;
      else {
        counts.push(run);
        [value, run] = [bit, 1];
      }
    }
  }
  counts.push(run);
  return { width, height, counts, area, ...(iou === undefined ? {} : { iou }) };
}

/** The bitmap of a mask, row by row. */
export function decodeMask({ width, height, counts }: Mask): Uint8Array {
  const bitmap = new Uint8Array(width * height);
  let at = 0;
  for (const [i, run] of counts.entries()) {
    if (i % 2 === 1) for (let n = at; n < at + run; n++) bitmap[(n % height) * width + Math.floor(n / height)] = 1;
    at += run;
  }
  return bitmap;
}

/** Whether a pixel lies in the mask; false outside its raster. */
export function maskAt(mask: Mask): (x: number, y: number) => boolean {
  const bitmap = decodeMask(mask);
  return (x, y) => x >= 0 && y >= 0 && x < mask.width && y < mask.height && bitmap[y * mask.width + x] === 1;
}

/** Raster on which masks of a source are drawn: its longer side `longest` at most, aspect kept. */
export function maskSize(source: { width: number; height: number }, longest: number): { width: number; height: number } {
  const scale = Math.min(1, longest / Math.max(source.width, source.height));
  return { width: Math.max(1, Math.round(source.width * scale)), height: Math.max(1, Math.round(source.height * scale)) };
}

/** Where a row or column of the mask's raster lies between two of a map over the model's input: floor, next, and the next one's share. */
export function samples(length: number, sourceLength: number, scale: number, offset: number, inputLength: number, mapLength: number): { first: Int32Array; second: Int32Array; share: Float32Array } {
  const [first, second, share] = [new Int32Array(length), new Int32Array(length), new Float32Array(length)];
  for (let i = 0; i < length; i++) {
    const input = (((i + 0.5) * sourceLength) / length) * scale + offset;
    const at = Math.min(mapLength - 1, Math.max(0, (input * mapLength) / inputLength - 0.5));
    first[i] = Math.floor(at);
    second[i] = Math.min(mapLength - 1, first[i]! + 1);
    share[i] = at - first[i]!;
  }
  return { first, second, share };
}

/** The two axes of a mask raster over a map [rows, columns] of the model's input. */
export function sampler(size: { width: number; height: number }, at: Placement, columns: number, rows: number): { x: ReturnType<typeof samples>; y: ReturnType<typeof samples> } {
  return {
    x: samples(size.width, at.source.width, at.scaleX, at.offsetX, at.width, columns),
    y: samples(size.height, at.source.height, at.scaleY, at.offsetY, at.height, rows),
  };
}

/** Smallest box around the set pixels, in pixels of the source; null without one. */
export function boxOf(bitmap: Uint8Array, size: { width: number; height: number }, source: { width: number; height: number }): Box | null {
  let [left, top, right, bottom] = [size.width, size.height, -1, -1];
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      if (bitmap[y * size.width + x] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  const [sx, sy] = [source.width / size.width, source.height / size.height];
  return right < 0 ? null : [left * sx, top * sy, (right + 1) * sx, (bottom + 1) * sy];
}
