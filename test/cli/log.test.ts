import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { RunDocument } from "../../src/cli/json.js";
import { smallClip } from "../clips.js";
import { flow, ROOT } from "./spawn.js";
import { SMALL_GRAPH } from "./small-graph.js";

const dir = mkdtempSync(join(tmpdir(), "flow-log-"));
after(() => rmSync(dir, { recursive: true }));
const broken = join(dir, "broken.mp4");
writeFileSync(broken, "no video");
const graph = join(dir, "small.yaml");
writeFileSync(graph, SMALL_GRAPH);
const store = (name: string): string[] => ["--store", join(dir, name)];
const clip = smallClip();
const lines = (text: string): { event: string; at: string; error?: { code: string } }[] => text.split("\n").filter(Boolean).map((line) => JSON.parse(line) as { event: string; at: string });

describe("--log json", () => {
  test("stdout is empty, every line on stderr is an event, the last one has the summary", async () => {
    const ran = await flow(["run", graph, clip, broken, ...store("a"), "--log", "json"]);
    assert.deepEqual([ran.code, ran.stdout], [1, ""]);
    const events = lines(ran.stderr);
    assert.ok(events.every(({ event, at }) => event !== "" && !Number.isNaN(Date.parse(at))));
    const end = events.at(-1) as unknown as RunDocument & { event: string };
    assert.deepEqual([end.event, end.status, end.records, end.failures.map((failure) => failure.uri)], ["end", "failed-items", { media: 1, scene: 9 }, [broken]]);
  });

  test("with --json stdout is the document", async () => {
    const ran = await flow(["run", graph, clip, ...store("a"), "--log", "json", "--json"]);
    assert.equal((JSON.parse(ran.stdout) as RunDocument).status, "done");
    assert.deepEqual(lines(ran.stderr).map(({ event }) => event), ["start", "end"]);
  });

  test("errors are lines too: of the command, of the arguments, of the graph", async () => {
    for (const [args, code] of [[["run", graph, "nowhere.mp4"], "INPUT_NOT_FOUND"], [["run", graph, "--nonsense"], "BAD_ARGUMENTS"], [["run", graph, clip, "-p", "nothing=1"], "BAD_GRAPH"]] as const) {
      const ran = await flow([...args, ...store("b"), "--log", "json"]);
      assert.deepEqual([ran.code, ran.stdout], [2, ""]);
      assert.equal(lines(ran.stderr).at(-1)?.error?.code, code);
    }
  });

  test("flow retry says the same way that nothing failed", async () => {
    await flow(["run", graph, clip, ...store("c"), "--quiet"]);
    const ran = await flow(["retry", ...store("c"), "--log", "json"]);
    assert.deepEqual([ran.code, ran.stdout, lines(ran.stderr).map(({ event }) => event)], [0, "", ["end"]]);
  });
});

describe("--quiet", () => {
  test("a medium that cannot be opened is one line that names it once", async () => {
    const ran = await flow(["run", graph, clip, broken, ...store("d"), "--quiet"]);
    assert.deepEqual([ran.code, ran.stdout], [1, ""]);
    assert.equal(ran.stderr.trim().split("\n").length, 1, ran.stderr);
    assert.equal(ran.stderr.split(broken).length, 2, ran.stderr);
  });

  test("nothing at all when all is well", async () => {
    const ran = await flow(["run", graph, clip, ...store("d"), "--quiet"]);
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, "", ""]);
  });
});

test("a file whose name begins with a dash: the hint is a command that works", async () => {
  copyFileSync(clip, join(dir, "-dash.mp4"));
  const refused = await flow(["run", graph, "-dash.mp4", ...store("e")], { cwd: dir });
  assert.equal(refused.code, 2);
  const hinted = /`flow (.*? -- -dash\.mp4)`/.exec(refused.stderr)?.[1];
  assert.ok(hinted, refused.stderr);
  assert.equal((await flow(hinted.split(" "), { cwd: dir })).code, 0);
  assert.doesNotMatch((await flow(["run", graph, "--nonsense", ...store("e")])).stderr, / -- /);
});

test("flow retry repeats the run that left something undone, not the newest", async () => {
  await flow(["run", graph, broken, ...store("f")]);
  await flow(["run", graph, clip, ...store("f")]);
  copyFileSync(clip, broken);
  const ran = await flow(["retry", ...store("f"), "--json"]);
  assert.equal(ran.code, 0, ran.stdout);
  const { failures } = JSON.parse((await flow(["errors", ...store("f"), "--json"])).stdout) as { failures: unknown[] };
  assert.deepEqual(failures, []);
});
