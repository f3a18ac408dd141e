/**
 * Entry of a worker process (`isolation: process`): the same work as a pool thread, behind an IPC channel. It lives as long as its parent:
 * the guard thread ends it when the parent's pipe closes, also in the middle of a run that never returns. Signals of the terminal are the
 * parent's business: it drains.
 */
import { Worker } from "node:worker_threads";
import { giveWay } from "../contracts/index.js";
import type { ChildMessage, ChildReply } from "./process-lane.js";
import { receive } from "./pixels.js";
import { TaskRunner } from "./task-runner.js";
import { tightHeaps } from "./tight-heaps.js";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
new Worker(new URL("./child-guard.js", import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8, stackSizeMb: 1 } }).unref();

giveWay();
tightHeaps();
let stopping = false;
const send = (message: ChildReply): void => void process.send!(message);
const runner = new TaskRunner({
  intraOpThreads: Number(process.argv[2] ?? 1),
  worker: process.pid,
  stopped: () => stopping,
  began: () => send({ type: "began" }),
});

process.on("message", (message: ChildMessage) => {
  if (message.type === "stop") stopping = true;
  else void runner.handle(receive(message)).then(({ reply }) => send({ type: "reply", reply }));
});
send({ type: "ready" });
