/** The peer of inference.bench: one thread that does nothing but `session.run()` on a tensor it already has. */
import { parentPort, workerData } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";

const { file, batch, input, size } = workerData as { file: string; batch: number; input: string; size: number };
const session = await InferenceSession.create(file, {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  logSeverityLevel: 3,
});
const data = new Float32Array(batch * 3 * size * size);
for (let i = 0; i < data.length; i++) data[i] = ((i * 7919) % 255) / 255 - 0.5;
const feeds = { [input]: new Tensor("float32", data, [batch, 3, size, size]) };
await session.run(feeds);
parentPort!.on("message", async (runs: number) => {
  for (let i = 0; i < runs; i++) await session.run(feeds);
  parentPort!.postMessage("done");
});
parentPort!.postMessage("ready");
