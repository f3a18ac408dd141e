import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { PlanNode } from "../../src/contracts/index.js";
import { mergeBlocks, newDraft } from "../../src/engine/blocks.js";
import { GridStream, type GridOutcome } from "../../src/engine/grid.js";
import { Ledger } from "../../src/engine/ledger.js";
import { Store } from "../../src/store/index.js";

const BLOCK_US = 1_000_000;
const node = { name: "n", key: "k", op: { run: { form: "batch", result: "vector", input: "frames" } }, outputs: { v: { kind: "vector", level: "frame", dims: 1 } }, inputs: {} } as unknown as PlanNode;
const done = (x: number): GridOutcome => ({ kind: "done", value: Float32Array.of(x) });

async function withStore(work: (open: (rate?: string) => { stream: GridStream; ledger: Ledger; broken: unknown[] }, store: Store) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "flow-grid-"));
  const store = await Store.open(dir);
  try {
    await work((rate = "all") => {
      const ledger = new Ledger(["n"]);
      const broken: unknown[] = [];
      const stream = new GridStream({ node, key: "k", medium: "m", rate, store, blockUs: BLOCK_US, ledger, moved: () => undefined, broken: (error) => broken.push(error) });
      return { stream, ledger, broken };
    }, store);
  } finally {
    await store.close();
    await rm(dir, { recursive: true });
  }
}

const feed = (stream: GridStream, times: number[]): void => times.forEach((ptsUs) => stream.take(ptsUs, ptsUs)?.(done(ptsUs / 1e6)));

describe("a grid stream", () => {
  test("killed after its last block and before its end mark: the next run puts the mark", () =>
    withStore(async (open, store) => {
      const killed = open().stream;
      feed(killed, [0, 500_000, 1_200_000]);
      killed.watermark(2_000_000);
      await killed.flushed();
      assert.equal(store.getGridEnd("m", "k", "all"), undefined);
      const resumed = open().stream;
      assert.equal(resumed.resumeUs, 2_000_000);
      resumed.end(1_700_000);
      await resumed.flushed();
      assert.deepEqual(store.getGridEnd("m", "k", "all"), { endUs: 1_700_000, blocks: 2 });
      assert.equal(open().stream.complete, true);
    }));

  test("a stream without one item is complete afterwards", () =>
    withStore(async (open) => {
      const { stream } = open();
      stream.end(0);
      await stream.flushed();
      assert.equal(open().stream.complete, true);
      assert.deepEqual([...open().stream.parts(0, Infinity)], []);
    }));

  test("with a failure to try again there is no end mark, and only that item is made again", () =>
    withStore(async (open, store) => {
      const { stream } = open();
      feed(stream, [0]);
      stream.take(1_000_000, 1)!({ kind: "failed", error: { code: "X", message: "", hint: "" } });
      feed(stream, [2_500_000]);
      stream.end(3_000_000);
      await stream.flushed();
      assert.equal(store.getGridEnd("m", "k", "all"), undefined);
      const { stream: again, ledger } = open();
      assert.equal(again.resumeUs, 1_000_000);
      assert.equal(again.stored(1_000_000), null);
      assert.equal(again.stored(2_500_000)?.kind, "done");
      feed(again, [1_000_000]);
      again.take(2_500_000, 1)!(again.stored(2_500_000)!);
      again.end(3_000_000);
      await again.flushed();
      assert.deepEqual([...open().stream.series(0, Infinity).ptsUs], [0, 1_000_000, 2_500_000]);
      assert.equal(open().stream.complete, true);
      assert.deepEqual([ledger.snapshot()["n"]!.done, ledger.snapshot()["n"]!.cached], [1, 2]);
    }));

  test("broken off in an open block: what is settled is kept and covers nothing; what is open is not", () =>
    withStore(async (open) => {
      const dense = open("2").stream;
      feed(dense, [0, 500_000, 1_000_000]);
      dense.end(1_500_000);
      await dense.flushed();
      const { stream } = open("4");
      feed(stream, [0, 250_000, 500_000, 750_000, 1_000_000, 1_250_000]);
      stream.watermark(1_300_000);
      stream.breakOff();
      await stream.flushed();
      const { stream: resumed } = open("4");
      assert.deepEqual([resumed.resumeUs, resumed.complete], [1_000_000, false]);
      assert.deepEqual(resumed.stored(1_250_000), { kind: "done", value: Float32Array.of(1.25), cached: true });
      assert.deepEqual(resumed.witness(2_000_000), { ptsUs: 750_000, adler: 750_000 });
      assert.deepEqual([...open("2").stream.series(0, Infinity).ptsUs], [0, 500_000, 1_000_000], "the other rate has what it had");
      assert.equal(open("2").stream.complete, true);

      resumed.take(1_000_000, 1);
      resumed.breakOff();
      await resumed.flushed();
      assert.equal(open("4").stream.stored(1_250_000)?.kind, "done", "a block with an open item is left as it was");
    }));

  test("an item behind a stored block is dropped and does not hide the block", () =>
    withStore(async (open) => {
      const { stream, ledger } = open();
      feed(stream, [0, 500_000]);
      stream.watermark(1_000_000);
      await stream.flushed();
      assert.equal(stream.take(600_000, 0), null);
      feed(stream, [1_100_000]);
      stream.end(1_200_000);
      await stream.flushed();
      assert.deepEqual([...stream.series(0, Infinity).ptsUs], [0, 500_000, 1_100_000]);
      const counts = ledger.snapshot()["n"]!;
      assert.deepEqual([counts.in, counts.done, counts.dropped, counts.inFlight], [4, 3, 1, 0]);
    }));

  test("a block that is committed is readable at every moment, before and after", () =>
    withStore(async (open) => {
      const { stream } = open();
      feed(stream, [0, 500_000]);
      const settle = stream.take(900_000, 0)!;
      stream.watermark(3_000_000);
      assert.equal(stream.settledUs, 900_000);
      assert.deepEqual([...stream.series(0, 900_000).ptsUs], [0, 500_000]);
      settle(done(9));
      assert.deepEqual([...stream.series(0, 1_000_000).ptsUs], [0, 500_000, 900_000]);
      await stream.flushed();
      assert.deepEqual([...stream.series(0, 1_000_000).ptsUs], [0, 500_000, 900_000]);
      assert.throws(() => settle(done(1)), /two outcomes/);
    }));

  test("a write that fails is told and rejects nothing behind our back", () =>
    withStore(async (open, store) => {
      const { stream, broken } = open();
      const fault = new Error("disk full");
      store.putBlock = () => Promise.reject(fault);
      feed(stream, [0]);
      stream.end(10);
      await assert.rejects(stream.flushed(), fault);
      assert.deepEqual(broken, [fault]);
    }));
});

