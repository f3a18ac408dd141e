import { FlowError, type ModelManifest, type SlotRef, type VideoDemand } from "../contracts/index.js";
import { resample, type Raster } from "./resample.js";
import type { Scratch } from "./scratch.js";

export type ImagePreprocess = Extract<ModelManifest["preprocess"], { kind: "image" }>;

/** A model's image preprocessing, or an error that names the model. */
export function imagePreprocess(manifest: ModelManifest): ImagePreprocess {
  if (manifest.preprocess.kind === "image") return manifest.preprocess;
  throw new FlowError("MODEL_TASK", `model ${manifest.id} reads ${manifest.preprocess.kind}, not images`, {
    hint: "Give the role a model whose manifest has `preprocess: { kind: image }`.",
    permanent: true,
  });
}

/** What the decoder should deliver, so that a worker scales nothing where the source is large enough. */
export function rasterDemand({ fit, size, resize }: ImagePreprocess): VideoDemand["size"] {
  const [width, height] = size;
  if (fit === "fill") return [width, height];
  if (fit === "cover") return { shortest: resize ?? Math.max(width, height) };
  return { longest: Math.max(width, height) };
}

/** The pixels of a slot, as they lie. */
export function rasterOf(slot: SlotRef): Raster {
  const expected = slot.width * slot.height * 3;
  if (slot.byteLength === expected) return { pixels: new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength), width: slot.width, height: slot.height };
  throw new FlowError("FRAME_SIZE", `found a frame of ${slot.width}×${slot.height} with ${slot.byteLength} bytes, expected ${expected} of rgb24`, {
    hint: "This is a defect of the decoder: please report it.",
    permanent: true,
  });
}

/** Where the source's pixels lie in a model's input: x' = x · scaleX + offsetX, the same for y. */
export interface Placement {
  scaleX: number;
  scaleY: number;
  offsetX: number;
  offsetY: number;
  /** Raster in whose pixels coordinates are given. */
  source: { width: number; height: number };
  /** The model's input. */
  width: number;
  height: number;
}

/** A box [left, top, right, bottom] or points of the model's input in pixels of the source. */
export const toSourceX = (at: Placement, x: number): number => (x - at.offsetX) / at.scaleX;
export const toSourceY = (at: Placement, y: number): number => (y - at.offsetY) / at.scaleY;

export interface ImageInput {
  data: Float32Array<ArrayBuffer>;
  /** [n, 3, height, width] or [n, height, width, 3]. */
  dims: number[];
  placements: Placement[];
}

/**
 * Rasters of any size → one input, as the manifest says: scaled (only where the raster does not fit already), cropped or padded, normalised,
 * in the model's order of channels and dimensions. `sources`: the raster that coordinates are to be given in, the raster itself unless known.
 * `fit: edges` gives inputs of different shapes for rasters of different shapes: they must be grouped before ({@link inputSize}).
 */
export async function imageInput(rasters: readonly Raster[], preprocess: ImagePreprocess, options: { sources?: readonly ({ width: number; height: number } | null | undefined)[]; scratch?: Scratch } = {}): Promise<ImageInput> {
  const layouts = rasters.map((raster) => layout(raster, preprocess));
  const [width, height] = layouts[0] ? [layouts[0].width, layouts[0].height] : preprocess.size;
  const { scratch, sources } = options;
  const length = rasters.length * 3 * width * height;
  const data = scratch ? scratch.take(length) : new Float32Array(length);
  const placements: Placement[] = [];
  for (const [i, raster] of rasters.entries()) {
    const content = await resample(raster, layouts[i]!.scaledWidth, layouts[i]!.scaledHeight, preprocess.resample);
    const at = preprocess.fit === "edges" ? { cropX: 0, cropY: 0, padX: 0, padY: 0 } : offsets(content, preprocess);
    const frame = data.subarray(i * 3 * width * height, (i + 1) * 3 * width * height);
    if (preprocess.fit === "edges" && (content.width !== width || content.height !== height)) {
      throw new FlowError("FRAME_SIZE", `found frames of ${content.width}×${content.height} and ${width}×${height} in one batch`, { hint: "This is a defect of the operator: please report it.", permanent: true });
    }
    write(content, at, frame, width, height, preprocess);
    const source = sources?.[i] ?? { width: raster.width, height: raster.height };
    placements.push({
      scaleX: content.width / source.width,
      scaleY: content.height / source.height,
      offsetX: at.padX - at.cropX,
      offsetY: at.padY - at.cropY,
      source,
      width,
      height,
    });
  }
  return { data, dims: preprocess.layout === "nhwc" ? [rasters.length, height, width, 3] : [rasters.length, 3, height, width], placements };
}

