/** What the disk refuses, under a code and with advice: every write into the cache goes through here. */
import { dirname } from "node:path";
import { EXIT, FlowError } from "../../contracts/index.js";

/** `work` writes at `path`; what `fs` throws there is MODEL_DISK_FULL or MODEL_CACHE. */
export async function onDisk<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw isFromDisk(thrown) ? fromDisk(thrown, path) : thrown;
  }
}

export const isFromDisk = (thrown: unknown): boolean => (thrown as NodeJS.ErrnoException).syscall !== undefined;

export const isFull = (thrown: unknown): boolean => ["ENOSPC", "EDQUOT"].includes((thrown as NodeJS.ErrnoException).code ?? "");

/** The error about `path`, which could not be written; one that has a code of ours stays. */
export function fromDisk(thrown: unknown, path: string): FlowError {
  if (thrown instanceof FlowError) return thrown;
  if (isFull(thrown)) return diskFull(`${dirname(path)} is full`, thrown);
  return new FlowError("MODEL_CACHE", `${path} cannot be written: ${(thrown as Error).message}`, { hint: "Name another cache with FLOW_CACHE_DIR, or correct its permissions.", exit: EXIT.environment, cause: thrown });
}

export function diskFull(message: string, cause?: unknown): FlowError {
  return new FlowError("MODEL_DISK_FULL", message, { hint: "Make room (`flow models rm ID`; `flow models rm --partial` for unfinished downloads), or name a cache on another disk with FLOW_CACHE_DIR; then run the same command again.", exit: EXIT.environment, cause });
}
