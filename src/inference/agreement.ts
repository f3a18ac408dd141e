/** Whether a device computes what the CPU computes: one run of both on values made up from the file's declaration. */
import type { ModelManifest, TensorInfo } from "../contracts/index.js";
import type { Feeds, Fetched } from "./feeds.js";

const BATCH = 2;
const FREE_SIZE = 16;

/**
 * Feeds of so many rows, of the right sizes and of numbers that the types can hold, the same every time; a text has `tokens` of them. Where the file leaves a size free the
 * manifest's input may state it. null: an input has a type or a size that nobody states.
 */
export function sampleFeeds(manifest: ModelManifest, inputs: readonly TensorInfo[], rows = BATCH, tokens = FREE_SIZE): Feeds | null {
  const rowsName = manifest.inputs[0]?.dims[0];
  const feeds: Feeds = {};
  for (const input of inputs) {
    const stated = manifest.inputs.find(({ name }) => name === input.name)?.dims;
    const dims = input.dims.map((dim, i) => {
      const size = isSize(dim) ? dim : stated?.[i];
      if (isSize(size)) return size;
      return i === 0 || (size !== undefined && size === rowsName) ? rows : freeSize(manifest, input.dims.length, i, tokens);
    });
    const length = dims.reduce((product, dim) => product * dim, 1);
    // Whole numbers are indices or masks: 0 and 1 are valid as both. Bytes are pixels.
    if (input.type === "float32" || input.type === "float16") feeds[input.name] = { data: Float32Array.from({ length }, (_, i) => ((Math.imul(i + 1, 2654435761) >>> 8) % 1000) / 1000), dims };
    else if (input.type === "int64") feeds[input.name] = { data: BigInt64Array.from({ length }, (_, i) => BigInt(wholeNumber(manifest, dims, i))), dims };
    else if (input.type === "uint8") feeds[input.name] = { data: Float32Array.from({ length }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % 256), dims };
    else if (input.type === "int32" || input.type === "bool") feeds[input.name] = { data: Int32Array.from({ length }, (_, i) => wholeNumber(manifest, dims, i)), dims };
    else return null;
  }
  return feeds;
}

const isSize = (dim: string | number | undefined): dim is number => typeof dim === "number" && dim >= 1;

/** A model of sound that is told one number without a dimension is told the rate. */
const wholeNumber = ({ preprocess }: ModelManifest, dims: readonly number[], i: number): number => (preprocess.kind === "audio" && dims.length === 0 ? preprocess.sampleRate : i % 2);

function freeSize({ preprocess }: ModelManifest, rank: number, index: number, tokens: number): number {
  if (preprocess.kind === "image" && rank === 4) {
    const [width, height] = preprocess.size;
    const first = preprocess.layout === "nchw" ? 2 : 1;
    if (index === first) return height;
    if (index === first + 1) return width;
  }
  if (preprocess.kind === "audio" && index === rank - 1) return Math.round(preprocess.sampleRate * preprocess.windowSeconds);
  return preprocess.kind === "text" ? tokens : FREE_SIZE;
}

/** Largest difference of two runs, relative to max(1, |expected|); infinite when they differ in shape or in what is a number. */
export function difference(expected: Fetched, found: Fetched): number {
  let largest = 0;
  for (const [name, { data }] of Object.entries(expected)) {
    const other = found[name]?.data;
    if (other?.length !== data.length) return Number.POSITIVE_INFINITY;
    for (let i = 0; i < data.length; i++) {
      const [a, b] = [data[i]!, other[i]!];
      const apart = Object.is(a, b) ? 0 : Math.abs(a - b) / Math.max(1, Math.abs(a));
      if (!(apart <= largest)) largest = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart;
    }
  }
  return largest;
}
