import type { Detection, Mask } from "../../contracts/index.js";
import type { Raster } from "../resample.js";
import { maskAt } from "./masks.js";

/** Why there is no crop. */
export type NoCrop = NonNullable<Detection["noVector"]>;

/** [a, b, tx, ty]: x' = a·x − b·y + tx, y' = b·x + a·y + ty. */
export type Similarity = [number, number, number, number];

/** Where eyes, nose and corners of the mouth lie in an aligned face of 112×112: the template that ArcFace and its kin were trained with (Deng et al., 2019). */
export const FACE_TEMPLATE: readonly [number, number][] = [
  [38.2946, 51.6963],
  [73.5318, 51.5014],
  [56.0252, 71.7366],
  [41.5493, 92.3655],
  [70.7299, 92.2041],
];

/** Rotation, scale and shift that bring `from` nearest to `to` in the least squares (Umeyama, 1991, without reflection). */
export function similarity(from: readonly (readonly [number, number])[], to: readonly (readonly [number, number])[]): Similarity {
  const n = from.length;
  const mean = (points: readonly (readonly [number, number])[], axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / n;
  const [fx, fy, tx, ty] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let [along, across, spread] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [from[i]![0] - fx, from[i]![1] - fy];
    const [u, v] = [to[i]![0] - tx, to[i]![1] - ty];
    along += x * u + y * v;
    across += x * v - y * u;
    spread += x * x + y * y;
  }
  const [a, b] = spread === 0 ? [1, 0] : [along / spread, across / spread];
  return [a, b, tx - (a * fx - b * fy), ty - (b * fx + a * fy)];
}

/** The raster seen through a similarity, `size` × `size`, bilinear, black outside. Points are pixel centres, as OpenCV's warpAffine has them. */
export function warp({ pixels, width, height }: Raster, [a, b, tx, ty]: Similarity, size: number): Raster {
  const out = new Uint8Array(size * size * 3);
  const norm = a * a + b * b;
  const byte = (x: number, y: number, c: number): number => (x < 0 || y < 0 || x >= width || y >= height ? 0 : pixels[(y * width + x) * 3 + c]!);
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const sx = (a * (x - tx) + b * (y - ty)) / norm;
      const sy = (a * (y - ty) - b * (x - tx)) / norm;
      const [left, top] = [Math.floor(sx), Math.floor(sy)];
      const [u, v] = [sx - left, sy - top];
      for (let c = 0; c < 3; c++) {
        const upper = byte(left, top, c) * (1 - u) + byte(left + 1, top, c) * u;
        const lower = byte(left, top + 1, c) * (1 - u) + byte(left + 1, top + 1, c) * u;
        out[to++] = upper * (1 - v) + lower * v + 0.5;
      }
    }
  }
  return { pixels: out, width: size, height: size };
}

/** The aligned face of a detection whose landmarks are in pixels of `source`; null where it has no five of them. */
export function alignedFace(raster: Raster, { landmarks }: Detection, source: { width: number; height: number }, size: number): Raster | NoCrop {
  if (landmarks?.length !== FACE_TEMPLATE.length) return "no landmarks";
  const points = landmarks.map(([x, y]): [number, number] => [(x * raster.width) / source.width, (y * raster.height) / source.height]);
  const template = FACE_TEMPLATE.map(([x, y]): [number, number] => [(x * size) / 112, (y * size) / 112]);
  return warp(raster, similarity(points, template), size);
}

/**
 * The part of the raster that a box (pixels of `source`) holds, grown on each side by `padding` of its size and clipped to the raster, unless less than a pixel is left.
 * `masked`: what lies outside of the mask is black, unless no pixel of it lies in the box.
 */
export function cropped(raster: Raster, { box, mask }: Detection, source: { width: number; height: number }, options: { padding?: number; masked?: boolean } = {}): Raster | NoCrop {
  const padding = options.padding ?? 0;
  const [sx, sy] = [raster.width / source.width, raster.height / source.height];
  const [growX, growY] = [(box[2] - box[0]) * padding, (box[3] - box[1]) * padding];
  const left = Math.max(0, Math.round((box[0] - growX) * sx));
  const top = Math.max(0, Math.round((box[1] - growY) * sy));
  const right = Math.min(raster.width, Math.round((box[2] + growX) * sx));
  const bottom = Math.min(raster.height, Math.round((box[3] + growY) * sy));
  const [width, height] = [right - left, bottom - top];
  if (width < 1 || height < 1) return "outside of the picture";
  const out = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((y + top) * raster.width + left) * 3;
    out.set(raster.pixels.subarray(from, from + width * 3), y * width * 3);
  }
  if (options.masked && !mask) return "no mask";
  if (options.masked && mask && !blacken(out, { left, top, width, height }, raster, mask)) return "empty mask";
  return { pixels: out, width, height };
}

/** false: no pixel of the mask lies in the crop. */
function blacken(out: Uint8Array, at: { left: number; top: number; width: number; height: number }, raster: Raster, mask: Mask): boolean {
  const inside = maskAt(mask);
  let kept = 0;
  for (let y = 0; y < at.height; y++) {
    const my = Math.floor(((y + at.top + 0.5) * mask.height) / raster.height);
    for (let x = 0; x < at.width; x++) {
      if (inside(Math.floor(((x + at.left + 0.5) * mask.width) / raster.width), my)) kept += 1;
      else out.fill(0, (y * at.width + x) * 3, (y * at.width + x + 1) * 3);
    }
  }
  return kept > 0;
}
