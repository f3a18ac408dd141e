import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DiffDocument, ErrorDocument, ExportDocument, RunDocument, SearchDocument, ShowDocument } from "../../src/cli/json.js";
import type { FlowRecord } from "../../src/contracts/index.js";
import { flow } from "./spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-export-"));
const [a, b] = [join(dir, "a"), join(dir, "b")];
const graph = join(dir, "vectors.yaml");
after(() => rmSync(dir, { recursive: true }));

const GRAPH = `flow: 1
name: vectors
params:
  input: { type: media, default: "./graphs/demo/clip.mp4", positional: true }
models: { image: lite-image }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 1 } }, model: image }
  video:  { op: video.pool, in: { scenes: scenes, vectors: frames } }
  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }
  scene:  { op: join, by: scene, in: { video: video, transcript: speech.text } }
outputs:
  scene: { from: scene, vectors: { video: {} }, fulltext: [transcript] }
`;

async function json<T>(args: string[], code = 0): Promise<T> {
  const finished = await flow([...args, "--json"]);
  assert.equal(finished.code, code, finished.stderr + finished.stdout);
  return JSON.parse(finished.stdout) as T;
}

before(async () => {
  writeFileSync(graph, GRAPH);
  await json<RunDocument>(["run", graph, "--store", a]);
  writeFileSync(graph, GRAPH.replace("fps: 1", "fps: 2"));
  await json<RunDocument>(["run", graph, "--store", b]);
});

test("export: every format writes what it says", async () => {
  for (const format of ["jsonl", "npz", "parquet", "safetensors", "webvtt"]) {
    const out = join(dir, `out.${format}`);
    const written = await json<ExportDocument>(["export", "--format", format, "-o", out, "--store", a]);
    assert.equal(written.format, format);
    assert.equal(readFileSync(out).length, written.files[0]?.bytes);
    assert.equal(written.records, { jsonl: 10, npz: 9, parquet: 9, safetensors: 9, webvtt: 6 }[format], format);
  }
  const lines = readFileSync(join(dir, "out.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as FlowRecord);
  assert.equal(lines.filter((record) => record.kind === "scene").length, 9);
  assert.match(readFileSync(join(dir, "out.webvtt"), "utf8"), /^WEBVTT\n[\s\S]*A red car drives/);
});

test("export: --where and --in select; an unknown format is refused", async () => {
  const out = join(dir, "some.jsonl");
  const written = await json<ExportDocument>(["export", "--format", "jsonl", "--kind", "scene", "--where", "duration > 7.5", "--in", "clip", "-o", out, "--store", a]);
  assert.equal(written.records, 3);
  await json(["export", "--format", "csv", "--store", a], 2);
  await json(["export", "--format", "jsonl", "--kind", "scenes", "--store", a], 2);
});

test("export: vectors that the store has not are named; what is no file, a medium and the store are not written over", async () => {
  const wrong = await json<ErrorDocument>(["export", "--format", "npz", "--vectors", "video,vidoe", "-o", join(dir, "v.npz"), "--store", a], 2);
  assert.match(wrong.error.message, /no vectors vidoe/);
  const [medium, own, link, pipe] = [join(dir, "medium.mp4"), join(dir, "own"), join(dir, "link.mp4"), join(dir, "pipe")];
  copyFileSync("graphs/demo/clip.mp4", medium);
  const bytes = readFileSync(medium);
  await json<RunDocument>(["run", graph, medium, "--store", own]);
  symlinkSync(medium, link);
  execFileSync("mkfifo", [pipe]);
  for (const out of [medium, link, join(own, "data.mdb"), dir, pipe, "-"]) {
    for (const args of [["export", "--format", "jsonl"], ["report"], ...(out.endsWith(".mp4") ? [["clip", (await json<ShowDocument>(["show", "--kind", "scene", "--store", own])).records[0]!.id]] : [])]) {
      const refused = await json<ErrorDocument>([...args, "-o", out, "--store", own], 2);
      assert.equal(refused.error.code, "OUTPUT_REFUSED", `${args[0]} ${out}`);
    }
  }
  assert.ok(readFileSync(medium).equals(bytes));
  assert.ok(statSync(pipe).isFIFO());
});

test("diff: a store equals itself; other frame vectors differ, and a wide tolerance forgives them", async () => {
  const same = await json<DiffDocument>(["diff", a, a]);
  assert.equal(same.equal, true);
  const other = await json<DiffDocument>(["diff", a, b], 1);
  assert.equal(other.equal, false);
  assert.ok(other.maxDelta > 1e-5 && other.maxDelta < 2);
  assert.deepEqual([other.onlyA, other.onlyB], [[], []]);
  assert.ok(other.differing.every(({ field }) => field.startsWith("vectors.video")));
  assert.equal((await json<DiffDocument>(["diff", a, b, "--tolerance", "2"])).equal, true);
});

test("search --image: a frame of a scene finds the scene; a sound finds nothing to ask", async () => {
  const picture = join(dir, "car.png");
  const { spawnSync } = await import("node:child_process");
  const { ffmpegPath } = await import("../../src/media/index.js");
  spawnSync(ffmpegPath(), ["-v", "error", "-ss", "16", "-i", "graphs/demo/clip.mp4", "-frames:v", "1", picture]);
  const { hits } = await json<SearchDocument>(["search", "--image", picture, "--store", a]);
  assert.equal(hits[0]?.startUs, 13_000_000);
  assert.equal(hits[0]?.spaces[0]?.name, "video");
  assert.ok((hits[0]?.spaces[0]?.score ?? 0) > 0.9);
  await json(["search", "--audio", "graphs/demo/clip.mp4", "--store", a], 2);
  await json(["search", "--image", graph, "--store", a], 2);
});

test("search --image: the model that made the space is not installed: exit 3 and the command that adds it", async () => {
  const [file, store] = [join(dir, "clip.yaml"), join(dir, "mocked")];
  const env = { FLOW_MODELS_DIR: "", FLOW_CACHE_DIR: join(dir, "cache") };
  writeFileSync(file, GRAPH.replace("image: lite-image", "image: clip-vit-base-patch32"));
  assert.equal((await flow(["run", file, "--mock-models", "--store", store], { env })).code, 0);
  const asked = await flow(["search", "--image", join(dir, "car.png"), "--store", store, "--json"], { env });
  assert.equal(asked.code, 3, asked.stdout);
  const { error } = JSON.parse(asked.stdout) as ErrorDocument;
  assert.deepEqual([error.code, error.hint], ["MODEL_MISSING", "flow models pull clip-vit-base-patch32"]);
});
