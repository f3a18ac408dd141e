import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { OperatorDefinition } from "../../src/index.js";
import { greedyModel, testModel } from "../inference/fixtures.js";
import { testAbort } from "./operators/test.abort.js";
import { testNote } from "./operators/test.note.js";
import { HEAD, OUTPUT, SCENES, Workbench, balanced } from "./small-graph.js";

const operators = [testAbort, testNote] as OperatorDefinition[];
const abortGraph = (config: string, runtime: string): string =>
  `${HEAD}${SCENES}  frames: { op: test.abort, in: { frames: { from: media.frames, fps: 1 } }, batch: { size: 8 }, with: { ${config} }, on_error: { retry: 1, backoff: 10ms..20ms } }\n` +
  `  note: { op: test.note, in: { scenes: scenes, vectors: frames } }\n${OUTPUT}runtime: { workers: 2, ${runtime} }\n`;

/** The first worker process that starts meanwhile ends itself before it has read a task. */
async function firstChildDies<T>(bench: Workbench, work: () => Promise<T>): Promise<T> {
  const set = { NODE_OPTIONS: `--import ${new URL("../inference/signal-at-start.js", import.meta.url).href}`, FLOW_TEST_SIGNAL: "SIGSEGV", FLOW_TEST_LOG: join(bench.dir, "ended"), FLOW_TEST_TIMES: "1" };
  const before = Object.fromEntries(Object.keys(set).map((name) => [name, process.env[name]]));
  Object.assign(process.env, set);
  try {
    return await work();
  } finally {
    for (const [name, value] of Object.entries(before)) value === undefined ? delete process.env[name] : (process.env[name] = value);
  }
}

describe("isolation: process", () => {
  test("an abort is one dead letter, all other frames and every scene have their results; without the cause a rerun makes it whole", () =>
    Workbench.with(async (bench) => {
      const isolated = "pools: { inference: { isolation: process } }";
      const threads = await bench.run(abortGraph("", ""), { operators, store: `${bench.store}-threads` });
      const first = await bench.run(abortGraph("abort: 5", isolated), { operators });
      balanced(first);
      assert.deepEqual([first.status, first.nodes["frames"]!.failed, first.records["scene"]], ["failed-items", 1, threads.records["scene"]]);
      const failures = await bench.read((store) => [...store.failures()].map((f) => [f.node, f.startUs, f.error.code]));
      assert.deepEqual(failures, [["frames", 5_000_000, "WORKER_DIED"]]);
      assert.match(first.notes.join("\n"), /^frames: a worker process was ended by SIGABRT, \d+ times; another took its place and went on$/m);
      const whole = await bench.run(abortGraph("", isolated), { operators });
      balanced(whole);
      assert.equal(whole.status, "done");
      assert.deepEqual([whole.digest, whole.digestNumbers], [threads.digest, threads.digestNumbers]);
    }));

  test("a call that never returns is ended after `timeout`, its frame is the dead letter", () =>
    Workbench.with(async (bench) => {
      const summary = await bench.run(abortGraph("hang: 3", "pools: { inference: { isolation: process, timeout: 2s } }"), { operators });
      balanced(summary);
      assert.deepEqual([summary.status, summary.nodes["frames"]!.failed], ["failed-items", 1]);
      const failures = await bench.read((store) => [...store.failures()].map((f) => [f.startUs, f.error.code]));
      assert.deepEqual(failures, [[3_000_000, "WORKER_TIMEOUT"]]);
      assert.match(summary.notes.join("\n"), /^frames: a worker process gave no answer for 2 s and was ended, \d+ times;/m);
    }));

  test("a crash that a second try healed is no failure, and the summary tells of it", () =>
    Workbench.with(async (bench) => {
      const summary = await firstChildDies(bench, () => bench.run(abortGraph("", "pools: { inference: { isolation: process } }"), { operators }));
      assert.deepEqual([summary.status, summary.nodes["frames"]!.failed], ["done", 0]);
      assert.deepEqual(summary.notes.filter((text) => text.includes("worker")), ["frames: a worker process was ended by SIGSEGV; another took its place and went on"]);
    }));

  test("so is the crash of one that opens a model before the run", () =>
    Workbench.with(async (bench) => {
      const summary = await firstChildDies(bench, () => bench.run(three(", limits: { rss: 2GB }"), { operators }));
      assert.equal(summary.status, "done");
      assert.match(summary.notes.join("\n"), /^model lite-\w+: a worker process was ended by SIGSEGV; another took its place and went on$/m);
    }));
});

