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
 * Runtime refuses memory that is shared, so this pass is also the copy (one table look-up per byte; measured in bench/inference).
 * The decoder delivers the model's exact size, so nothing is resampled; throws FRAME_SIZE otherwise.
 */
export function imageBatch(slots: readonly SlotRef[], preprocess: ImagePreprocess): Float32Array<ArrayBuffer> {
  const [width, height] = preprocess.size;
  const plane = width * height;
  const out = new Float32Array(slots.length * 3 * plane);
  const [first, second, third] = tables(preprocess);
  for (const [i, slot] of slots.entries()) {
    if (slot.width !== width || slot.height !== height || slot.byteLength !== plane * 3) {
      throw new FlowError("FRAME_SIZE", `found a frame of ${slot.width}×${slot.height} (${slot.byteLength} bytes), expected ${width}×${height} rgb24`, {
        hint: "Frames come in the model's size when nothing overrides `size` on the input.",
        permanent: true,
      });
    }
    const pixels = new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength);
    const base = i * 3 * plane;
    // bgr models get the same three look-ups, stored in the opposite planes.
    const [r, g, b] = preprocess.color === "rgb" ? [base, base + plane, base + 2 * plane] : [base + 2 * plane, base + plane, base];
    fill(out, pixels, plane, r, g, b, preprocess.color === "rgb" ? first : third, second, preprocess.color === "rgb" ? third : first);
  }
  return out;
}

/** Alone, so that V8 compiles one monomorphic loop. */
function fill(out: Float32Array, pixels: Uint8Array, plane: number, r: number, g: number, b: number, red: Float32Array, green: Float32Array, blue: Float32Array): void {
  for (let p = 0, q = 0; p < plane; p++, q += 3) {
    out[r + p] = red[pixels[q]!]!;
    out[g + p] = green[pixels[q + 1]!]!;
    out[b + p] = blue[pixels[q + 2]!]!;
  }
}

type Tables = [Float32Array, Float32Array, Float32Array];
const cache = new WeakMap<ImagePreprocess, Tables>();

/** All 256 values per channel, in the order of `mean` and `std` (that of `color`). */
function tables(preprocess: ImagePreprocess): Tables {
  let made = cache.get(preprocess);
  if (!made) {
    const { mean, std, scale } = preprocess;
    made = [0, 1, 2].map((c) => Float32Array.from({ length: 256 }, (_, byte) => (byte * scale - mean[c]!) / std[c]!)) as Tables;
    cache.set(preprocess, made);
  }
  return made;
}
