import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { FlowError, type FlowRecord } from "../../src/contracts/index.js";
import { Store, type Block } from "../../src/store/index.js";
import { decodeBlock, encodeBlock, pack, unpack } from "../../src/store/codec.js";

async function inStore<T>(work: (store: Store, dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "flow-store-"));
  const store = await Store.open(dir);
  try {
    return await work(store, dir);
  } finally {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  }
}

export const sceneRecord = (media: string, startUs: number, fields: Record<string, unknown> = {}): FlowRecord => ({
  kind: "scene", id: `${media}${String(startUs).padStart(15, "0")}`, parent: media, media, startUs, endUs: startUs + 1_000_000, fields, vectors: { video: { dims: 3, space: "s" } }, outcome: "done",
});

test("a packed value stays what it is when others, smaller and larger, are packed after it", () => {
  const values = ["x", { a: [1, "two", null], b: Float32Array.of(1, 2) }, "y".repeat(3_000_000), 7, { list: Array.from({ length: 5000 }, (_, i) => i) }, "z"];
  const packed = values.map(pack);
  assert.deepEqual(packed.map(unpack), values);
  assert.throws(() => pack({ f: () => 1, deep: { g: Symbol("s") } }));
  assert.deepEqual(unpack(pack(values[1])), values[1]);
});

describe("blocks", () => {
  test("any block comes back as it went in", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 48 }), { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), fc.boolean(), (pts, width, pictures) => {
        const block: Block = { ptsUs: Float64Array.from(pts), width, rates: { all: "all", "2": pts.map((_, i) => i) }, adler: -5, failures: [{ ptsUs: 3, outcome: { kind: "skipped", reason: "x" } }] };
        if (pictures) block.bytes = pts.map((p) => Uint8Array.from({ length: p % 7 }, (_, i) => i));
        else block.data = Float32Array.from({ length: pts.length * width }, (_, i) => i / 3);
        const back = decodeBlock(encodeBlock(block));
        assert.deepEqual(back.ptsUs, block.ptsUs);
        assert.deepEqual(back.rates, block.rates);
        assert.deepEqual(back.failures, block.failures);
        assert.deepEqual(back.data, block.data);
        assert.deepEqual(back.bytes?.map((b) => [...b]), block.bytes?.map((b) => [...b]));
      }),
    );
  });

  test("of any size stay what they are when others are read after them", () =>
    inStore(async (store) => {
      const blocks = [3, 4000, 70_000, 2, 500].map((rows, k): Block => ({ ptsUs: Float64Array.from({ length: rows }, (_, i) => i), width: 1, data: new Float32Array(rows).fill(k), rates: { all: "all" }, adler: k, failures: [] }));
      for (const [index, block] of blocks.entries()) await store.putBlock("m", "node", index, block);
      const read = blocks.map((_, index) => store.getBlock("m", "node", index));
      assert.deepEqual(read, blocks);
    }));

  test("are listed in order, per node, and removed with their end marks", () =>
    inStore(async (store) => {
      const block: Block = { ptsUs: Float64Array.of(1), width: 1, data: Float32Array.of(2), rates: { all: "all" }, adler: null, failures: [] };
      for (const index of [10, 2, 0]) await store.putBlock("m", "node", index, block);
      await store.putBlock("m", "node2", 7, block);
      await store.putBlock("m2", "node", 8, block);
      await store.putGridEnd("m", "node", "all", { endUs: 5, blocks: 3 });
      assert.deepEqual(store.listBlocks("m", "node"), [0, 2, 10]);
      assert.deepEqual(store.getGridEnd("m", "node", "all"), { endUs: 5, blocks: 3 });
      await store.removeBlocks("m", "node");
      assert.deepEqual(store.listBlocks("m", "node"), []);
      assert.equal(store.getGridEnd("m", "node", "all"), undefined);
      assert.deepEqual(store.listBlocks("m", "node2"), [7]);
      assert.deepEqual(store.listBlocks("m2", "node"), [8]);
    }));
});

