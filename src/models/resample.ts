/**
 * Scaling of rgb24 rasters. nearest, bilinear, bicubic and lanczos are the filters of @huggingface/transformers' processors (libvips' affine
 * transform, Lanczos by its resize), linear is OpenCV's INTER_LINEAR: a model gets the pixels that its published processor would give it.
 */

/** rgb24, tightly packed. */
export interface Raster {
  pixels: Uint8Array;
  width: number;
  height: number;
}

export type Filter = "linear" | "bilinear" | "bicubic" | "lanczos" | "nearest";

type Sharp = typeof import("sharp").default;
let sharp: Promise<Sharp> | undefined;

/** libvips' own threads would compete with the pool's: it is told once per worker to use none. */
export function loadSharp(): Promise<Sharp> {
  sharp ??= import("sharp").then(({ default: loaded }) => {
    loaded.concurrency(1);
    loaded.cache(false);
    return loaded;
  });
  return sharp;
}

/** The raster at about `width` × `height`: the affine filters may miss either by a pixel, as they do in the library. */
export async function resample(raster: Raster, width: number, height: number, filter: Filter): Promise<Raster> {
  if (raster.width === width && raster.height === height) return raster;
  if (filter === "linear") return linear(raster, width, height);
  const open = await loadSharp();
  // sharp refuses shared memory.
  const pixels = raster.pixels.buffer instanceof SharedArrayBuffer ? Uint8Array.from(raster.pixels) : raster.pixels;
  const image = open(pixels, { raw: { width: raster.width, height: raster.height, channels: 3 } });
  const scaled = filter === "lanczos" ? image.resize({ width, height, fit: "fill", kernel: "lanczos3" }) : image.affine([[width / raster.width, 0], [0, height / raster.height]], { interpolator: filter });
  const { data, info } = await scaled.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height };
}

/** Bilinear between the centres of pixels, without a filter before it (OpenCV's INTER_LINEAR). libvips' affine has its pixels' corners at whole numbers, half a pixel away. */
export function linear({ pixels, width: w, height: h }: Raster, width: number, height: number): Raster {
  const out = new Uint8Array(width * height * 3);
  const columns = taps(w, width);
  const rows = taps(h, height);
  for (let y = 0, to = 0; y < height; y++) {
    const [above, below, v] = [rows.first[y]! * w * 3, rows.second[y]! * w * 3, rows.share[y]!];
    for (let x = 0; x < width; x++) {
      const [left, right, u] = [columns.first[x]! * 3, columns.second[x]! * 3, columns.share[x]!];
      for (let c = 0; c < 3; c++) {
        const upper = pixels[above + left + c]! * (1 - u) + pixels[above + right + c]! * u;
        const lower = pixels[below + left + c]! * (1 - u) + pixels[below + right + c]! * u;
        out[to++] = upper * (1 - v) + lower * v + 0.5;
      }
    }
  }
  return { pixels: out, width, height };
}

/** For each of `to` pixels the two of `from` that it lies between, and the second one's share. */
function taps(from: number, to: number): { first: Int32Array; second: Int32Array; share: Float64Array } {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const share = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    first[i] = Math.floor(at);
    second[i] = Math.min(from - 1, first[i]! + 1);
    share[i] = at - first[i]!;
  }
  return { first, second, share };
}
