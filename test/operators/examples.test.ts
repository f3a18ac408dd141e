import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { catalogue } from "../../src/operators/index.js";
import { runGraph } from "../../src/sdk.js";
import { CLIP, inTemporaryFolder } from "../e2e/flow.js";

/** What `flow explain` prints is run as it stands, on the bundled clip; one store, so that examples which share nodes share results. */
test("every example of every operator runs", () =>
  inTemporaryFolder(async (dir) => {
    let ran = 0;
    for (const op of catalogue.values()) {
      for (const [n, example] of op.examples.entries()) {
        const whole = /^flow:/m.test(example.yaml);
        const file = join(dir, `${op.name}-${n}.yaml`);
        await writeFile(file, whole ? example.yaml : `flow: 1\nmodels: { image: lite-image, sound: lite-sound, text: lite-text }\nnodes:\n${example.yaml.replaceAll("./graphs/demo/clip.mp4", CLIP).replace(/^/gm, "  ")}\n`);
        const summary = await runGraph(file, { store: join(dir, "store") });
        assert.equal(summary.status, "done", `${op.name}: ${example.title}\n${JSON.stringify(summary.failures)}`);
        const node = Object.values(summary.nodes).every((c) => c.failed === 0 && c.inFlight === 0);
        assert.ok(node, `${op.name}: ${example.title}\n${JSON.stringify(summary.nodes)}`);
        ran += 1;
      }
    }
    assert.ok(ran >= catalogue.size, "each operator has an example");
  }));
