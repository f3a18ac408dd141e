/** Memory is bounded by construction: a branch 50 × slower than normal holds no more of 2,000 frames than a normal one, and loses none. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RunSummary } from "../../src/engine/index.js";
import { inTemporaryFolder } from "../e2e/flow.js";
import { branchesGraph, makeFilm, type BranchOptions } from "./fixtures/branches.js";
import { canSample } from "./fixtures/process-tree.js";

const FRAMES = 2000;
const SCENES = FRAMES / 25;
const CHILD = fileURLToPath(new URL("./fixtures/memory-child.js", import.meta.url));
const NORMAL_FRAME_MS = 0.15;
const NORMAL_SCENE_MS = 4;

async function run(dir: string, name: string, film: string, options: BranchOptions): Promise<{ peakBytes: number; summary: RunSummary }> {
  const graph = join(dir, `${name}.yaml`);
  await writeFile(graph, branchesGraph(options));
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, graph, film, join(dir, `${name}.store`)], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout) as { peakBytes: number; summary: RunSummary };
}

function complete(summary: RunSummary): void {
  assert.equal(summary.status, "done");
  const all = (n: number): object => ({ in: n, done: n, cached: 0, skipped: 0, dropped: 0, failed: 0, inFlight: 0 });
  for (const name of ["scores", "steady", "branch"]) assert.deepEqual(summary.nodes[name], all(FRAMES), name);
  for (const name of ["scenes", "tally", "other", "scene"]) assert.deepEqual(summary.nodes[name], all(SCENES), name);
}

test("a frame branch and a scene branch 50 × slower: peak memory within 10 %, nothing lost", { skip: canSample ? false : "this system does not tell RssAnon" }, () =>
  inTemporaryFolder(async (dir) => {
    const film = join(dir, "film.mp4");
    makeFilm(film, FRAMES);
    const branch = (ms: number): string => `{ width: 160, ms: ${ms} }`;
    const normal = await run(dir, "normal", film, { branch: branch(NORMAL_FRAME_MS), sceneMs: NORMAL_SCENE_MS });
    complete(normal.summary);
    const slow = {
      frames: await run(dir, "frames", film, { branch: branch(50 * NORMAL_FRAME_MS), sceneMs: NORMAL_SCENE_MS }),
      scenes: await run(dir, "scenes", film, { branch: branch(NORMAL_FRAME_MS), sceneMs: 50 * NORMAL_SCENE_MS }),
    };
    for (const [name, { peakBytes, summary }] of Object.entries(slow)) {
      complete(summary);
      // Only if the branch was the slowest by far has anything been proven.
      assert.ok(summary.durationMs > 1.3 * normal.summary.durationMs, `${name}: ${summary.durationMs} ms against ${normal.summary.durationMs} ms`);
      assert.equal(summary.digestNumbers, normal.summary.digestNumbers, name);
      assert.ok(peakBytes <= 1.1 * normal.peakBytes, `${name}: ${Math.round(peakBytes / 1e6)} MB at peak, ${Math.round(normal.peakBytes / 1e6)} MB without the slow branch`);
    }
  }));
