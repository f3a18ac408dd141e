/** Long inputs for the benches: the bundled clip, looped without re-encoding. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ffmpegPath } from "../src/media/index.js";

const ROOT = new URL("../../", import.meta.url);
export const CLIP = fileURLToPath(new URL("graphs/demo/clip.mp4", ROOT));
export const EGO = fileURLToPath(new URL("graphs/ego.yaml", ROOT));

/** The clip's picture and sound over and over, `minutes` long. */
export function loopClip(path: string, minutes: number): string {
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-i", CLIP, "-map", "0:V", "-map", "0:a", "-c", "copy", "-t", String(minutes * 60), path]);
  return path;
}
