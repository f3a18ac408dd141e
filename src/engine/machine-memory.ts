import { totalmem } from "node:os";

/** What this process may take at most: the machine's memory, or less where a control group (a container's limit) says so. */
export function machineMemoryBytes(): number {
  // Without a limit it is 0, undefined, or more than there is, by the version of Node and of the control groups.
  const limit = process.constrainedMemory() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
