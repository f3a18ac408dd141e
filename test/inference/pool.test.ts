import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import test, { after } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { InferencePool, Batcher, type PoolCall, type PoolResult } from "../../src/inference/index.js";
import { EXIT, type GridItem, type ModelManifest, type OperatorDefinition } from "../../src/contracts/index.js";
import { OnnxRuntime } from "../../src/inference/onnx.js";
import { Sessions } from "../../src/inference/sessions.js";
import { imageEmbed } from "../../src/operators/image/image.embed.js";
import { frameRing, interval, medium, testEach, testSums, tinyModel } from "./fixtures.js";

const pool = new InferencePool({ workers: 2 });
after(() => pool.destroy());

function batchCall(op: Pick<OperatorDefinition, "module" | "name">, items: GridItem[], config: unknown = {}, models: Record<string, ModelManifest> = {}): PoolCall {
  return { kind: "batch", module: op.module, operator: op.name, node: "n", config, models, items };
}
const vectors = (results: PoolResult[]): number[][] => results.map((r) => (r.ok ? [...(r.value as Float32Array)] : []));
const sumOf = (item: GridItem): number => new Uint8Array(item.slot.buffer, item.slot.byteOffset, item.slot.byteLength).reduce((a, b) => a + b, 0);

test("a batch reads the ring where it lies, and result i belongs to item i", async () => {
  const frames = frameRing(5, 8, 6);
  const results = vectors(await pool.run(batchCall(testSums, frames)));
  assert.deepEqual(results, frames.map((f) => [f.ptsUs, sumOf(f)]));
});

test("a model's rows are right, and counted once", async () => {
  const model = tinyModel({ name: "tiny-counted" });
  const frames = frameRing(3, 4, 4);
  const rows = vectors(await pool.run(batchCall(imageEmbed, frames, {}, { image: model })));
  for (const [i, frame] of frames.entries()) {
    const pixels = new Uint8Array(frame.slot.buffer, frame.slot.byteOffset, 48);
    const mean = [0, 1, 2].map((c) => pixels.filter((_, k) => k % 3 === c).reduce((a, b) => a + b, 0) / 16 / 255);
    const expected = [mean[0]!, 2 * mean[1]!, 3 * mean[2]! + 1];
    rows[i]!.forEach((value, c) => assert.ok(Math.abs(value - expected[c]!) < 1e-6, `${value} ≠ ${expected[c]}`));
  }
  assert.equal(pool.stats().inferences["tiny-counted"], 3);
});

test("a file with a fixed batch gives the same rows as one without", async () => {
  const frames = frameRing(5, 4, 4, 7);
  const free = await pool.run(batchCall(imageEmbed, frames, {}, { image: tinyModel({ name: "tiny-free" }) }));
  for (const batch of [1, 2]) {
    const fixed = await pool.run(batchCall(imageEmbed, frames, {}, { image: tinyModel({ batch, name: `tiny-fixed-${batch}` }) }));
    assert.deepEqual(vectors(fixed), vectors(free));
    assert.equal(pool.stats().inferences[`tiny-fixed-${batch}`], 5, "padding is not counted");
  }
});

test("an operator that throws: code, node and item arrive, and the workers go on", async () => {
  const frames = frameRing(4, 2, 2);
  await assert.rejects(pool.run(batchCall(testSums, frames, { guilty: 500_000 })), {
    name: "FlowError",
    code: "TEST_GUILTY",
    node: "n",
    item: "500000",
    permanent: true,
    hint: "none",
  });
  await assert.rejects(pool.run(batchCall(testSums, frames, { lose: true })), { code: "OPERATOR_RESULTS" });
  await assert.rejects(pool.run(batchCall({ module: testSums.module, name: "test.nowhere" }, frames)), { code: "OPERATOR_UNKNOWN" });
  assert.equal((await pool.run(batchCall(testSums, frames))).length, 4);
});

test("the batcher and the pool find the guilty frame, and every other frame has its result", async () => {
  const frames = frameRing(16, 2, 2);
  const batcher = new Batcher<GridItem, PoolResult>({ size: 8, inFlight: 2, call: (items) => pool.run(batchCall(testSums, items, { guilty: 5_000_000 })) });
  const results = await Promise.allSettled(frames.map((f) => batcher.submit(f)));
  results.forEach((r, i) => {
    if (i === 10) assert.equal(r.status === "rejected" && r.reason.code, "TEST_GUILTY");
    else assert.deepEqual(r.status === "fulfilled" && vectors([r.value])[0], [frames[i]!.ptsUs, sumOf(frames[i]!)]);
  });
});

test("each: every item has its own value, skip or error", async () => {
  const items = ["hello", "throw", "skip"].map((text) => ({ inputs: { text }, medium, interval }));
  const [first, second, third] = await pool.run({ kind: "each", module: testEach.module, operator: testEach.name, node: "e", config: {}, models: {}, items });
  assert.ok(first?.ok);
  assert.deepEqual(first.value, { value: "hello at 0 of nothing.mp4", bytes: Uint8Array.of(97, 98, 99), vector: Float32Array.of(1, 2) });
  assert.ok(second && !second.ok);
  assert.equal(second.error.code, "OPERATOR_FAILED");
  assert.equal(second.error.message, "no good");
  assert.ok(third?.ok);
  assert.deepEqual(third.value, { skip: "asked to" });
});

