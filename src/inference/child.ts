/**
 * Entry of a worker process (`isolation: process`, and every device but the CPU): the same work as a pool thread, behind an IPC channel. It lives as
 * long as its parent: the guard thread ends it when the parent's pipe closes, also in the middle of a run that never returns. Signals of the terminal are the
 * parent's business: it drains. With one seat calls are worked off here; with several each has a thread, and they share one more that runs the models.
 */
import { MessageChannel, Worker, type MessagePort } from "node:worker_threads";
import { giveWay } from "../contracts/index.js";
import type { DeviceThreadData } from "./device-thread.js";
import { OnnxRuntime } from "./onnx.js";
import { receive, type SentTask } from "./pixels.js";
import type { ChildMessage, ChildReply } from "./process-lane.js";
import type { SeatData } from "./seat.js";
import { TaskRunner } from "./task-runner.js";
import { tightHeaps } from "./tight-heaps.js";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
new Worker(new URL("./child-guard.js", import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8, stackSizeMb: 1 } }).unref();

const intraOpThreads = Number(process.argv[2] ?? 1);
const seats = Number(process.argv[3] ?? 1);
const stop = new Int32Array(new SharedArrayBuffer(4));
const send = (message: ChildReply): void => void process.send!(message);
if (seats === 1) giveWay();
tightHeaps();
const take = seats === 1 ? here() : inThreads();

process.on("message", (message: ChildMessage) => {
  if (message.type === "stop") Atomics.store(stop, 0, 1);
  else take(message);
});
send({ type: "ready" });

function here(): (message: SentTask) => void {
  const runner = new TaskRunner({ runtime: new OnnxRuntime(intraOpThreads), worker: process.pid, stopped: () => Atomics.load(stop, 0) !== 0, began: () => send({ type: "began", seat: 0 }) });
  return (message) => void runner.handle(receive(message)).then(({ reply }) => send({ type: "reply", seat: 0, reply }));
}

function inThreads(): (message: SentTask) => void {
  const channels = Array.from({ length: seats }, () => new MessageChannel());
  const ports = channels.map(({ port2 }) => port2);
  thread("./device-thread.js", { ports, intraOpThreads } satisfies DeviceThreadData, ports);
  const threads = channels.map(({ port1 }, seat) => {
    const worker = thread("./seat.js", { seat, port: port1, stop } satisfies SeatData, [port1]);
    return worker.on("message", send);
  });
  return (message) => threads[message.seat]!.postMessage(message);
}

/** None of them ends by itself: one that does takes its calls along, and with them the process. */
function thread(module: string, data: unknown, transferList: MessagePort[]): Worker {
  const worker = new Worker(new URL(module, import.meta.url), { workerData: data, transferList, resourceLimits: { maxYoungGenerationSizeMb: 8 } });
  worker.on("error", (error) => console.error(error.message));
  return worker.on("exit", (code) => process.exit(code === 0 ? 1 : code));
}
