import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { FlowError } from "../../src/index.js";
import { behaviour } from "./operators/test.note.js";
import { SMALL, HEAD, OUTPUT, SCENES, Workbench, balanced } from "./small-graph.js";

beforeEach(() => {
  behaviour.note = (tag) => ({ text: tag });
});

const flakyGraph = (bench: Workbench, config: string, policy = "", more = ""): string =>
  `${HEAD}${SCENES}  frames: { op: test.flaky, in: { frames: { from: media.frames, fps: 2 } }, batch: { size: 16 }, with: { marks: "${bench.marks}", ${config} }${policy} }\n` +
  `  note: { op: test.note, in: { scenes: scenes, vectors: frames } }\n${more}${OUTPUT}`;

describe("frames that fail", () => {
  test("a retry that comes back after the last frame still has its batch cut", { timeout: 60_000 }, () =>
    Workbench.with(async (bench) => {
      const summary = await bench.run(flakyGraph(bench, "from: 15, fails: once", ", on_error: { retry: 2, backoff: 50ms..100ms }"));
      balanced(summary);
      assert.equal(summary.status, "done");
      assert.equal(summary.nodes["frames"]!.failed, 0);
    }));

  test("a transient failure is tried again by a rerun, and only it", () =>
    Workbench.with(async (bench) => {
      const graph = flakyGraph(bench, "from: 5, to: 5.4, fails: once", ", on_error: { retry: 0 }");
      const first = await bench.run(graph);
      balanced(first);
      assert.equal(first.nodes["frames"]!.failed, 1);
      assert.equal(first.status, "failed-items");
      const second = await bench.run(graph);
      balanced(second);
      assert.deepEqual([second.nodes["frames"]!.failed, second.nodes["frames"]!.done, second.status], [0, 1, "done"]);
      assert.equal(await bench.read((store) => [...store.failures()].length), 0);
      const third = await bench.run(graph);
      assert.equal(third.framesDecoded, 0);
      assert.deepEqual([third.digest, third.digestNumbers], [second.digest, second.digestNumbers]);
    }));

  test("a permanent failure is not tried again and not forgotten", () =>
    Workbench.with(async (bench) => {
      const graph = flakyGraph(bench, "from: 5, to: 5.4, fails: always, permanent: true");
      const first = await bench.run(graph);
      assert.equal(first.nodes["frames"]!.failed, 1);
      for (const _ of [1, 2]) {
        const again = await bench.run(graph);
        balanced(again);
        assert.deepEqual([again.framesDecoded, again.nodes["frames"]!.failed, again.nodes["frames"]!.done, again.status], [0, 1, 0, "failed-items"]);
        assert.deepEqual([again.digest, again.digestNumbers], [first.digest, first.digestNumbers]);
        assert.deepEqual(await bench.read((store) => [...store.failures()].map((f) => [f.node, f.error.code])), [["frames", "TEST_FAULT"]]);
      }
    }));

  test("then: fail ends the medium with its cause; every item has an outcome; no scene is made of half a medium", () =>
    Workbench.with(async (bench) => {
      const summary = await bench.run(flakyGraph(bench, "from: 5, fails: always", ", on_error: { then: fail }"));
      balanced(summary);
      assert.equal(summary.failures[0]?.code, "TEST_FAULT");
      assert.deepEqual(await bench.read((store) => [...store.failures()].map((f) => [f.node, f.operator])), [["frames", "test.flaky"]]);
      const ends = await bench.read((store) => [...store.records({ kind: "scene" })].map((r) => r.endUs));
      assert.ok(ends.every((endUs) => endUs <= 5e6), ends.join());
    }));
});

describe("scenes that fail", () => {
  const graph = `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes }, on_error: { retry: 0, then: THEN } }\n${OUTPUT}`;
  const deadLetter = graph.replace("THEN", "dead_letter");

  test("a permanent failure is not tried again and not forgotten; a transient one is", () =>
    Workbench.with(async (bench) => {
      const tried: string[] = [];
      behaviour.note = (tag, { interval }) => {
        tried.push(interval.startUs === 0 ? "first" : "other");
        if (interval.startUs === 0) throw new FlowError("TEST_FAULT", "no", { hint: "none", permanent: true });
        if (tried.length === 3) throw new FlowError("TEST_BLIP", "no", { hint: "none" });
        return { text: tag };
      };
      const first = await bench.run(deadLetter);
      balanced(first);
      assert.equal(first.nodes["note"]!.failed, 2);
      const tries = tried.length;
      const second = await bench.run(deadLetter);
      balanced(second);
      assert.equal(tried.length - tries, 1);
      assert.deepEqual([second.nodes["note"]!.failed, second.nodes["note"]!.done, second.status], [1, 1, "failed-items"]);
      const third = await bench.run(deadLetter);
      assert.equal(tried.length - tries, 1);
      assert.deepEqual([third.digest, third.nodes["note"]!.failed, third.status], [second.digest, 1, "failed-items"]);
      assert.deepEqual(await bench.read((store) => [...store.failures()].map((f) => f.error.code)), ["TEST_FAULT"]);
    }));

  test("then: fail stops the medium, waits for what is open, and closes the books", () =>
    Workbench.with(async (bench) => {
      let open = 0;
      let finished = 0;
      behaviour.note = async (tag, { interval }) => {
        open += 1;
        if (interval.startUs === 0) throw new FlowError("TEST_FAULT", "no", { hint: "none", permanent: true });
        await new Promise((resolve) => setTimeout(resolve, 300));
        finished += 1;
        return { text: tag };
      };
      const summary = await bench.run(graph.replace("THEN", "fail"));
      const begun = open;
      assert.equal(summary.failures[0]?.code, "TEST_FAULT");
      balanced(summary);
      assert.equal(finished, begun - 1, "a scene was abandoned in the middle");
      assert.deepEqual(await bench.read((store) => [...store.failures()].map((f) => [f.node, f.permanent])), [["note", false]], "the guilty node is named, and a rerun tries it again");
    }));
});

