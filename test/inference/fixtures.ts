import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { FlowError, Frames, Text, Value, Vector, defineOperator, skip, type BatchFunction, type GridItem, type MediumInfo, type ModelManifest } from "../../src/contracts/index.js";
import { manifestOf } from "../../src/models/manifest.js";
import { OnnxGraph, type Dims } from "../../models/build/onnx-writer.js";

export const modelsDir = fileURLToPath(new URL("../../../models", import.meta.url));

/** Frames as the decoder leaves them: rgb24 in slots of one shared ring, the same noise for the same seed. */
export function frameRing(count: number, width: number, height: number, seed = 1): GridItem[] {
  const bytes = width * height * 3;
  const buffer = new SharedArrayBuffer(bytes * count);
  const pixels = new Uint8Array(buffer);
  let state = seed >>> 0;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Shapes, so that features differ, plus a little noise.
    pixels[i] = ((((i / 3) % width) * (1 + (Math.floor(i / bytes) % 7))) & 0xf0) | (state >>> 28);
  }
  return Array.from({ length: count }, (_, i) => ({ ptsUs: i * 500_000, samples: 0, slot: { buffer, byteOffset: i * bytes, byteLength: bytes, width, height } }));
}

/** Mono windows in one shared ring; `sample(window, n)` gives each sample. */
export function audioRing(windows: { length: number; valid: number }[], sample: (window: number, n: number) => number): GridItem[] {
  const total = windows.reduce((sum, w) => sum + w.length, 0);
  const buffer = new SharedArrayBuffer(total * 4);
  let offset = 0;
  return windows.map(({ length, valid }, k) => {
    const data = new Float32Array(buffer, offset, length);
    for (let n = 0; n < valid; n++) data[n] = sample(k, n);
    const item = { ptsUs: k * 2_000_000, samples: valid, slot: { buffer, byteOffset: offset, byteLength: length * 4, width: 0, height: 0 } };
    offset += length * 4;
    return item;
  });
}

/** The graph as a file, in a folder of its own unless told, and its manifest. */
export function stored(graph: OnnxGraph, name: string, fields: Record<string, unknown>, folder = mkdtempSync(join(tmpdir(), "flow-model-"))): ModelManifest {
  const bytes = graph.encode();
  writeFileSync(join(folder, `${name}.onnx`), bytes);
  const file = { path: `${name}.onnx`, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  return manifestOf({ id: name, licence: "MIT", files: [file], limits: [], ...fields }, join(folder, `${name}.yaml`));
}

/** A mean over pixels per channel, ×[1,2,3] + [0,0,1]: a model small enough to check by hand. `batch`: first dimension of the file. */
export function tinyModel(options: { batch?: number | string; size?: number; dims?: number; name?: string } = {}): ModelManifest {
  const { batch = "n", size = 4, dims = 3, name = "tiny" } = options;
  const graph = new OnnxGraph(name, "for tests");
  const inDims: Dims = [batch, 3, size, size];
  const x = graph.input("pixels", "float32", inDims);
  const mean = graph.op("ReduceMean", [x], { axes: [2, 3], keepdims: 0 });
  const scaled = graph.op("Add", [graph.op("Mul", [mean, graph.constant([1, 3], Float32Array.of(1, 2, 3))]), graph.constant([1, 3], Float32Array.of(0, 0, 1))]);
  graph.output(scaled, "vector", "float32", [batch, 3]);
  return stored(graph, name, {
    task: "image-embedding",
    summary: "Channel means.",
    inputs: [{ name: "pixels", dims: ["n", 3, size, size] }],
    preprocess: { kind: "image", size: [size, size] },
    output: { name: "vector", dims, normalised: "none" },
  });
}

export const medium: MediumInfo = {
  id: "0".repeat(64),
  uri: "file:///nothing.mp4",
  name: "nothing.mp4",
  kind: "video",
  container: "mp4",
  sizeBytes: 1,
  durationUs: 1_000_000,
  startUs: 0,
  video: null,
  audio: null,
  subtitles: [],
  memoisable: true,
};
export const interval = { startUs: 0, endUs: 1_000_000 };

const read = (item: GridItem): Uint8Array => new Uint8Array(item.slot.buffer, item.slot.byteOffset, item.slot.byteLength);

const sums: BatchFunction = async (items, config: { guilty?: number; lose?: boolean; spinMs?: number }) => {
  const guilty = items.find((i) => i.ptsUs === config.guilty);
  if (guilty) throw new FlowError("TEST_GUILTY", `frame at ${guilty.ptsUs}`, { hint: "none", item: String(guilty.ptsUs), permanent: true });
  for (const until = performance.now() + (config.spinMs ?? 0); performance.now() < until; );
  const rows = items.map((i) => Float32Array.of(i.ptsUs, read(i).reduce((a, b) => a + b, 0)));
  return config.lose ? rows.slice(1) : rows;
};

/** The sum of each frame's bytes; throws, loses results or takes its time on request. */
export const testSums = defineOperator({
  name: "test.sums",
  version: 1,
  summary: "Sums bytes.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame", { dims: 2 }) },
  config: z.strictObject({ guilty: z.number().optional(), lose: z.boolean().optional(), spinMs: z.number().optional() }),
  run: { form: "batch", result: "vector", input: "frames" },
  batch: sums,
  examples: [],
});

