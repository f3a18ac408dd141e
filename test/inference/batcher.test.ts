import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import test from "node:test";
import fc from "fast-check";
import { Batcher } from "../../src/inference/batcher.js";

/** A call that fails when an item of `guilty` is in it, after a few turns of the event loop. */
function scripted(guilty: ReadonlySet<number>, turns: (n: number) => number) {
  const log: number[][] = [];
  let running = 0;
  let peak = 0;
  const call = async (items: number[]): Promise<string[]> => {
    log.push(items);
    peak = Math.max(peak, ++running);
    for (let i = turns(log.length); i > 0; i--) await turn();
    running--;
    const bad = items.find((i) => guilty.has(i));
    if (bad !== undefined) throw new Error(`item ${bad}`);
    return items.map((i) => `result ${i}`);
  };
  return { call, log, peak: () => peak };
}

test("every item settles exactly once with its own result, whatever fails and whenever it is flushed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 3, 16),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.record({ fails: fc.boolean(), flush: fc.boolean(), pause: fc.boolean() }), { maxLength: 60 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
      async (size, inFlight, script, delays) => {
        const guilty = new Set(script.flatMap((s, i) => (s.fails ? [i] : [])));
        const { call, log, peak } = scripted(guilty, () => delays.next().value as number);
        const batcher = new Batcher({ size, inFlight, call });
        const settled: Promise<[number, string]>[] = [];
        for (const [i, step] of script.entries()) {
          settled.push(
            batcher.submit(i).then(
              (value) => [i, value],
              (error: Error) => [i, `error ${error.message}`],
            ),
          );
          if (step.flush) batcher.flush();
          if (step.pause) await turn();
        }
        batcher.flush();
        const results = await Promise.all(settled);
        assert.deepEqual(results, script.map((s, i) => [i, s.fails ? `error item ${i}` : `result ${i}`]));
        assert.equal(batcher.pending, 0);
        assert.equal(batcher.waiting, 0);
        assert.ok(peak() <= inFlight, `${peak()} calls at once`);
        assert.ok(log.every((items) => items.length >= 1 && items.length <= size));
        const succeeded = log.filter((items) => !items.some((i) => guilty.has(i))).flat();
        assert.equal(new Set(succeeded).size, succeeded.length, "an item went twice into a call that succeeded");
      },
    ),
    { numRuns: 150 },
  );
});

test("a partial batch waits until it is flushed; a full one does not", async () => {
  const { call, log } = scripted(new Set(), () => 0);
  const batcher = new Batcher({ size: 3, inFlight: 2, call });
  const all = [0, 1, 2, 3].map((i) => batcher.submit(i));
  await Promise.all(all.slice(0, 3));
  assert.deepEqual(log, [[0, 1, 2]]);
  assert.equal(batcher.pending, 1);
  assert.equal(batcher.waiting, 1);
  batcher.flush();
  batcher.flush();
  assert.equal(await all[3], "result 3");
  assert.deepEqual(log, [[0, 1, 2], [3]]);
});

test("one guilty item of 16 is found in 2·log2(16) more calls", async () => {
  const { call, log } = scripted(new Set([11]), () => 0);
  const batcher = new Batcher({ size: 16, inFlight: 1, call });
  const results = await Promise.allSettled(Array.from({ length: 16 }, (_, i) => batcher.submit(i)));
  assert.deepEqual(results.flatMap((r, i) => (r.status === "rejected" ? [i] : [])), [11]);
  assert.equal(log.length, 1 + 2 * Math.log2(16));
});

test("an error that is not an item's is not bisected", async () => {
  let calls = 0;
  const batcher = new Batcher<number, number>({
    size: 4,
    inFlight: 1,
    call: () => (calls++, Promise.reject(new Error("stopping"))),
    bisect: (e) => (e as Error).message !== "stopping",
  });
  const results = await Promise.allSettled([0, 1, 2, 3].map((i) => batcher.submit(i)));
  assert.equal(calls, 1);
  assert.ok(results.every((r) => r.status === "rejected"));
});

test("a call that loses results fails its items and never shifts them", async () => {
  const batcher = new Batcher<number, number>({ size: 2, inFlight: 1, call: async (items) => items.slice(1) });
  const results = await Promise.allSettled([batcher.submit(0), batcher.submit(1)]);
  assert.deepEqual(results.map((r) => (r.status === "rejected" ? r.reason.code : "ok")), ["BATCH_RESULTS", "BATCH_RESULTS"]);
});

test("a call that throws before it returns a promise is an error of its items", async () => {
  const batcher = new Batcher<number, number>({
    size: 1,
    inFlight: 1,
    call: () => {
      throw new Error("at once");
    },
  });
  await assert.rejects(batcher.submit(0), /at once/);
});
