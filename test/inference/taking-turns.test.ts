/** Every worker meets every kind of work early: what a run holds after two minutes is what it holds after two hours. */
import assert from "node:assert/strict";
import test from "node:test";
import { queueOptionsSymbol } from "piscina";
import { InferencePool } from "../../src/inference/index.js";
import { takingTurns } from "../../src/inference/thread-lane.js";
import { frameRing, testSums } from "./fixtures.js";

type Balancer = ReturnType<typeof takingTurns>;

/** Piscina makes new objects for the same workers every time it asks. */
const chosen = (balancer: Balancer, kind: string, idle: readonly number[], busy: readonly number[] = []): number | null => {
  const workers = [...busy, ...idle].sort().map((id) => ({ id, currentUsage: busy.includes(id) ? 1 : 0 }));
  return balancer({ [queueOptionsSymbol]: { kind } } as unknown as Parameters<Balancer>[0], workers as unknown as Parameters<Balancer>[1])?.id ?? null;
};

test("each kind of work goes round the idle workers by itself, busy ones are passed over", () => {
  const balancer = takingTurns();
  assert.deepEqual(["frames", "frames", "frames", "frames"].map((kind) => chosen(balancer, kind, [1, 2, 3])), [1, 2, 3, 1]);
  assert.equal(chosen(balancer, "sound", [1, 2, 3]), 1, "another kind has a round of its own");
  assert.equal(chosen(balancer, "frames", [3], [1, 2]), 3);
  assert.equal(chosen(balancer, "frames", [1, 2, 3]), 2, "the one that has not had it for longest");
  assert.equal(chosen(balancer, "frames", [], [1, 2, 3]), null);
});

test("two nodes whose batches alternate are not each bound to one worker", async () => {
  await using pool = new InferencePool({ workers: 2 });
  const { module, name: operator } = testSums;
  for (let i = 0; i < 8; i++) await pool.run({ kind: "batch", module, operator, node: i % 2 === 0 ? "frames" : "thumbs", config: {}, models: {}, items: frameRing(1, 4, 4) });
  assert.deepEqual(Object.values(pool.stats().workers).map(({ calls }) => calls), [4, 4]);
});
