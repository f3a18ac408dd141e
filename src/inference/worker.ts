/** A pool thread, behind `worker-entry.cts`. What it reads through SlotRefs is lent to it until it replies. */
import { threadId } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol, workerData } from "piscina";
import { giveWay } from "../contracts/index.js";
import { OnnxRuntime } from "./onnx.js";
import type { WorkerSetup, WorkerTask } from "./protocol.js";
import { TaskRunner } from "./task-runner.js";

giveWay();

const { stop, intraOpThreads } = workerData as WorkerSetup;
const runner = new TaskRunner({ runtime: new OnnxRuntime(intraOpThreads), worker: threadId, stopped: () => Atomics.load(stop, 0) !== 0 });

export default async function handle(task: WorkerTask): Promise<unknown> {
  const { reply, buffers } = await runner.handle(task);
  return buffers.size === 0 ? reply : move({ [transferableSymbol]: [...buffers], [valueSymbol]: reply } as never);
}
