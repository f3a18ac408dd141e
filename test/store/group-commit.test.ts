import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GroupCommit } from "../../src/store/group-commit.js";

/** Transactions that run one after the other, as LMDB's do, each a turn later. */
function engine(fails: (n: number) => boolean = () => false): { commits: GroupCommit; log: string[]; transactions: () => number } {
  const log: string[] = [];
  let count = 0;
  let last: Promise<unknown> = Promise.resolve();
  const commits = new GroupCommit((body) => {
    const n = count++;
    const run = last.then(async () => {
      await new Promise(setImmediate);
      if (fails(n)) throw new Error(`commit ${n} failed`);
      log.push("begin");
      body();
    });
    last = run.catch(() => undefined);
    return run;
  });
  return { commits, log, transactions: () => count };
}

describe("group commit", () => {
  test("what waits goes with the next write that does not, before it and in the same transaction", async () => {
    const { commits, log, transactions } = engine();
    const later = ["a", "b"].map((name) => commits.later(() => void log.push(name), 10));
    const now = commits.now(() => void log.push("c"));
    await Promise.all([...later, now]);
    assert.deepEqual(log, ["begin", "a", "b", "c"]);
    assert.equal(transactions(), 1);
  });

  test("what waits goes by itself after a while, and at once when it is much", async () => {
    const { commits, log } = engine();
    await commits.later(() => void log.push("alone"), 10);
    await commits.later(() => void log.push("much"), 2_000_000);
    assert.deepEqual(log, ["begin", "alone", "begin", "much"]);
  });

  test("order is kept, whatever is written how and when it is cut; every write has its transaction", async () => {
    const step = fc.oneof(fc.constant("now"), fc.constant("later"), fc.constant("cut"), fc.constant("turn"), fc.constant("heavy"));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { commits, log } = engine();
        const written: Promise<void>[] = [];
        const wanted: string[] = [];
        for (const [i, kind] of steps.entries()) {
          const body = (): void => void log.push(String(i));
          if (kind === "cut") commits.cut();
          else if (kind === "turn") await new Promise(setImmediate);
          else {
            written.push(kind === "now" ? commits.now(body) : commits.later(body, kind === "heavy" ? 600_000 : 100));
            wanted.push(String(i));
          }
        }
        commits.cut();
        await Promise.all(written);
        assert.deepEqual(log.filter((entry) => entry !== "begin"), wanted);
      }),
    );
  });

  test("a body that throws fails alone; a commit that fails fails its whole group and no other", async () => {
    const { commits, log } = engine((n) => n === 1);
    const bad = commits.now(() => {
      throw new Error("bad value");
    });
    const good = commits.now(() => void log.push("good"));
    await assert.rejects(bad, /bad value/);
    await good;
    const lost = [commits.now(() => void log.push("lost")), commits.later(() => void log.push("lost too"), 1)];
    for (const write of lost) await assert.rejects(write, /commit 1 failed/);
    await commits.now(() => void log.push("next"));
    assert.deepEqual(log, ["begin", "good", "begin", "next"]);
  });
});
