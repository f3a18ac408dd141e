import { FlowError, type ModelManifest, type SlotRef } from "../contracts/index.js";

export type ImagePreprocess = Extract<ModelManifest["preprocess"], { kind: "image" }>;

/** A model's image preprocessing, or an error that names the model. */
export function imagePreprocess(manifest: ModelManifest): ImagePreprocess {
  if (manifest.preprocess.kind === "image") return manifest.preprocess;
  throw new FlowError("MODEL_TASK", `model ${manifest.id} reads ${manifest.preprocess.kind}, not images`, {
    hint: "Give the role a model whose manifest has `preprocess: { kind: image }`.",
    permanent: true,
  });
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

/** Memory that one thread's calls use one after the other. */
export class Scratch {
  #memory = new Float32Array(0);

  /** `length` floats of any content; what was taken before is overwritten. */
  take(length: number): Float32Array<ArrayBuffer> {
    if (this.#memory.length < length) this.#memory = new Float32Array(length);
    return this.#memory.subarray(0, length);
  }
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
