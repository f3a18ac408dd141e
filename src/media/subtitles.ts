import { execFile } from "node:child_process";
import type { Cue } from "../contracts/items.js";
import { FlowError } from "../contracts/errors.js";
import type { MediumInfo } from "../contracts/media.js";
import { binaryEnv, ffmpegPath } from "./binaries.js";
import { ffmpegInput, protocolWhitelist, redactUri } from "./uri.js";

/** The cues of the first text subtitle stream, in time order, tags stripped, times from the medium's start. Pictures of text are ignored. */
export async function readSubtitles(info: MediumInfo): Promise<Cue[]> {
  const stream = info.subtitles.find((subtitle) => subtitle.text);
  if (!stream) return [];
  const text = await new Promise<string>((resolve, reject) => {
    const args = ["-nostdin", "-v", "error", "-copyts", "-protocol_whitelist", protocolWhitelist(info.uri), "-i", ffmpegInput(info.uri)];
    args.push("-map", `0:${stream.index}`, "-avoid_negative_ts", "disabled", "-f", "srt", "pipe:1");
    execFile(ffmpegPath(), args, { maxBuffer: 256 << 20, env: binaryEnv() }, (error, stdout, stderr) => {
      // Damaged media give what they have; only nothing at all is an error.
      if (error === null || stdout !== "") resolve(stdout);
      else
        reject(
          new FlowError("SUBTITLES_UNREADABLE", `The subtitles of ${redactUri(info.uri)} cannot be read: ${redactUri(stderr.trim().split("\n").pop() ?? "ffmpeg failed")}.`, {
            hint: "Switch the subtitles node off, or extract them with another tool.",
            item: info.uri,
          }),
        );
    });
  });
  return parseSrt(text, info.startUs);
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