describe("records", () => {
  test("a record and its vectors are committed together, twice is once, and old scenes go with their vectors", () =>
    inStore(async (store) => {
      for (let i = 0; i < 100; i++) await store.commitRecord({ record: sceneRecord("m", i), vectors: { video: Float32Array.of(i, 1, 2) }, blobs: { [`sha${i}`]: Uint8Array.of(i) } });
      await store.commitRecord({ record: sceneRecord("m", 7, { again: true }), vectors: { video: Float32Array.of(70, 1, 2) } });
      const all = [...store.records({ kind: "scene", media: "m" })];
      assert.deepEqual(all.map((r) => r.startUs), Array.from({ length: 100 }, (_, i) => i));
      assert.deepEqual(store.vector(all[7]!, "video"), Float32Array.of(70, 1, 2));
      assert.deepEqual(store.vector(all[99]!, "video"), Float32Array.of(99, 1, 2));
      assert.equal(store.getBlob("sha5")![0], 5);
      const keep = new Set(all.filter((r) => r.startUs % 2 === 0).map((r) => r.id));
      assert.equal(await store.removeRecords("m", "scene", keep), 50);
      const ids = [...store.vectorChunks("scene", "video")].flatMap((rows) => rows.ids);
      assert.deepEqual(new Set(ids), keep);
      assert.equal(ids.length, 50);
      assert.deepEqual(store.vector(all[98]!, "video"), Float32Array.of(98, 1, 2));
      assert.equal(store.getRecord(all[99]!.id), undefined);
    }));

  test("memo keeps typed arrays and plain values", () =>
    inStore(async (store) => {
      const value = { vector: Float32Array.of(1, 2), bytes: Uint8Array.of(3), list: [1, "a", null, { x: true }] };
      await store.putMemo("k", { kind: "done", value });
      assert.deepEqual(store.getMemo("k"), { kind: "done", value });
    }));
});

describe("opening", () => {
  const code = (expected: string) => (error: unknown) => error instanceof FlowError && error.code === expected && error.hint.length > 0;

  test("a second writer is refused, readers are not", () =>
    inStore(async (store, dir) => {
      await assert.rejects(Store.open(dir), code("STORE_LOCKED"));
      await store.commitRecord({ record: sceneRecord("m", 1), vectors: {} });
      const child = spawn(process.execPath, ["--input-type=module", "-e", `import { Store } from ${JSON.stringify(new URL("../../src/store/index.js", import.meta.url).href)}; const s = await Store.open(${JSON.stringify(dir)}, { readOnly: true }); console.log([...s.records()].length); await s.close();`]);
      let out = "";
      child.stdout.on("data", (chunk) => (out += String(chunk)));
      await new Promise((resolve) => child.on("close", resolve));
      assert.equal(out.trim(), "1");
    }));

  test("a missing store and a foreign folder are said so", async () => {
    const dir = await mkdtemp(join(tmpdir(), "flow-store-"));
    try {
      await assert.rejects(Store.open(join(dir, "none"), { readOnly: true }), code("NO_STORE"));
      await writeFile(join(dir, "thesis.txt"), "not ours");
      await assert.rejects(Store.open(dir), code("STORE_INCOMPATIBLE"));
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  test("what was refused before any work leaves no folder behind, and nothing of what was there is touched", async () => {
    const dir = await mkdtemp(join(tmpdir(), "flow-store-"));
    const refused = async (path: string): Promise<void> => {
      const store = await Store.open(path);
      store.leaveNothing();
      await store.close();
    };
    try {
      await refused(join(dir, "made", "deep"));
      assert.deepEqual(await readdir(dir), []);
      await mkdir(join(dir, "empty"));
      await refused(join(dir, "empty"));
      assert.deepEqual(await readdir(join(dir, "empty")), []);
      await (await Store.open(join(dir, "old"))).close();
      await refused(join(dir, "old"));
      await (await Store.open(join(dir, "old"), { readOnly: true })).close();
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  test("a writer killed in the middle of commits leaves whole records and no lock", async () => {
    const dir = await mkdtemp(join(tmpdir(), "flow-store-"));
    try {
      const child = spawn(process.execPath, [fileURLToPath(new URL("./writer-child.js", import.meta.url)), dir], { stdio: ["ignore", "pipe", "inherit"] });
      await new Promise<void>((resolve) => child.stdout.on("data", (chunk) => String(chunk).includes("200") && resolve()));
      child.kill("SIGKILL");
      await new Promise((resolve) => child.on("close", resolve));
      const store = await Store.open(dir);
      const records = [...store.records({ kind: "scene" })];
      assert.ok(records.length >= 200);
      for (const record of records) assert.deepEqual(store.vector(record, "video"), Float32Array.of(record.startUs, 1, 2));
      await store.close();
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
