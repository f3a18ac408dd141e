/** Media that wait for the same node take turns: a long one keeps no other waiting, and nothing else changes. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import test from "node:test";
import fc from "fast-check";
import { Batcher } from "../../src/inference/batcher.js";
import { Turns } from "../../src/inference/turns.js";

/** Calls that end when the test says so: the first `busy` are held until `free`. */
function held(busy: number) {
  const log: string[][] = [];
  let free = (): void => undefined;
  const freed = new Promise<void>((resolve) => (free = resolve));
  const call = async (items: string[]): Promise<string[]> => {
    if (log.push(items) <= busy) await freed;
    return items;
  };
  return { call, log, free };
}

const range = (n: number, name: string): string[] => Array.from({ length: n }, (_, i) => `${name}${i}`);

test("one item beside a hundred of another source is in the next batch; alone, a source has whole batches to itself", async () => {
  const { call, log, free } = held(1);
  const batcher = new Batcher({ size: 16, inFlight: 1, call });
  const fast = range(112, "f");
  const results = fast.map((item) => batcher.submit(item, "fast"));
  results.push(batcher.submit("s0", "slow"));
  batcher.flush();
  free();
  assert.deepEqual(await Promise.all(results), [...fast, "s0"]);
  assert.deepEqual(log[0], fast.slice(0, 16));
  assert.deepEqual(log[1], ["f16", "s0", ...fast.slice(17, 31)]);
  assert.deepEqual(log.flat().filter((item) => item !== "s0"), fast);
  assert.deepEqual(log.slice(2).map(({ length }) => length), [16, 16, 16, 16, 16, 1]);
});

test("sources take turns in the order in which they came, call by call where a call has one item", async () => {
  const { call, log, free } = held(1);
  const batcher = new Batcher({ size: 1, inFlight: 1, call });
  const results = ["a0", "a1", "a2", "a3", "b0", "b1", "c0"].map((item) => batcher.submit(item, item[0]!));
  free();
  await Promise.all(results);
  assert.deepEqual(log.flat(), ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]);
});

test("what had to go goes although others were taken before it, and what came later fills its batch", async () => {
  const { call, log, free } = held(1);
  const batcher = new Batcher({ size: 4, inFlight: 1, call });
  const first = range(4, "x").map((item) => batcher.submit(item, "x"));
  const asked = range(3, "a").map((item) => batcher.submit(item, "a"));
  batcher.flush();
  const later = range(2, "b").map((item) => batcher.submit(item, "b"));
  free();
  await Promise.all([...first, ...asked, ...later]);
  assert.deepEqual(log.slice(1), [["a0", "b0", "a1", "b1"], ["a2"]]);
});

test("a flush of what was there before cuts nothing that came since", async () => {
  const { call, log } = held(0);
  const batcher = new Batcher({ size: 2, inFlight: 1, call });
  const early = batcher.submit("a0", "a");
  const { submitted } = batcher;
  await Promise.all([early, batcher.submit("b0", "b")]);
  const late = batcher.submit("b1", "b");
  batcher.flush(submitted);
  await turn();
  assert.deepEqual([log, batcher.waiting], [[["a0", "b0"]], 1]);
  batcher.flush();
  assert.equal(await late, "b1");
});

test("each item is in one call, each source's own in their order, at any size, number of calls and moment of a flush", async () => {
  const step = fc.record({ source: fc.constantFrom("a", "b", "c", "d"), flush: fc.boolean(), pause: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(1, 2, 5, 16), fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 80 }), fc.infiniteStream(fc.integer({ min: 0, max: 3 })), async (size, inFlight, script, delays) => {
      const log: number[][] = [];
      const batcher = new Batcher<number, number>({
        size,
        inFlight,
        call: async (items) => {
          log.push(items);
          for (let turns = delays.next().value as number; turns > 0; turns--) await turn();
          return items;
        },
      });
      const results: Promise<number>[] = [];
      for (const [i, { source, flush, pause }] of script.entries()) {
        results.push(batcher.submit(i, source));
        if (flush) batcher.flush();
        if (pause) await turn();
      }
      batcher.flush();
      assert.deepEqual(await Promise.all(results), [...script.keys()]);
      const called = log.flat();
      assert.deepEqual([...called].sort((a, b) => a - b), [...script.keys()]);
      for (const source of "abcd") {
        const own = called.filter((i) => script[i]!.source === source);
        assert.deepEqual(own, [...own].sort((a, b) => a - b), source);
      }
    }),
    { numRuns: 150 },
  );
});

test("between two turns of a source that waits each other source has at most one", () => {
  const step = fc.oneof(fc.record({ source: fc.constantFrom("a", "b", "c", "d", "e") }), fc.record({ take: fc.integer({ min: 1, max: 6 }) }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (script) => {
      const turns = new Turns<{ source: string; number: number }>();
      const waiting = new Map<string, number[]>();
      /** Who has had a turn since the source began to wait for its own. */
      const passed = new Map<string, Set<string>>();
      let added = 0;
      for (const one of script) {
        if ("source" in one) {
          const numbers = waiting.get(one.source);
          if (numbers) numbers.push(added);
          else waiting.set(one.source, [added]), passed.set(one.source, new Set());
          turns.add(one.source, { source: one.source, number: added++ });
        } else {
          const count = turns.count;
          const taken = turns.take(one.take);
          assert.equal(taken.length, Math.min(count, one.take));
          for (const { source, number } of taken) {
            assert.equal(number, waiting.get(source)!.shift(), `${source} out of order`);
            if (waiting.get(source)!.length === 0) waiting.delete(source);
            passed.set(source, new Set());
            for (const other of waiting.keys()) {
              if (other === source) continue;
              assert.ok(!passed.get(other)!.has(source), `${source} went twice while ${other} waited`);
              passed.get(other)!.add(source);
            }
          }
        }
        const left = [...waiting.values()].flat();
        assert.deepEqual([turns.count, turns.oldest], [left.length, Math.min(...left) + 1]);
      }
    }),
    { numRuns: 300 },
  );
});
