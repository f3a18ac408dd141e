import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { loadModels } from "../../src/models/manifest.js";
import { createLocate } from "../../src/models/store/locate.js";
import { catalogue } from "../../src/operators/index.js";
import { runGraph } from "../../src/sdk.js";
import { smallClip } from "../clips.js";
import { ROOT, inTemporaryFolder } from "../e2e/flow.js";

const ROLES: Record<string, string> = { image: "lite-image", sound: "lite-sound", text: "lite-text" };

/** Models that an example names and this machine does not have. */
function missing(yaml: string): string[] {
  const models = loadModels(join(ROOT, "models"), createLocate());
  const named = [...yaml.matchAll(/\bmodel: (?:\{([^}]*)\}|([\w.-]+))/g)].flatMap(([, map, one]) => (one === undefined ? map!.split(",").map((entry) => entry.split(":")[1]!.trim()) : [one]));
  return named.map((name) => ROLES[name] ?? name).filter((name) => models.has(name) && !models.get(name)!.installed);
}

/** What `flow explain` prints is run: whole graphs as they stand, on the bundled clip, parts within a graph on a small one; one store, so that examples which share nodes share results. */
test("every example of every operator runs", async (t) =>
  inTemporaryFolder(async (dir) => {
    for (const op of catalogue.values()) {
      assert.ok(op.examples.length > 0, `${op.name} has no example`);
      for (const [n, example] of op.examples.entries()) {
        const absent = missing(example.yaml);
        await t.test(`${op.name}: ${example.title}`, absent.length > 0 ? { skip: `not installed: ${absent.join(", ")}` } : {}, async () => {
          const whole = /^flow:/m.test(example.yaml);
          const file = join(dir, `${op.name}-${n}.yaml`);
          const roles = Object.entries(ROLES).map((entry) => entry.join(": ")).join(", ");
          await writeFile(file, whole ? example.yaml : `flow: 1\nmodels: { ${roles} }\nruntime: { workers: 1 }\nnodes:\n${example.yaml.replaceAll("./graphs/demo/clip.mp4", smallClip()).replace(/^/gm, "  ")}\n`);
          const summary = await runGraph(file, { store: join(dir, "store") });
          assert.equal(summary.status, "done", JSON.stringify(summary.failures));
          assert.ok(Object.values(summary.nodes).every((c) => c.failed === 0 && c.inFlight === 0), JSON.stringify(summary.nodes));
        });
      }
    }
  }));
