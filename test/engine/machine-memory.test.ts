/** Without `limits:` a run has no more workers than the machine has memory for, by the files of its models: those of @huggingface/transformers are opened by each of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { stringify } from "yaml";
import type { PlanDocument } from "../../src/cli/json.js";
import type { ModelManifest, Plan } from "../../src/contracts/index.js";
import { runPlan, type RunSummary } from "../../src/engine/index.js";
import { machineMemoryBytes } from "../../src/engine/machine-memory.js";
import { loadGraph } from "../../src/graph/index.js";
import { mockManifest } from "../../src/models/mock.js";
import { catalogue } from "../../src/operators/index.js";
import { Store } from "../../src/store/index.js";
import { MAIN } from "../cli/spawn.js";
import { inTemporaryFolder } from "../e2e/flow.js";
import { needsBpe, vitGpt2 } from "../models/stand-ins/generative-models.js";
import { models } from "../operators/in-pool.js";
import { colouredClip } from "../operators/video/coloured-clip.js";

const GB = 1e9;
const graph = (captioner: string, runtime = "{}"): string => `flow: 1
name: captions
params: { input: { type: media, positional: true } }
models: { image: lite-image, captioner: ${captioner} }
runtime: ${runtime}
nodes:
  media:   { op: media.open, with: { uri: "\${params.input}" } }
  scores:  { op: scene.scores, in: media.frames }
  scenes:  { op: scene.cut, in: { scores: scores }, with: { detector: windows, window: 1s } }
  frames:  { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: image }
  caption: { op: caption.image, in: { scenes: scenes, clip: media.clip, vectors: frames }, model: captioner }
  scene:   { op: join, by: scene, in: { caption: caption.text } }
outputs: { scene: { from: scene } }
`;

const { uri } = await colouredClip();

test("the machine's memory, or what its container has of it", () => {
  for (const none of [0, 2 ** 64]) assert.equal(machineMemoryBytes(none), totalmem());
  assert.equal(machineMemoryBytes(64e6), 64e6);
});

describe("a checkpoint that is said to be large", needsBpe, () => {
  const { manifest } = vitGpt2();
  /** Nothing but the estimate reads its size. */
  const sized = (sizeBytes: number): ModelManifest => ({ ...(JSON.parse(JSON.stringify(manifest)) as ModelManifest), sizeBytes });
  const planOf = (sizeBytes: number, memoryBytes: number, runtime?: string): Plan => {
    const { plan, problems } = loadGraph({ path: "captions.yaml", text: graph(manifest.id, runtime) }, { catalogue, models: new Map([["lite-image", models.get("lite-image")!], [manifest.id, sized(sizeBytes)]]), environment: {}, standIn: mockManifest }, { inputs: [uri], workers: 2, memoryBytes });
    return plan ?? assert.fail(JSON.stringify(problems));
  };
  const run = async (plan: Plan, dir: string): Promise<RunSummary> => {
    await using store = await Store.open(dir);
    const summary = await runPlan({ plan, store });
    assert.equal(summary.status, "done", JSON.stringify(summary.failures));
    return summary;
  };

  test("one worker opens it once and the run says so; of a small one there are as many as ever; the results are the same", () =>
    inTemporaryFolder(async (dir) => {
      const large = await run(planOf(2.5 * GB, 8 * GB), join(dir, "large"));
      assert.match(large.notes.join("\n"), /^Estimated by the files of its models the run would take 1[12]\.\d GB with 2 workers, and this machine has 8\.0 GB.*1 worker instead of 2\./m);
      assert.equal(large.loads[manifest.id], 1);
      const small = await run(planOf(manifest.sizeBytes, 8 * GB), join(dir, "small"));
      assert.deepEqual([small.notes, small.measured, small.digest], [[], [], large.digest]);
      assert.ok([1, 2].includes(small.loads[manifest.id]!), `opened ${small.loads[manifest.id]} times by two workers`);
      const again = await run(planOf(manifest.sizeBytes, 8 * GB), join(dir, "small"));
      assert.deepEqual(again.loads, {});
    }));

  test("under a limit it is estimated: the run says that nobody measured it", () =>
    inTemporaryFolder(async (dir) => {
      const limited = await run(planOf(0.5 * GB, 1 * GB, "{ limits: { rss: 4GB } }"), dir);
      assert.deepEqual(limited.measured, ["lite-image"]);
      assert.deepEqual(limited.notes, [`limits: { rss } takes ${manifest.id} as estimated from its files, not measured: the run may take more.`]);
    }));
});

test("flow plan: fewer workers where no machine has the memory; under a limit what is an estimate", () =>
  inTemporaryFolder(async (dir) => {
    mkdirSync(join(dir, "models"));
    const files = ["model.onnx", "config.json"].map((path, i) => ({ path, size: i === 0 ? 50_000 * GB : 1, sha256: String(i).repeat(64) }));
    writeFileSync(join(dir, "models", "huge.yaml"), stringify({ id: "huge", task: "image-to-text", family: "vision-encoder-decoder", runtime: "transformers", summary: "Larger than any machine.", licence: "MIT", files, preprocess: { kind: "processor" }, limits: [] }));
    const plan = (runtime: string, ...args: string[]): string => {
      writeFileSync(join(dir, "captions.yaml"), graph("huge", runtime));
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "plan", "captions.yaml", uri, ...args], { cwd: dir, env: { ...process.env, FLOW_MODELS_DIR: join(dir, "models"), FLOW_CACHE_DIR: join(dir, "cache") }, encoding: "utf8" });
      assert.equal(status, 0, stderr);
      return stdout;
    };
    assert.match(plan("{}"), /memory {2}Estimated by the files of its models the run would take .* GB.*; even so it may take/);
    const { runtime, notes, memory } = JSON.parse(plan("{}", "--json")) as PlanDocument;
    assert.deepEqual([(runtime as Plan["runtime"]).workers, notes.length, memory], [1, 1, null]);
    const limit = "{ workers: 2, limits: { rss: 900000GB } }";
    assert.match(plan(limit), /limit .*; an estimate: 2 workers[\s\S]*huge .*estimated from its files, as models of @huggingface\/transformers always are/);
    const limited = JSON.parse(plan(limit, "--json")) as PlanDocument;
    assert.deepEqual([limited.notes, limited.memory!.unmeasured, limited.memory!.estimated], [[], ["lite-image"], ["huge"]]);
  }));
