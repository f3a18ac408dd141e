import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Batcher, InferencePool, type PoolCall, type PoolResult } from "../../src/inference/index.js";
import { EXIT, type FlowError, type GridItem, type ModelManifest, type OperatorDefinition } from "../../src/contracts/index.js";
import { loadModels } from "../../src/models/manifest.js";
import { imageEmbed } from "../../src/operators/image/image.embed.js";
import { createLocate } from "../../src/models/store/locate.js";
import { testRun, testRunTakes } from "./run-fixture.js";
import { isAlive, left } from "../processes.js";
import { frameRing, interval, medium, modelsDir, testCrash, testEach, testSums, testWhere, tinyModel } from "./fixtures.js";

const pool = new InferencePool({ workers: 2, isolation: "process" });
after(() => pool.destroy());

function batchCall(op: Pick<OperatorDefinition, "module" | "name">, items: GridItem[], config: unknown = {}, models: Record<string, ModelManifest> = {}, timeoutMs: number | null = null): PoolCall {
  return { kind: "batch", module: op.module, operator: op.name, node: "n", config, models, items, runtime: { timeoutMs } };
}
const vectors = (results: PoolResult[]): number[][] => results.map((r) => (r.ok ? [...(r.value as Float32Array)] : []));
const where = async (own: InferencePool): Promise<number> => {
  const [result] = await own.run({ kind: "each", module: testWhere.module, operator: testWhere.name, node: "w", config: {}, models: {}, items: [{ inputs: {}, medium, interval }] });
  return (result as { value: { value: number } }).value.value;
};
/** Resolves when no process of that id runs. */
const gone = async (pid: number): Promise<void> => assert.deepEqual(await left(() => (isAlive(pid) ? [pid] : [])), []);

test("pixels, values and errors cross as they do to a thread", async () => {
  assert.notEqual(await where(pool), process.pid);
  const frames = frameRing(5, 7, 3);
  const own = new InferencePool({ workers: 1 });
  const [here, there] = await Promise.all([own.run(batchCall(testSums, frames)), pool.run(batchCall(testSums, frames))]);
  await own.destroy();
  assert.deepEqual(vectors(there), vectors(here));
  assert.equal(vectors(there).length, 5);
  await assert.rejects(pool.run(batchCall(testSums, frames, { guilty: 500_000 })), { name: "FlowError", code: "TEST_GUILTY", node: "n", item: "500000", permanent: true });
  await assert.rejects(pool.run(batchCall(testSums, [], { f: () => 0 })), { code: "NOT_CLONEABLE", node: "n" });
  const items = ["hello", "throw", "function"].map((text) => ({ inputs: { text }, medium, interval }));
  const [first, second, third] = await pool.run({ kind: "each", module: testEach.module, operator: testEach.name, node: "e", config: {}, models: {}, items });
  assert.ok(first?.ok);
  const { bytes, vector } = first.value as { bytes: Uint8Array; vector: Float32Array };
  assert.deepEqual([Uint8Array.from(bytes), vector], [Uint8Array.of(97, 98, 99), Float32Array.of(1, 2)]);
  assert.ok(second && !second.ok && second.error.message === "no good");
  assert.ok(third && !third.ok && third.error.code === "NOT_CLONEABLE");
});

test("a model gives the same bytes as in a thread, at every batch size", async () => {
  const image = loadModels(modelsDir).get("lite-image")!;
  const frames = frameRing(6, 224, 224, 3);
  await using threads = new InferencePool({ workers: 1 });
  const expected = vectors(await threads.run(batchCall(imageEmbed, frames, {}, { image })));
  for (const size of [1, 4, 6]) {
    const found: number[][] = [];
    for (let i = 0; i < frames.length; i += size) found.push(...vectors(await pool.run(batchCall(imageEmbed, frames.slice(i, i + size), {}, { image }))));
    assert.deepEqual(found, expected);
  }
});

test("real models give the bytes of a thread in a process", { skip: process.env["FLOW_MODELS_DIR"] ? false : "FLOW_MODELS_DIR is not set" }, async (t) => {
  await using threads = new InferencePool({ workers: 1 });
  const found = [...loadModels(modelsDir, createLocate()).values()].filter((model) => model.runtime === "onnx" && model.installed && !model.id.startsWith("lite-") && testRunTakes(model));
  assert.ok(found.length >= 3, found.map(({ id }) => id).join());
  for (const model of found) {
    await t.test(model.id, async () => {
      const call = batchCall(testRun, frameRing(1, 2, 2), {}, { model });
      const [here, there] = await Promise.all([threads.run(call), pool.run(call)]);
      assert.ok(vectors(here)[0]!.length > 0);
      assert.deepEqual(there, here);
    });
  }
});

