import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ModelManifest } from "../../src/contracts/index.js";
import { sameBits } from "../../src/inference/feeds.js";
import { OnnxRuntime } from "../../src/inference/onnx.js";
import { Sessions } from "../../src/inference/sessions.js";
import { OnnxGraph } from "../../models/build/onnx-writer.js";
import { Random } from "../../models/build/random.js";
import { stored } from "./fixtures.js";

const WIDTH = 48;
const noise = (length: number, seed: number): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length }, () => random.normal());
};

const manifestFor = (name: string, graph: OnnxGraph, input: (number | string)[]): ModelManifest =>
  stored(graph, name, { task: "text-embedding", summary: "Rows.", inputs: [{ name: "x", dims: input }], preprocess: { kind: "text", tokenizer: "lite-ngrams", dims: WIDTH }, output: { name: "y", dims: WIDTH, normalised: "none" } });

/** A dense layer whose weights are computed, which ONNX Runtime cannot pack: a matrix of one row has a kernel of its own. */
function dense(): ModelManifest {
  const graph = new OnnxGraph("dense", "tests");
  const x = graph.input("x", "float32", ["n", WIDTH]);
  const total = graph.op("ReduceSum", [x], { keepdims: 1 });
  const weights = graph.op("Add", [graph.constant([WIDTH, WIDTH], noise(WIDTH * WIDTH, 1)), graph.op("Mul", [total, graph.scalar(0)])]);
  graph.output(graph.op("MatMul", [x, weights]), "y", "float32", ["n", WIDTH]);
  return manifestFor("dense", graph, ["n", WIDTH]);
}
/** A sum over tokens: with one row its outer dimension is 1, and the sum takes another order. */
function summed(): ModelManifest {
  const graph = new OnnxGraph("summed", "tests");
  graph.output(graph.op("ReduceSum", [graph.input("x", "float32", ["n", "t", WIDTH]), graph.ints(1)], { keepdims: 0 }), "y", "float32", ["n", WIDTH]);
  return manifestFor("summed", graph, ["n", "t", WIDTH]);
}
/** The same with constant weights: packed, one kernel for all. */
function packed(): ModelManifest {
  const graph = new OnnxGraph("packed", "tests");
  graph.output(graph.op("MatMul", [graph.input("x", "float32", ["n", WIDTH]), graph.constant([WIDTH, WIDTH], noise(WIDTH * WIDTH, 1))]), "y", "float32", ["n", WIDTH]);
  return manifestFor("packed", graph, ["n", WIDTH]);
}
function plain(): ModelManifest {
  const graph = new OnnxGraph("plain", "tests");
  graph.output(graph.op("Tanh", [graph.input("x", "float32", ["n", WIDTH])]), "y", "float32", ["n", WIDTH]);
  return manifestFor("plain", graph, ["n", WIDTH]);
}

interface Opened {
  /** Rows at..at+n of x. */
  rows(at: number, n: number, batched: boolean): Promise<Float32Array>;
  runs(): number;
  counted(): number;
}

async function open(manifest: ModelManifest, inner: readonly number[]): Promise<Opened> {
  let [runs, counted] = [0, 0];
  const sessions = new Sessions({ runtime: new OnnxRuntime(1), checkStop: () => void (runs += 1), counted: (_, rows) => void (counted += rows), loaded: () => undefined, limited: () => undefined });
  const model = await sessions.handle(manifest);
  const stride = inner.reduce((a, b) => a * b, 1);
  const data = noise(16 * stride, 7);
  return {
    rows: async (at, n, batched) => (await model.run({ x: { data: data.slice(at * stride, (at + n) * stride), dims: [n, ...inner] } }, { batched }))["y"]!.data,
    runs: () => runs,
    counted: () => counted,
  };
}

describe("rows have the same bits at every batch size, the batch of one row included", () => {
  for (const [manifest, inner] of [[dense(), [WIDTH]], [summed(), [37, WIDTH]], [packed(), [WIDTH]], [plain(), [WIDTH]]] as const) {
    test(manifest.id, async () => {
      const model = await open(manifest, inner);
      const whole = await model.rows(0, 16, true);
      assert.equal(whole.length, 16 * WIDTH);
      for (const n of [1, 2, 3, 5, 8]) {
        for (let at = 0; at + n <= 16; at += n) assert.deepEqual(await model.rows(at, n, true), whole.slice(at * WIDTH, (at + n) * WIDTH), `${n} rows from ${at}`);
      }
      assert.equal(model.counted(), 16 + 16 + 16 + 15 + 15 + 16, "each row is counted once, however it ran");
    });
  }

  test("what one row gives is found out once per session, and only for rows of batches", async () => {
    const model = await open(plain(), [WIDTH]);
    await model.rows(0, 1, false);
    await model.rows(0, 16, true);
    assert.equal(model.runs(), 2);
    await model.rows(0, 1, true);
    assert.equal(model.runs(), 2 + 3 + 1);
    await model.rows(1, 1, true);
    assert.equal(model.runs(), 7);
  });

  test("the row that is left of a cut batch is one of it", async () => {
    // 4 rows of 600 kB run at once.
    const inner = [3125, WIDTH];
    const model = await open(summed(), inner);
    const [five, two] = [await model.rows(0, 5, false), await model.rows(4, 2, true)];
    assert.deepEqual(five.slice(4 * WIDTH), two.slice(0, WIDTH));
  });

  test("a value that is not a number says nothing", () => {
    const of = (...values: number[]): { y: { data: Float32Array; dims: number[] } } => ({ y: { data: Float32Array.from(values), dims: [values.length] } });
    assert.equal(sameBits(of(1, 0), of(1, 0)), true);
    assert.equal(sameBits(of(1, 0), of(1, -0)), false);
    assert.equal(sameBits(of(1, Number.NaN), of(1, Number.NaN)), false);
    assert.equal(sameBits(of(1), of(1, 2)), false);
  });
});
