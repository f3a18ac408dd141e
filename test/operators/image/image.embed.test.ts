import assert from "node:assert/strict";
import test from "node:test";
import { Batcher, InferencePool, type PoolResult } from "../../../src/inference/index.js";
import type { GridItem } from "../../../src/contracts/index.js";
import { loadModels } from "../../../src/models/manifest.js";
import { imageEmbed } from "../../../src/operators/image/image.embed.js";
import { frameRing, modelsDir } from "../../inference/fixtures.js";

const image = loadModels(modelsDir).get("lite-image")!;
const frames = frameRing(20, 224, 224, 3);

async function embed(size: number, workers: number): Promise<Float32Array[]> {
  await using pool = new InferencePool({ workers, intraOpThreads: 1 });
  const { module, name: operator } = imageEmbed;
  const batcher = new Batcher<GridItem, PoolResult>({
    size,
    inFlight: workers,
    call: (items) => pool.run({ kind: "batch", module, operator, node: "frames", config: {}, models: { image }, items }),
  });
  const results = frames.map((f) => batcher.submit(f));
  batcher.flush();
  const rows = (await Promise.all(results)).map((r) => (r.ok ? (r.value as Float32Array) : assert.fail(r.error.message)));
  assert.equal(pool.stats().inferences["lite-image"], frames.length);
  return rows;
}

test("rows are byte-equal at batch 1, 3, 16 and pools of 1, 2", async () => {
  const reference = await embed(1, 1);
  for (const row of reference) {
    assert.equal(row.length, 512);
    assert.ok(Math.abs(Math.hypot(...row) - 1) < 1e-5);
  }
  for (const size of [1, 3, 16]) {
    for (const workers of [1, 2]) assert.deepEqual(await embed(size, workers), reference, `batch ${size}, ${workers} workers`);
  }
});

test("ports and demand follow the manifest", () => {
  const link = { config: {}, models: { image }, inputs: {} };
  assert.ok(typeof imageEmbed.outputs === "function");
  assert.deepEqual(imageEmbed.outputs(link), { vectors: { kind: "vector", level: "frame", dims: 512, space: "lite-image-v1", norm: "unit" } });
  assert.deepEqual(imageEmbed.demand?.(link), { frames: { video: { size: [224, 224], fps: 2, geometry: "display" } } });
});

test("a frame of another size, as `size` on the input may ask, is scaled to the model's", async () => {
  await using pool = new InferencePool({ workers: 1 });
  const { module, name: operator } = imageEmbed;
  const run = async (count: number): Promise<Float32Array> => {
    const [first] = await pool.run({ kind: "batch", module, operator, node: "frames", config: {}, models: { image }, items: frameRing(count, 100, 50) });
    return first?.ok ? (first.value as Float32Array) : assert.fail(first?.error.message);
  };
  const row = await run(1);
  assert.ok(row.length === 512 && Math.abs(Math.hypot(...row) - 1) < 1e-5);
  assert.deepEqual(await run(3), row);
});