test("an abort and an exit cost one item: its batch is halved until it is alone, the others have their results", async () => {
  for (const [config, code, message] of [[{ abort: 5_000_000 }, "WORKER_DIED", /SIGABRT/], [{ exit: 5_000_000 }, "WORKER_DIED", /code 7/]] as const) {
    const frames = frameRing(16, 2, 2);
    const batcher = new Batcher<GridItem, PoolResult>({ size: 8, inFlight: 2, call: (items) => pool.run(batchCall(testCrash, items, config)) });
    const results = await Promise.allSettled(frames.map((f) => batcher.submit(f)));
    results.forEach((r, i) => {
      if (i !== 10) return assert.deepEqual(r.status === "fulfilled" && vectors([r.value])[0]?.[0], frames[i]!.ptsUs);
      assert.ok(r.status === "rejected");
      assert.equal(r.reason.code, code);
      assert.match(r.reason.message, message);
      assert.doesNotMatch(r.reason.message, /node:internal|0x|Stack trace/i, "a stack is no reason");
      assert.equal(r.reason.permanent, false);
    });
  }
});

test("a call that never returns is ended after its time, its process is gone, and the others go on", async () => {
  await using own = new InferencePool({ workers: 1, isolation: "process" });
  const before = await where(own);
  const frames = frameRing(4, 2, 2);
  const batcher = new Batcher<GridItem, PoolResult>({ size: 4, inFlight: 1, call: (items) => own.run(batchCall(testCrash, items, { hang: 1_000_000 }, {}, 2_000)) });
  const results = await Promise.allSettled(frames.map((f) => batcher.submit(f)));
  assert.deepEqual(results.map((r) => (r.status === "rejected" ? r.reason.code : "ok")), ["ok", "ok", "WORKER_TIMEOUT", "ok"]);
  await gone(before);
  assert.notEqual(await where(own), before);
});

test("a process that is killed from outside is replaced", async () => {
  await using own = new InferencePool({ workers: 1, isolation: "process" });
  const before = await where(own);
  process.kill(before, "SIGKILL");
  await gone(before);
  // Its end may reach us after the next call has been sent to it: that call fails, and only that.
  const pids = await Promise.allSettled([0, 1].map(() => where(own)));
  const last = pids.at(-1)!;
  assert.ok(last.status === "fulfilled" && last.value !== before);
});

test("a process that is killed while it warms up is replaced", async () => {
  await using own = new InferencePool({ workers: 1, isolation: "process" });
  const before = await where(own);
  // Its end cannot have reached us yet when the call is sent to it.
  process.kill(before, "SIGKILL");
  await own.warm([]);
  assert.notEqual(await where(own), before);
});

/** Runs `work` while the first `times` worker processes get the signal at their start; `pids` tells which have. */
async function signalled<T>(signal: "SIGSEGV" | "SIGSTOP", times: number, work: (pids: () => number[]) => Promise<T>): Promise<T> {
  const log = join(mkdtempSync(join(tmpdir(), "flow-signal-")), "pids");
  const set = { NODE_OPTIONS: `--import ${new URL("./signal-at-start.js", import.meta.url).href}`, FLOW_TEST_SIGNAL: signal, FLOW_TEST_LOG: log, FLOW_TEST_TIMES: String(times) };
  const before = Object.fromEntries(Object.keys(set).map((name) => [name, process.env[name]]));
  Object.assign(process.env, set);
  try {
    return await work(() => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1).map(Number) : []));
  } finally {
    for (const [name, value] of Object.entries(before)) value === undefined ? delete process.env[name] : (process.env[name] = value);
  }
}
/** What prepares a pool, with no item behind it; each in a pool that has no process yet. */
const openings: Record<string, { undone: RegExp; open(own: InferencePool, model: ModelManifest): Promise<unknown> }> = {
  verify: { undone: /^model fragile could not be checked: its/, open: async (own, model) => { const [error] = await own.verify([model]); if (error) throw error; } },
  warm: { undone: /^model fragile could not be opened: its/, open: (own, model) => own.warm([model]) },
  measure: { undone: /^model fragile could not be measured for limits: \{ rss \}: its/, open: (own, model) => own.measure(model) },
};
const signals = { skip: process.platform === "win32" ? "signals are of POSIX" : false };

