/** A batch operator that throws: each item one outcome, the guilty one alone, no lease lost, everybody else's results as without it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { NodeCounts } from "../../src/contracts/index.js";
import type { RunSummary } from "../../src/engine/index.js";
import { openStore, runGraph } from "../../src/sdk.js";
import { inTemporaryFolder } from "../e2e/flow.js";
import { branchesGraph, makeFilm, type BranchOptions } from "./fixtures/branches.js";
import { testBands, testTally } from "./fixtures/slow.js";

const FRAMES = 350;
const SCENES = FRAMES / 25;

interface Ran {
  summary: RunSummary;
  /** Node → time → its row, failed items left out. */
  rows: Record<string, Map<number, string>>;
  /** Frame numbers in the dead letters. */
  failures: number[];
}

/** A lease that is not given back rejects with LEASE_LEAK. */
async function run(dir: string, name: string, film: string, options: BranchOptions): Promise<Ran> {
  const graph = join(dir, `${name}.yaml`);
  const folder = join(dir, `${name}.store`);
  await writeFile(graph, branchesGraph(options));
  const summary = await runGraph(graph, { store: folder, inputs: [film], operators: [testBands, testTally] });
  await using store = await openStore(folder);
  const failures = [...store.failures()].map(({ startUs }) => startUs / 40_000).sort((a, b) => a - b);
  const rows: Ran["rows"] = {};
  for (const medium of store.mediaRows()) {
    for (const [node, { key }] of Object.entries(medium.nodes ?? {})) {
      const found = (rows[node] = new Map<number, string>());
      for (const index of store.listBlocks(medium.id, key)) {
        const { ptsUs, width, data, failures: failed } = store.getBlock(medium.id, key, index)!;
        ptsUs.forEach((at, i) => {
          if (!failed.some((f) => f.ptsUs === at)) found.set(at, data!.subarray(i * width, (i + 1) * width).join());
        });
      }
    }
  }
  return { summary, rows, failures };
}

const counts = (done: number, failed = 0): NodeCounts => ({ in: done + failed, done, cached: 0, skipped: 0, dropped: 0, failed, inFlight: 0 });

test("every 7th frame throws: it alone fails, its batch is bisected, the others' results are those of a run without failures", () =>
  inTemporaryFolder(async (dir) => {
    const film = join(dir, "film.mp4");
    makeFilm(film, FRAMES);
    const clean = await run(dir, "clean", film, { branch: "{ width: 160 }" });
    assert.deepEqual([clean.summary.status, clean.failures], ["done", []]);
    assert.deepEqual(clean.summary.nodes["branch"], counts(FRAMES));

    const refused = Array.from({ length: FRAMES / 7 }, (_, i) => i * 7);
    const failing = await run(dir, "failing", film, { branch: "{ width: 160, refuse_every: 7 }" });
    assert.equal(failing.summary.status, "failed-items");
    assert.deepEqual(failing.summary.nodes["branch"], counts(FRAMES - refused.length, refused.length));
    for (const name of ["scores", "steady"]) assert.deepEqual(failing.summary.nodes[name], counts(FRAMES), name);
    for (const name of ["scenes", "tally", "other", "scene"]) assert.deepEqual(failing.summary.nodes[name], counts(SCENES), name);
    assert.deepEqual(failing.failures, refused);
    for (const name of ["scores", "steady"]) assert.deepEqual(failing.rows[name], clean.rows[name], name);
    assert.equal(clean.rows["steady"]?.size, FRAMES);
    const survivors = failing.rows["branch"];
    const expected = new Map(clean.rows["branch"]);
    for (const number of refused) expected.delete(number * 40_000);
    assert.deepEqual(survivors, expected);
  }));

test("frames that fail once are tried again and end in the same store as if nothing had happened", () =>
  inTemporaryFolder(async (dir) => {
    const film = join(dir, "film.mp4");
    makeFilm(film, FRAMES);
    const clean = await run(dir, "clean", film, { branch: "{ width: 160 }" });
    // A frame may be refused once by each of the two workers; a batch also fails with its neighbours.
    const flaky = await run(dir, "flaky", film, { branch: "{ width: 160, refuse_every: 3, refuse: once }", onError: "{ retry: 5, backoff: 1ms..5ms, then: dead_letter }" });
    assert.deepEqual([flaky.summary.status, flaky.failures], ["done", []]);
    assert.deepEqual(flaky.summary.nodes["branch"], counts(FRAMES));
    assert.deepEqual([flaky.summary.digest, flaky.summary.digestNumbers], [clean.summary.digest, clean.summary.digestNumbers]);
  }));
