/** Run by devices.test.ts with a software Vulkan driver: real models on WebGPU and on the CPU. Prints what was chosen and how far they are apart. */
import { readFileSync } from "node:fs";
import { InferencePool, type PoolCall, type PoolResult } from "../../src/inference/index.js";
import type { ModelManifest } from "../../src/contracts/index.js";
import { loadModels } from "../../src/models/manifest.js";
import { createLocate } from "../../src/models/store/locate.js";
import { testRun } from "./run-fixture.js";
import { frameRing, modelsDir } from "./fixtures.js";

const catalogue = loadModels(modelsDir, createLocate());
// A software driver takes half a minute for a run of yolox-nano (1.4e-5 from the CPU); a face detector of 300 kB takes five seconds.
const models = (process.argv[2] ?? "ultra-light-face,lite-text").split(",").map((id) => catalogue.get(id)).filter((model): model is ModelManifest => model !== undefined && exists(model.file));
await using pool = new InferencePool({ workers: 2 });
const call = (model: ModelManifest, onGpu: boolean, check: number | null = 1e-3): PoolCall => ({
  kind: "batch", module: testRun.module, operator: testRun.name, node: "n", config: {}, models: { model }, items: frameRing(1, 8, 8),
  runtime: { devices: { model: onGpu ? ["webgpu", "cpu"] : ["cpu"] }, check },
});
const values = (results: PoolResult[]): Float32Array => (results[0] as { value: Float32Array }).value;

const largest: Record<string, number> = {};
for (const model of models) {
  const [gpu, cpu] = await Promise.all([pool.run(call(model, true)), pool.run(call(model, false))]);
  const [a, b] = [values(gpu), values(cpu)];
  largest[model.id] = b.reduce((most, value, i) => Math.max(most, Math.abs(value - a[i]!) / Math.max(1, Math.abs(value))), 0);
}
const { devices, workers } = pool.stats();
// Nothing but the CPU is exactly the CPU.
await using strict = new InferencePool({ workers: 1, isolation: "thread" });
await strict.run(call(models.at(-1)!, true, 0));
const gpuCalls = models.length;
console.log(JSON.stringify({ devices, largest, workers: Object.values(workers).length >= 2 && Object.values(workers).some(({ calls }) => calls === gpuCalls) ? 1 : Object.values(workers).length, fallback: strict.stats().devices[models.at(-1)!.id] }));

function exists(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
