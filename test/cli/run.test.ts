import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import type { ClipDocument, ErrorsDocument, PlanDocument, RunDocument, RunsDocument, SearchDocument, ShowDocument } from "../../src/cli/json.js";
import { smallClip } from "../clips.js";
import { CLIP_GRAPH } from "./small-graph.js";
import { flow, MAIN, ROOT } from "./spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-run-"));
const store = join(dir, "store");
const graph = join(dir, "small.yaml");
after(() => rmSync(dir, { recursive: true }));
writeFileSync(graph, CLIP_GRAPH);

async function json<T>(args: string[], code = 0): Promise<T> {
  const finished = await flow([...args, "--json"]);
  assert.equal(finished.code, code, finished.stderr + finished.stdout);
  return JSON.parse(finished.stdout) as T;
}

describe("a run on a small clip", () => {
  let first: RunDocument;
  before(async () => {
    first = await json<RunDocument>(["run", graph, "--store", store]);
  });

  test("one document, books that balance", () => {
    assert.equal(first.status, "done");
    assert.equal(first.media, 1);
    assert.deepEqual(first.records, { media: 1, scene: 9 });
    assert.ok(first.framesDecoded >= 1825);
    for (const [name, n] of Object.entries(first.nodes)) assert.equal(n.in, n.done + n.cached + n.skipped + n.dropped + n.failed + n.inFlight, name);
  });

  test("a second run decodes and infers nothing, with the same digests", async () => {
    const again = await json<RunDocument>(["run", graph, "--store", store]);
    assert.equal(again.framesDecoded, 0);
    assert.equal(again.inferences, 0);
    assert.equal(again.digest, first.digest);
    assert.equal(again.digestNumbers, first.digestNumbers);
    const { runs } = await json<RunsDocument>(["runs", "--store", store]);
    assert.equal(runs.length, 2);
    assert.equal(runs[0]?.framesDecoded, 0, "newest first");
  });

  test("show: scenes with frames, the medium with its facts; an id prefix finds one", async () => {
    const { records } = await json<ShowDocument>(["show", "--store", store]);
    const scenes = records.filter((record) => record.kind === "scene");
    assert.equal(scenes.length, 9);
    assert.equal(scenes[1]?.fields["startFrame"], 125);
    const medium = records.find((record) => record.kind === "media");
    assert.equal(medium?.fields["durationUs"], 73_000_000);
    assert.equal(medium?.fields["hasAudio"], true);
    assert.equal(medium?.fields["complete"], true);
    const one = await json<ShowDocument>(["show", scenes[3]!.id.slice(0, 10), "--store", store]);
    assert.deepEqual(one.records, [scenes[3]]);
    await json(["show", "ffffffffffff", "--store", store], 2);
  });

  test("search: words, conditions, limits of time; a word that nobody said finds nothing and says so", async () => {
    const { hits } = await json<SearchDocument>(["search", "red car", "--store", store]);
    assert.equal(hits[0]?.startUs, 13_000_000);
    assert.match(hits[0]?.why ?? "", /red car/);
    const none = await json<SearchDocument>(["search", "giraffe", "--store", store]);
    assert.deepEqual(none.hits, []);
    assert.deepEqual(none.notUnderstood, ["giraffe"]);
    assert.ok(none.reason);
    const long = await json<SearchDocument>(["search", "--where", "duration > 10.0", "--store", store]);
    assert.deepEqual(long.hits.map((hit) => hit.startUs), [35_000_000]);
    const late = await json<SearchDocument>(["search", "car", "--from", "0:30", "--store", store]);
    assert.deepEqual(late.hits, []);
    await json(["search", "--where", "durration > 1.0", "--store", store], 2);
  });

  test("clip: the hit's interval as a file", async () => {
    const { hits } = await json<SearchDocument>(["search", "coral", "--store", store]);
    const out = join(dir, "reef.mp4");
    const clip = await json<ClipDocument>(["clip", hits[0]!.id, "-o", out, "--store", store]);
    assert.equal(clip.startUs, hits[0]!.startUs);
    assert.equal(statSync(out).size, clip.bytes);
  });

  test("plan: all cached; another threshold leaves the frame scores cached", async () => {
    const same = await json<{ media: { state: string }[] }>(["plan", graph, "--store", store]);
    assert.equal(same.media[0]?.state, "cached");
    const moved = join(dir, "moved.yaml");
    writeFileSync(moved, readFileSync(graph, "utf8").replace("in: { scores: scores } }", "in: { scores: scores }, with: { threshold: 40 } }"));
    const { media } = await json<PlanDocument>(["plan", moved, "--store", store]);
    assert.equal(media[0]?.state, "incomplete");
    assert.equal(media[0]?.nodes.find((node) => node.node === "scores")?.state, "cached");
    assert.match(media[0]?.nodes.find((node) => node.node === "scenes")?.why ?? "", /cut again from stored scores: \d+/);
  });

  test("a node that is forced has not come from the store", async () => {
    const { nodes, framesDecoded } = await json<RunDocument>(["run", graph, "--store", store, "--force", "scenes"]);
    assert.deepEqual([nodes["scenes"]?.done, nodes["scenes"]?.cached, nodes["scores"]?.cached, framesDecoded], [9, 0, 1825, 0]);
  });

  test("cached 100 % is said of a run that computed nothing, and of no other", async () => {
    const said = async (...options: string[]): Promise<boolean> => /cached 100 %/.test((await flow(["run", graph, "--store", store, ...options])).stdout);
    assert.deepEqual([await said(), await said("--force", "speech"), await said()], [true, false, true]);
    const fresh = await flow(["run", graph, "--store", join(dir, "fresh"), "--until", "media"]);
    assert.doesNotMatch(fresh.stdout, /cached 100 %/);
  });

  test("a medium that does not exist: exit 2 with the path", async () => {
    const { stdout, code } = await flow(["run", graph, join(dir, "nothing.mp4"), "--store", store, "--json"]);
    assert.equal(code, 2);
    assert.match(stdout, /nothing\.mp4/);
  });
});

