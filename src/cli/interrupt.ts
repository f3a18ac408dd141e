import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Log } from "./log.js";

/**
 * Ctrl-C as DESIGN §5 wants it: the first stops feeding and drains; the second kills our child processes, waits ≤ 2 s for the drain to end
 * by itself and then ends this process hard (a worker inside `session.run()` cannot be stopped otherwise). Everything committed stays. Either way a shell
 * sees 130.
 */
export class Interrupts implements Disposable {
  private readonly controller = new AbortController();
  private presses = 0;
  private deadline: NodeJS.Timeout | undefined;
  private readonly listener = (): void => this.press();

  /** `before`: clears the progress bar. */
  constructor(private readonly options: { log: Log; before?: () => void }) {
    process.on("SIGINT", this.listener);
    process.on("SIGTERM", this.listener);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  private press(): void {
    this.presses += 1;
    this.options.before?.();
    if (this.presses === 1) {
      this.options.log.event("stopping", {}, "stopping: finishing what is in flight; press Ctrl-C again to stop at once");
      this.controller.abort();
      return;
    }
    if (this.presses > 2) return;
    for (const pid of descendants(process.pid)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended between the listing and the signal.
      }
    }
    // Not unref'd: the wait must hold even when nothing else keeps the process.
    this.deadline = setTimeout(endHard, 1_500);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.deadline);
    process.off("SIGINT", this.listener);
    process.off("SIGTERM", this.listener);
  }
}

/** By a Ctrl-C that nobody handles: as sudden as SIGKILL, and whoever waits for us is told that we were interrupted. */
function endHard(): void {
  process.removeAllListeners("SIGINT");
  process.kill(process.pid, "SIGINT");
}

/** Process ids below `pid`, deepest last; from /proc on Linux, from ps elsewhere. */
function descendants(pid: number): number[] {
  const children = childrenOf(pid);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function childrenOf(pid: number): number[] {
  if (process.platform === "linux") {
    try {
      // A child is listed under the thread that started it, and ours are started by worker threads.
      return readdirSync(`/proc/${pid}/task`).flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number));
    } catch {
      // A kernel without CONFIG_PROC_CHILDREN: ask ps.
    }
  }
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return String(stdout ?? "").split("\n").map((line) => line.trim().split(/\s+/).map(Number)).filter(([, parent]) => parent === pid).map(([child]) => child ?? 0).filter((child) => child > 0);
}
