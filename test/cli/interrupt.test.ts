import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BUNDLED } from "../clips.js";
import { EGO, flow, inTemporaryFolder, start } from "../e2e/flow.js";
import { decoding, isAlive, left, naming, needsProc } from "../processes.js";

const CHILD = fileURLToPath(new URL("./interrupt-child.js", import.meta.url));

for (const from of ["main", "worker"]) {
  test(`a second Ctrl-C ends us hard and takes the child of a ${from} thread with it`, async () => {
    const child = spawn(process.execPath, [CHILD, from], { stdio: ["ignore", "pipe", "pipe"] });
    let stopping = 0;
    const pid = await new Promise<number>((resolve) => createInterface({ input: child.stdout }).once("line", (line) => resolve(Number(line))));
    assert.ok(isAlive(pid));
    createInterface({ input: child.stderr }).on("line", () => {
      stopping += 1;
      child.kill("SIGINT");
    });
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("close", (_, signal) => resolve(signal)));
    child.kill("SIGINT");
    assert.equal(await ended, "SIGINT", "a shell calls it 130, which the README says of interrupted commands");
    assert.equal(stopping, 1, "said once");
    assert.equal(isAlive(pid), false);
  });
}

/** Sends SIGINT when a line of `--log json` names the event. */
function pressOn(event: string, { child }: Pick<ReturnType<typeof start>, "child">): void {
  createInterface({ input: child.stderr! }).on("line", (line) => {
    if ((JSON.parse(line) as { event: string }).event === event) child.kill("SIGINT");
  });
}

test("Ctrl-C twice in the middle of a decode: 130, no ffmpeg left, nothing failed, and a rerun ends as if nothing had happened", { skip: needsProc }, () =>
  inTemporaryFolder(async (dir) => {
    const [medium, store, whole] = [join(dir, "clip.mp4"), join(dir, "store"), join(dir, "whole")];
    copyFileSync(BUNDLED, medium);
    const run = (to: string): ReturnType<typeof flow> => flow(["run", EGO, medium, "--store", to, "--json"]);
    const reference = await run(whole);
    const running = start(["run", EGO, medium, "--store", store, "--log", "json"]);
    pressOn("stopping", running);
    while (decoding(medium).length === 0 && running.child.exitCode === null) await turn();
    assert.equal(running.child.exitCode, null, "it decodes");
    running.child.kill("SIGINT");
    const { code, signal, stderr } = await running.ended;
    // By itself, or (the drain took longer) as by a Ctrl-C that nobody handles.
    assert.ok(code === 130 || signal === "SIGINT", `${code} ${signal} ${stderr}`);
    assert.match(stderr, /"stopping"/);
    assert.deepEqual(await left(() => naming(medium)), []);
    assert.deepEqual((await flow(["errors", "--store", store, "--json"])).json, { failures: [] });
    const { json } = await run(store);
    assert.deepEqual([json.status, json.digest, json.digestNumbers], ["done", reference.json.digest, reference.json.digestNumbers]);
    assert.equal((await flow(["diff", whole, store])).code, 0);
  }));

test("Ctrl-C while an input is hashed does not wait for its end; media that were not looked at have not failed", { timeout: 60_000 }, () =>
  inTemporaryFolder(async (dir) => {
    const [medium, store] = [join(dir, "huge.mp4"), join(dir, "store")];
    // A hole of a terabyte: hashing all of it takes a quarter of an hour.
    const file = openSync(medium, "w");
    ftruncateSync(file, 1e12);
    closeSync(file);
    const running = start(["run", EGO, medium, join(dir, "*.mp4"), "--store", store, "--json", "--log", "json"]);
    pressOn("start", running);
    const { code, json } = await running.ended;
    assert.deepEqual([code, json.status, json.failures], [130, "interrupted", []]);
    assert.deepEqual((await flow(["errors", "--store", store, "--json"])).json, { failures: [] });
  }));

test("Ctrl-C while a model's process hangs at its start: 130 at once, the process is gone, nothing has failed", { timeout: 60_000, skip: process.platform === "win32" && "signals are of POSIX" }, () =>
  inTemporaryFolder(async (dir) => {
    const [graph, store, log] = [join(dir, "ego.yaml"), join(dir, "store"), join(dir, "pids")];
    writeFileSync(graph, `${readFileSync(EGO, "utf8")}\nruntime: { workers: 1, pools: { inference: { isolation: process, timeout: 1h } } }\n`);
    const preload = new URL("../inference/signal-at-start.js", import.meta.url).href;
    const running = start(["run", graph, BUNDLED, "--store", store, "--json"], { env: { NODE_OPTIONS: `--import ${preload}`, FLOW_TEST_SIGNAL: "SIGSTOP", FLOW_TEST_LOG: log, FLOW_TEST_TIMES: "9" } });
    while (!(existsSync(log) && readFileSync(log, "utf8").endsWith("\n")) && running.child.exitCode === null) await turn();
    running.child.kill("SIGINT");
    const { code, json, stderr } = await running.ended;
    assert.deepEqual([code, json?.status, json?.failures], [130, "interrupted", []], stderr);
    assert.deepEqual(readFileSync(log, "utf8").trim().split("\n").map(Number).filter(isAlive), []);
    assert.deepEqual((await flow(["errors", "--store", store, "--json"])).json, { failures: [] });
  }));
