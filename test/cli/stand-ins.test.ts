/** A store is real or of stand-ins, and one of stand-ins says so to whoever reads it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ErrorDocument, ExportDocument, RunDocument, RunsDocument, SearchDocument, ShowDocument } from "../../src/cli/json.js";
import type { FlowRecord } from "../../src/contracts/index.js";
import { CLIP_GRAPH } from "./small-graph.js";
import { flow } from "./spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-stand-ins-"));
const [real, mocked, partly] = [join(dir, "real"), join(dir, "mocked"), join(dir, "partly")];
const [graph, cuts] = [join(dir, "vectors.yaml"), join(dir, "cuts.yaml")];
after(() => rmSync(dir, { recursive: true }));

const GRAPH = `${CLIP_GRAPH.replace("in: { transcript", "in: { video: video, transcript").replace("from: scene,", "from: scene, vectors: { video: {} },").replace("\noutputs", `
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 1 } }, model: image }
  video:  { op: video.pool, in: { scenes: scenes, vectors: frames } }
  sound:  { op: audio.embed, in: media.audio, model: sound }
  means:  { op: vectors.mean, over: media, in: { vectors: sound } }
  medium: { op: join, by: media, in: { means: means } }
outputs`)}  media: { from: medium }
models: { image: lite-image, sound: lite-sound }
`;

async function json<T>(args: string[], code = 0): Promise<T> {
  const finished = await flow([...args, "--json"]);
  assert.equal(finished.code, code, finished.stderr + finished.stdout);
  return JSON.parse(finished.stdout) as T;
}

const text = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await flow(args);
  assert.equal(code, 0, stderr);
  return stdout;
};

before(async () => {
  writeFileSync(graph, GRAPH);
  writeFileSync(cuts, CLIP_GRAPH);
  await json(["run", graph, "--store", real]);
  await json(["run", graph, "--mock-models", "--store", mocked]);
  await json(["run", graph, "--mock-models=image", "--store", partly]);
});

test("stand-ins do not write into a store of real results, nor the other way round; nothing is changed", async () => {
  const records = await json<ShowDocument>(["show", "--store", real]);
  for (const args of [["run", graph, "--mock-models"], ["run", graph, "--mock-models=image"], ["plan", graph, "--mock-models"], ["run", cuts, "--mock-models"]]) {
    const { error } = await json<ErrorDocument>([...args, "--store", real], 2);
    assert.equal(error.code, "STORE_REAL");
    assert.match(error.hint, /\.\/\.flow-mock; or give a new or empty folder with --store/);
  }
  assert.deepEqual(await json(["show", "--store", real]), records);
  for (const command of ["run", "plan"]) assert.equal((await json<ErrorDocument>([command, graph, "--store", mocked], 2)).error.code, "STORE_OF_STAND_INS");
  assert.equal((await json<ErrorDocument>(["models", "calibrate", "lite-image", "--store", mocked], 2)).error.code, "STORE_OF_STAND_INS");
  assert.equal((await json<RunDocument>(["run", graph, "--store", real])).inferences, 0);
});

test("a graph without models goes where stand-ins go, before and after one that has them", async () => {
  const store = join(dir, "both");
  for (const file of [cuts, graph, cuts]) assert.equal((await json<RunDocument>(["run", file, "--mock-models", "--store", store])).status, "done");
});

test("every reader says it: records, hits, runs, exports and the page", async () => {
  const { records } = await json<ShowDocument>(["show", "--store", mocked]);
  assert.ok(records.length > 2);
  for (const record of records) assert.deepEqual(record.mocked, record.kind === "media" ? ["lite-sound"] : ["lite-image"]);
  assert.match(await text("show", "--store", mocked), /stand-ins/);
  assert.match(await text("show", records[0]!.id, "--store", mocked), /STAND-INS .* lite-sound: nothing that they say is real/);
  const { hits } = await json<SearchDocument>(["search", "car", "--store", mocked]);
  assert.ok(hits.length > 0 && hits.every((hit) => hit.mocked?.join() === "lite-image"));
  assert.match(await text("search", "car", "--store", mocked), /stand-ins/);
  const { runs } = await json<RunsDocument>(["runs", "--store", mocked]);
  assert.deepEqual(runs.map((run) => run.mocked), [["lite-image", "lite-sound"]]);
  assert.match(await text("runs", "--store", mocked), /\(stand-ins\)/);
  for (const format of ["jsonl", "parquet", "safetensors", "webvtt", "npz"]) {
    const out = join(dir, `out.${format}`);
    assert.deepEqual((await json<ExportDocument>(["export", "--format", format, "-o", out, "--store", mocked])).mocked, ["lite-image", "lite-sound"]);
    if (format !== "npz") assert.match(readFileSync(out, "latin1"), format === "webvtt" ? /NOTE stand-ins .*lite-image/ : /mocked.*lite-image/s, format);
  }
  assert.match(await text("export", "--format", "npz", "-o", join(dir, "out.npz"), "--store", mocked), /STAND-INS/);
  const page = join(dir, "page.html");
  await text("report", "-o", page, "--store", mocked);
  assert.match(readFileSync(page, "utf8"), /<strong>Stand-ins<\/strong> played lite-image, lite-sound/);
  assert.match((await flow(["show", "--store", mocked, "--json"])).stderr, /STAND-INS .*lite-image, lite-sound/);
});

test("where only some models are stand-ins, what the others said stays real", async () => {
  const kinds = (store: FlowRecord[]): string[] => store.map(({ kind, mocked: by }) => `${kind} ${by?.join() ?? "real"}`);
  assert.deepEqual([...new Set(kinds((await json<ShowDocument>(["show", "--store", partly])).records))].sort(), ["media real", "scene lite-image"]);
});

test("a store of real results has no such word", async () => {
  const { stderr, stdout } = await flow(["show", "--store", real, "--json"]);
  assert.doesNotMatch(stderr + stdout, /stand-in|mocked/i);
  const page = join(dir, "real.html");
  await text("report", "-o", page, "--store", real);
  assert.doesNotMatch(readFileSync(page, "utf8"), /class="mocked"/);
});
