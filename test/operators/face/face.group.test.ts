import assert from "node:assert/strict";
import test from "node:test";
import type { Detection, Series } from "../../../src/contracts/index.js";
import { faceGroup } from "../../../src/operators/face/face.group.js";
import { runEach } from "../run-each.js";

const face = (angle: number, score = 0.9, x = 0): Detection => ({ label: "face", score, box: [x, 0, x + 10, 10], vector: Float32Array.of(Math.cos(angle), Math.sin(angle)) });
const series = (values: Detection[][]): Series => ({ ptsUs: Float64Array.from(values, (_, i) => i * 500_000), width: 0, values });

test("faces near one another are one person; two of one picture never are; faces without a vector or a score do not count", async () => {
  const values = [[face(0, 0.8)], [face(0.1, 0.95, 5), face(0.15, 0.9, 50)], [], [face(2), { ...face(0), vector: undefined } as unknown as Detection, face(0, 0.2)]];
  const { people, count } = await runEach(faceGroup, { faces: series(values) }, { threshold: 0.8 });
  assert.equal(count, 3);
  assert.deepEqual(people, [
    { person: 1, frames: 2, share: 0.5, firstUs: 0, lastUs: 500_000, score: 0.95, bestUs: 500_000, box: [5, 0, 15, 10] },
    { person: 2, frames: 1, share: 0.25, firstUs: 500_000, lastUs: 500_000, score: 0.9, bestUs: 500_000, box: [50, 0, 60, 10] },
    { person: 3, frames: 1, share: 0.25, firstUs: 1_500_000, lastUs: 1_500_000, score: 0.9, bestUs: 1_500_000, box: [0, 0, 10, 10] },
  ]);
  const turned = values.map((list) => [...list].reverse());
  assert.deepEqual(((await runEach(faceGroup, { faces: series(turned) }, { threshold: 0.8 }))["people"] as unknown[]).length, 3);
  assert.equal((await runEach(faceGroup, { faces: series(values) }, { threshold: 0.8, min_frames: 2 }))["count"], 1);
  assert.deepEqual(await runEach(faceGroup, { faces: series([[], []]) }), { people: [], count: 0 });
});
