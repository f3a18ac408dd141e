import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KeyframeRef, Series } from "../../../src/contracts/items.js";
import { isSkip, type OperatorContext, type OutputValues } from "../../../src/contracts/operator.js";
import { sceneKeyframes } from "../../../src/operators/scene/scene.keyframes.js";
import { mediumOf } from "./score-rows.js";

const ctx: OperatorContext = { node: "keyframes", medium: mediumOf("video"), interval: { startUs: 0, endUs: 1e7 }, models: {} };

async function run(inputs: Record<string, unknown>, k: number, choose = "clusters"): Promise<KeyframeRef[]> {
  if (sceneKeyframes.run.form !== "each") throw new Error("form");
  const result = await sceneKeyframes.run.each({ scenes: ctx.interval, ...inputs }, { k, choose } as never, ctx);
  return isSkip(result) ? [] : ((result as OutputValues)["keyframes"] as KeyframeRef[]);
}

const series = (rows: number[][]): Series => ({ ptsUs: Float64Array.from(rows, (_, i) => i * 500_000), width: rows[0]!.length, data: Float32Array.from(rows.flat()) });

test("one keyframe from each plain cluster, the one nearest its middle, in time order", async () => {
  const near = (x: number, y: number, e: number): number[] => [x + e, y];
  const rows = [near(1, 0, 0.02), near(1, 0, 0), near(1, 0, -0.02), near(-1, 0, 0.03), near(-1, 0, -0.03), near(-1, 0, 0), near(0, 5, 0), near(1, 0, 0.01)];
  const times = (await run({ vectors: series(rows) }, 3)).map((frame) => frame.ptsUs / 500_000);
  assert.deepEqual(times, [1, 5, 6]);
});

test("exactly min(k, n) distinct frames in time order, also of equal vectors; noise below 1e-5 changes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 10 }), async (grid, k) => {
      const rows = grid.map((row) => row.map((x) => x / 20));
      const frames = await run({ vectors: series(rows) }, k);
      assert.equal(frames.length, Math.min(k, rows.length));
      frames.forEach((frame, i) => assert.ok(i === 0 || frame.ptsUs > frames[i - 1]!.ptsUs));
      const noisy = rows.map((row, i) => row.map((x, j) => x + ((i * 7 + j * 3) % 5) * 1e-6));
      assert.deepEqual(await run({ vectors: series(noisy) }, k), frames);
    }),
    { numRuns: 100 },
  );
});

test("thumbnails are found by time, frames without one are kept, no frames are skipped with a reason", async () => {
  const images: Series = { ptsUs: Float64Array.of(500_000), width: 0, bytes: [Uint8Array.of(1, 2, 3)] };
  assert.deepEqual(await run({ vectors: series([[0, 1], [1, 0]]), images }, 8), [{ ptsUs: 0 }, { ptsUs: 500_000, jpeg: Uint8Array.of(1, 2, 3) }]);
  if (sceneKeyframes.run.form !== "each") throw new Error("form");
  assert.ok(isSkip(await sceneKeyframes.run.each({ vectors: { ptsUs: new Float64Array(0), width: 2, data: new Float32Array(0) } }, { k: 8 } as never, ctx)));
});

test("uniform: frames at even distances, whatever they show", async () => {
  const alike = Array.from({ length: 20 }, () => [1, 0]);
  assert.deepEqual((await run({ vectors: series(alike) }, 4, "uniform")).map(({ ptsUs }) => ptsUs / 500_000), [2, 7, 12, 17]);
  assert.deepEqual((await run({ vectors: series(alike.slice(0, 3)) }, 8, "uniform")).map(({ ptsUs }) => ptsUs / 500_000), [0, 1, 2]);
});
