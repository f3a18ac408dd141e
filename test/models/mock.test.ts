import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import type { ModelHandle } from "../../src/contracts/index.js";
import { sampleFeeds } from "../../src/inference/agreement.js";
import { loadModels, manifestOf } from "../../src/models/manifest.js";
import { mockLabels, mockManifest, mockRun, mockText, mockVector } from "../../src/models/mock.js";

type Feeds = Parameters<ModelHandle["run"]>[0];
const MODELS = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "models");
const model = (more: object) =>
  mockManifest(manifestOf({ id: "m", task: "t", summary: "s", licence: "MIT", files: [{ path: "m.onnx" }], limits: [], inputs: [{ name: "x", dims: ["n", 2] }], outputs: [{ name: "y", dims: ["n", 3] }], ...more }, "/nowhere/m.yaml"));
const floats = (dims: number[], value: (i: number) => number = (i) => i): Feeds[string] => ({ data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => value(i)), dims });
const ints = (dims: number[], values: number[]): Feeds[string] => ({ data: BigInt64Array.from(values, BigInt), dims });

test("the manifest of a stand-in has no files, another hash, and everything else; the place of the real files is not looked for", () => {
  const real = manifestOf({ id: "m", task: "t", summary: "s", licence: "MIT", files: [{ path: "m.onnx" }], limits: ["none"], inputs: [{ name: "x", dims: ["n"] }], output: { name: "v", dims: 8, normalised: "unit" } }, "/nowhere/m.yaml", () => {
    throw new Error("looked for the file");
  });
  const mocked = mockManifest(real);
  assert.deepEqual([mocked.mock, mocked.files, mocked.file, mocked.sizeBytes, mocked.installed], [true, [], "", 0, true]);
  assert.match(mocked.sha256, /^[0-9a-f]{64}$/);
  assert.deepEqual([mocked.id, mocked.task, mocked.output, mocked.inputs, mocked.limits], [real.id, real.task, real.output, real.inputs, real.limits]);
  assert.deepEqual(JSON.parse(JSON.stringify(mocked)).sha256, mocked.sha256, "it crosses to a worker");
  assert.notEqual(mockManifest(model({ outputs: [{ name: "y", dims: ["n", 4] }] })).sha256, mockManifest(model({})).sha256);
});

test("a row's values come from the row: the same in any batch and place, others for another row", () => {
  const m = model({});
  const all = mockRun(m, { x: floats([4, 2], (i) => i % 6) });
  assert.deepEqual(all["y"]!.dims, [4, 3]);
  const row = (fetched: typeof all, i: number): number[] => [...fetched["y"]!.data.subarray(3 * i, 3 * i + 3)];
  for (let i = 0; i < 4; i++) assert.deepEqual(row(mockRun(m, { x: floats([1, 2], (k) => (2 * i + k) % 6) }), 0), row(all, i));
  assert.deepEqual(row(all, 0), row(all, 3));
  assert.notDeepEqual(row(all, 0), row(all, 1));
  assert.ok(all["y"]!.data.every((value) => value >= 0 && value < 1));
});

test("padding behind an attention mask is no part of a row", () => {
  const m = model({ inputs: [{ name: "input_ids", type: "int64", dims: ["n", "tokens"] }, { name: "attention_mask", type: "int64", dims: ["n", "tokens"] }], outputs: [], output: { name: "last_hidden_state", dims: 4, normalised: "unit", pooling: "mean" } });
  const short = mockRun(m, { input_ids: ints([1, 2], [7, 8]), attention_mask: ints([1, 2], [1, 1]) });
  const padded = mockRun(m, { input_ids: ints([2, 3], [7, 8, 1, 4, 5, 6]), attention_mask: ints([2, 3], [1, 1, 0, 1, 1, 1]) });
  assert.deepEqual([short["last_hidden_state"]!.dims, padded["last_hidden_state"]!.dims], [[1, 2, 4], [2, 3, 4]]);
  assert.deepEqual([...padded["last_hidden_state"]!.data.subarray(0, 8)], [...short["last_hidden_state"]!.data]);
});

test("an embedding is a unit vector; free dimensions are those of the feeds; cells of a detector's grid are counted", () => {
  const embedding = mockRun(model({ outputs: [], output: { name: "v", dims: 64, normalised: "unit" } }), { x: floats([3, 2]) })["v"]!;
  assert.deepEqual(embedding.dims, [3, 64]);
  for (let i = 0; i < 3; i++) assert.ok(Math.abs(Math.hypot(...embedding.data.subarray(64 * i, 64 * i + 64)) - 1) < 1e-5);
  const sized = model({ inputs: [{ name: "x", dims: ["n", 3, "h", "w"] }], outputs: [{ name: "mask", dims: ["n", 1, "h", "w"] }, { name: "cls_16", dims: ["n", "cells", 1] }, { name: "total", dims: [2] }], preprocess: { kind: "image", size: [64, 32] }, settings: { strides: [8, 16] } });
  const fetched = mockRun(sized, { x: floats([2, 3, 32, 64]) });
  assert.deepEqual(Object.fromEntries(Object.entries(fetched).map(([name, { dims }]) => [name, dims])), { mask: [2, 1, 32, 64], cls_16: [2, 8, 1], total: [2] });
});

test("texts, vectors and labels: the same for the same inputs, named after their model", () => {
  const m = { manifest: model({ outputs: [], output: { name: "v", dims: 8, normalised: "unit" } }) };
  assert.equal(mockText(m, { a: 1, b: [2, "x"] }), mockText(m, { b: [2, "x"], a: 1 }));
  assert.notEqual(mockText(m, { a: 1 }), mockText(m, { a: 2 }));
  assert.notEqual(mockText(m, Uint8Array.of(1, 2)), mockText(m, Uint8Array.of(2, 1)));
  assert.match(mockText(m, "hello", 3), /^mock m: \w+ \w+ \w+$/);
  assert.deepEqual(mockVector(m, "hello"), mockVector(m, "hello"));
  assert.equal(mockVector(m, "hello").length, 8);
  assert.deepEqual(mockLabels(m, 2), ["mock m 0", "mock m 1"]);
});

test("every manifest that comes with flow has a stand-in with its shapes", () => {
  let run = 0;
  for (const manifest of loadModels(MODELS).values()) {
    if (manifest.runtime !== "onnx") continue;
    const mocked = mockManifest(manifest);
    const feeds = sampleFeeds(mocked, mocked.inputs);
    if (!feeds) continue;
    const fetched = mockRun(mocked, feeds);
    for (const { name, dims } of mocked.outputs) {
      assert.equal(fetched[name]?.dims.length, dims.length, `${manifest.id} ${name}`);
      dims.forEach((dim, i) => typeof dim === "number" && assert.equal(fetched[name]!.dims[i], i === 0 && dim === 1 ? fetched[name]!.dims[0] : dim, `${manifest.id} ${name}`));
      assert.equal(fetched[name]!.data.length, fetched[name]!.dims.reduce((a, b) => a * b, 1));
    }
    if (mocked.output) assert.ok(fetched[mocked.output.name]!.data.length % mocked.output.dims === 0);
    run += 1;
  }
  assert.ok(run >= 3);
});
