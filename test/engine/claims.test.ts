import assert from "node:assert/strict";
import { appendFile, copyFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { diffStores, searchStore } from "../../src/store/index.js";
import { Store } from "../../src/index.js";
import { behaviour } from "./operators/test.note.js";
import { SMALL, HEAD, OUTPUT, SCENES, Workbench, balanced } from "./small-graph.js";

beforeEach(() => {
  behaviour.note = (tag) => ({ text: tag });
});

const GRAPH = `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes }, with: { tag: harbour } }\n${OUTPUT}`;

describe("a path holds one content", () => {
  test("changed bytes under the same path: the old results are superseded, and cached when the old file is back", () =>
    Workbench.with(async (bench) => {
      const path = join(bench.dir, "a.mp4");
      const run = () => bench.run(GRAPH, { inputs: [path] });
      await copyFile(SMALL, path);
      const first = await run();
      const [old] = await bench.read((store) => [...store.mediaRows()]);
      await appendFile(path, "x");
      await run();
      await bench.read((store) => {
        const [row, ...others] = [...store.mediaRows()];
        assert.deepEqual(others, []);
        assert.deepEqual(row!.uris, [path]);
        assert.deepEqual([...store.superseded()], [[old!.id, row!.id]]);
        assert.deepEqual(store.getMedium(old!.id)!.uris, []);
        assert.ok([...store.records()].every((record) => record.media === row!.id));
        assert.equal([...store.records({ superseded: true })].length, 2 * [...store.records()].length);
        assert.ok([...store.records({ media: old!.id })].length > 1, "a medium that is named is looked at");
        const hits = searchStore(store, { text: "harbour", top: 50 }).hits;
        assert.ok(hits.length > 0 && hits.every((hit) => hit.media === row!.id));
        assert.ok(searchStore(store, { text: "harbour", top: 50, superseded: true }).hits.length === 2 * hits.length);
        assert.ok(searchStore(store, { text: "harbour", media: [old!.id] }).hits.length > 0);
      });
      await copyFile(SMALL, path);
      const back = await run();
      assert.deepEqual([back.framesDecoded, back.digest], [0, first.digest]);
      await bench.read((store) => {
        assert.deepEqual([...store.mediaRows()].map((row) => [row.id, row.uris, row.complete]), [[old!.id, [path], true]]);
        assert.deepEqual([...store.records({ kind: "media" })].map((record) => record.fields["uris"]), [[path]]);
        assert.equal(store.superseded().size, 1);
      });
    }));

  test("of two paths with the same bytes one changes: the record keeps the other", () =>
    Workbench.with(async (bench) => {
      const [a, b] = [join(bench.dir, "a.mp4"), join(bench.dir, "b.mp4")];
      await copyFile(SMALL, a);
      await copyFile(SMALL, b);
      await bench.run(GRAPH, { inputs: [a, b] });
      await appendFile(a, "x");
      await bench.run(GRAPH, { inputs: [a] });
      await bench.read((store) => {
        assert.equal(store.superseded().size, 0);
        const rows = [...store.mediaRows()].map((row) => [row.info.uri, row.info.name, row.uris]);
        assert.deepEqual(rows.sort(), [[a, "a.mp4", [a]], [b, "b.mp4", [b]]]);
        const fields = [...store.records({ kind: "media" })].map(({ fields }) => [fields["uri"], fields["name"], fields["uris"]]);
        assert.deepEqual(fields.sort(), [[a, "a.mp4", [a]], [b, "b.mp4", [b]]]);
      });
      // Back again through a run that does not replay: the record must say so too.
      await copyFile(SMALL, a);
      await bench.run(GRAPH, { inputs: [a], force: ["note"] });
      await bench.read((store) => {
        const [record] = [...store.records({ kind: "media" })].filter(({ fields }) => (fields["uris"] as string[]).includes(b));
        assert.deepEqual([...(record!.fields["uris"] as string[])].sort(), [a, b]);
      });
    }));

  test("a store that saw an older file is no different from one that did not", () =>
    Workbench.with(async (bench) => {
      const path = join(bench.dir, "a.mp4");
      await copyFile(SMALL, path);
      await bench.run(GRAPH, { inputs: [path] });
      await appendFile(path, "x");
      await bench.run(GRAPH, { inputs: [path] });
      const other = join(bench.dir, "other");
      await bench.run(GRAPH, { inputs: [path], store: other });
      await using a = await Store.open(bench.store, { readOnly: true });
      await using b = await Store.open(other, { readOnly: true });
      assert.deepEqual([diffStores(a, b).equal, diffStores(b, a).equal], [true, true]);
    }));
});

test("what could not be opened stays listed under its address until it opens", () =>
  Workbench.with(async (bench) => {
    const broken = [join(bench.dir, "x.mp4"), join(bench.dir, "y.mp4")];
    for (const path of broken) await writeFile(path, "no video");
    const listed = (): Promise<string[][]> => bench.read((store) => [...store.failures()].map((row) => [row.node, row.medium, row.uri, row.error.code]));
    const ran = await bench.run(GRAPH, { inputs: [...broken, SMALL] });
    assert.deepEqual([ran.status, ran.failures.length], ["failed-items", 2]);
    const both = await listed();
    assert.deepEqual(both.map(([, , uri]) => uri).sort(), broken);
    assert.deepEqual(both.map(([node, medium]) => [node, medium]), [["media", ""], ["media", ""]]);
    await bench.run(GRAPH);
    assert.deepEqual(await listed(), both, "a run of other inputs changes nothing about them");
    await copyFile(SMALL, broken[0]!);
    await bench.run(GRAPH, { inputs: broken });
    assert.deepEqual((await listed()).map(([, , uri]) => uri), [broken[1]]);
  }));

test("the name that a list gives reaches the record of a medium that is known; so does the next one", () =>
  Workbench.with(async (bench) => {
    const list = join(bench.dir, "list.json");
    const names = (): Promise<unknown[]> => bench.read((store) => [[...store.mediaRows()][0]!.info.name, [...store.records({ kind: "media" })][0]!.fields["name"]]);
    const first = await bench.run(GRAPH);
    assert.deepEqual(await names(), ["clip.mp4", "clip.mp4"]);
    for (const name of ["Harbour", "Port"]) {
      await writeFile(list, JSON.stringify([{ path: SMALL, name }]));
      const again = await bench.run(GRAPH, { inputs: [list] });
      assert.deepEqual([again.framesDecoded, again.digest], [0, first.digest]);
      assert.deepEqual(await names(), [name, name]);
    }
  }));

test("a medium listed twice has all scenes that were given for it, each once", () =>
  Workbench.with(async (bench) => {
    const list = join(bench.dir, "list.json");
    const copy = join(bench.dir, "copy.mp4");
    await copyFile(SMALL, copy);
    const rows = [{ path: SMALL, scenes: [{ start: 4, end: 6 }] }, { path: copy, scenes: [{ start: 0, end: 2 }, { start: 4, end: 6 }] }, SMALL];
    const bounds = (): Promise<number[][]> => bench.read((store) => [...store.records({ kind: "scene" })].map((r) => [r.startUs / 1e6, r.endUs / 1e6]));
    await writeFile(list, JSON.stringify(rows));
    const first = await bench.run(GRAPH, { inputs: [list] });
    balanced(first);
    assert.deepEqual(await bounds(), [[0, 2], [4, 6]]);
    await writeFile(list, JSON.stringify(rows.toReversed()));
    const again = await bench.run(GRAPH, { inputs: [list] });
    assert.deepEqual([again.framesDecoded, again.digest], [0, first.digest]);
    await rm(copy);
  }));