describe("a file that is written to while it is read", () => {
  test("fails, and leaves nothing under the content that it had: once that is back, everything is computed", () =>
    Workbench.with(async (bench) => {
      const file = join(bench.dir, "growing.mp4");
      copyFileSync(SMALL, file);
      const bytes = statSync(file).size;
      const graph = `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes } }\n${OUTPUT}`;
      behaviour.note = (tag) => {
        appendFileSync(file, "more");
        return { text: tag };
      };
      const broken = await bench.run(graph, { inputs: [file] });
      balanced(broken);
      assert.deepEqual([broken.status, broken.failures.map(({ code }) => code), broken.media], ["failed-items", ["MEDIA_CHANGED"], 0]);
      assert.deepEqual(await bench.read((store) => [...store.failures()].map((f) => [f.uri, f.error.code])), [[file, "MEDIA_CHANGED"]]);
      truncateSync(file, bytes);
      behaviour.note = (tag) => ({ text: tag });
      const again = await bench.run(graph, { inputs: [file] });
      assert.deepEqual([again.status, again.framesDecoded], ["done", 1825]);
      const clean = await bench.run(graph, { store: `${bench.store}-clean` });
      assert.deepEqual([again.digest, again.digestNumbers], [clean.digest, clean.digestNumbers]);
      assert.deepEqual(await bench.read((store) => [...store.failures()]), []);
    }));
});

describe("Ctrl-C", () => {
  test("scenes that wait for a credit are not begun; the books close; a rerun ends in the same results", () =>
    Workbench.with(async (bench) => {
      const stop = new AbortController();
      let begun = 0;
      behaviour.note = async (tag) => {
        begun += 1;
        if (begun === 1) setImmediate(() => stop.abort());
        await new Promise((resolve) => setTimeout(resolve, 50));
        return { text: tag };
      };
      const graph = `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes } }\n${OUTPUT}runtime: { scenes_in_flight: 1 }\n`;
      const stopped = await bench.run(graph, { stop: stop.signal });
      assert.equal(stopped.status, "interrupted");
      balanced(stopped);
      assert.ok(begun <= 2, `${begun} scenes were begun`);
      const resumed = await bench.run(graph);
      const fresh = await Workbench.with((other) => other.run(graph));
      assert.deepEqual([resumed.digest, resumed.digestNumbers], [fresh.digest, fresh.digestNumbers]);
    }));

  test("in the middle of a block of 16 s: every frame that has its result keeps it, and only the others are made", () =>
    Workbench.with(async (bench) => {
      const graph = flakyGraph(bench, "from: 1000");
      const stop = new AbortController();
      // The first scene is five seconds long: its frames are settled, the block is not whole.
      behaviour.note = (tag) => (stop.abort(), { text: tag });
      const stopped = await bench.run(graph, { stop: stop.signal });
      behaviour.note = (tag) => ({ text: tag });
      balanced(stopped);
      assert.equal(stopped.status, "interrupted");
      const kept = stopped.nodes["frames"]!;
      assert.ok(kept.done >= 10 && kept.failed === 0, JSON.stringify(kept));
      assert.deepEqual(await bench.read((store) => [...store.failures()]), [], "what was stopped has not failed");
      const resumed = await bench.run(graph);
      balanced(resumed);
      const fresh = await Workbench.with((other) => other.run(flakyGraph(other, "from: 1000")));
      const { done, cached } = resumed.nodes["frames"]!;
      assert.deepEqual([cached, done], [kept.done, fresh.nodes["frames"]!.done - kept.done]);
      assert.equal(resumed.digestNumbers, fresh.digestNumbers);
      const again = await bench.run(graph);
      assert.deepEqual([again.framesDecoded, again.digest, again.digestNumbers], [0, resumed.digest, resumed.digestNumbers]);
    }));
});
