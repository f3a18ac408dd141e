/** The bundled clip at a sixteenth of its pixels: the same frames, times, cuts, sound and subtitles, for tests of what does not depend on the picture's size. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { binaryEnv, ffmpegPath } from "../src/media/binaries.js";

const CLIP = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "graphs", "demo", "clip.mp4");

/** Names the folder that holds the clips for all test files of a test command; without it each file encodes its own. */
export const SHARED = "FLOW_TEST_SHARED";

const made = new Map<string, string>();

/** Path of the whole of it: 73 s, nine scenes. */
export const smallClip = (): string => clip("small", []);

/** Path of its first 30 s, five scenes. */
export const shortClip = (): string => clip("short", ["-t", "30"]);

function clip(folder: string, part: string[]): string {
  const known = made.get(folder);
  if (known !== undefined) return known;
  const path = join(shared(), folder, "clip.mp4");
  made.set(folder, path);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}.mp4`;
  const picture = ["-vf", "scale=160:90", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "1"];
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-i", CLIP, "-map", "0", ...part, ...picture, "-c:a", "copy", "-c:s", "copy", unfinished], { env: binaryEnv() });
  renameSync(unfinished, path);
  return path;
}

let own: string | undefined;

function shared(): string {
  const given = process.env[SHARED] ?? own;
  if (given !== undefined) return given;
  const folder = (own = mkdtempSync(join(tmpdir(), "flow-small-clip-")));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
