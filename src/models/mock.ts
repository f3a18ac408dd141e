/**
 * Deterministic stand-ins for models (`--mock-models`): any graph runs anywhere, without weights. Values come from a hash of what a row
 * is, never from its place in a batch. What they say means nothing.
 */
import { createHash } from "node:crypto";
import type { ModelHandle, ModelManifest, TensorInfo } from "../contracts/index.js";

type Feeds = Parameters<ModelHandle["run"]>[0];
type Fetched = Awaited<ReturnType<ModelHandle["run"]>>;

/** Raised when stand-ins give other values: it is part of their hash. */
const MOCK_VERSION = 2;

/** The manifest of a model's stand-in: its shapes, no files, and a hash of its own, so that no result of it is taken for the model's. */
export function mockManifest(manifest: ModelManifest): ModelManifest {
  const { id, task, family, inputs, outputs, output, settings } = manifest;
  const sha256 = createHash("sha256").update(JSON.stringify({ mock: MOCK_VERSION, id, task, family, inputs, outputs, output, settings })).digest("hex");
  // Not a spread: the places of the real files are looked for by getters, and nobody needs them.
  const descriptors = Object.getOwnPropertyDescriptors(manifest) as PropertyDescriptorMap;
  const fixed = { mock: true, sha256, sizeBytes: 0, files: [], file: "", dir: "", installed: true };
  for (const [name, value] of Object.entries(fixed)) descriptors[name] = { value, enumerable: true, configurable: true, writable: true };
  return Object.defineProperties({}, descriptors) as ModelManifest;
}

const WORDS = "amber river lantern harbour meadow copper window garden signal orchard velvet mountain paper engine silver forest market thunder bridge candle".split(" ");

/** Text of a generative stand-in: `mock ID: ` and words made from the inputs. `inputs`: whatever decides the result, plain data or bytes. */
export function mockText(handle: Pick<ModelHandle, "manifest">, inputs: unknown, words = 8): string {
  const next = random(seedOf(handle.manifest.id, inputs));
  return `mock ${handle.manifest.id}: ${Array.from({ length: words }, () => WORDS[Math.floor(next() * WORDS.length)]!).join(" ")}`;
}

/** Vector of an embedding stand-in, of the manifest's length and norm. */
export function mockVector(handle: Pick<ModelHandle, "manifest">, inputs: unknown): Float32Array<ArrayBuffer> {
  return vector(random(seedOf(handle.manifest.id, inputs)), handle.manifest.output?.dims ?? 16, handle.manifest.output?.normalised !== "none");
}

/** Names for `count` classes of a stand-in, whose file of labels does not exist. */
export function mockLabels(handle: Pick<ModelHandle, "manifest">, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `mock ${handle.manifest.id} ${i}`);
}

/**
 * What `run()` gives: the outputs of the manifest, a row for each row of the feeds. Symbolic dimensions take the size that the feeds have
 * under the same name, else 1. Numbers in 0..1, mostly small, so that few of them pass a score's bar.
 */
export function mockRun(manifest: ModelManifest, feeds: Feeds): Fetched {
  const sizes = new Map<string, number>();
  for (const input of manifest.inputs) {
    input.dims.forEach((dim, i) => {
      const size = feeds[input.name]?.dims[i];
      if (typeof dim === "string" && size !== undefined) sizes.set(dim, size);
    });
  }
  const [first] = manifest.inputs;
  const firstDim = first?.dims[0];
  const rows = (first && feeds[first.name]?.dims[0]) ?? Object.values(feeds)[0]?.dims[0] ?? 1;
  const seeds = rowSeeds(manifest, feeds, rows);
  const fetched: Fetched = {};
  for (const output of outputsOf(manifest, feeds)) {
    const [lead, ...rest] = output.dims;
    const byRow = lead !== undefined && (typeof lead === "string" ? !sizes.has(lead) || sizes.get(lead) === rows : lead === firstDim);
    const tail = (byRow ? rest : output.dims).map((dim) => (typeof dim === "number" ? dim : (sizes.get(dim) ?? cells(manifest, output.name, feeds) ?? 1)));
    const width = tail.reduce((product, dim) => product * dim, 1);
    const count = byRow ? rows : 1;
    const data = new Float32Array(count * width);
    const embedded = output.name === manifest.output?.name;
    for (let row = 0; row < count; row++) {
      const next = random(byRow ? seeds[row]! : seedOf("all", seeds), output.name);
      const own = data.subarray(row * width, (row + 1) * width);
      if (!embedded) for (let i = 0; i < width; i++) own[i] = sixteenthPower(next());
      else if (tail.length === 1) own.set(vector(next, width, manifest.output!.normalised !== "none"));
      else for (let i = 0; i < width; i++) own[i] = next() - 0.5;
    }
    fetched[output.name] = { data, dims: byRow ? [rows, ...tail] : tail };
  }
  return fetched;
}