export const testEach = defineOperator({
  name: "test.each",
  version: 1,
  summary: "Answers by its text.",
  module: import.meta.url,
  level: "scene",
  inputs: { text: Text },
  outputs: { value: Value },
  config: z.strictObject({}),
  run: {
    form: "each",
    thread: "pool",
    each: ({ text }, _config, ctx) => {
      if (text === "throw") throw new TypeError("no good");
      if (text === "skip") return skip("asked to");
      // In a worker thread this ends the thread only.
      if (text === "die") process.exit(1);
      if (text === "function") return { value: () => 0 };
      return { value: `${text as string} at ${ctx.interval.startUs} of ${ctx.medium.name}`, bytes: Buffer.from("abc"), vector: Float32Array.of(1, 2) };
    },
  },
  examples: [],
});

const crashes: BatchFunction = async (items, config: { abort?: number; hang?: number; exit?: number }) => {
  if (items.some((i) => i.ptsUs === config.abort)) process.abort();
  if (items.some((i) => i.ptsUs === config.exit)) process.exit(7);
  if (items.some((i) => i.ptsUs === config.hang)) for (;;);
  return items.map((i) => Float32Array.of(i.ptsUs, read(i).reduce((a, b) => a + b, 0)));
};

/** Like test.sums; aborts the process, leaves it or never returns at the frame that it is told. For `isolation: process` only. */
export const testCrash = defineOperator({
  name: "test.crash",
  version: 1,
  summary: "Sums bytes until it crashes.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame", { dims: 2 }) },
  config: z.strictObject({ abort: z.number().optional(), hang: z.number().optional(), exit: z.number().optional() }),
  run: { form: "batch", result: "vector", input: "frames" },
  batch: crashes,
  examples: [],
});

/** Answers with the process and thread that ran it. */
export const testWhere = defineOperator({
  name: "test.where",
  version: 1,
  summary: "Where it runs.",
  module: import.meta.url,
  level: "scene",
  inputs: { text: Text },
  outputs: { value: Value },
  config: z.strictObject({}),
  run: { form: "each", thread: "pool", each: () => ({ value: process.pid }) },
  examples: [],
});

/**
 * [n, 1] → [n, 3]: the first outputs are x, 2x and 3x; on the way it makes n⁹ numbers, so that a batch of 16 asks for 275 GB and one of 4 for
 * 1 MB.
 */
export function greedyModel(name = "greedy"): ModelManifest {
  const graph = new OnnxGraph(name, "for tests");
  const x = graph.input("x", "float32", ["n", 1]);
  const scaled = graph.op("Mul", [x, graph.constant([1, 3], Float32Array.of(1, 2, 3))]);
  const rows = graph.op("Slice", [graph.op("Shape", [x]), graph.ints(0), graph.ints(1)]);
  const shape = graph.op("Concat", Array.from({ length: 9 }, () => rows), { axis: 0 });
  const huge = graph.op("Expand", [graph.op("ReduceMean", [x], { axes: [0, 1], keepdims: 0 }), shape]);
  const least = graph.op("Mul", [graph.op("ReduceMax", [huge], { keepdims: 0 }), graph.constant([1], Float32Array.of(0))]);
  graph.output(graph.op("Add", [scaled, least]), "vector", "float32", ["n", 3]);
  return stored(graph, name, {
    task: "test", summary: "Needs n⁹ numbers.",
    inputs: [{ name: "x", dims: ["n", 1] }],
    outputs: [{ name: "vector", dims: ["n", 3] }],
  });
}

/** [n] indices of 2…5 → [n] numbers; refuses all others. */
export function pickyModel(name = "picky"): ModelManifest {
  const graph = new OnnxGraph(name, "for tests");
  const index = graph.op("Sub", [graph.input("i", "int64", ["n"]), graph.ints(4)]);
  graph.output(graph.op("Gather", [graph.constant([2], Float32Array.of(5, 7)), index]), "y", "float32", ["n"]);
  return stored(graph, name, {
    task: "test", summary: "Refuses indices.",
    inputs: [{ name: "i", type: "int64", dims: ["n"] }],
    outputs: [{ name: "y", dims: ["n"] }],
  });
}

const throughModel: BatchFunction = async (items, _config, { models }) => {
  const rows = items.length;
  const { vector } = await models["model"]!.run({ x: { data: Float32Array.from(items, (i) => i.ptsUs), dims: [rows, 1] } });
  return items.map((_, i) => vector!.data.slice(3 * i, 3 * i + 3));
};

/** Gives each frame's time to a model of [n, 1] → [n, 3]. */
export const testModel = defineOperator({
  name: "test.model",
  version: 1,
  summary: "Asks a model.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame", { dims: 3 }) },
  config: z.strictObject({}),
  models: { model: { task: "test" } },
  run: { form: "batch", result: "vector", input: "frames" },
  batch: throughModel,
  examples: [],
});

/** [n, 3, 64, 64] → [n, 32] over two maps of 32 × 256 × 256: small weights, 17 MB of activations a row. */
export function wideModel(folder: string): ModelManifest {
  const graph = new OnnxGraph("wide", "for tests");
  const weights = (dims: number[]): string => graph.constant(dims, Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i) / 10));
  const x = graph.input("pixels", "float32", ["n", 3, 64, 64]);
  let map = graph.op("Resize", [x, "", graph.constant([4], Float32Array.of(1, 1, 4, 4))], { mode: "nearest" });
  for (const channels of [3, 32]) map = graph.op("Sigmoid", [graph.op("Conv", [map, weights([32, channels, 1, 1])], { kernel_shape: [1, 1] })]);
  graph.output(graph.op("ReduceMean", [map], { axes: [2, 3], keepdims: 0 }), "vector", "float32", ["n", 32]);
  return stored(graph, "wide", {
    task: "image-embedding", summary: "Wide maps.",
    inputs: [{ name: "pixels", dims: ["n", 3, 64, 64] }],
    preprocess: { kind: "image", size: [64, 64] },
    output: { name: "vector", dims: 32, normalised: "unit" },
  }, folder);
}
