/** Processes of this machine as Linux's /proc tells them: what a test started and what outlived it. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** For `skip`. */
export const needsProc = process.platform === "linux" ? false : "needs /proc";

/** How long the kernel of a busy machine may take to bury what was killed. Only a test that fails waits so long. */
const PATIENCE_MS = 60_000;

function where(file: "cmdline" | "environ", holds: (words: string[]) => boolean): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      if (pid === process.pid) return false;
      try {
        return holds(readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0"));
      } catch {
        return false; // gone meanwhile, or somebody else's
      }
    });
}

/** Others whose command line names this path. */
export const naming = (path: string): number[] => where("cmdline", (words) => words.some((word) => word.includes(path)));

/** Others whose environment holds `name=value`: a process that was started so, and all that it started. */
export const marked = (name: string, value: string): number[] => where("environ", (words) => words.includes(`${name}=${value}`));

/** What `find` still finds when it has had a minute to go: none, as soon as there is none. */
export async function left(find: () => number[]): Promise<number[]> {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await delay(20)) if (find().length === 0) return [];
  return find();
}