/** Its 16th power. A detector has half a million numbers a picture, and `**` takes ten times as long. */
function sixteenthPower(value: number): number {
  const fourth = value * value * (value * value);
  return fourth * fourth * (fourth * fourth);
}

/** `cls_16` of a detector has a row for each cell of its grid of 16 pixels. */
function cells({ preprocess, settings }: ModelManifest, name: string, feeds: Feeds): number | null {
  const stride = Number(/_(\d+)$/.exec(name)?.[1]);
  const dims = Object.values(feeds)[0]?.dims ?? [];
  if (preprocess.kind !== "image" || dims.length !== 4 || !(settings["strides"] as unknown[] | undefined)?.includes(stride)) return null;
  const [height, width] = preprocess.layout === "nchw" ? [dims[2]!, dims[3]!] : [dims[1]!, dims[2]!];
  return Math.ceil(height / stride) * Math.ceil(width / stride);
}

/** The vector that an embedding model states is an output like the others. */
function outputsOf(manifest: ModelManifest, feeds: Feeds): TensorInfo[] {
  const { output, outputs } = manifest;
  if (!output || outputs.some(({ name }) => name === output.name)) return outputs;
  const tokens = Object.values(feeds).map(({ dims }) => dims[1]).find((size) => size !== undefined) ?? 1;
  return [...outputs, { name: output.name, type: "float32", dims: output.pooling === "none" ? ["n", output.dims] : ["n", tokens, output.dims] }];
}

/** A seed for each row. Where an attention mask says so, padding is no part of a row: it depends on the neighbours in the batch. */
function rowSeeds(manifest: ModelManifest, feeds: Feeds, rows: number): number[] {
  const mask = feeds["attention_mask"];
  const names = Object.keys(feeds).sort();
  return Array.from({ length: rows }, (_, row) => {
    const hash = createHash("sha256").update(manifest.id);
    for (const name of names) {
      const { data, dims } = feeds[name]!;
      const stride = dims[0] === rows ? data.length / rows : data.length;
      const start = dims[0] === rows ? row * stride : 0;
      let part: ArrayBufferView = data.subarray(start, start + stride);
      if (mask && mask.data.length === data.length) part = data.filter((_, i) => i >= start && i < start + stride && Number(mask.data[i]) !== 0) as ArrayBufferView;
      hash.update(name).update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    }
    return hash.digest().readUInt32LE();
  });
}

function seedOf(id: string, inputs: unknown): number {
  const hash = createHash("sha256").update(id);
  feed(hash, inputs);
  return hash.digest().readUInt32LE();
}

function feed(hash: ReturnType<typeof createHash>, value: unknown): void {
  if (ArrayBuffer.isView(value)) hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  else if (Array.isArray(value)) value.forEach((entry) => feed(hash.update("["), entry));
  else if (typeof value === "object" && value !== null) for (const [key, entry] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) feed(hash.update(`${key}=`), entry);
  else hash.update(`${typeof value}:${String(value)};`);
}

/** mulberry32 (Tommy Ettinger, public domain): 32-bit state, good enough to look like noise. */
function random(seed: number, stream = ""): () => number {
  let state = seed ^ (stream === "" ? 0 : createHash("sha256").update(stream).digest().readUInt32LE());
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function vector(next: () => number, dims: number, unit: boolean): Float32Array<ArrayBuffer> {
  const values = new Float32Array(dims);
  for (let i = 0; i < dims; i++) values[i] = next() * 2 - 1;
  const norm = unit ? Math.hypot(...values) : 1;
  return norm > 0 ? values.map((value) => value / norm) : values;
}
