/** How the slots of a call reach another process: their bytes, copied once into one buffer here and once into shared memory there. */
import type { GridItem } from "../contracts/index.js";
import type { WorkerTask } from "./protocol.js";

/** Descriptor of the pipe whose end is the parent's life; 3 is the IPC channel. */
export const GUARD_FD = 4;

const ALIGN = 64;

export interface SentTask {
  type: "task";
  task: WorkerTask;
  /** All slots of a batch, one after the other; null: the task has none. */
  pixels: Uint8Array | null;
}

/** The task with its slots' bytes beside it. */
export function pack(task: WorkerTask): SentTask {
  if (task.type !== "call" || task.call.kind !== "batch") return { type: "task", task, pixels: null };
  const items = task.call.items as GridItem[];
  let length = 0;
  const offsets = items.map(({ slot }) => {
    const offset = length;
    length += Math.ceil(slot.byteLength / ALIGN) * ALIGN;
    return offset;
  });
  const pixels = Buffer.allocUnsafeSlow(length);
  const moved = items.map((item, i) => {
    pixels.set(new Uint8Array(item.slot.buffer, item.slot.byteOffset, item.slot.byteLength), offsets[i]!);
    return { ...item, slot: { ...item.slot, buffer: null, byteOffset: offsets[i]! } };
  });
  return { type: "task", task: { ...task, call: { ...task.call, items: moved as unknown as GridItem[] } }, pixels };
}

/** The task as a worker knows it: slots of shared memory. */
export function receive({ task, pixels }: SentTask): WorkerTask {
  if (!pixels || task.type !== "call") return task;
  const buffer = new SharedArrayBuffer(pixels.byteLength);
  new Uint8Array(buffer).set(pixels);
  for (const item of task.call.items as GridItem[]) item.slot = { ...item.slot, buffer };
  return task;
}