/** [width, height] of the input that a raster becomes; the manifest's size but for `fit: edges`. */
export function inputSize(raster: { width: number; height: number }, preprocess: ImagePreprocess): [number, number] {
  const { width, height } = layout(raster, preprocess);
  return [width, height];
}

interface Layout {
  scaledWidth: number;
  scaledHeight: number;
  width: number;
  height: number;
}

/** Rounds as the library does: down, after two decimals. */
const floor = (length: number): number => Math.max(1, Math.floor(Number(length.toFixed(2))));

function layout(raster: { width: number; height: number }, { fit, size, resize }: ImagePreprocess): Layout {
  const { width: w, height: h } = raster;
  const [width, height] = size;
  const scaled = (factor: number): Layout => ({ scaledWidth: floor(w * factor), scaledHeight: floor(h * factor), width, height });
  const asItIs: Layout = { scaledWidth: w, scaledHeight: h, width, height };
  switch (fit) {
    case "fill":
      return { scaledWidth: width, scaledHeight: height, width, height };
    case "cover": {
      const shortest = resize ?? Math.max(width, height);
      return Math.min(w, h) === shortest ? asItIs : scaled(Math.max(shortest / w, shortest / h));
    }
    case "contain":
      // A decoder that was asked for the longer side has rounded the other one to an even number: that is no reason to scale again.
      return (w === width && h <= height) || (h === height && w <= width) ? asItIs : scaled(Math.min(width / w, height / h));
    case "edges": {
      // The library scales until the longer side is `longest`, whatever the shorter one is then.
      const [longest, shortest] = size;
      const short = Math.max(shortest / w, shortest / h);
      const long = Math.min(longest / (w * short), longest / (h * short));
      const scaledWidth = floor(w * short * long);
      const scaledHeight = floor(h * short * long);
      return { scaledWidth, scaledHeight, width: scaledWidth, height: scaledHeight };
    }
  }
}

interface Offsets {
  cropX: number;
  cropY: number;
  padX: number;
  padY: number;
}

/** Content larger than the input loses its margins, smaller content is padded: in the centre or at the top left. */
function offsets(content: { width: number; height: number }, { size, anchor, fit }: ImagePreprocess): Offsets {
  const centre = fit !== "contain" || anchor === "centre";
  const [overX, overY] = [content.width - size[0], content.height - size[1]];
  const half = (over: number): number => (centre ? Math.floor(over / 2) : 0);
  return { cropX: overX > 0 ? half(overX) : 0, cropY: overY > 0 ? half(overY) : 0, padX: overX < 0 ? half(-overX) : 0, padY: overY < 0 ? half(-overY) : 0 };
}

/** (byte · scale − mean) / std of the content at its place, the padding around it. */
function write(content: Raster, at: Offsets, out: Float32Array, width: number, height: number, preprocess: ImagePreprocess): void {
  const { mean, std, scale, pad } = preprocess;
  const nhwc = preprocess.layout === "nhwc";
  const [step, plane] = nhwc ? [3, 1] : [1, width * height];
  const columns = Math.min(content.width - at.cropX, width - at.padX);
  const rows = Math.min(content.height - at.cropY, height - at.padY);
  const lines = [0, 1, 2].map((byte): Line => {
    const c = preprocess.color === "rgb" ? byte : 2 - byte;
    return { plane: c * plane, slope: scale / std[c]!, offset: -mean[c]! / std[c]! };
  }) as [Line, Line, Line];
  if (columns < width || rows < height) {
    for (const { plane: first, slope, offset } of lines) {
      const value = pad === "mean" ? 0 : pad * slope + offset;
      if (nhwc) for (let p = first; p < out.length; p += 3) out[p] = value;
      else out.fill(value, first, first + plane);
    }
  }
  const [r, g, b] = lines;
  for (let y = 0; y < rows; y++) {
    const from = ((y + at.cropY) * content.width + at.cropX) * 3;
    const to = ((y + at.padY) * width + at.padX) * step;
    writeRow(content.pixels, from, columns, out, to, step, r, g, b);
  }
}

