import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { once } from "node:events";

const skip = process.platform === "linux" ? false : "needs /proc";
const decodeModule = new URL("../../src/media/guard.js", import.meta.url).href;
const binaries = new URL("../../src/media/binaries.js", import.meta.url).href;

/** A Node process that holds an ffmpeg: one that writes nothing (null output at real speed), or one that blocks on a pipe nobody reads. */
const holder = (args: string[], pipes: number): string => `
import { spawnGuarded } from ${JSON.stringify(decodeModule)};
import { ffmpegPath } from ${JSON.stringify(binaries)};
const child = spawnGuarded(ffmpegPath(), ${JSON.stringify(args)}, ${pipes});
process.stdout.write(child.pid + "\\n");
setInterval(() => {}, 1000);
`;

const groupAlive = (pid: number): boolean => {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
};

for (const [name, args, pipes] of [
  ["writes nothing", ["-v", "error", "-re", "-f", "lavfi", "-i", "color=s=64x48:r=1", "-f", "null", "-"], 0],
  ["blocks on a full pipe", ["-v", "error", "-f", "lavfi", "-i", "color=s=640x480", "-f", "rawvideo", "pipe:4"], 1],
] as const) {
  test(`an ffmpeg that ${name} ends when its Node process is killed`, { skip }, async () => {
    const node = spawn(process.execPath, ["--input-type=module", "-e", holder([...args], pipes)], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(node.stdout.setEncoding("utf8"), "data")) as [string];
    const pid = Number(line);
    assert.ok(groupAlive(pid));
    node.kill("SIGKILL");
    await once(node, "exit");
    const deadline = performance.now() + 5000;
    while (groupAlive(pid) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(!groupAlive(pid), "ffmpeg outlived its owner");
    assert.ok(!existsSync(`/proc/${pid}/cmdline`) || !groupAlive(pid));
  });
}
