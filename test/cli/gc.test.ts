import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { DiffDocument, ErrorDocument, GcDocument, RunDocument, ShowDocument } from "../../src/cli/json.js";
import { Store } from "../../src/store/index.js";
import { smallClip } from "../clips.js";
import { flow, ROOT } from "./spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-gc-"));
after(() => rmSync(dir, { recursive: true }));
const graph = join(dir, "small.yaml");
writeFileSync(
  graph,
  `flow: 1
name: small
params: { input: { type: media, positional: true }, min: { type: duration, default: 0.6s } }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores }, with: { min_scene: "\${params.min}" } }
  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }
  scene:  { op: join, by: scene, in: { text: speech.text } }
outputs: { scene: { from: scene } }
`,
);
const clip = join(dir, "a.mp4");
const at = (name: string): string[] => ["--store", join(dir, name)];

async function json<T>(args: string[], code = 0): Promise<T> {
  const finished = await flow([...args, "--json"]);
  assert.equal(finished.code, code, finished.stderr + finished.stdout);
  return JSON.parse(finished.stdout) as T;
}

const rows = ({ removed }: GcDocument): number => Object.values(removed).reduce((sum, row) => sum + row.count, 0);

test("what an earlier threshold stored goes; the results stay, and stay cached", async () => {
  copyFileSync(smallClip(), clip);
  await json(["run", graph, clip, ...at("a")]);
  const second = await json<RunDocument>(["run", graph, clip, "-p", "min=7s", ...at("a")]);
  const told = await json<GcDocument>(["gc", "--dry-run", ...at("a")]);
  assert.ok(told.dryRun && told.removed.memos.count > 0 && told.removed.marks.count > 0 && told.removed.records.count === 0);
  const done = await json<GcDocument>(["gc", ...at("a")]);
  assert.deepEqual([done.dryRun, done.removed, done.media], [false, told.removed, []]);
  const again = await json<RunDocument>(["run", graph, clip, "-p", "min=7s", ...at("a")]);
  assert.deepEqual([again.framesDecoded, again.digest, Object.values(again.nodes).reduce((sum, n) => sum + n.done, 0)], [0, second.digest, 0]);
  await json(["run", graph, clip, "-p", "min=7s", ...at("fresh")]);
  assert.equal((await json<DiffDocument>(["diff", join(dir, "a"), join(dir, "fresh")])).equal, true);
});

test("a changed file: show and search have the new one only, --superseded both, gc ends it", async () => {
  await json(["run", graph, clip, ...at("b")]);
  const [old] = (await json<ShowDocument>(["show", "--kind", "media", ...at("b")])).records;
  appendFileSync(clip, "x");
  await json(["run", graph, clip, ...at("b")]);
  const media = async (...more: string[]): Promise<string[]> => (await json<ShowDocument>(["show", "--kind", "media", ...more, ...at("b")])).records.map(({ id }) => id);
  const current = await media();
  assert.equal(current.length, 1);
  assert.notEqual(current[0], old!.id);
  assert.deepEqual((await media("--superseded")).sort(), [old!.id, ...current].sort());
  const [shown] = (await json<ShowDocument>(["show", old!.id, ...at("b")])).records;
  assert.ok(String(shown!.fields["supersededBy"]).startsWith(current[0]!));
  assert.deepEqual(shown!.fields["uris"], []);
  assert.match((await json<ErrorDocument>(["show", "--in", old!.id, ...at("b")], 2)).error.hint, /--superseded/);
  const hits = async (...more: string[]): Promise<number> => (await json<{ hits: unknown[] }>(["search", "red car", ...more, ...at("b")])).hits.length;
  assert.equal(await hits("--superseded"), 2 * (await hits()));
  const done = await json<GcDocument>(["gc", ...at("b")]);
  assert.deepEqual(done.media.map(({ id, why }) => [id.slice(0, 16), why]), [[old!.id, "superseded"]]);
  assert.deepEqual(await media("--superseded"), current);
  assert.equal(rows(await json<GcDocument>(["gc", ...at("b")])), 0);
});

test("results of a file that is gone stay until --missing", async () => {
  await json(["run", graph, clip, ...at("c")]);
  rmSync(clip);
  assert.equal(rows(await json<GcDocument>(["gc", ...at("c")])), 0);
  assert.equal((await json<ShowDocument>(["show", ...at("c")])).records.length, 10);
  assert.deepEqual((await json<GcDocument>(["gc", "--missing", ...at("c")])).media.map(({ uri, why }) => [uri, why]), [[clip, "missing"]]);
  assert.deepEqual((await json<ShowDocument>(["show", ...at("c")])).records, []);
});

test("no store: exit 2, and none is made; a store that is being written: exit 3", async () => {
  assert.equal((await json<ErrorDocument>(["gc", ...at("none")], 2)).error.code, "NO_STORE");
  assert.ok(!existsSync(join(dir, "none")));
  await using _ = await Store.open(join(dir, "a"));
  assert.equal((await json<ErrorDocument>(["gc", ...at("a")], 3)).error.code, "STORE_LOCKED");
});
