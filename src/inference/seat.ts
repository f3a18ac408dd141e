/** A thread of a device's process that prepares one call and reads its results, while the device runs another's. */
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { giveWay } from "../contracts/index.js";
import { DeviceRuntime } from "./device-runtime.js";
import { receive, type SentTask } from "./pixels.js";
import type { ChildReply } from "./process-lane.js";
import { TaskRunner } from "./task-runner.js";

export interface SeatData {
  seat: number;
  port: MessagePort;
  /** [0] ≠ 0: run nothing more. */
  stop: Int32Array;
}

const { seat, port, stop } = workerData as SeatData;
giveWay();
const runner = new TaskRunner({
  runtime: new DeviceRuntime(port),
  worker: process.pid,
  stopped: () => Atomics.load(stop, 0) !== 0,
  began: () => parentPort!.postMessage({ type: "began", seat } satisfies ChildReply),
});

parentPort!.on("message", (message: SentTask) => {
  void runner.handle(receive(message)).then(({ reply, buffers }) => parentPort!.postMessage({ type: "reply", seat, reply } satisfies ChildReply, [...buffers]));
});
