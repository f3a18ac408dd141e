import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import { unfedInputs } from "../../../src/contracts/index.js";
import { InferencePool } from "../../../src/inference/index.js";
import { modelRun, postProcess } from "../../../src/operators/model/model.run.js";
import { audioRing, frameRing } from "../../inference/fixtures.js";
import { buildModel } from "../../models/stand-ins/model-folder.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());

/** Mean colour in two rows of three: as it is, and doubled. */
function colours(): ReturnType<typeof buildModel> {
  const graph = new OnnxGraph("colours", "tests");
  const mean = graph.op("ReduceMean", [graph.input("pixels", "float32", ["n", 3, 8, 8])], { axes: [2, 3], keepdims: 0 });
  const rows = graph.op("Concat", [graph.op("Unsqueeze", [mean, graph.ints(1)]), graph.op("Unsqueeze", [graph.op("Mul", [mean, graph.scalar(2)]), graph.ints(1)])], { axis: 1 });
  graph.output(mean, "means", "float32", ["n", 3]);
  graph.output(rows, "rows", "float32", ["n", 2, 3]);
  return buildModel(
    "colours",
    { task: "anything", inputs: [{ name: "pixels", dims: ["n", 3, 8, 8] }], outputs: [{ name: "means", dims: ["n", 3] }, { name: "rows", dims: ["n", 2, 3] }], preprocess: { kind: "image", size: [8, 8] }, settings: { classes: ["red", "green", "blue"] } },
    { "model.onnx": graph },
  );
}

async function run(model: ReturnType<typeof buildModel>["manifest"], items: ReturnType<typeof frameRing>, config: object): Promise<unknown[]> {
  const results = await pool.run({ kind: "batch", module: modelRun.module, operator: modelRun.name, node: "run", config: modelRun.config.parse(config), models: { model }, items });
  return results.map((r) => (r.ok ? r.value : assert.fail(r.error.message)));
}

