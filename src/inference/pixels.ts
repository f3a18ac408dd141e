/**
 * How the slots of a call reach another process: written from the ring into an unlinked file in memory that both have open, and read from it
 * into shared memory there. Two copies at the speed of memory; the IPC channel takes six times as long, and is what remains where there is no
 * such file (Windows) or it is full.
 */
import { closeSync, openSync, readSync, unlinkSync, writev } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { GridItem } from "../contracts/index.js";
import type { WorkerTask } from "./protocol.js";

/** Descriptor of the pipe whose end is the parent's life; 3 is the IPC channel. */
export const GUARD_FD = 4;
/** Descriptor of the file of pixels of the child's first seat; those of the others follow. */
export const PIXELS_FD = 5;

const ALIGN = 64;
const PADDING = new Uint8Array(ALIGN);
const writeAll = promisify(writev);

export interface SentTask {
  type: "task";
  /** Which of the child's seats takes it. */
  seat: number;
  task: WorkerTask;
  /** All slots of a batch one after the other, or how many bytes of them stand in the file; null: the task has none. */
  pixels: Uint8Array | { inFile: number } | null;
}

let files = 0;

/** An open file that has no name any more; null where that cannot be. */
export function openPixels(): number | null {
  if (process.platform === "win32") return null;
  for (const folder of ["/dev/shm", tmpdir()]) {
    const path = join(folder, `flow-pixels-${process.pid}-${files++}`);
    try {
      const fd = openSync(path, "wx+", 0o600);
      unlinkSync(path);
      return fd;
    } catch {
      // the next folder
    }
  }
  return null;
}

export function closePixels(fd: number | null): void {
  if (fd !== null) closeSync(fd);
}

/** The task with its slots' bytes beside it, or in the file `fd`, which is that seat's. */
export async function pack(task: WorkerTask, seat: number, fd: number | null): Promise<SentTask> {
  if (task.type !== "call" || task.call.kind !== "batch" || task.call.items.length === 0) return { type: "task", seat, task, pixels: null };
  const views: Uint8Array[] = [];
  let length = 0;
  const moved = (task.call.items as GridItem[]).map((item) => {
    const { buffer, byteOffset, byteLength } = item.slot;
    const rest = (ALIGN - (byteLength % ALIGN)) % ALIGN;
    const slot = { ...item.slot, buffer: null, byteOffset: length };
    views.push(new Uint8Array(buffer, byteOffset, byteLength), PADDING.subarray(0, rest));
    length += byteLength + rest;
    return { ...item, slot };
  });
  const light: WorkerTask = { ...task, call: { ...task.call, items: moved as unknown as GridItem[] } };
  if (fd !== null) {
    const { bytesWritten } = await writeAll(fd, views, 0).catch(() => ({ bytesWritten: 0 }));
    if (bytesWritten === length) return { type: "task", seat, task: light, pixels: { inFile: length } };
  }
  return { type: "task", seat, task: light, pixels: Buffer.concat(views, length) };
}

/** The task as a worker knows it: slots of shared memory. */
export function receive({ seat, task, pixels }: SentTask): WorkerTask {
  if (!pixels || task.type !== "call") return task;
  const length = pixels instanceof Uint8Array ? pixels.byteLength : pixels.inFile;
  const buffer = new SharedArrayBuffer(length);
  const view = new Uint8Array(buffer);
  if (pixels instanceof Uint8Array) view.set(pixels);
  else for (let at = 0; at < length; ) at += readSome(PIXELS_FD + seat, view, at, length);
  for (const item of task.call.items as GridItem[]) item.slot = { ...item.slot, buffer };
  return task;
}

function readSome(fd: number, view: Uint8Array, at: number, length: number): number {
  const read = readSync(fd, view, at, length - at, at);
  if (read === 0) throw new Error("the file of pixels is shorter than its task says");
  return read;
}
