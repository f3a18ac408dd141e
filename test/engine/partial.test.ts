import assert from "node:assert/strict";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { Store, type RunGraphOptions } from "../../src/index.js";
import { BUNDLED } from "../clips.js";
import { behaviour } from "./operators/test.note.js";
import { HEAD, SCENES, Workbench, balanced } from "./small-graph.js";

beforeEach(() => {
  behaviour.note = (tag) => ({ text: tag });
});

const graph = (tag: string, threshold = 27): string =>
  `${HEAD}${SCENES.replace("in: { scores: scores } }", `in: { scores: scores }, with: { threshold: ${threshold} } }`)}` +
  `  note: { op: test.note, in: { scenes: scenes }, with: { tag: ${tag} } }
  scene: { op: join, by: scene, in: { note: note.text } }
  all: { op: test.gather, in: { texts: note.text } }
  medium: { op: join, by: media, in: { all: all.texts } }
outputs: { scene: { from: scene, fulltext: [note] }, media: { from: medium } }
`;

/** All that a reader can see of the store. */
const seen = (store: Store): unknown => [[...store.records()], [...store.mediaRows()]];

const SELECTIONS: Partial<RunGraphOptions>[] = [{ until: "scenes" }, { only: ["note"] }, { until: "scores" }, { from: "all", until: "all" }];