test("a medium that cannot be read beside one that can: exit 1, named by errors, tried again by retry", async () => {
  const failing = join(dir, "failing");
  const noise = join(dir, "noise.mp4");
  writeFileSync(noise, "this is no video");
  const run = await json<RunDocument>(["run", graph, smallClip(), noise, "--store", failing], 1);
  assert.equal(run.status, "failed-items");
  assert.equal(run.media, 1);
  assert.deepEqual(run.failures.map((failure) => failure.uri), [noise]);
  assert.deepEqual(run.nodes["media"], { in: 2, done: 1, cached: 0, skipped: 0, dropped: 0, failed: 1, inFlight: 0 });
  const { failures } = await json<ErrorsDocument>(["errors", "--store", failing]);
  assert.deepEqual(failures.map(({ uri, node }) => [uri, node]), [[noise, "media"]]);
  assert.ok(failures[0]?.error.hint);
  copyFileSync(smallClip(), noise);
  const retried = await json<RunDocument>(["retry", "--store", failing]);
  assert.equal(retried.status, "done");
  assert.equal(retried.framesDecoded, 0, "the same bytes under another name");
  assert.deepEqual((await json<ErrorsDocument>(["errors", "--store", failing])).failures, []);
});

test("retry goes back to the runs before, until nothing is left undone", async () => {
  const failing = join(dir, "failing-twice");
  const noises = ["one.mp4", "two.mp4"].map((name) => join(dir, name));
  for (const noise of noises) {
    writeFileSync(noise, "this is no video");
    await json<RunDocument>(["run", graph, noise, "--store", failing], 1);
  }
  for (const noise of noises) copyFileSync(smallClip(), noise);
  for (const left of [1, 0]) {
    assert.equal((await json<RunDocument>(["retry", "--store", failing])).status, "done");
    assert.equal((await json<ErrorsDocument>(["errors", "--store", failing])).failures.length, left);
  }
});

test("retry repeats a run from any folder: relative paths go from the one it was started in", async () => {
  const [failing, here] = [join(dir, "failing-elsewhere"), join(dir, "here")];
  mkdirSync(here);
  writeFileSync(join(here, "a.mp4"), "this is no video");
  const relative = readFileSync(graph, "utf8").replace(smallClip(), "./a.mp4");
  writeFileSync(join(here, "relative.yaml"), relative);
  assert.equal((await flow(["run", "relative.yaml", "--store", "../failing-elsewhere"], { cwd: here })).code, 1);
  copyFileSync(smallClip(), join(here, "a.mp4"));
  const retried = await flow(["retry", "--store", "failing-elsewhere", "--json"], { cwd: dir });
  assert.equal((JSON.parse(retried.stdout) as RunDocument).status, "done", retried.stdout);
  const { runs } = await json<RunsDocument>(["runs", "--store", failing]);
  assert.deepEqual(runs.map(({ cwd }) => cwd), [realpathSync(here), realpathSync(here)]);
});

test("Ctrl-C: exit 130, one document, the resume command; the same command then ends like an uninterrupted run", async () => {
  const cut = join(dir, "cut");
  const child = spawn(process.execPath, [MAIN, "run", graph, "--store", cut, "--json", "--log", "json"], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const events: { event: string; command?: string }[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    const event = JSON.parse(line) as { event: string };
    events.push(event);
    if (event.event === "start") child.kill("SIGINT");
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 130);
  const stopped = JSON.parse(stdout) as RunDocument;
  assert.equal(stopped.status, "interrupted");
  assert.deepEqual(events.map((event) => event.event).filter((name) => name !== "progress"), ["start", "stopping", "end", "resume"]);
  assert.match(events.at(-1)?.command ?? "", /^flow run .*small\.yaml --store .*cut$/);
  assert.ok(existsSync(cut));
  const resumed = await json<RunDocument>(["run", graph, "--store", cut]);
  const whole = await json<RunDocument>(["run", graph, "--store", store]);
  assert.equal(resumed.digest, whole.digest);
  assert.equal(resumed.digestNumbers, whole.digestNumbers);
});
