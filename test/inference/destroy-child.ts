/** Run by destroy.test.ts in a process of its own: an abort would take the test runner with it. Prints what became of the calls. */
import { setTimeout } from "node:timers/promises";
import { InferencePool } from "../../src/inference/index.js";
import { loadModels } from "../../src/models/manifest.js";
import { imageEmbed } from "../../src/operators/image/image.embed.js";
import { frameRing, modelsDir } from "./fixtures.js";

const image = loadModels(modelsDir).get("lite-image")!;
const frames = frameRing(8, 224, 224);
const { module, name: operator } = imageEmbed;
const run = (pool: InferencePool) => pool.run({ kind: "batch", module, operator, node: "frames", config: {}, models: { image }, items: frames });
if (process.argv[2] === "young") {
  const startedMs = performance.now();
  const first = new InferencePool({ workers: 2 });
  await first.warm([]);
  const startMs = performance.now() - startedMs;
  await first.destroy();
  // From a worker that does not exist yet to one that has loaded what it loads, in steps.
  for (let step = 0; step < 40; step++) {
    const pool = new InferencePool({ workers: 2 });
    await setTimeout((startMs * step) / 32);
    await pool.destroy();
  }
  console.log(JSON.stringify({ done: 40, cancelled: 0, pending: 0 }));
  process.exit();
}
const pool = new InferencePool({ workers: 2 });
await run(pool);
const calls = Promise.allSettled(Array.from({ length: 12 }, () => run(pool)));
// Both workers are inside session.run() now or about to be: the first two calls have been posted and none has come back.
if (process.argv[2] === "stop") pool.stop();
await pool.destroy();
const settled = await calls;
const count = (status: string): number => settled.filter((s) => s.status === status).length;
console.log(JSON.stringify({ done: count("fulfilled"), cancelled: count("rejected"), pending: pool.pending }));
