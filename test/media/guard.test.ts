import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isAlive, left, naming, needsProc as skip } from "../processes.js";
import { mediaFile } from "./media-files.js";

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

for (const [name, args, pipes] of [
  ["writes nothing", ["-v", "error", "-re", "-f", "lavfi", "-i", "color=s=64x48:r=1", "-f", "null", "-"], 0],
  ["blocks on a full pipe", ["-v", "error", "-f", "lavfi", "-i", "color=s=640x480", "-f", "rawvideo", "pipe:4"], 1],
] as const) {
  test(`an ffmpeg that ${name} ends when its Node process is killed`, { skip }, async () => {
    const node = spawn(process.execPath, ["--input-type=module", "-e", holder([...args], pipes)], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(node.stdout.setEncoding("utf8"), "data")) as [string];
    const pid = Number(line);
    assert.ok(isAlive(-pid));
    node.kill("SIGKILL");
    await once(node, "exit");
    assert.deepEqual(await left(() => (isAlive(-pid) ? [pid] : [])), [], "ffmpeg outlived its owner");
  });
}

const dir = mkdtempSync(join(tmpdir(), "flow-guard-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const file = mediaFile("video/testvideo.mp4");

test("a decode whose process is killed while its rings are full leaves no ffmpeg", { skip: skip || file.skip }, async () => {
  const media = join(dir, "only-here.mp4");
  symlinkSync(file.path, media);
  const script = `
import { openDecode, probe } from ${JSON.stringify(new URL("../../src/media/index.js", import.meta.url).href)};
const info = { ...(await probe(${JSON.stringify(media)})), id: "x", memoisable: true };
const demand = { size: [64, 64], fps: "all", geometry: "coded" };
openDecode(info, { video: [{ key: "v", demand, slots: 2, deliver: true, taps: [] }], audio: [] }).events.subscribe((event) => event.type === "starving" && console.log("full"));
`;
  const node = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(node.stdout, "data");
  assert.ok(naming(media).some((pid) => pid !== node.pid), "ffmpeg runs");
  node.kill("SIGKILL");
  await once(node, "exit");
  assert.deepEqual(await left(() => naming(media)), []);
});
