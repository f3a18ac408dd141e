/** A device's process takes several calls. It needs no device for that: here its thread runs models on the CPU. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import type { GridItem, ModelManifest, OperatorDefinition } from "../../src/contracts/index.js";
import { InferencePool } from "../../src/inference/index.js";
import { ProcessLane } from "../../src/inference/process-lane.js";
import type { WorkerReply, WorkerTask } from "../../src/inference/protocol.js";
import { loadModels } from "../../src/models/manifest.js";
import { imageEmbed } from "../../src/operators/image/image.embed.js";
import { frameRing, greedyModel, modelsDir, testModel, testSums } from "./fixtures.js";
import { testLives } from "./lives-fixture.js";

const SEATS = 3;
const lanes: ProcessLane[] = [];
after(() => Promise.all(lanes.map((lane) => lane.close())));

function lane(): ProcessLane {
  const made = new ProcessLane({ workers: 1, seats: SEATS, intraOpThreads: 1, maxQueue: 64, stop: new Int32Array(new SharedArrayBuffer(4)), interrupted: undefined, ended: () => undefined });
  lanes.push(made);
  return made;
}

function task(op: Pick<OperatorDefinition, "module" | "name">, items: GridItem[], config: unknown = {}, models: Record<string, ModelManifest> = {}): WorkerTask {
  const wires = Object.fromEntries(Object.entries(models).map(([role, model]) => [role, { key: model.id, json: JSON.stringify(model), device: "cpu" as const, maxRows: null, share: null }]));
  return { type: "call", call: { kind: "batch", module: op.module, operator: op.name, node: "n", config, items }, models: wires };
}
const valuesOf = (reply: WorkerReply): number[][] => (reply.ok ? reply.results.map((one) => (one.ok ? [...(one.value as Float32Array)] : [])) : []);
const lives = (how: "exit" | "hang" | "nothing") => ({ folder: mkdtempSync(join(tmpdir(), "flow-lives-")), together: SEATS, guilty: 500_000, how });

test("as many calls as seats are worked off at once, the next ones wait", async () => {
  const own = lane();
  const config = lives("nothing");
  const frames = frameRing(SEATS, 2, 2);
  // None of the first three ends before all have begun.
  const replies = await Promise.all([...frames.map((frame) => own.run(task(testLives, [frame], config), { timeoutMs: null })), own.run(task(testSums, frames), { timeoutMs: null })]);
  assert.deepEqual(replies.slice(0, SEATS).map(valuesOf), frames.map(({ ptsUs }) => [[ptsUs]]));
  assert.equal(replies[SEATS]!.ok && replies[SEATS]!.results.length, SEATS);
  assert.equal(new Set(replies.map(({ worker }) => worker)).size, 1, "one process");
});

test("a model is opened once for all seats and gives the bits of a thread, whatever runs beside", async () => {
  const image = loadModels(modelsDir).get("lite-image")!;
  const frames = frameRing(40, 224, 224, 3);
  await using threads = new InferencePool({ workers: 1 });
  const expected = (await threads.run({ kind: "batch", module: imageEmbed.module, operator: imageEmbed.name, node: "n", config: {}, models: { image }, items: frames })).map((one) => (one.ok ? [...(one.value as Float32Array)] : []));
  const own = lane();
  const replies: Promise<WorkerReply>[] = [];
  for (let at = 0, size = 1; at < frames.length; at += size, size = (size % 7) + 2) replies.push(own.run(task(imageEmbed, frames.slice(at, at + size), {}, { image }), { timeoutMs: null }));
  const done = await Promise.all(replies);
  assert.deepEqual(done.flatMap(valuesOf), expected);
  assert.equal(done.reduce((sum, { loads }) => sum + (loads["lite-image"] ?? 0), 0), 1);
  assert.equal(done.reduce((sum, { rows }) => sum + (rows["lite-image"] ?? 0), 0), frames.length);
});

test("what ONNX Runtime says of one call is that call's, and the others go on", async () => {
  const own = lane();
  const items = frameRing(16, 1, 1).map((item, i) => ({ ...item, ptsUs: i }));
  const model = greedyModel("greedy-beside");
  const replies = await Promise.all([own.run(task(testModel, items, {}, { model }), { timeoutMs: null }), own.run(task(testModel, items.slice(0, 2), {}, { model }), { timeoutMs: null })]);
  assert.deepEqual(valuesOf(replies[0]!), items.map(({ ptsUs: x }) => [x, 2 * x, 3 * x]), "halved until it fits");
  assert.ok(Object.values(replies[0]!.limits)[0]! < 16);
  assert.equal(valuesOf(replies[1]!).length, 2);
  const missing = { ...model, id: "gone", sha256: "0".repeat(64), file: "/nowhere/gone.onnx", files: model.files.map((file) => ({ ...file, at: "/nowhere/gone.onnx", sha256: "0".repeat(64) })) };
  const reply = await own.run(task(testModel, items, {}, { model: missing }), { timeoutMs: null });
  assert.equal(!reply.ok && reply.error.code, "MODEL_MISSING");
});

for (const [how, timeoutMs, code] of [["exit", null, "WORKER_DIED"], ["hang", 1_500, "WORKER_TIMEOUT"]] as const) {
  test(`of the calls whose process ends (${how}) only the one that ends it alone, too, has failed`, async () => {
    const own = lane();
    const config = lives(how);
    const frames = frameRing(SEATS, 2, 2);
    const results = await Promise.allSettled([...frames.map((frame) => own.run(task(testLives, [frame], config), { node: "n", timeoutMs })), own.run(task(testSums, frames), { timeoutMs: null })]);
    assert.deepEqual(results.map((one) => (one.status === "fulfilled" ? "ok" : (one.reason as { code: string }).code)), ["ok", code, "ok", "ok"]);
    // Each of the three twice: with the others, and with nothing beside it.
    assert.deepEqual(readdirSync(config.folder).sort(), frames.flatMap(({ ptsUs }) => [`${ptsUs}.0`, `${ptsUs}.1`]).sort());
    assert.ok((await own.run(task(testSums, frames), { timeoutMs: null })).ok, "and the next ones have seats");
  });
}