describe("the witness of a seek", () => {
  test("is the last frame of this rate with its own checksum", () =>
    withStore(async (open) => {
      const dense = open("2").stream;
      feed(dense, [0, 500_000, 1_000_000, 1_500_000]);
      dense.watermark(2_000_000);
      await dense.flushed();
      const sparse = open("1").stream;
      feed(sparse, [0, 1_000_000]);
      sparse.watermark(2_000_000);
      await sparse.flushed();
      assert.deepEqual(open("2").stream.witness(2_000_000), { ptsUs: 1_500_000, adler: 1_500_000 });
      assert.equal(open("1").stream.witness(2_000_000), null);
      assert.deepEqual(open("2").stream.witness(1_000_000), { ptsUs: 500_000, adler: 500_000 });
    }));
});

test("merging keeps both rates and the checksum of the last frame of all", () => {
  const draft = (pts: number[]): ReturnType<typeof newDraft> => ({ ...newDraft(), pts, values: pts.map((p) => Float32Array.of(p, -p)), adler: pts.at(-1)! });
  const first = mergeBlocks(undefined, draft([0, 10, 20]), "2", 0, undefined, true);
  const both = mergeBlocks(first, draft([0, 15]), "3", 0, undefined, true);
  assert.deepEqual([...both.ptsUs], [0, 10, 15, 20]);
  assert.deepEqual(both.rates, { "2": [0, 1, 3], "3": [0, 2] });
  assert.deepEqual([both.adler, both.width], [20, 2]);
  assert.deepEqual([...both.data!], [0, -0, 10, -10, 15, -15, 20, -20]);
});
