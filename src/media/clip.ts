import { rename, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { EXIT, FlowError } from "../contracts/errors.js";
import { ffmpegPath } from "./binaries.js";
import { spawnGuarded } from "./guard.js";
import { ffmpegInput, isUrl, protocolWhitelist, redactUri } from "./uri.js";

export interface ClipRequest {
  uri: string;
  /** From the medium's start, microseconds. */
  startUs: number;
  endUs: number;
  /** File to write; its extension chooses the container (mp4, mkv, mov). */
  out: string;
}

const CONTAINERS = new Set([".mp4", ".mkv", ".mov", ".m4v"]);

/** Writes [startUs, endUs) as H.264 (crf 23) with AAC sound, exact to the frame. The file appears whole or not at all. */
export async function cutClip({ uri, startUs, endUs, out }: ClipRequest): Promise<void> {
  const extension = extname(out).toLowerCase();
  const bad = (message: string, hint: string): FlowError => new FlowError("CLIP_INVALID", message, { hint, exit: EXIT.badInput });
  if (!CONTAINERS.has(extension)) throw bad(`${out} has no extension that clips are written to.`, "Name it .mp4, .mkv or .mov.");
  if (!(endUs > startUs) || startUs < 0) throw bad(`A clip from ${startUs} to ${endUs} µs is empty.`, "The end must lie after the start.");
  const temporary = join(dirname(out), `.${basename(out, extension)}.${process.pid}-${Date.now()}.part${extension}`);
  const args = ["-nostdin", "-v", "error", "-y", "-ss", (startUs / 1e6).toFixed(6), "-protocol_whitelist", protocolWhitelist(uri)];
  if (isUrl(uri)) args.push("-rw_timeout", "30000000");
  args.push("-i", ffmpegInput(uri), "-t", ((endUs - startUs) / 1e6).toFixed(6), "-map", "0:V:0?", "-map", "0:a:0?");
  // yuv420p wants even sides; players want square handling of nothing else.
  args.push("-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2", "-c:v", "libx264", "-preset", "fast", "-crf", "23", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k");
  if (extension !== ".mkv") args.push("-movflags", "+faststart");
  args.push(`file:${temporary}`);
  try {
    await runFfmpeg(args, uri);
    await rename(temporary, out);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause instanceof FlowError ? cause : new FlowError("CLIP_FAILED", `${out} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`, { hint: "Check the folder and its free space.", cause });
  }
}

async function runFfmpeg(args: string[], uri: string): Promise<void> {
  const child = spawnGuarded(ffmpegPath(), args, 0);
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-4000)));
  child.stdio[3]?.on("error", () => {});
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code === 0) return;
  throw new FlowError("CLIP_FAILED", `ffmpeg could not cut ${redactUri(uri)}: ${redactUri(stderr.trim().split("\n").pop() ?? `exit code ${code}`)}.`, { hint: "Check that the medium is still there and plays." });
}
