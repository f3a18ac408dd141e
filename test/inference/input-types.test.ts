/** Models of pictures and sound whose inputs and outputs are not float32, against the same graph in float32. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { OnnxGraph, type ElementType } from "../../models/build/onnx-writer.js";
import type { GridItem, ModelManifest, OperatorDefinition } from "../../src/contracts/index.js";
import { InferencePool } from "../../src/inference/index.js";
import { mockManifest } from "../../src/models/mock.js";
import { audioEmbed } from "../../src/operators/audio/audio.embed.js";
import { imageEmbed } from "../../src/operators/image/image.embed.js";
import { modelRun } from "../../src/operators/model/model.run.js";
import { buildModel } from "../models/stand-ins/model-folder.js";
import { audioRing, frameRing } from "./fixtures.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());

const CODE: Partial<Record<ElementType, number>> = { float32: 1, float16: 10 };
const SAMPLES = 160;

interface Wanted {
  input: ElementType;
  output?: "float32" | "float16";
  /** First dimension of the file. */
  batch?: string | number;
  preprocess?: object;
}

/** Means of the channels of a picture, times 1, 2 and 3, and the largest of the first. */
function picture({ input, output = "float32", batch = "n", preprocess = { scale: 1 } }: Wanted): ModelManifest {
  const id = `picture-${input}-${output}-${batch}`;
  const graph = new OnnxGraph(id, "tests");
  const pixels = graph.op("Cast", [graph.input("pixels", input, [batch, 3, 8, 8])], { to: 1 });
  const mean = graph.op("Mul", [graph.op("ReduceMean", [pixels], { axes: [2, 3], keepdims: 0 }), graph.constant([1, 3], Float32Array.of(1, 2, 3))]);
  graph.output(graph.op("Cast", [mean], { to: CODE[output]! }), "vector", output, [batch, 3]);
  return buildModel(
    id,
    { task: "image-embedding", inputs: [{ name: "pixels", type: input, dims: ["n", 3, 8, 8] }], preprocess: { kind: "image", size: [8, 8], ...preprocess }, output: { name: "vector", dims: 3, normalised: "none" } },
    { "model.onnx": graph },
  ).manifest;
}

/** Mean and largest of a window's samples. */
function sound({ input, output = "float32", batch = "n", preprocess = { scale: 32768 } }: Wanted): ModelManifest {
  const id = `sound-${input}-${output}-${batch}`;
  const graph = new OnnxGraph(id, "tests");
  const samples = graph.op("Cast", [graph.input("samples", input, [batch, SAMPLES])], { to: 1 });
  const both = graph.op("Concat", [graph.op("ReduceMean", [samples], { axes: [1], keepdims: 1 }), graph.op("ReduceMax", [samples], { axes: [1], keepdims: 1 })], { axis: 1 });
  graph.output(graph.op("Cast", [graph.op("Div", [both, graph.scalar(64)])], { to: CODE[output]! }), "vector", output, [batch, 2]);
  return buildModel(
    id,
    { task: "audio-embedding", inputs: [{ name: "samples", type: input, dims: ["n", SAMPLES] }], preprocess: { kind: "audio", sampleRate: 16000, windowSeconds: SAMPLES / 16000, ...preprocess }, output: { name: "vector", dims: 2, normalised: "none" } },
    { "model.onnx": graph },
  ).manifest;
}

const frames = frameRing(3, 8, 8, 5);
// Samples of 16-bit sound that a half holds exactly.
const windows = audioRing([{ length: SAMPLES, valid: SAMPLES }, { length: SAMPLES, valid: SAMPLES }, { length: SAMPLES, valid: 90 }], (k, n) => (((n * 37 + k * 11) % 513) - 200) / 1024);

async function vectors(operator: OperatorDefinition, role: string, model: ModelManifest, items: readonly GridItem[]): Promise<Float32Array[]> {
  if (!model.mock) assert.deepEqual(await pool.verify([model]), []);
  const results = await pool.run({ kind: "batch", module: operator.module, operator: operator.name, node: "n", config: operator.config.parse({}), models: { [role]: model }, items: [...items] });
  return results.map((r) => (r.ok ? (r.value as Float32Array) : assert.fail(`${model.id}: ${r.error.message}`)));
}

