/** The peer of inference.bench (a thread) and gpu.bench (a process): nothing but `session.run()` on a tensor it already has. */
import { parentPort, workerData } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";

const { file, batch, input, size, providers = ["cpu"] } = (parentPort ? workerData : JSON.parse(process.argv[2]!)) as { file: string; batch: number; input: string; size: number; providers?: string[] };
const session = await InferenceSession.create(file, {
  executionProviders: providers,
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
const tell = (message: string): void => void (parentPort ? parentPort.postMessage(message) : process.send!(message));
(parentPort ?? process).on("message", async (runs: number) => {
  for (let i = 0; i < runs; i++) await session.run(feeds);
  tell("done");
});
tell("ready");
