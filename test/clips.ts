/** Clips that tests share, and what is cut from a clip. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { binaryEnv, ffmpegPath } from "../src/media/binaries.js";

/** The clip that comes with flow: 640 × 360, 73 s, nine scenes, sound (none from 52 to 59 s), subtitles. */
export const BUNDLED = fileURLToPath(new URL("../../graphs/demo/clip.mp4", import.meta.url));

/** Names the folder that holds small clips for all test files of a test command; without it each file encodes its own. */
export const SHARED = "FLOW_TEST_SHARED";

const made = new Map<number, string>();

/**
 * Path of the bundled clip at a sixteenth of its pixels, or of its first `seconds` (30 s have five scenes): the same frames, times, cuts, sound and
 * subtitles, for tests of what does not depend on the picture's size.
 */
export function smallClip(seconds = 73): string {
  const known = made.get(seconds);
  if (known !== undefined) return known;
  const path = join(shared(), `small-${seconds}`, "clip.mp4");
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    const unfinished = `${path}.${process.pid}.mp4`;
    const picture = ["-vf", "scale=160:90", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "1"];
    ffmpeg("-i", BUNDLED, "-map", "0", "-t", String(seconds), ...picture, "-c:a", "copy", "-c:s", "copy", "-movflags", "+faststart", unfinished);
    renameSync(unfinished, path);
  }
  made.set(seconds, path);
  return path;
}

/** Picture and sound of `from`, or of its first `seconds`, as they are, in the container that the name of `to` says. */
export function remux(from: string, to: string, seconds?: number): string {
  ffmpeg("-i", from, ...(seconds === undefined ? [] : ["-t", String(seconds)]), "-map", "0:V?", "-map", "0:a?", "-c", "copy", to);
  return to;
}

const ffmpeg = (...args: string[]): void => void execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", ...args], { env: binaryEnv() });

let own: string | undefined;

function shared(): string {
  const given = process.env[SHARED] ?? own;
  if (given !== undefined) return given;
  const folder = (own = mkdtempSync(join(tmpdir(), "flow-clips-")));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
