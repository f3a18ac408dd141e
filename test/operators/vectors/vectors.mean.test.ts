import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Series } from "../../../src/contracts/items.js";
import { vectorsMean } from "../../../src/operators/vectors/vectors.mean.js";
import { videoPool } from "../../../src/operators/video/video.pool.js";
import { Vector } from "../../../src/contracts/ports.js";
import { runEach } from "../run-each.js";

const series = (rows: number[][]): Series => ({ ptsUs: Float64Array.from(rows, (_, i) => i * 1000), width: rows[0]?.length ?? 3, data: Float32Array.from(rows.flat()) });
const timed = (values: (number[] | null)[]): object[] => values.map((value, i) => ({ startUs: i, endUs: i + 1, value: value && Float32Array.from(value) }));

test("over a scene: silent windows do not count, only silent ones give a flagged zero vector, none a skip", async () => {
  assert.deepEqual(await runEach(vectorsMean, { vectors: series([[3, 0, 0], [0, 0, 0], [0, 4, 0]]) }), { vector: Float32Array.of(0.6, 0.8, 0), silent: false });
  assert.deepEqual(await runEach(vectorsMean, { vectors: series([[3, 0, 0], [0, 0, 0], [0, 4, 0]]) }, { renormalize: false }), { vector: Float32Array.of(1.5, 2, 0), silent: false });
  assert.deepEqual(await runEach(vectorsMean, { vectors: series([[0, 0], [0, 0]]) }), { vector: new Float32Array(2), silent: true });
  assert.ok("skipped" in (await runEach(vectorsMean, { vectors: series([]) })));
  assert.ok("skipped" in (await runEach(vectorsMean, { vectors: undefined })));
});

test("over a medium: nulls are skipped, all null is null, each modality keeps its name", async () => {
  const { vectors } = await runEach(vectorsMean, { vectors: { video: timed([[1, 0], null, [1, 0]]), sound: timed([null, null]), text: timed([[0, 2], [2, 0]]), none: undefined } });
  assert.deepEqual(vectors, { video: Float32Array.of(1, 0), sound: null, text: Float32Array.of(Math.SQRT1_2, Math.SQRT1_2), none: null });
});

test("the mean does not depend on how rows arrive, and is of length 1", async () => {
  const row = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 20 }), async (rows) => {
      const whole = await runEach(vectorsMean, { vectors: series(rows) });
      assert.deepEqual(await runEach(vectorsMean, { vectors: timed(rows) }), whole);
      const length = Math.hypot(...(whole["vector"] as Float32Array));
      assert.ok(whole["silent"] === true ? length === 0 : Math.abs(length - 1) < 1e-5 || length < 1e-6, String(length));
    }),
  );
});

test("outputs are typed by the input: dims and space go through, a list gives a record", () => {
  const { outputs } = vectorsMean;
  if (typeof outputs !== "function") throw new Error("outputs depend on the inputs");
  const one = outputs({ config: { renormalize: true }, models: {}, inputs: { vectors: Vector.at("frame", { dims: 512, space: "lite-sound-v1", norm: "unit" }) } });
  assert.deepEqual([one["vector"]?.dims, one["vector"]?.space, one["vector"]?.norm], [512, "lite-sound-v1", "unit"]);
  const list = outputs({ config: { renormalize: true }, models: {}, inputs: { "vectors.video": Vector.at("scene"), "vectors.text": Vector.at("scene") } });
  assert.equal(list["vectors"]?.kind, "record");
});

test("video.pool: mean of all frames, or of the keyframes only", async () => {
  const vectors = series([[1, 0], [0, 1], [1, 0]]);
  const all = (await runEach(videoPool, { vectors }))["vector"] as Float32Array;
  assert.ok(Math.abs(all[0]! - 2 / Math.sqrt(5)) < 1e-6 && Math.abs(all[1]! - 1 / Math.sqrt(5)) < 1e-6);
  assert.deepEqual(await runEach(videoPool, { vectors, keyframes: [{ ptsUs: 1000 }] }, { of: "keyframes" }), { vector: Float32Array.of(0, 1) });
  assert.deepEqual(await runEach(videoPool, { vectors: series([]) }), { skipped: "no sampled frame lies in the scene" });
  assert.deepEqual(await runEach(videoPool, { vectors, keyframes: [] }, { of: "keyframes" }), { skipped: "the scene has no keyframe" });
});