describe("a run of part of the graph", () => {
  for (const selection of SELECTIONS) {
    test(`${JSON.stringify(selection)} leaves the records of an indexed medium as they were`, () =>
      Workbench.with(async (bench) => {
        const whole = await bench.run(graph("one"));
        const before = await bench.read(seen);
        const part = await bench.run(graph("one"), selection);
        balanced(part);
        assert.equal(part.status, "done");
        assert.equal(part.framesDecoded, 0);
        assert.equal(part.records["scene"], undefined, "it does not say that there are no scenes");
        assert.match(part.notes.join(), /no scene and no media record was written/);
        assert.deepEqual(await bench.read(seen), before);
        const again = await bench.run(graph("one"));
        assert.deepEqual([again.digest, again.framesDecoded, again.nodes["note"]?.done], [whole.digest, 0, 0]);
      }));
  }

  test("of another configuration neither: its results wait for a run of the whole graph", () =>
    Workbench.with(async (bench) => {
      await bench.run(graph("one"));
      const before = await bench.read(seen);
      const part = await bench.run(graph("two"), { until: "note" });
      assert.ok(part.nodes["note"]!.done > 3);
      assert.deepEqual(await bench.read(seen), before);
      const whole = await bench.run(graph("two"));
      assert.equal(whole.nodes["note"]!.done, 0);
      assert.deepEqual([...new Set(await bench.read((store) => [...store.records({ kind: "scene" })].map((record) => record.fields["note"])))], ["two"]);
    }));

  test("that makes the scenes' records and not the medium's writes those and keeps this", () =>
    Workbench.with(async (bench) => {
      await bench.run(graph("one"));
      const part = await bench.run(graph("two"), { until: "scene" });
      assert.ok(part.records["scene"]! > 3);
      const { notes, all, row } = await bench.read((store) => ({
        notes: [...store.records({ kind: "scene" })].map((record) => record.fields["note"]),
        all: [...store.records({ kind: "media" })][0]!.fields["all"] as string[],
        row: [...store.mediaRows()][0]!,
      }));
      assert.deepEqual([...new Set(notes)], ["two"]);
      assert.ok(all.length > 3 && all.every((text) => text === "one"), "written by the first run");
      assert.deepEqual(row.outputs?.map((output) => output.kind).sort(), ["media", "scene"]);
      assert.equal(row.complete, true);
      const whole = await bench.run(graph("two"));
      assert.equal(whole.framesDecoded, 0);
      assert.deepEqual([...new Set(await bench.read((store) => [...store.records({ kind: "media" })][0]!.fields["all"] as string[]))], ["two"]);
    }));

  test("that computes again what it was told to, and stops, leaves no medium that says it is complete without its rows", () =>
    Workbench.with(async (bench) => {
      // In full size: a decode that is not over when it is told to stop.
      const long = { inputs: [BUNDLED] };
      const whole = await bench.run(graph("one"), long);
      const stop = new AbortController();
      const part = await bench.run(graph("one"), { ...long, until: "scores", force: ["scores"], stop: stop.signal, onProgress: () => stop.abort() });
      assert.equal(part.status, "interrupted");
      const row = await bench.read((store) => [...store.mediaRows()][0]!);
      assert.equal(row.complete, false);
      assert.ok(row.outputs?.some((output) => output.kind === "scene"), "what is there can be searched");
      const again = await bench.run(graph("one"), long);
      assert.deepEqual([again.status, again.digest], ["done", whole.digest]);
      assert.ok(again.framesDecoded > 0);
    }));

  test("on a new medium makes it known; a second one is found finished, and the whole graph goes on from there", () =>
    Workbench.with(async (bench) => {
      const first = await bench.run(graph("one"), { until: "scores" });
      assert.ok(first.framesDecoded > 0);
      assert.match(first.notes.join(), /on a new medium.*makes the scene and media records/);
      const second = await bench.run(graph("one"), { until: "scores" });
      assert.deepEqual([second.framesDecoded, second.digest], [0, first.digest]);
      assert.equal((await bench.read((store) => [...store.mediaRows()][0]!)).complete, true);
      const whole = await bench.run(graph("one"));
      assert.equal(whole.framesDecoded, 0);
      assert.ok(whole.records["scene"]! > 3);
    }));

  for (const selection of [...SELECTIONS, { until: "scene" }]) {
    test(`${JSON.stringify(selection)} has one digest, whether the medium is new or indexed`, () =>
      Workbench.with(async (bench) => {
        const fresh = await bench.run(graph("one"), { ...selection, store: join(bench.dir, "fresh") });
        await bench.run(graph("one"));
        const indexed = await bench.run(graph("one"), selection);
        assert.deepEqual([indexed.digest, indexed.digestNumbers], [fresh.digest, fresh.digestNumbers]);
      }));
  }

  test("has a digest of all that it computes, although no record is made of it", () =>
    Workbench.with(async (bench) => {
      let stores = 0;
      const digestOf = async (yaml: string, selection: Partial<RunGraphOptions>, store = `new-${stores++}`): Promise<string> => {
        const ran = await bench.run(yaml, { ...selection, store: join(bench.dir, store) });
        assert.equal(ran.status, "done");
        return `${ran.digest} ${ran.digestNumbers}`;
      };
      const all = new Set<string>();
      // A text of each scene, the bounds of the scenes, a list of the whole medium.
      for (const yaml of [graph("one"), graph("two"), graph("one", 60)]) for (const selection of [{ until: "note" }, { until: "scenes" }, { only: ["all"] }]) all.add(await digestOf(yaml, selection));
      assert.equal(all.size, 8, "only the bounds are the same with both texts");
      behaviour.note = () => ({ skip: "nothing to say" });
      all.add(await digestOf(graph("one"), { until: "note" }));
      assert.equal(all.size, 9, "no text is another result");
      behaviour.note = (tag) => ({ text: tag });

      const stop = new AbortController();
      const whole = await digestOf(graph("one"), { until: "note" });
      const cut = await bench.run(graph("one"), { until: "note", store: join(bench.dir, "cut"), stop: stop.signal, onProgress: ({ active }) => void (active.some(({ scenes }) => scenes > 2) && stop.abort()) });
      assert.equal(cut.status, "interrupted");
      assert.equal(await digestOf(graph("one"), { until: "note" }, "cut"), whole, "resumed");
      assert.equal(await digestOf(graph("one"), { until: "note" }, "cut"), whole, "cached");
    }));

  test("that amended the medium's record is amended back by the whole graph", () =>
    Workbench.with(async (bench) => {
      await bench.run(graph("one"));
      const records = (store: Store): unknown => [...store.records()];
      const before = await bench.read(records);
      const part = await bench.run(graph("one", 60), { until: "scene" });
      const [medium] = await bench.read((store) => [...store.records({ kind: "media" })]);
      assert.equal(medium!.fields["scenes"], part.records["scene"]);
      await bench.run(graph("one"));
      assert.deepEqual(await bench.read(records), before);
    }));

  test("that fails is made good by the next run of the whole graph", () =>
    Workbench.with(async (bench) => {
      const whole = await bench.run(graph("one"));
      const failures = (store: Store): number => [...store.failures()].length;
      behaviour.note = () => {
        throw new Error("out of order");
      };
      const part = await bench.run(graph("one"), { until: "note", force: ["note"] });
      assert.equal(part.status, "failed-items");
      assert.ok((await bench.read(failures)) > 3);
      behaviour.note = (tag) => ({ text: tag });
      const again = await bench.run(graph("one"));
      assert.deepEqual([again.status, again.digest, again.framesDecoded, await bench.read(failures)], ["done", whole.digest, 0, 0]);
    }));

  test("takes nothing from the records that stay when the store is collected", () =>
    Workbench.with(async (bench) => {
      const other = graph("one").replace("  scene: { op: join, by: scene, in: { note: note.text } }", "  other: { op: test.note, in: { scenes: scenes }, with: { tag: other } }\n  scene: { op: join, by: scene, in: { note: note.text, other: other.text } }");
      const whole = await bench.run(other);
      await bench.run(other, { until: "medium" });
      await collect(bench);
      const again = await bench.run(other);
      assert.deepEqual([again.nodes["other"]?.done, again.digest], [0, whole.digest]);
    }));

  test("takes nothing from an interrupted run of the whole graph when the store is collected", () =>
    Workbench.with(async (bench) => {
      const stop = new AbortController();
      behaviour.note = (tag, { interval }) => {
        if (interval.startUs > 30e6) stop.abort();
        return { text: tag };
      };
      const broken = await bench.run(graph("one"), { stop: stop.signal });
      assert.equal(broken.status, "interrupted");
      const kept = broken.nodes["note"]!.done;
      assert.ok(kept > 2);
      await bench.run(graph("one"), { until: "scores" });
      await collect(bench);
      const again = await bench.run(graph("one"));
      assert.ok(again.nodes["note"]!.cached >= kept);
    }));
});

async function collect(bench: Workbench): Promise<void> {
  await using store = await Store.open(bench.store);
  await store.collect({ dryRun: false, missing: false, isGone: () => false });
}
