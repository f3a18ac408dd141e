import type { Readable } from "node:stream";
import type { Cue } from "../contracts/items.js";
import { FlowError } from "../contracts/errors.js";
import type { MediumInfo } from "../contracts/media.js";
import { ffmpegPath } from "./binaries.js";
import { clipInput } from "./clip-packets.js";
import { FIRST_OUTPUT_FD } from "./ffmpeg-args.js";
import { spawnGuarded } from "./guard.js";
import { redactUri } from "./uri.js";

/** The cues of the first text subtitle stream, in time order, tags stripped, times from the medium's start. Pictures of text are ignored. */
export async function readSubtitles(info: MediumInfo): Promise<Cue[]> {
  const stream = info.subtitles.find((subtitle) => subtitle.text);
  if (!stream) return [];
  const { text, complaint } = await readText(info, stream.index);
  // Damaged media give what they have; only nothing at all is an error.
  if (text === "" && complaint !== null) {
    throw new FlowError("SUBTITLES_UNREADABLE", `The subtitles of ${redactUri(info.uri)} cannot be read: ${complaint}.`, {
      hint: "Switch the subtitles node off, or extract them with another tool.",
      item: info.uri,
    });
  }
  return parseSrt(text, info.startUs);
}

/** A subtitle stream as SubRip, and why it ended early if it did. ffmpeg reads the whole medium for it: guarded, it ends with this process. */
async function readText(info: MediumInfo, index: number): Promise<{ text: string; complaint: string | null }> {
  const args = [...clipInput(info, null), "-map", `0:${index}`, "-avoid_negative_ts", "disabled", "-f", "srt", `pipe:${FIRST_OUTPUT_FD}`];
  const child = spawnGuarded(ffmpegPath(), args, 1);
  const [, , stderr, guard, out] = child.stdio as unknown as (Readable | null)[];
  let [text, said] = ["", ""];
  stderr?.setEncoding("utf8").on("data", (chunk: string) => (said = (said + chunk).slice(-4000)));
  out?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  for (const stream of [stderr, guard, out]) stream?.on("error", () => {});
  const failed = await new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(code === 0 ? null : `exit code ${code}`));
  });
  return { text, complaint: failed && redactUri(said.trim().split("\n").pop() || failed) };
}

/** Cues of a SubRip text; `startUs` is taken off every time. Empty cues are left out. */
export function parseSrt(text: string, startUs = 0): Cue[] {
  const cues: Cue[] = [];
  const timing = /(\d+):(\d\d):(\d\d)[,.](\d{3})\s*-->\s*(\d+):(\d\d):(\d\d)[,.](\d{3})/;
  for (const block of text.replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => timing.test(line));
    const match = at < 0 ? null : timing.exec(lines[at] as string);
    if (!match) continue;
    const part = (from: number): number => {
      const [hours, minutes, seconds, millis] = match.slice(from, from + 4).map(Number) as [number, number, number, number];
      return (((hours * 60 + minutes) * 60 + seconds) * 1000 + millis) * 1000 - startUs;
    };
    const words = plainText(lines.slice(at + 1).join("\n"));
    if (words !== "") cues.push({ startUs: Math.max(0, part(1)), endUs: Math.max(0, part(5)), text: words });
  }
  return cues.sort((a, b) => a.startUs - b.startUs || a.endUs - b.endUs);
}

function plainText(text: string): string {
  return text
    .replace(/\{\\[^}]*\}/g, "")
    .replace(/<\/?[a-z][^>]*>/gi, "")
    .replace(/\\[Nn]/g, "\n")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&nbsp;/g, " ")
    .replace(/&amp;/g, "&")
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== "")
    .join("\n");
}
