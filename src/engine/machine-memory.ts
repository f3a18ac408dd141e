import { totalmem } from "node:os";

/** What this process may take at most: the machine's memory, or less where a control group (a container's limit) says so. */
export function machineMemoryBytes(limitBytes: number | undefined = process.constrainedMemory()): number {
  // Without a limit it is 0, undefined, or more than there is, by the version of Node and of the control groups.
  return limitBytes ? Math.min(limitBytes, totalmem()) : totalmem();
}
