/** A pool thread, behind `worker-entry.cts`. What it reads through SlotRefs is lent to it until it replies. */
import { getPriority, setPriority } from "node:os";
import { threadId } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol, workerData } from "piscina";
import type { WorkerSetup, WorkerTask } from "./protocol.js";
import { TaskRunner } from "./task-runner.js";

/**
 * Decoding comes before inference where cores are short: one ffmpeg per medium is a chain that nothing can shorten, and every moment that it waits for a
 * core or for its reader is lost, while batches wait in the ring without loss. On Linux a priority belongs to the thread that sets it; elsewhere it
 * would slow the whole process.
 */
const NICER = 5;

if (process.platform === "linux") setPriority(Math.min(19, getPriority() + NICER));

const { stop, intraOpThreads } = workerData as WorkerSetup;
const runner = new TaskRunner({ intraOpThreads, worker: threadId, stopped: () => Atomics.load(stop, 0) !== 0 });

export default async function handle(task: WorkerTask): Promise<unknown> {
  const { reply, buffers } = await runner.handle(task);
  return buffers.size === 0 ? reply : move({ [transferableSymbol]: [...buffers], [valueSymbol]: reply } as never);
}
