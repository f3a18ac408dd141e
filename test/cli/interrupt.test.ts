import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("./interrupt-child.js", import.meta.url));

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

for (const from of ["main", "worker"]) {
  test(`a second Ctrl-C ends us hard and takes the child of a ${from} thread with it`, async () => {
    const child = spawn(process.execPath, [CHILD, from], { stdio: ["ignore", "pipe", "pipe"] });
    let stopping = 0;
    const pid = await new Promise<number>((resolve) => createInterface({ input: child.stdout }).once("line", (line) => resolve(Number(line))));
    assert.ok(alive(pid));
    createInterface({ input: child.stderr }).on("line", () => {
      stopping += 1;
      child.kill("SIGINT");
    });
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("close", (_, signal) => resolve(signal)));
    child.kill("SIGINT");
    assert.equal(await ended, "SIGKILL");
    assert.equal(stopping, 1, "said once");
    assert.equal(alive(pid), false);
  });
}
