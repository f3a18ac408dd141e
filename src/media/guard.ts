import { spawn, type ChildProcess } from "node:child_process";
import { binaryEnv } from "./binaries.js";

/*
 * ffmpeg never outlives us. A shell holds it and reads a pipe whose other end only this process has: when we end, however we end, the read
 * returns and ffmpeg is killed; ffmpeg alone would survive while it writes nothing or waits for a network. Descriptor 3 is that pipe.
 */
const GUARD = `"$@" 3<&- & p=$!
( read -r _ <&3; kill -KILL $p ) >/dev/null 2>&1 & w=$!
wait $p; rc=$?
kill -KILL $w 2>/dev/null
exit $rc`;

/** Starts `bin` under the guard with pipes on 2 (stderr) and on `pipes` descriptors from 4 up. Detached: a Ctrl-C of the terminal is ours to handle. */
export function spawnGuarded(bin: string, args: string[], pipes: number): ChildProcess {
  const stdio: ("ignore" | "pipe")[] = ["ignore", "ignore", "pipe", "pipe", ...Array.from({ length: pipes }, () => "pipe" as const)];
  if (process.platform === "win32") return spawn(bin, args, { stdio, windowsHide: true, env: binaryEnv() });
  return spawn("/bin/sh", ["-c", GUARD, "flow-guard", bin, ...args], { stdio, detached: true, env: binaryEnv() });
}

/** Kills the guard, ffmpeg and whatever else is in their process group, at once. */
export function killGuarded(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group has ended already.
  }
}
