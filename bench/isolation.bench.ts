// Load -> run -> unload, over and over: what this process and its children hold afterwards. With `isolation: process` the memory of a model goes back to the system when
// its worker ends; beside it the same with threads, where ONNX Runtime keeps part of it. Budget: flat, within 2 MB over the last half of 100 rounds.
// node dist/bench/isolation.bench.js [--rounds 100] [--threads 20]. Prints JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { GridItem, ModelManifest } from "../src/contracts/index.js";
import { InferencePool } from "../src/inference/index.js";
import { imageEmbed } from "../src/operators/image/image.embed.js";
import { sampleTree } from "../test/engine/fixtures/process-tree.js";
import { inChild, median, round } from "./child.js";

// Garbage of this process is not what is measured.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const { values } = parseArgs({ options: { rounds: { type: "string", default: "100" }, threads: { type: "string", default: "20" } } });
const SIZE = 224;
const bytes = SIZE * SIZE * 3;
const buffer = new SharedArrayBuffer(bytes);
const item: GridItem = { ptsUs: 0, samples: 0, slot: { buffer, byteOffset: 0, byteLength: bytes, width: SIZE, height: SIZE } };

const dir = mkdtempSync(join(tmpdir(), "flow-bench-isolation-"));
try {
  const image = await inChild<ModelManifest>("vit-file.js", [join(dir, "vit-b-32-random.onnx")]);

  /** Bytes of this process and its children after each round; the peak while the model was loaded. */
  const cycle = async (isolation: "thread" | "process", rounds: number): Promise<{ afterMB: number[]; loadedMB: number }> => {
    const afterMB: number[] = [];
    let loadedMB = 0;
    for (let n = 0; n < rounds; n++) {
      const pool = new InferencePool({ workers: 1, intraOpThreads: 1, isolation });
      const [result] = await pool.run({ kind: "batch", module: imageEmbed.module, operator: imageEmbed.name, node: "bench", config: {}, models: { image }, items: [item] });
      if (!result?.ok) throw new Error("the model did not run");
      loadedMB = Math.max(loadedMB, sampleTree(process.pid).bytes / 1e6);
      await pool.destroy();
      collect();
      afterMB.push(round(sampleTree(process.pid).bytes / 1e6, 1));
    }
    return { afterMB, loadedMB: round(loadedMB, 0) };
  };

  const rounds = Number(values.rounds);
  const isolated = await cycle("process", rounds);
  const half = isolated.afterMB.slice(rounds >> 1);
  // Least squares over the last half.
  const mean = half.reduce((a, b) => a + b, 0) / half.length;
  const middle = (half.length - 1) / 2;
  const slope = half.reduce((sum, mb, i) => sum + (i - middle) * (mb - mean), 0) / half.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  const growthMB = round(slope * half.length, 2);
  const threads = Number(values.threads) > 0 ? await cycle("thread", Number(values.threads)) : null;
  console.log(
    JSON.stringify({
      bench: "isolation", ok: growthMB <= 2, rounds, growthMB, firstMB: isolated.afterMB[0], medianMB: median(isolated.afterMB), lastMB: isolated.afterMB.at(-1), loadedMB: isolated.loadedMB,
      threads: threads && { rounds: threads.afterMB.length, firstMB: threads.afterMB[0], lastMB: threads.afterMB.at(-1), loadedMB: threads.loadedMB },
      each: isolated.afterMB,
    }),
  );
} finally {
  rmSync(dir, { recursive: true, force: true });
}
