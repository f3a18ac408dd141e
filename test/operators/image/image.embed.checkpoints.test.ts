import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import type { ModelManifest } from "../../../src/contracts/model.js";
import type { GridItem } from "../../../src/contracts/operator.js";
import { InferencePool } from "../../../src/inference/index.js";
import { imageEmbed } from "../../../src/operators/image/image.embed.js";
import { frameRing } from "../../inference/fixtures.js";
import { buildModel } from "../../models/stand-ins/model-folder.js";
import { models } from "../in-pool.js";

const pool = new InferencePool({ workers: 2 });
after(() => pool.destroy());

async function embed(image: ModelManifest, items: GridItem[]): Promise<Float32Array[]> {
  const results = await pool.run({ kind: "batch", module: imageEmbed.module, operator: imageEmbed.name, node: "frames", config: {}, models: { image }, items });
  return results.map((r) => (r.ok ? (r.value as Float32Array) : assert.fail(r.error.message)));
}

/** [n, 3, 224, 224] → a class token of the mean colour and 256 patch tokens of nines, `dims` long: what pools over the wrong ones shows. */
function tower(published: ModelManifest, file: string, output: "tokens" | "rows"): ModelManifest {
  const { dims, name } = published.output!;
  const graph = new OnnxGraph("tower", "tests");
  const mean = graph.op("ReduceMean", [graph.input("pixel_values", "float32", ["n", 3, 224, 224])], { axes: [2, 3], keepdims: 0 });
  const row = graph.op("Pad", [mean, graph.ints(0, 0, 0, dims - 3)]);
  if (output === "rows") graph.output(row, name, "float32", ["n", dims]);
  else {
    const first = graph.op("Unsqueeze", [row, graph.ints(1)]);
    const nines = graph.op("Add", [graph.op("Mul", [graph.op("Expand", [first, graph.ints(1, 256, 1)]), graph.scalar(0)]), graph.scalar(9)]);
    graph.output(graph.op("Concat", [first, nines], { axis: 1 }), name, "float32", ["n", 257, dims]);
  }
  const { task, family, inputs, preprocess, space } = published;
  return buildModel(`${published.id}-stand-in`, { task, family, inputs, preprocess, output: published.output, space }, { [file]: graph }).manifest;
}

/** What the model should see of a wide frame: the square in its middle, normalised. */
function expected({ slot }: GridItem, published: ModelManifest): number[] {
  const { mean, std } = published.preprocess as { mean: number[]; std: number[] };
  const pixels = new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength);
  const left = Math.floor((slot.width - 224) / 2);
  const top = Math.floor((slot.height - 224) / 2);
  const sums = [0, 0, 0];
  for (let y = 0; y < 224; y++) for (let x = 0; x < 224; x++) for (let c = 0; c < 3; c++) sums[c]! += pixels[((y + top) * slot.width + x + left) * 3 + c]!;
  const row = sums.map((sum, c) => (sum / 50_176 / 255 - mean[c]!) / std[c]!);
  const norm = Math.hypot(...row);
  return row.map((value) => value / norm);
}

describe("image.embed with published manifests", () => {
  for (const [id, size, output] of [
    ["clip-vit-base-patch32", 224, "rows"],
    ["dinov2-small", 256, "tokens"],
  ] as const) {
    const published = models.get(id)!;

    test(`${id}: the decoder scales the shorter side, the crop is the middle, the vector is a unit one`, async () => {
      const link = { config: {}, models: { image: published }, inputs: {} };
      assert.deepEqual(imageEmbed.demand?.(link), { frames: { video: { size: { shortest: size }, fps: 2, geometry: "display" } } });
      const frames = frameRing(5, size + 144, size, 3);
      const model = tower(published, "onnx/model.onnx", output);
      const rows = await embed(model, frames);
      for (const [i, row] of rows.entries()) {
        assert.equal(row.length, published.output!.dims);
        const wanted = expected(frames[i]!, published);
        wanted.forEach((value, d) => assert.ok(Math.abs(row[d]! - value) < 1e-3, `${id} ${i} ${d}: ${row[d]!} ≠ ${value}`));
        assert.ok(row.subarray(3).every((value) => value === 0));
      }
      for (const batch of [1, 3]) {
        const again: Float32Array[] = [];
        for (let at = 0; at < frames.length; at += batch) again.push(...(await embed(model, frames.slice(at, at + batch))));
        assert.deepEqual(again, rows, `batch ${batch}`);
      }
    });
  }

  test("8-bit files measure their activations over the batch: their rows are run alone, and are the same in any company", async () => {
    const published = models.get("clip-vit-base-patch32")!;
    // Quantised over the whole batch, as the hub's _quantized.onnx do it.
    const graph = new OnnxGraph("dynamic", "tests");
    const [quantised, scale, zero] = graph.ops("DynamicQuantizeLinear", [graph.op("ReduceMean", [graph.input("pixel_values", "float32", ["n", 3, 224, 224])], { axes: [2, 3], keepdims: 0 })], 3) as [string, string, string];
    graph.output(graph.op("Pad", [graph.op("DequantizeLinear", [quantised, scale, zero]), graph.ints(0, 0, 0, 509)]), "image_embeds", "float32", ["n", 512]);
    const { task, family, inputs, preprocess, output, space } = published;
    const build = (file: string): ModelManifest => buildModel("dynamic-stand-in", { task, family, inputs, preprocess, output, space }, { [file]: graph }).manifest;
    const frames = frameRing(6, 300, 224, 5);
    const alone = async (model: ModelManifest): Promise<Float32Array[]> => (await Promise.all(frames.map((frame) => embed(model, [frame])))).flat();
    const careful = build("onnx/vision_model_quantized.onnx");
    assert.deepEqual(await embed(careful, frames), await alone(careful));
    // The test would not see it otherwise: together they do differ.
    const careless = build("onnx/vision_model.onnx");
    assert.notDeepEqual(await embed(careless, frames), await alone(careless));
  });
});
