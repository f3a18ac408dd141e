/**
 * Scaling of rgb24 rasters through sharp. The filters are those of @huggingface/transformers' processors (an affine transform by libvips
 * for nearest, bilinear and bicubic; Lanczos by its resize), so that a model gets the pixels that its published processor would give it.
 */

/** rgb24, tightly packed. */
export interface Raster {
  pixels: Uint8Array;
  width: number;
  height: number;
}

export type Filter = "bilinear" | "bicubic" | "lanczos" | "nearest";

type Sharp = typeof import("sharp").default;
let sharp: Promise<Sharp> | undefined;

/** libvips' own threads would compete with the pool's: it is told once per worker to use none. */
function loadSharp(): Promise<Sharp> {
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
  const open = await loadSharp();
  // sharp refuses shared memory.
  const pixels = raster.pixels.buffer instanceof SharedArrayBuffer ? Uint8Array.from(raster.pixels) : raster.pixels;
  const image = open(pixels, { raw: { width: raster.width, height: raster.height, channels: 3 } });
  const scaled = filter === "lanczos" ? image.resize({ width, height, fit: "fill", kernel: "lanczos3" }) : image.affine([[width / raster.width, 0], [0, height / raster.height]], { interpolator: filter });
  const { data, info } = await scaled.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height };
}