/** Alone, so that V8 compiles one loop for all three channels. */
function writeRow(pixels: Uint8Array, from: number, columns: number, out: Float32Array, to: number, step: number, r: Line, g: Line, b: Line): void {
  const { slope: rs, offset: ro } = r;
  const { slope: gs, offset: go } = g;
  const { slope: bs, offset: bo } = b;
  let [red, green, blue] = [to + r.plane, to + g.plane, to + b.plane];
  for (let x = 0, q = from; x < columns; x++, q += 3, red += step, green += step, blue += step) {
    out[red] = pixels[q]! * rs + ro;
    out[green] = pixels[q + 1]! * gs + go;
    out[blue] = pixels[q + 2]! * bs + bo;
  }
}

/**
 * rgb24 slots → one private Float32Array [n, 3, height, width]: (byte · scale − mean) / std, channels in the model's order. ONNX
 * Runtime refuses memory that is shared, so this pass is also the copy (0.2 ms for 224²; a table look-up per byte took 0.3). The
 * decoder delivers the model's exact size, so nothing is resampled; throws FRAME_SIZE otherwise. With `scratch` the result is only
 * valid until its next `take`: 10 MB a batch that the garbage collector never sees.
 */
export function imageBatch(slots: readonly SlotRef[], preprocess: ImagePreprocess, scratch?: Scratch): Float32Array<ArrayBuffer> {
  const [width, height] = preprocess.size;
  const plane = width * height;
  const out = scratch ? scratch.take(slots.length * 3 * plane) : new Float32Array(slots.length * 3 * plane);
  const { mean, std, scale } = preprocess;
  // Red, green and blue: the model's channel each one is, with that channel's mean and std.
  const channels = preprocess.color === "rgb" ? [0, 1, 2] : [2, 1, 0];
  const lines = channels.map((c) => ({ plane: c, slope: scale / std[c]!, offset: -mean[c]! / std[c]! })) as [Line, Line, Line];
  for (const [i, slot] of slots.entries()) {
    if (slot.width !== width || slot.height !== height || slot.byteLength !== plane * 3) {
      throw new FlowError("FRAME_SIZE", `found a frame of ${slot.width}×${slot.height} (${slot.byteLength} bytes), expected ${width}×${height} rgb24`, {
        hint: "Frames come in the model's size when nothing overrides `size` on the input.",
        permanent: true,
      });
    }
    const pixels = new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength);
    const planes = lines.map((line) => out.subarray((i * 3 + line.plane) * plane, (i * 3 + line.plane + 1) * plane)) as [Float32Array, Float32Array, Float32Array];
    normalise(pixels, ...planes, ...lines);
  }
  return out;
}

/** Where red, green or blue goes, and how. */
interface Line {
  plane: number;
  slope: number;
  offset: number;
}

/** Alone, so that V8 compiles one monomorphic loop. */
function normalise(pixels: Uint8Array, red: Float32Array, green: Float32Array, blue: Float32Array, r: Line, g: Line, b: Line): void {
  const { slope: rs, offset: ro } = r;
  const { slope: gs, offset: go } = g;
  const { slope: bs, offset: bo } = b;
  for (let p = 0, q = 0; p < red.length; p++, q += 3) {
    red[p] = pixels[q]! * rs + ro;
    green[p] = pixels[q + 1]! * gs + go;
    blue[p] = pixels[q + 2]! * bs + bo;
  }
}
