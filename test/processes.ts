/** Processes of this machine, most of it as Linux's /proc tells: what a test started, and what outlived it. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** For `skip`. */
export const needsProc = process.platform === "linux" ? false : "needs /proc";

/** How long the kernel of a busy machine may take to bury what was killed. Only a test that fails waits so long. */
const PATIENCE_MS = 60_000;

/** The process of that id (of that group, where negative) runs; one that has ended and waits for its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return pid < 0 || !/^State:\s+Z/m.test(read(pid, "status"));
}

/** Others whose command line names this path. */
export const naming = (path: string): number[] => others((pid) => words(pid, "cmdline").some((word) => word.includes(path)));

/** The ffmpegs among them. */
export const decoding = (path: string): number[] => naming(path).filter((pid) => basename(words(pid, "cmdline")[0]!) === "ffmpeg");

/** Others whose environment holds `name=value`: a process that was started so, and all that it started. */
export const marked = (name: string, value: string): number[] => others((pid) => words(pid, "environ").includes(`${name}=${value}`));

/** What `find` still finds when it has had a minute to go: none, as soon as there is none. */
export async function left(find: () => number[]): Promise<number[]> {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await delay(20)) if (find().length === 0) return [];
  return find();
}

const others = (holds: (pid: number) => boolean): number[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid && holds(pid));

const words = (pid: number, file: "cmdline" | "environ"): string[] => read(pid, file).split("\0");

/** Empty for one that is gone meanwhile, or somebody else's. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
