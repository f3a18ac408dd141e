/** A clip of 2 s red, 2 s green and 2 s blue (25 frames a second), made by ffmpeg once per test process. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { MediumInfo } from "../../../src/contracts/media.js";
import { ffmpegPath, probe } from "../../../src/media/index.js";

export async function colouredClip(): Promise<MediumInfo> {
  const dir = mkdtempSync(join(tmpdir(), "flow-colours-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "colours.mp4");
  const inputs = ["red", "lime", "blue"].flatMap((colour) => ["-f", "lavfi", "-i", `color=${colour}:s=320x180:r=25:d=2`]);
  execFileSync(ffmpegPath(), ["-v", "error", ...inputs, "-filter_complex", "[0][1][2]concat=n=3[v]", "-map", "[v]", "-c:v", "libx264", "-pix_fmt", "yuv420p", file]);
  return { ...(await probe(file)), id: "colours", memoisable: true };
}
