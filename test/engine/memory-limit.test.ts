/** `limits: { rss }` holds for a model whose file says nothing of what it computes with: 14 kB of weights, 17 MB of activations a row. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import type { PlanDocument, RunDocument } from "../../src/cli/json.js";
import { MAIN } from "../cli/spawn.js";
import { BUNDLED } from "../clips.js";
import { inTemporaryFolder } from "../e2e/flow.js";
import { wideModel } from "../inference/fixtures.js";
import { canSample, sampleTree } from "./fixtures/process-tree.js";

const LIMIT_MB = 400;
const TOO_LITTLE_MB = 300;

interface Finished<T> {
  code: number | null;
  document: T;
  peakBytes: number;
}

/** The real program, and what it and its children hold at most. */
function flow<T>(args: readonly string[], dir: string, store = "store"): Promise<Finished<T>> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args, "--store", join(dir, store), "--json"], { cwd: dir, env: { ...process.env, FLOW_MODELS_DIR: join(dir, "models"), FLOW_CACHE_DIR: join(dir, "cache") }, stdio: ["ignore", "pipe", "ignore"] });
    let stdout = "";
    let peakBytes = 0;
    const timer = setInterval(() => (peakBytes = Math.max(peakBytes, sampleTree(child.pid!).bytes)), 5);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(timer);
      resolve({ code, document: JSON.parse(stdout) as T, peakBytes });
    });
  });
}

const graph = (limits: string): string => `flow: 1
name: wide
params: { input: { type: media, positional: true } }
models: { image: wide }
runtime: { workers: 1${limits} }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 0.5 } }, model: image }
  mean:   { op: vectors.mean, over: media, in: { vectors: frames } }
  medium: { op: join, by: media, in: { mean: mean } }
outputs: { media: { from: medium } }
`;

test("a model with large activations stays under limits.rss with the same digests, is measured once, and one that cannot is refused before work", { skip: canSample ? false : "this system does not tell RssAnon" }, () =>
  inTemporaryFolder(async (dir) => {
    mkdirSync(join(dir, "models"));
    const { id, task, summary, licence, files, inputs, preprocess, output } = wideModel(join(dir, "models"));
    writeFileSync(join(dir, "models", "wide.yaml"), stringify({ id, task, summary, licence, files: files.map(({ path, sizeBytes, sha256 }) => ({ path, size: sizeBytes, sha256 })), inputs, preprocess, output, limits: [] }));
    for (const [name, limits] of [["free", ""], ["limited", `, limits: { rss: ${LIMIT_MB}MB }`], ["little", `, limits: { rss: ${TOO_LITTLE_MB}MB }`]] as const) writeFileSync(join(dir, `${name}.yaml`), graph(limits));

    const free = await flow<RunDocument>(["run", "free.yaml", BUNDLED, "--force", "frames"], dir);
    assert.deepEqual([free.code, free.document.measured], [0, []]);
    assert.ok(free.peakBytes > LIMIT_MB * 1e6, `without a limit it takes ${Math.round(free.peakBytes / 1e6)} MB: nothing would be proven`);

    const before = await flow<PlanDocument>(["plan", "limited.yaml", BUNDLED], dir);
    assert.deepEqual(before.document.memory, { measured: [], unmeasured: ["wide"], estimated: [] });
    const planText = (): string => spawnSync(process.execPath, [MAIN, "plan", "limited.yaml", BUNDLED, "--store", "store"], { cwd: dir, env: { ...process.env, FLOW_MODELS_DIR: join(dir, "models") }, encoding: "utf8" }).stdout;
    assert.match(planText(), /limit 400 MB; an estimate: 1 worker[\s\S]*1 model not measured in this store yet: the first run does that/);
    const limited = await flow<RunDocument>(["run", "limited.yaml", BUNDLED, "--force", "frames"], dir);
    assert.deepEqual([limited.code, limited.document.measured, limited.document.inferences], [0, ["wide"], free.document.inferences]);
    assert.ok(limited.peakBytes <= LIMIT_MB * 1e6, `${Math.round(limited.peakBytes / 1e6)} MB of ${LIMIT_MB}`);
    assert.deepEqual([limited.document.digest, limited.document.digestNumbers], [free.document.digest, free.document.digestNumbers]);

    const again = await flow<RunDocument>(["run", "limited.yaml", BUNDLED, "--force", "frames"], dir);
    assert.deepEqual([again.document.measured, again.document.inferences, again.document.digestNumbers], [[], free.document.inferences, free.document.digestNumbers]);
    assert.ok(again.peakBytes <= LIMIT_MB * 1e6, `${Math.round(again.peakBytes / 1e6)} MB of ${LIMIT_MB}`);

    assert.match(planText(), /memory {2}at most 400 MB: 1 worker/);
    const { memory } = (await flow<PlanDocument>(["plan", "limited.yaml", BUNDLED], dir)).document;
    const [share] = memory!.measured;
    assert.deepEqual([memory!.unmeasured, share!.model], [[], "wide"]);
    assert.ok(share!.rows! >= 1 && share!.rows! < 16, `${share!.rows} rows`);
    assert.ok(share!.moreRowBytes! > 14e6 && share!.moreRowBytes! < 25e6, `${share!.moreRowBytes} bytes a row`);

    const little = await flow<{ error: { code: string; message: string; hint: string } }>(["run", "little.yaml", BUNDLED, "--force", "frames"], dir);
    assert.deepEqual([little.code, little.document.error.code], [2, "MEMORY_LIMIT"]);
    assert.match(little.document.error.message, /at least \(measured: wide \d+ MB to open and \d+ MB for a run of one row\), and the limit is 300 MB/);
    assert.match(little.document.error.hint, /^Raise rss to about \d+MB, or lower .*, or give the role a smaller model\.$/);
    // A new store measures anew: what the hint says is enough there, and what was refused leaves none.
    const fresh = await flow<{ error: { message: string; hint: string } }>(["run", "little.yaml", BUNDLED], dir, "fresh");
    assert.deepEqual([fresh.code, existsSync(join(dir, "fresh"))], [2, false]);
    const least = Number(/about (\d+) MB of memory/.exec(fresh.document.error.message)?.[1]);
    const told = Number(/Raise rss to about (\d+)MB/.exec(fresh.document.error.hint)?.[1]);
    assert.ok(told >= least * 1.03 && told <= least * 1.1, `${told} for ${least}`);
    writeFileSync(join(dir, "raised.yaml"), graph(`, limits: { rss: ${told}MB }`));
    const raised = await flow<RunDocument>(["run", "raised.yaml", BUNDLED], dir, "fresh");
    assert.deepEqual([raised.code, raised.document.digest], [0, free.document.digest]);
  }));