const three = (runtime: string): string => `${HEAD}nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores }, with: { detector: windows, window: 0.35s } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 1 } }, model: lite-image }
  sound:  { op: audio.embed, in: media.audio, model: lite-sound }
  video:  { op: video.pool, in: { scenes: scenes, vectors: frames } }
  heard:  { op: vectors.mean, by: scene, in: { vectors: sound } }
  note:   { op: test.note, in: { scenes: scenes, vectors: frames } }
  text:   { op: text.embed, in: { note: note.text }, model: lite-text, with: { template: "{note}" } }
  scene:  { op: join, by: scene, in: { video: video, sound: heard, text: text } }
outputs: { scene: { from: scene, vectors: { text: {} } } }
runtime: { workers: 1${runtime} }
`;

describe("schedule: stages", () => {
  test("three models with room for one: a load each for 200 scenes, the same digests as at once, nothing to do in a rerun", () =>
    Workbench.with(async (bench) => {
      const stream = await bench.run(three(""), { operators, store: `${bench.store}-stream` });
      const passes = new Set<string>();
      const stages = await bench.run(three(", schedule: stages"), { operators, onProgress: ({ pass }) => pass && passes.add(`${pass.index} of ${pass.of}`) });
      balanced(stages);
      assert.ok(stages.records["scene"]! >= 200, `${stages.records["scene"]} scenes`);
      assert.deepEqual(stages.loads, { "lite-image": 1, "lite-sound": 1, "lite-text": 1 });
      assert.deepEqual([stages.passes, [...passes]], [3, ["1 of 3", "2 of 3", "3 of 3"]]);
      assert.deepEqual([stages.digest, stages.digestNumbers, stages.inferences], [stream.digest, stream.digestNumbers, stream.inferences]);
      assert.deepEqual(stages.nodes, stream.nodes, "what an earlier pass computed is done, whoever reads it again");
      const again = await bench.run(three(", schedule: stages"), { operators });
      assert.deepEqual([again.digest, again.framesDecoded, again.inferences, again.loads, again.nodes["scenes"]!.done], [stages.digest, 0, 0, {}, 0]);
      const forced = await bench.run(three(", schedule: stages"), { operators, force: ["sound"] });
      assert.deepEqual([forced.digest, forced.loads], [stages.digest, { "lite-sound": 1 }]);
      balanced(forced);
    }));

  test("an interrupted pass is gone on with", () =>
    Workbench.with(async (bench) => {
      const stop = new AbortController();
      const broken = await bench.run(three(", schedule: stages"), { operators, stop: stop.signal, onProgress: ({ pass, active }) => pass?.index === 2 && (active[0]?.frames ?? 0) >= 0 && stop.abort() });
      assert.equal(broken.status, "interrupted");
      const whole = await bench.run(three(", schedule: stages"), { operators });
      balanced(whole);
      const once = await bench.run(three(""), { operators, store: `${bench.store}-once` });
      assert.deepEqual([whole.status, whole.digest, whole.digestNumbers], ["done", once.digest, once.digestNumbers]);
      assert.equal(whole.loads["lite-image"], undefined, "the first pass was complete");
    }));
});