function close(found: readonly Float32Array[], expected: readonly Float32Array[], within: number, what: string): void {
  assert.equal(found.length, expected.length);
  found.forEach((row, i) => row.forEach((value, n) => assert.ok(Math.abs(value - expected[i]![n]!) <= within * Math.max(1, Math.abs(expected[i]![n]!)), `${what}: row ${i} has ${[...row].join(", ")}, expected ${[...expected[i]!].join(", ")}`)));
}

for (const [what, make, operator, role, items, types] of [
  ["pictures", picture, imageEmbed, "image", frames, ["uint8", "int32", "int64", "float16"]],
  ["sound", sound, audioEmbed, "audio", windows, ["int32", "int64", "float16"]],
] as const) {
  describe(`${what} in the type that the file wants`, () => {
    for (const input of types) {
      test(input, async () => {
        const definition = operator as unknown as OperatorDefinition;
        const expected = await vectors(definition, role, make({ input: "float32" }), items);
        assert.ok(expected.every((row) => row.some((value) => value !== 0)));
        for (const batch of ["n", 1, 4]) {
          const model = make({ input, batch });
          assert.deepEqual(await vectors(definition, role, model, items), expected, `batch ${batch}, three items`);
          assert.deepEqual(await vectors(definition, role, model, items.slice(0, 1)), expected.slice(0, 1), `batch ${batch}, one item`);
        }
      });
    }

    test("half-precision vectors are numbers, not their bits", async () => {
      const definition = operator as unknown as OperatorDefinition;
      const expected = await vectors(definition, role, make({ input: "float32" }), items);
      for (const input of ["float32", "float16"] as const) {
        const model = make({ input, output: "float16" });
        const found = await vectors(definition, role, model, items);
        close(found, expected, 1e-3, input);
        assert.deepEqual(await vectors(definition, role, model, items.slice(0, 1)), found.slice(0, 1));
      }
    });

    test("stand-ins of such models (--mock-models) give a row per item, without any file", async () => {
      for (const input of types) {
        const mock = mockManifest(make({ input, output: "float16" }));
        const found = await vectors(operator as unknown as OperatorDefinition, role, mock, items);
        assert.equal(found.length, 3);
        assert.deepEqual(await vectors(operator as unknown as OperatorDefinition, role, mock, items.slice(0, 1)), found.slice(0, 1));
      }
    });
  });
}

test("normalised pixels in half precision are those of float32, rounded", async () => {
  const preprocess = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  const embed = imageEmbed as unknown as OperatorDefinition;
  const expected = await vectors(embed, "image", picture({ input: "float32", preprocess }), frames);
  close(await vectors(embed, "image", picture({ input: "float16", preprocess }), frames), expected, 2e-3, "float16");
});

test("model.run reads outputs of every type as numbers", async () => {
  const graph = new OnnxGraph("types", "tests");
  const mean = graph.op("ReduceMean", [graph.op("Cast", [graph.input("pixels", "uint8", ["n", 3, 8, 8])], { to: 1 })], { axes: [2, 3], keepdims: 0 });
  const types = { float32: 1, float16: 10, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;
  for (const [type, to] of Object.entries(types)) graph.output(graph.op("Cast", [mean], { to }), type, type as ElementType, ["n", 3]);
  const outputs = Object.keys(types).map((type) => ({ name: type, type, dims: ["n", 3] }));
  const model = buildModel("types", { task: "anything", inputs: [{ name: "pixels", type: "uint8", dims: ["n", 3, 8, 8] }], outputs, preprocess: { kind: "image", size: [8, 8], scale: 1 } }, { "model.onnx": graph }).manifest;
  assert.deepEqual(await pool.verify([model]), []);
  const read = async (output: string): Promise<number[][]> => {
    const results = await pool.run({ kind: "batch", module: modelRun.module, operator: modelRun.name, node: "n", config: modelRun.config.parse({ output }), models: { model }, items: [...frames] });
    return results.map((r) => (r.ok ? (r.value as { data: number[] }).data : assert.fail(r.error.message)));
  };
  const means = await read("float32");
  for (const type of ["uint8", "int32", "int64"]) assert.deepEqual(await read(type), means.map((row) => row.map(Math.trunc)), type);
  assert.deepEqual(await read("bool"), means.map((row) => row.map((value) => Number(value !== 0))));
  (await read("float16")).forEach((row, i) => row.forEach((value, n) => assert.ok(Math.abs(value - means[i]![n]!) < 0.1)));
});
