import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { catalogue } from "../../src/operators/index.js";
import { runGraph } from "../../src/sdk.js";
import { smallClip } from "../clips.js";
import { inTemporaryFolder } from "../e2e/flow.js";

const ROLES = "image: lite-image, sound: lite-sound, text: lite-text";

/** `--mock-models`: any graph runs anywhere. */
test("every example that uses a model runs with stand-ins, without its weights, twice with the same digests", async (t) =>
  inTemporaryFolder(async (dir) => {
    for (const op of [...catalogue.values()].filter(({ models }) => models && Object.keys(models).length > 0)) {
      for (const [n, example] of op.examples.entries()) {
        await t.test(`${op.name}: ${example.title}`, async () => {
          const text = example.yaml.replaceAll("./graphs/demo/clip.mp4", smallClip(6));
          const file = join(dir, `${op.name}-${n}.yaml`);
          await writeFile(file, /^flow:/m.test(text) ? text : `flow: 1\nmodels: { ${ROLES} }\nruntime: { workers: 1 }\nnodes:\n${text.replace(/^/gm, "  ")}\n`);
          const [first, second] = [await runGraph(file, { store: join(dir, "first"), mockModels: true }), await runGraph(file, { store: join(dir, `again-${op.name}-${n}`), mockModels: true })];
          for (const summary of [first, second]) {
            const failed = Object.entries(summary.nodes).filter(([, counts]) => counts.failed > 0);
            assert.deepEqual([summary.status, failed], ["done", []], JSON.stringify(summary.failures));
            assert.ok(summary.mocked.length > 0);
          }
          assert.deepEqual([first.digest, first.digestNumbers], [second.digest, second.digestNumbers]);
        });
      }
    }
  }));