describe("--mock-models", () => {
  test("no model is read, results are the same every time and at every batch size, never those of the model, and the summary says so", () =>
    Workbench.with(async (bench) => {
      const first = await bench.run(three(""), { operators, mockModels: true });
      balanced(first);
      assert.deepEqual([first.status, first.loads, first.mocked], ["done", {}, ["lite-image", "lite-sound", "lite-text"]]);
      assert.match(first.notes[0] ?? "", /^STAND-INS ran instead of lite-image, lite-sound, lite-text/);
      const other = await bench.run(three("").replaceAll("model: lite-image", "model: lite-image, batch: { size: 3 }"), { operators, mockModels: true, store: `${bench.store}-other` });
      assert.deepEqual([other.digest, other.digestNumbers], [first.digest, first.digestNumbers]);
      await assert.rejects(bench.run(three(""), { operators }), { code: "STORE_OF_STAND_INS" });
      const real = await bench.run(three(""), { operators, store: `${bench.store}-real` });
      assert.notEqual(real.digestNumbers, first.digestNumbers);
      assert.deepEqual(real.mocked, []);
      await assert.rejects(bench.run(three(""), { operators, mockModels: ["lite-sound"], store: `${bench.store}-real` }), { code: "STORE_REAL" });
      const some = await bench.run(three(""), { operators, mockModels: ["lite-sound"] });
      assert.deepEqual([some.mocked, some.loads, some.nodes["sound"]!.done], [["lite-sound"], { "lite-image": 1, "lite-text": 1 }, 0], "no result of a stand-in is taken for a model's");
    }));
});

describe("memory and devices", () => {
  const graph = (model: string, runtime: string): string =>
    `${HEAD}${SCENES}  frames: { op: test.model, in: { frames: { from: media.frames, fps: 0.25, size: { longest: 32 } } }, model: ${model}, batch: { size: 16 } }\n` +
    `  note: { op: test.note, in: { scenes: scenes, vectors: frames } }\n${OUTPUT}runtime: { workers: 1, ${runtime} }\n`;

  test("what does not fit into memory runs in smaller batches; the summary says so, and the next run begins with them", () =>
    Workbench.with(async (bench) => {
      const models = join(bench.dir, "models");
      await mkdir(models);
      const { id, task, summary: said, file, sizeBytes, sha256, inputs, outputs } = greedyModel();
      await writeFile(join(models, "greedy.onnx"), await readFile(file));
      await writeFile(join(models, "greedy.yaml"), JSON.stringify({ id, task, summary: said, licence: "MIT", files: [{ path: "greedy.onnx", size: sizeBytes, sha256 }], inputs, outputs, limits: [] }));
      const options = { operators: [...operators, testModel] as OperatorDefinition[], models: [models] };
      const first = await bench.run(graph("greedy", "limits: { rss: 2GB }, schedule: auto, device: cpu"), options);
      balanced(first);
      assert.equal(first.status, "done");
      const [, rows] = /^greedy runs at most (\d+) rows at once on cpu: more did not fit into memory$/.exec(first.notes[0] ?? "") ?? [];
      assert.ok(Number(rows) >= 1 && Number(rows) < 16, first.notes.join());
      const stored = await bench.read((store) => store.getMemo(`model/rows/${sha256}:cpu`));
      assert.deepEqual(stored, { kind: "done", value: Number(rows) });
      const again = await bench.run(graph("greedy", ""), { ...options, force: ["frames"] });
      assert.deepEqual([again.digestNumbers, again.notes], [first.digestNumbers, first.notes]);
    }));

  test("a device that is not here: the CPU runs instead, the same digests, and the summary has the reason", () =>
    Workbench.with(async (bench) => {
      const absent = process.platform === "darwin" ? "dml" : "coreml";
      const plain = three("");
      const first = await bench.run(plain, { operators });
      const other = await bench.run(plain.replace("runtime: { workers: 1", `runtime: { workers: 1, device: ${absent}`), { operators, store: `${bench.store}-other` });
      assert.deepEqual([other.digest, other.digestNumbers], [first.digest, first.digestNumbers]);
      assert.deepEqual(Object.keys(other.devices).sort(), ["lite-image", "lite-sound", "lite-text"]);
      assert.ok(other.notes.some((note) => note.startsWith(`lite-image, lite-sound, lite-text run on cpu: ${absent}: ${absent} exists on`)), other.notes.join());
      await assert.rejects(bench.run(plain.replace("runtime: { workers: 1", `runtime: { workers: 1, device: [${absent}]`), { operators, store: `${bench.store}-strict` }), { code: "MODEL_DEVICE", exit: 3 });
    }));
});