describe("model.run", () => {
  const { manifest } = colours();
  const frames = frameRing(5, 8, 8, 3);

  test("numbers as they are, by the name of an output; the same at every batch size", async () => {
    const all = (await run(manifest, frames, { output: "rows" })) as { dims: number[]; data: number[] }[];
    for (const [i, { dims, data }] of all.entries()) {
      assert.deepEqual(dims, [2, 3]);
      const pixels = new Uint8Array(frames[i]!.slot.buffer, frames[i]!.slot.byteOffset, frames[i]!.slot.byteLength);
      for (let c = 0; c < 3; c++) {
        const mean = pixels.filter((_, p) => p % 3 === c).reduce((sum, value) => sum + value, 0) / 64 / 255;
        assert.ok(Math.abs(data[c]! - mean) < 1e-6 && Math.abs(data[3 + c]! - 2 * mean) < 1e-6);
      }
      assert.deepEqual(await run(manifest, [frames[i]!], { output: "rows" }), [all[i]]);
    }
    // The first output unless one is named.
    assert.deepEqual(((await run(manifest, frames, {})) as { dims: number[] }[])[0]!.dims, [3]);
  });

  test("labels by the manifest's names, best first, above the bar", async () => {
    const [labels] = (await run(manifest, frames.slice(0, 1), { post: "labels", activation: "none", top: 2 })) as { label: string; score: number }[][];
    assert.equal(labels!.length, 2);
    assert.ok(labels![0]!.score >= labels![1]!.score);
    const [best] = (await run(manifest, frames.slice(0, 1), { post: "argmax", activation: "none" })) as { index: number; label: string; score: number }[];
    assert.deepEqual({ label: best!.label, score: best!.score }, labels![0]);
    assert.equal(["red", "green", "blue"][best!.index], best!.label);
    assert.deepEqual(await run(manifest, frames.slice(0, 1), { post: "labels", activation: "none", min_score: 1 }), [[]]);
  });

  test("an output that the model has not is refused by the manifest that lists them, by the file where it lists none, and by the run", async () => {
    const link = (model: typeof manifest, output?: string) => ({ config: modelRun.config.parse({ output }), models: { model }, inputs: { stream: { kind: "frames" as const, level: "frame" as const } } });
    const outputs = modelRun.outputs as (given: ReturnType<typeof link>) => object;
    for (const name of [undefined, "means", "rows"]) assert.doesNotThrow(() => outputs(link(manifest, name)));
    assert.throws(() => outputs(link(manifest, "nope")), { code: "MODEL_OUTPUT", message: 'model colours has no output "nope"; its manifest lists means, rows', hint: /output: means.*colours\.yaml/ });
    const vector = { ...manifest, outputs: [], output: { name: "means", dims: 3, normalised: "unit", pooling: "none" } } as typeof manifest;
    assert.doesNotThrow(() => outputs(link(vector, "rows")), "its file has it");
    assert.deepEqual(modelRun.reads!(modelRun.config.parse({ output: "rows" })), { model: ["rows"] });
    assert.deepEqual(await pool.verify([vector], { reads: new Map([["colours", ["rows"]]]) }), []);
    const [error] = await pool.verify([vector], { reads: new Map([["colours", ["nope"]]]) });
    assert.equal(error?.code, "MODEL_OUTPUT");
    assert.match(`${error.message} ${error.hint}`, /no output "nope"; .*model\.onnx has means: float32\[n, 3\], rows: float32\[n, 2, 3\] .*output: means/);
    await assert.rejects(run(manifest, frames, { output: "nothing" }), { code: "MODEL_OUTPUT", message: /means, rows.*nothing/ });
  });

  test("an input that nothing fills is named, for good", async () => {
    const graph = new OnnxGraph("pair", "tests");
    graph.output(graph.op("ReduceMean", [graph.op("Sub", [graph.input("left", "float32", ["n", 3, 8, 8]), graph.input("right", "float32", ["n", 3, 8, 8])])], { axes: [2, 3], keepdims: 0 }), "mean", "float32", ["n", 3]);
    const dims = ["n", 3, 8, 8];
    const pair = buildModel("pair", { task: "anything", inputs: [{ name: "left", dims }, { name: "right", dims }], outputs: [{ name: "mean", dims: ["n", 3] }], preprocess: { kind: "image", size: [8, 8] } }, { "model.onnx": graph }).manifest;
    assert.deepEqual(unfedInputs(modelRun.models!["model"]!, "model", { model: pair }).map(({ name }) => name), ["right"]);
    await assert.rejects(run(pair, frames.slice(0, 1), {}), { code: "MODEL_INPUT", permanent: true, message: "model pair: nothing goes into right: float32[n, 3, 8, 8]; the operator feeds left", hint: /pair\.yaml/ });
  });

  /** A model whose output `found` is made of the pictures' channels, [n, 3]. */
  function standIn(id: string, batch: "n" | 1, make: (graph: OnnxGraph, pixels: string) => string, dims: (number | string)[], settings: object = {}): ReturnType<typeof buildModel>["manifest"] {
    const graph = new OnnxGraph(id, "tests");
    graph.output(make(graph, graph.input("pixels", "float32", [batch, 3, 8, 8])), "found", "float32", dims);
    return buildModel(id, { task: "anything", inputs: [{ name: "pixels", dims: ["n", 3, 8, 8] }], outputs: [{ name: "found", dims }], preprocess: { kind: "image", size: [8, 8] }, settings }, { "model.onnx": graph }).manifest;
  }
  const overAll = (graph: OnnxGraph, pixels: string): string => graph.op("ReduceMean", [pixels], { axes: [0, 2, 3], keepdims: 0 });
  const twice = (graph: OnnxGraph, pixels: string): string => {
    const mean = graph.op("ReduceMean", [pixels], { axes: [2, 3], keepdims: 0 });
    return graph.op("Concat", [mean, graph.op("Mul", [mean, graph.scalar(2)])], { axis: 0 });
  };
  const [one, three] = [frames.slice(0, 1), frames.slice(0, 3)];

  test("what is made of the whole batch belongs to no item: refused at every batch size, unless items run alone", async () => {
    const mean = standIn("mean", "n", overAll, [3]);
    for (const items of [one, three]) {
      const hint = new RegExp(`Its first dimension has to be the items of the batch\\. \`settings: \\{ rows: alone \\}\` in ${mean.origin} `);
      await assert.rejects(run(mean, items, {}), { code: "MODEL_OUTPUT", message: new RegExp(`found found \\[3\\], expected found \\[${items.length}, …\\]`), hint });
    }
    const alone = (await run(standIn("alone", "n", overAll, [3], { rows: "alone" }), three, {})) as { dims: number[]; data: number[] }[];
    const rows = (await run(manifest, three, { output: "means" })) as typeof alone;
    assert.deepEqual(alone, rows);
    assert.deepEqual(await run(standIn("alone", "n", overAll, [3], { rows: "alone" }), one, {}), rows.slice(0, 1));
  });

  test("two rows an item are not read across items, and are the item's own where it runs alone", async () => {
    const both = standIn("both", "n", twice, ["m", 3]);
    for (const items of [one, three]) await assert.rejects(run(both, items, {}), { code: "MODEL_OUTPUT", message: new RegExp(`found found \\[\\d, 3\\], expected found \\[${items.length}, …\\]`), hint: /rows: alone/ });
    const own = standIn("own", "n", twice, ["m", 3], { rows: "alone" });
    const expected = await run(manifest, three, { output: "rows" });
    assert.deepEqual(await run(own, three, {}), expected);
    assert.deepEqual(await run(own, one, {}), expected.slice(0, 1));
  });

  test("a file for one item whose output has no dimension for it gives the same for one and for three", async () => {
    const single = standIn("single", 1, overAll, [3]);
    const expected = await run(manifest, three, { output: "means" });
    assert.deepEqual(await run(single, three, {}), expected);
    assert.deepEqual(await run(single, one, {}), expected.slice(0, 1));
  });

  test("an output as large as what is seen is refused, and the advice is not what the manifest does already", async () => {
    // So many numbers as the first channel's mean is large.
    const seen = (graph: OnnxGraph, pixels: string): string => {
      const mean = graph.op("ReduceMean", [graph.op("Slice", [pixels, graph.ints(0), graph.ints(1), graph.ints(1)])], { keepdims: 0 });
      return graph.op("Range", [graph.scalarInt(0), graph.op("Cast", [graph.op("Mul", [mean, graph.constant([], Float32Array.of(1000))])], { to: 7 }), graph.scalarInt(1)]);
    };
    const ints = (id: string, settings: object): ReturnType<typeof standIn> => standIn(id, "n", (graph, pixels) => graph.op("Cast", [seen(graph, pixels)], { to: 1 }), ["k"], settings);
    await assert.rejects(run(ints("seen", {}), three, {}), { code: "MODEL_OUTPUT", hint: /rows: alone/ });
    await assert.rejects(run(ints("seen-alone", { rows: "alone" }), three, {}), { code: "MODEL_OUTPUT", message: /expected found \[3, …\]/, hint: "Every item has to give as many numbers: an output whose size depends on what is seen cannot be read." });
  });

  test("numbers that are none are no result", async () => {
    const root = (graph: OnnxGraph, pixels: string): string => graph.op("Sqrt", [graph.op("Sub", [graph.op("ReduceMean", [pixels], { axes: [2, 3], keepdims: 0 }), graph.scalar(2)])]);
    const nan = standIn("nan", "n", root, ["n", 3]);
    for (const post of ["raw", "labels", "unit"]) await assert.rejects(run(nan, one, { post }), { code: "MODEL_OUTPUT", message: /model nan: found is NaN at number 0 of an item, expected finite numbers/, hint: /Half precision.*nan\.yaml/ });
    const over = standIn("over", "n", (graph, pixels) => graph.op("Div", [graph.op("ReduceMax", [pixels], { axes: [2, 3], keepdims: 0 }), graph.scalar(0)]), ["n", 3], { classes: ["red", "green", "blue"] });
    await assert.rejects(run(over, one, {}), { code: "MODEL_OUTPUT", message: /model over: found is Infinity at number 0/ });
    // A softmax over infinite logits has no scores, and none would pass the bar.
    await assert.rejects(run(over, one, { post: "labels" }), { code: "MODEL_OUTPUT", message: /found is Infinity at number 0/ });
    await assert.rejects(run(over, one, { post: "argmax", activation: "none" }), { code: "MODEL_OUTPUT" });
  });

  test("windows of sound", async () => {
    const graph = new OnnxGraph("level", "tests");
    graph.output(graph.op("ReduceMean", [graph.op("Abs", [graph.input("waveform", "float32", ["n", 1600])])], { axes: [1], keepdims: 1 }), "level", "float32", ["n", 1]);
    const level = buildModel("level", { task: "anything", inputs: [{ name: "waveform", dims: ["n", 1600] }], outputs: [{ name: "level", dims: ["n", 1] }], preprocess: { kind: "audio", sampleRate: 16000, windowSeconds: 0.1 } }, { "level.onnx": graph });
    const found = (await run(level.manifest, audioRing([{ length: 1600, valid: 1600 }, { length: 1600, valid: 800 }], () => 0.5), {})) as { data: number[] }[];
    assert.deepEqual(found.map(({ data }) => Math.round(data[0]! * 1000) / 1000), [0.5, 0.25]);
    const link = { config: modelRun.config.parse({ hop: 0.05 }), models: { model: level.manifest }, inputs: { stream: { kind: "audio" as const, level: "frame" as const } } };
    assert.deepEqual(modelRun.demand?.(link), { stream: { audio: { sampleRate: 16000, channels: 1, windowUs: 100_000, hopUs: 50_000 } } });
    assert.throws(() => modelRun.demand?.({ ...link, inputs: { stream: { kind: "frames", level: "frame" } } }), { code: "MODEL_TASK" });
  });

  test("what is made of numbers", () => {
    const of = (post: string, row: number[], more: object = {}): unknown => postProcess(Float32Array.from(row), [row.length], modelRun.config.parse({ post, ...more }), { settings: {}, files: [], labels: null, id: "x", origin: "x.yaml" });
    const softmax = of("softmax", [1, 2, 3]) as number[];
    [0.09003057, 0.24472847, 0.66524096].forEach((value, i) => assert.ok(Math.abs(softmax[i]! - value) < 1e-6));
    assert.deepEqual(of("sigmoid", [0, 100, -100]), [0.5, 1, Math.fround(1 / (1 + Math.exp(100)))]);
    assert.deepEqual(of("unit", [3, 4]), [Math.fround(0.6), Math.fround(0.8)]);
    assert.deepEqual(of("unit", [0, 0]), [0, 0]);
    assert.deepEqual(of("argmax", [1, 7, 7], { activation: "none" }), { index: 1, label: "class 1", score: 7 });
  });
});
