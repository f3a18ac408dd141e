import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { FlowRecord, MediumInfo } from "../../src/contracts/index.js";
import { Store, diffStores, type StoreDifference } from "../../src/store/index.js";

const scene = (index: number, fields: Record<string, unknown> = {}, dims = 4): FlowRecord => ({
  kind: "scene", id: String(index).padStart(16, "0"), parent: null, media: "m", startUs: index, endUs: index + 1, fields, vectors: { video: { dims, space: "s" } }, outcome: "done",
});
const info: MediumInfo = { id: "m", uri: "/m.mp4", name: "m.mp4", kind: "video", container: "mp4", sizeBytes: 1, durationUs: 1, startUs: 0, video: null, audio: null, subtitles: [], memoisable: true };
type Row = [FlowRecord, number[]];

async function compare(rowsA: Row[], rowsB: Row[], options?: { tolerance?: number; prepare?: (a: Store, b: Store) => Promise<void> }): Promise<StoreDifference> {
  const dir = await mkdtemp(join(tmpdir(), "flow-diff-"));
  const a = await Store.open(join(dir, "a"));
  const b = await Store.open(join(dir, "b"));
  try {
    for (const [store, rows] of [[a, rowsA], [b, rowsB]] as const) for (const [record, vector] of rows) await store.commitRecord({ record, vectors: { video: Float32Array.from(vector) } });
    await options?.prepare?.(a, b);
    return options?.tolerance === undefined ? diffStores(a, b) : diffStores(a, b, { tolerance: options.tolerance });
  } finally {
    await a.close();
    await b.close();
    await rm(dir, { recursive: true, force: true });
  }
}

const many = (count: number): Row[] => Array.from({ length: count }, (_, i) => [scene(i, { caption: `c${i}`, list: [{ value: i / 7 }] }), [i + 1, 2, 3, 4]]);

test("the same records, committed in another order, from another path and at another scale, are equal", async () => {
  const rows = many(70);
  const other = rows.map(([record, vector]): Row => [{ ...record, fields: { ...record.fields, uri: "/elsewhere", uris: ["x"], name: "n", path: "p" } }, vector.map((v) => v * 2)]).reverse();
  assert.deepEqual(await compare(rows, other), { equal: true, maxDelta: 0, onlyA: [], onlyB: [], differing: [], differingCount: 0 });
});

test("records of one side are named, and those alone", async () => {
  const rows = many(5);
  const result = await compare(rows.slice(0, 4), rows.slice(1));
  assert.deepEqual([result.equal, result.onlyA, result.onlyB, result.differingCount], [false, [rows[0]![0].id], [rows[4]![0].id], 0]);
});

test("each differing part is shown with its place, its two values and the distance", async () => {
  const fields = { caption: "night", attributes: [{ name: "luma", value: 3 }], gone: 1, same: null };
  const changed = { caption: "day", attributes: [{ name: "luma", value: 5 }], added: [1], same: null };
  const result = await compare([[scene(0, fields), [1, 0, 0, 0]]], [[{ ...scene(0, changed), outcome: "partial" }, [0, 1, 0, 0]]]);
  const id = scene(0).id;
  assert.deepEqual(new Map(result.differing.map((entry) => [entry.field, entry])), new Map(
    [
      { id, field: "outcome", a: "done", b: "partial" },
      { id, field: "fields.caption", a: "night", b: "day" },
      { id, field: "fields.attributes[0].value", a: 3, b: 5, delta: 2 },
      { id, field: "fields.gone", a: 1, b: undefined },
      { id, field: "fields.added", a: undefined, b: [1] },
      { id, field: "vectors.video", a: 1, b: 0, delta: 1 },
    ].map((entry) => [entry.field, entry]),
  ));
  assert.deepEqual([result.differingCount, result.maxDelta, result.equal], [6, 1, false]);
});

test("vectors of other dims, and numbers that are none, differ", async () => {
  const dims = await compare([[scene(0), [1, 0, 0, 0]]], [[scene(0, {}, 2), [1, 0]]]);
  assert.deepEqual(dims.differing.map(({ field, a, b }) => [field, a, b]), [["vectors.video.dims", 4, 2], ["vectors.video", 4, 2]]);
  const nan = await compare([[scene(0), [1, 0, 0, 0]], [scene(1), [NaN, 0, 0, 0]]], [[scene(0), [NaN, 0, 0, 0]], [scene(1), [NaN, 0, 0, 0]]]);
  assert.deepEqual([nan.differingCount, nan.maxDelta], [1, 2]);
});

test("fractions differ beyond the tolerance, whole numbers at once", async () => {
  const result = await compare([[scene(0, { lufs: -23.1, frame: 1_000_000 }), [1, 0, 0, 0]]], [[scene(0, { lufs: -23.1 + 1e-12, frame: 1_000_001 }), [1, 0, 0, 0]]]);
  assert.deepEqual(result.differing.map((entry) => entry.field), ["fields.frame"]);
  assert.equal((await compare([[scene(0, { lufs: -23.1 }), [1, 0, 0, 0]]], [[scene(0, { lufs: -23.1 + 1e-12 }), [1, 0, 0, 0]]], { tolerance: 0 })).differingCount, 1);
});

test("a hundred differences are listed, all are counted", async () => {
  const result = await compare(many(130), many(130).map(([record, vector]) => [{ ...record, fields: { ...record.fields, caption: "x" } }, vector]));
  assert.deepEqual([result.differing.length, result.differingCount], [100, 130]);
});

test("media without records, and unfinished ones, count", async () => {
  const result = await compare([], [], {
    prepare: async (a, b) => {
      await a.putMedium("m", { info, uris: ["/m.mp4"], complete: true });
      await b.putMedium("m", { info: { ...info, uri: "/n.mp4" }, uris: ["/n.mp4"], complete: false });
      await b.putMedium("n", { info: { ...info, id: "n" }, uris: ["/n.mp4"], complete: false });
    },
  });
  assert.deepEqual(result, { equal: false, maxDelta: 0, onlyA: [], onlyB: ["n"], differing: [{ id: "m", field: "complete", a: true, b: false }], differingCount: 1 });
});

test("a disturbed vector is equal up to the tolerance and not beyond, and its distance is told", async () => {
  const component = fc.double({ min: -1, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(fc.array(component, { minLength: 4, maxLength: 4 }), fc.constantFrom(0, 1e-7, 1e-6, 1e-4, 1e-2), async (vector, noise) => {
      fc.pre(Math.hypot(...vector) > 0.1);
      const moved = vector.map((value, i) => value + (i === 1 ? noise : 0));
      const [left, right] = [vector, moved].map((values) => Float32Array.from(values)).map((values) => [...values].map((value) => value / Math.hypot(...values)));
      const delta = Math.max(...left!.map((value, i) => Math.abs(value - right![i]!)));
      const result = await compare([[scene(0), vector]], [[scene(0), moved]]);
      assert.ok(Math.abs(result.maxDelta - delta) < 1e-12);
      assert.equal(result.equal, delta <= 1e-5);
    }),
    { numRuns: 12 },
  );
});
