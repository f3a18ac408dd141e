/** A worker thread that opens an ONNX file and tells its inputs and outputs: a damaged file may bring down what opens it. */
import { parentPort, workerData } from "node:worker_threads";
import type { TensorInfo } from "../../contracts/index.js";

const { InferenceSession } = await import("onnxruntime-node");
try {
  const session = await InferenceSession.create(workerData as string, { executionProviders: ["cpu"], graphOptimizationLevel: "disabled", intraOpNumThreads: 1, logSeverityLevel: 3 });
  const told = (meta: (typeof session.inputMetadata)[number]): TensorInfo => ({ name: meta.name, type: meta.isTensor ? meta.type : "unknown", dims: meta.isTensor ? [...meta.shape] : [] });
  parentPort!.postMessage({ ok: true, inputs: session.inputMetadata.map(told), outputs: session.outputMetadata.map(told) });
} catch (thrown) {
  parentPort!.postMessage({ ok: false, message: (thrown as Error).message });
}
