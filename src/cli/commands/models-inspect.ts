import { Worker } from "node:worker_threads";
import { EXIT, FlowError, type TensorInfo } from "../../contracts/index.js";

/** Names, types and dimensions of an ONNX file's inputs and outputs. Throws MODEL_CORRUPT when it does not open. */
export function inspectOnnx(path: string): Promise<{ inputs: TensorInfo[]; outputs: TensorInfo[] }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./models-inspect.worker.js", import.meta.url), { workerData: path });
    const fail = (message: string): void => reject(new FlowError("MODEL_CORRUPT", `${path} does not open: ${message}`, { hint: "It is damaged, needs a file that is not beside it, or is no ONNX model.", exit: EXIT.badInput }));
    worker.once("message", (told: { ok: true; inputs: TensorInfo[]; outputs: TensorInfo[] } | { ok: false; message: string }) => (told.ok ? resolve(told) : fail(told.message)));
    worker.once("error", (error) => fail(error.message));
    worker.once("exit", (code) => fail(`its worker ended with ${code}`));
  });
}
