import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DiffDocument, ErrorDocument, ExportDocument, RunDocument, SearchDocument, ShowDocument } from "../../src/cli/json.js";
import type { FlowRecord } from "../../src/contracts/index.js";
import { ffmpegPath } from "../../src/media/index.js";
import { smallClip } from "../clips.js";
import { flow } from "./spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-export-"));
const [a, b] = [join(dir, "a"), join(dir, "b")];
const graph = join(dir, "vectors.yaml");
after(() => rmSync(dir, { recursive: true }));

const GRAPH = `flow: 1
name: vectors
params:
  input: { type: media, default: "${smallClip()}", positional: true }
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

/** What reads each format: its module, the names that the documented lines leave, and what they must say of the nine scenes. */
const READERS = {
  jsonl: { module: "json", said: "len(records), records[-1]['kind']", wanted: [10, "scene"], own: "len(records)", ownWanted: 10 },
  npz: { module: "numpy", said: "video.shape, ids.tolist()", wanted: [[9, 512], "ids"], own: "data['video'].shape", ownWanted: [9, 512] },
  parquet: { module: "pyarrow.parquet", said: "table.num_rows, table.column('id').to_pylist()", wanted: [9, "ids"], own: "list(records['id'])", ownWanted: "ids" },
  safetensors: { module: "safetensors.numpy", said: "video.shape, round(float((video ** 2).sum()), 3)", wanted: [[9, 512], 9], own: "vectors['video'].shape", ownWanted: [9, 512] },
  webvtt: { module: "webvtt", said: "len(captions), captions[1].text", wanted: [6, "A red car drives along the city street."], own: "len(captions)", ownWanted: 6 },
} as const;

/** README and `flow export` must name the same module, or both must be there. */
const MODULES = { ...Object.fromEntries(Object.entries(READERS).map(([format, { module }]) => [format, module])), parquet: "pyarrow.parquet, pandas" } as Record<string, string>;

/** A Python that has the modules: the one on the path, or the system's own, for which Debian packages them. */
const pythonWith = (modules: string): string | undefined => ["python3", "/usr/bin/python3"].find((python) => spawnSync(python, ["-c", `import ${modules}`]).status === 0);

for (const [format, { module, said, wanted, own, ownWanted }] of Object.entries(READERS)) {
  const python = pythonWith(MODULES[format]!);
  test(`export: Python reads ${format} with the README's lines and with those that the command prints`, { skip: !python && `no Python with ${MODULES[format]} here` }, async () => {
    const ids = (await json<ShowDocument>(["show", "--kind", "scene", "--store", a])).records.map((record) => record.id);
    const run = (lines: string[], value: string): unknown => {
      const { status, stdout, stderr } = spawnSync(python!, ["-c", [...lines, "import json", `print(json.dumps((${value})))`].join("\n")], { cwd: dir, encoding: "utf8" });
      assert.equal(status, 0, stderr);
      return JSON.parse(stdout);
    };
    const expected = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll('"ids"', JSON.stringify(ids)));
    const [line, file] = documented(format, module);
    const { stdout } = await flow(["export", "--format", format, "-o", join(dir, file), "--store", a]);
    assert.deepEqual(run([line], said), expected(wanted));
    const printed = stdout.slice(stdout.indexOf("Python:\n") + "Python:\n".length).trimEnd().split("\n").map((text) => text.trim()).filter((text) => !text.startsWith("print"));
    assert.deepEqual(run(printed, own), expected(ownWanted));
  });
}

/** The line of the README that reads a format, and the file that it reads. */
function documented(format: string, module: string): [line: string, file: string] {
  const readme = readFileSync("README.md", "utf8");
  const line = format === "webvtt" ? /`(import webvtt;[^`]+)`/.exec(readme)![1]! : new RegExp(`^(.*\\S) +# flow export --format ${format} `, "m").exec(readme)![1]!;
  assert.ok(line.includes(module), line);
  return [line, /"([^"]+\.\w+)"/.exec(line)![1]!];
}

test("export: ffmpeg reads the webvtt, cue for cue", async () => {
  const out = join(dir, "for-ffmpeg.vtt");
  await json<ExportDocument>(["export", "--format", "webvtt", "-o", out, "--store", a]);
  const srt = execFileSync(ffmpegPath(), ["-v", "error", "-i", out, "-f", "srt", "-"], { encoding: "utf8" }).replaceAll("\r", "");
  const cues = srt.trim().split("\n\n").map((cue) => cue.split("\n"));
  assert.equal(cues.length, 6);
  assert.deepEqual(cues[1]!.slice(1), ["00:00:13,000 --> 00:00:20,000", "A red car drives along the city street."]);
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
  copyFileSync(smallClip(), medium);
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
