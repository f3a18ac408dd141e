import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { behaviour } from "./operators/test.note.js";
import { SMALL, HEAD, OUTPUT, SCENES, Workbench, balanced } from "./small-graph.js";

beforeEach(() => {
  behaviour.note = (tag) => ({ text: tag });
});

const noteGraph = (tag: string, more = ""): string => `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes }, with: { tag: ${tag} } }\n${more}${OUTPUT}`;

describe("records", () => {
  test("going back to an earlier configuration puts the earlier record back", () =>
    Workbench.with(async (bench) => {
      const notes = (): Promise<unknown[]> => bench.read((store) => [...store.records({ kind: "scene" })].map((r) => r.fields["note"]));
      const first = await bench.run(noteGraph("one"));
      await bench.run(noteGraph("two"));
      assert.deepEqual([...new Set(await notes())], ["two"]);
      const back = await bench.run(noteGraph("one"));
      assert.equal(back.digest, first.digest);
      assert.deepEqual([...new Set(await notes())], ["one"]);
    }));

  test("medium-level nodes see the scenes' values of this very run, with the grid cached", () =>
    Workbench.with(async (bench) => {
      const graph = (tag: string): string =>
        `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes }, with: { tag: ${tag} } }\n  all: { op: test.gather, in: { texts: note.text } }\n  medium: { op: join, by: media, in: { all: all.texts } }\noutputs: { media: { from: medium } }\n`;
      const texts = (): Promise<unknown> => bench.read((store) => [...store.records({ kind: "media" })][0]!.fields["all"]);
      await bench.run(graph("one"));
      const first = (await texts()) as unknown[];
      assert.ok(first.length > 3 && first.every((t) => t === "one"), JSON.stringify(first));
      await bench.run(graph("two"));
      assert.deepEqual(await texts(), first.map(() => "two"));
    }));

  test("given scenes behind the end of the medium are not made up", () =>
    Workbench.with(async (bench) => {
      const list = join(bench.dir, "list.json");
      await writeFile(list, JSON.stringify([{ path: SMALL, scenes: [{ start: 1, end: 3 }, { start: 2, end: 900 }, { start: 500, end: 600 }] }]));
      const summary = await bench.run(noteGraph("one"), { inputs: [list] });
      balanced(summary);
      const scenes = await bench.read((store) => [...store.records({ kind: "scene" })]);
      assert.equal(scenes.length, 2);
      for (const scene of scenes) assert.ok(scene.endUs > scene.startUs);
      assert.equal(summary.records["scene"], 2);
    }));

  test("a second name of the same content reaches the record", () =>
    Workbench.with(async (bench) => {
      const copy = join(bench.dir, "copy.mp4");
      await copyFile(SMALL, copy);
      await bench.run(noteGraph("one"));
      const again = await bench.run(noteGraph("one"), { inputs: [copy] });
      assert.equal(again.framesDecoded, 0);
      const [record] = await bench.read((store) => [...store.records({ kind: "media" })]);
      assert.deepEqual(record!.fields["uris"], [SMALL, copy]);
    }));

  test("an edited scenes file cuts anew", () =>
    Workbench.with(async (bench) => {
      const file = join(bench.dir, "scenes.json");
      const graph = `${HEAD}${SCENES.replace("in: { scores: scores } }", `in: { scores: scores }, with: { detector: file, file: "${file}" } }`)}  note: { op: test.note, in: { scenes: scenes } }\n${OUTPUT}`;
      await writeFile(file, JSON.stringify([{ start: 0, end: 4 }]));
      const first = await bench.run(graph);
      await writeFile(file, JSON.stringify([{ start: 0, end: 4 }, { start: 5, end: 7 }]));
      const second = await bench.run(graph);
      assert.notEqual(first.digest, second.digest);
      assert.equal(second.records["scene"], 2);
    }));
});
