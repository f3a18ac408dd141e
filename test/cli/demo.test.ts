import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { DemoDocument } from "../../src/cli/json.js";
import { flow } from "./spawn.js";

const dir = mkdtempSync(join(tmpdir(), "flow-demo-"));
const store = join(dir, "store");
after(() => rmSync(dir, { recursive: true }));

test("demo: right against the truth, short, and every command it suggests answers something true", async () => {
  const first = await flow(["demo", "--store", store]);
  assert.equal(first.code, 0, first.stderr);
  assert.ok(first.stdout.trimEnd().split("\n").length <= 25, first.stdout);
  assert.match(first.stdout, /checked against truth: cuts 8\/8 · scenes 9\/9 · silence 2\/2 · subtitles 6\/6 · seen twice 1\/1 · questions 12\/12\n/);
  assert.match(first.stdout, /report: .*report\.html/);

  const suggested = [...first.stdout.matchAll(/^ {2}(?:npx )?flow (\w+) (.*?)(?: {2,}|$)/gm)].map(([, name = "", rest = ""]) => [name, ...(rest.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""))]);
  assert.equal(suggested.length, 3);
  for (const words of suggested) {
    const { code, stdout, stderr } = await flow(words.map((word) => (word === "fish.mp4" ? join(dir, word) : word)));
    assert.equal(code, 0, stderr);
    if (words[0] === "search") assert.match(stdout, /0:13\.0/);
    if (words[0] === "clip") assert.ok(statSync(join(dir, "fish.mp4")).size > 10_000);
    if (words[0] === "plan") assert.match(stdout, /frames +cached/);
  }

  const second = await flow(["demo", "--store", store]);
  assert.match(second.stdout, /cached 100 %, 0 frames decoded/);
  const { run, checks, report } = JSON.parse((await flow(["demo", "--store", store, "--json"])).stdout) as DemoDocument;
  assert.equal(run.framesDecoded, 0);
  assert.equal(run.inferences, 0);
  for (const check of checks) assert.deepEqual([check.right, check.extra], [check.of, 0], check.name);
  assert.ok(report && existsSync(report.path));
  assert.ok(report.bytes < 3_000_000, "a report of the bundled clip is at most 3 MB");
});