for (const [name, { undone, open }] of Object.entries(openings)) {
  test(`${name}: a process that dies or hangs at its start is replaced once; the second time the error says which model and what to do`, signals, async () => {
    const model = tinyModel({ name: "fragile" });
    const trial = (signal: "SIGSEGV" | "SIGSTOP", times: number, timeoutMs: number | null, then: (opening: Promise<unknown>) => Promise<unknown>): Promise<number[]> =>
      signalled(signal, times, async (pids) => {
        await using own = new InferencePool({ workers: 1, isolation: "process", timeoutMs });
        await then(open(own, model));
        for (const pid of pids()) await gone(pid);
        return pids();
      });
    const fails = (code: string, how: RegExp) => (opening: Promise<unknown>) =>
      assert.rejects(opening, (error: FlowError) => {
        assert.deepEqual([error.code, error.exit, error.item], [code, EXIT.environment, undefined]);
        assert.match(error.message, undone);
        assert.match(error.message, how);
        assert.match(error.hint, /^Check a model alone with `flow models verify ID`/);
        return true;
      });
    assert.equal((await trial("SIGSEGV", 1, null, (opening) => opening)).length, 1);
    assert.equal((await trial("SIGSEGV", Infinity, null, fails("WORKER_DIED", /was ended by SIGSEGV, twice$/))).length, 2);
    // The one that takes over has ten times this for what takes it less than a second; two that never answer can have little.
    if (name === "verify") assert.equal((await trial("SIGSTOP", 1, 1_000, (opening) => opening)).length, 1);
    await trial("SIGSTOP", Infinity, 100, fails("WORKER_TIMEOUT", /gave no answer for 1 s and was ended, twice$/));
  });
}

test("an interruption ends what hangs while it prepares the pool, and kills its process", signals, async () => {
  for (const { open } of Object.values(openings)) {
    await signalled("SIGSTOP", Infinity, async (pids) => {
      const stop = new AbortController();
      await using own = new InferencePool({ workers: 1, isolation: "process", interrupted: stop.signal });
      const opening = assert.rejects(open(own, tinyModel({ name: "fragile" })), { code: "CANCELLED", exit: EXIT.interrupted });
      while (pids().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      stop.abort();
      await opening;
      assert.equal(pids().length, 1, "it is not replaced");
      await gone(pids()[0]!);
    });
  }
});

test("destroy ends the processes, and kill -9 of the parent too, also in the middle of a run", async () => {
  const own = new InferencePool({ workers: 1, isolation: "process" });
  const pid = await where(own);
  await own.destroy();
  assert.ok(!isAlive(pid));
  // The child program prints the worker's pid, sends it a call that never returns, and kills itself.
  const program = fileURLToPath(new URL("./isolation-child.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program]).catch((error: { stdout: string; signal: string }) => {
    assert.equal(error.signal, "SIGKILL");
    return error;
  });
  assert.ok(Number(stdout) > 1);
  await gone(Number(stdout));
});

test("warm and verify work there too, one file with two names is loaded once", async () => {
  await using own = new InferencePool({ workers: 1, isolation: "process" });
  const model = tinyModel({ name: "twice" });
  const other = { ...model, id: "again" };
  assert.deepEqual(await own.verify([model, other]), []);
  await own.warm([model, other]);
  for (const one of [model, other]) await own.run(batchCall(imageEmbed, frameRing(2, 4, 4), {}, { image: one }));
  assert.deepEqual(own.stats().loads, { twice: 1 });
  assert.deepEqual(own.stats().inferences, { twice: 2, again: 2 });
});

test("where no process can be started, calls fail and the pool can be closed", { skip: process.platform === "win32" ? "ulimit is of POSIX shells" : false }, async () => {
  const program = fileURLToPath(new URL("./no-processes-child.js", import.meta.url));
  // Enough descriptors to load the program, which then takes all that are left.
  const { stdout } = await promisify(execFile)("/bin/sh", ["-c", 'ulimit -n "$1"; exec "$2" "$3"', "sh", "400", process.execPath, program]);
  assert.deepEqual(JSON.parse(stdout), { codes: ["WORKER_DIED", "WORKER_DIED", "WORKER_DIED"], pending: 0 });
});
