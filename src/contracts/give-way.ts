import { getPriority, setPriority } from "node:os";

const NICER = 10;

/**
 * This thread, and what it starts from now on, gives way to the event loop of the run, which computes little and for which all others wait: on busy cores it lost
 * half of its time to them. On Linux a priority belongs to the thread that sets it; elsewhere it would slow the whole process, so nothing is done there.
 */
export function giveWay(): void {
  if (process.platform === "linux") setPriority(Math.min(19, getPriority() + NICER));
}
