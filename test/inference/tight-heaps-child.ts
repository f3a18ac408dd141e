/** A worker that keeps its last 2000 results, as open blocks do, while 100 000 pass through. Prints the most that its heap took. `tight`: under `tightHeaps`. */
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { tightHeaps } from "../../src/inference/tight-heaps.js";

const KEPT = 2000;
const PASSING = 100_000;
const NUMBERS = 100;

if (isMainThread) {
  if (process.argv[2] === "tight") tightHeaps();
  const worker = new Worker(fileURLToPath(import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 8 } });
  worker.on("message", (bytes: number) => console.log(bytes));
} else {
  const kept: number[][] = [];
  let most = 0;
  for (let i = 0; i < PASSING; i++) {
    kept[i % KEPT] = Array.from({ length: NUMBERS }, (_, n) => i + n / 2);
    if (i % 100 !== 0) continue;
    most = Math.max(most, process.memoryUsage().heapTotal);
    // V8 ends a collection between two turns of the event loop.
    await new Promise(setImmediate);
  }
  parentPort!.postMessage(most);
}
