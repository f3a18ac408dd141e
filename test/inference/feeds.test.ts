import assert from "node:assert/strict";
import { test } from "node:test";
import { freeRows, inParts, rowsAtOnce, type Feeds, type Fetched } from "../../src/inference/feeds.js";

const METADATA = [
  { name: "pixels", isTensor: true, type: "float32", shape: ["n", 3, 224, 224] },
  { name: "scale", isTensor: true, type: "float32", shape: [1] },
] as never;

test("16 pictures for a CPU run in parts of a few megabytes, and every row comes back in its place", async () => {
  const stride = 3 * 224 * 224;
  const pixels = Float32Array.from({ length: 13 * stride }, (_, i) => Math.floor(i / stride));
  const feeds: Feeds = { pixels: { data: pixels, dims: [13, 3, 224, 224] }, scale: { data: Float32Array.of(2), dims: [1] } };
  const rows = freeRows(METADATA, feeds)!;
  const batch = rowsAtOnce(feeds, rows);
  assert.equal(batch, 4);
  const seen: number[] = [];
  const out = await inParts(feeds, { ...rows, batch }, false, async ({ pixels: part, scale }): Promise<Fetched> => {
    const n = part!.dims[0]!;
    seen.push(n);
    assert.equal(part!.data.length, n * stride);
    return { vector: { data: Float32Array.from({ length: n }, (_, i) => Number(part!.data[i * stride]) * Number(scale!.data[0])), dims: [n, 1] } };
  });
  assert.deepEqual(seen, [4, 4, 4, 1]);
  assert.deepEqual([...out["vector"]!.data], Array.from({ length: 13 }, (_, i) => 2 * i));
});

test("a row that is larger than a part runs alone, small rows are not cut", () => {
  const one = (length: number, rows: number): number => rowsAtOnce({ x: { data: new Float32Array(length * rows), dims: [rows, length] } }, { rows, names: new Set(["x"]) });
  assert.equal(one(1_000_000, 3), 1);
  assert.ok(one(256, 64) >= 64);
});