test("a worker that dies, and a result that cannot cross, are errors of their call; the pool goes on", async () => {
  const say = (...texts: string[]) =>
    pool.run({ kind: "each", module: testEach.module, operator: testEach.name, node: "e", config: {}, models: {}, items: texts.map((text) => ({ inputs: { text }, medium, interval })) });
  await assert.rejects(say("die"), { code: "WORKER_DIED", node: "e" });
  const [first, second] = await say("function", "hello");
  assert.ok(first && !first.ok && first.error.code === "NOT_CLONEABLE");
  assert.ok(second?.ok);
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => say(String(i))));
  assert.ok(answers.every(([r]) => r?.ok));
});

test("where threads end as soon as they start, every task fails and says of which model; nothing waits for a thread that never comes", async () => {
  const program = fileURLToPath(new URL("./no-threads-child.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", pathToFileURL(program).href, program]);
  const errors = JSON.parse(stdout) as [string, string, number][];
  assert.deepEqual(errors.map(([code, message, exit]) => [code, /^model (\w+) could not be checked: its worker thread ended: /.exec(message)?.[1], exit]), ["one", "two", "three", "one"].map((id) => ["WORKER_DIED", id, EXIT.environment]));
});

test("a config that cannot cross is an error of the call", async () => {
  await assert.rejects(pool.run(batchCall(testSums, [], { f: () => 0 })), { code: "NOT_CLONEABLE", node: "n" });
});

test("pre-flight reports every model: missing, truncated, altered, of another shape", async () => {
  const good = tinyModel({ name: "good" });
  const missing = tinyModel({ name: "missing" });
  missing.files[0]!.at = "/nowhere/missing.onnx";
  const truncated = tinyModel({ name: "truncated" });
  writeFileSync(truncated.file, "");
  const altered = tinyModel({ name: "altered" });
  altered.files[0]!.sha256 = "0".repeat(64);
  const shape = tinyModel({ name: "shape" });
  shape.inputs[0]!.dims = ["n", 3, 8, 8];
  shape.output!.dims = 512;
  const errors = await pool.verify([good, missing, truncated, altered, shape]);
  assert.deepEqual(errors.map((e) => e.code), ["MODEL_MISSING", "MODEL_CORRUPT", "MODEL_CORRUPT", "MODEL_SHAPE"]);
  assert.ok(errors.every((e) => e.exit === 3 && e.hint.length > 0));
  assert.match(errors[1]!.message, /found 0 bytes, expected \d+/);
  const message = errors[3]!.message;
  assert.match(message, /found pixels: float32\[n, 3, 4, 4\], expected pixels: float32\[n, 3, 8, 8\]/);
  assert.match(message, /found vector: float32\[n, 3\], expected vector: float32\[…, 512\]/);
});

test("pre-flight leaves a model that a device opens to that device, but for its bytes; where none does the CPU looks at it", async () => {
  await using own = new InferencePool({ workers: 1 });
  const [there, here, altered] = ["there", "here", "altered-there"].map((name) => tinyModel({ name })) as [ModelManifest, ModelManifest, ModelManifest];
  altered.files[0]!.sha256 = "0".repeat(64);
  here.inputs[0]!.dims = ["n", 3, 8, 8];
  const errors = await own.verify([there, here, altered], { opened: (model) => Promise.resolve(model.id !== "here") });
  assert.deepEqual(errors.map((e) => e.code), ["MODEL_SHAPE", "MODEL_CORRUPT"]);
  assert.deepEqual(own.stats().loads, { here: 1 });
  const sessions = new Sessions({ runtime: new OnnxRuntime(1), checkStop: () => undefined, counted: () => undefined, loaded: () => undefined, limited: () => undefined });
  await assert.rejects(sessions.prepare(here, "cpu", 1e-3), { code: "MODEL_SHAPE" });
});

test("a damaged file that was not verified is still an error of the call, and the next call retries", async () => {
  const model = tinyModel({ name: "damaged" });
  writeFileSync(model.file, "not an onnx file");
  const call = batchCall(imageEmbed, frameRing(1, 4, 4), {}, { image: model });
  await assert.rejects(pool.run(call), { code: "MODEL_CORRUPT", exit: 3 });
  await assert.rejects(pool.warm([model]), { code: "MODEL_CORRUPT" });
  assert.equal((await pool.run(batchCall(testSums, frameRing(1, 2, 2)))).length, 1);
});

test("warm opens sessions in every worker, also when several are asked for at once", async () => {
  await Promise.all([pool.warm([tinyModel({ name: "w1" })]), pool.warm([tinyModel({ name: "w2" })]), pool.run(batchCall(testSums, frameRing(2, 2, 2)))]);
  assert.equal(pool.pending, 0);
});

test("stop: what waits is cancelled; destroy waits for what runs; nothing is accepted after it", async () => {
  const own = new InferencePool({ workers: 1 });
  const frames = frameRing(1, 2, 2);
  await own.run(batchCall(testSums, frames));
  const calls = Array.from({ length: 5 }, () => own.run(batchCall(testSums, frames, { spinMs: 20 })));
  own.stop();
  const closing = own.destroy();
  const results = await Promise.allSettled(calls);
  assert.ok(results.every((r) => r.status === "fulfilled" || r.reason.code === "CANCELLED"));
  assert.ok(results.some((r) => r.status === "rejected"));
  await closing;
  await assert.rejects(own.run(batchCall(testSums, frames)), { code: "CANCELLED" });
});

test("a full queue refuses instead of growing", async () => {
  const own = new InferencePool({ workers: 1, maxQueue: 2 });
  const frames = frameRing(1, 2, 2);
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => own.run(batchCall(testSums, frames, { spinMs: 5 }))));
  const refused = results.filter((r) => r.status === "rejected");
  assert.equal(refused.length, 3);
  assert.ok(refused.every((r) => r.reason.code === "POOL_FULL"));
  await own.destroy();
});
