/** A run that never drains: a child process that ignores us and a timer that never ends. Prints the child's id. */
import { spawn } from "node:child_process";
import { Worker } from "node:worker_threads";
import { Interrupts } from "../../src/cli/interrupt.js";
import { Log } from "../../src/cli/log.js";

const interrupts = new Interrupts({ log: new Log("json") });
const started = (pid: number | undefined): void => void process.stdout.write(`${pid}\n`);
if (process.argv[2] === "worker") {
  // As the media worker does: the child belongs to a thread of ours.
  const worker = new Worker(`const { parentPort } = require("node:worker_threads"); parentPort.postMessage(require("node:child_process").spawn("sleep", ["600"], { stdio: "ignore" }).pid)`, { eval: true });
  worker.on("message", started);
} else started(spawn("sleep", ["600"], { stdio: "ignore" }).pid);
setInterval(() => interrupts.signal.aborted, 1_000);
