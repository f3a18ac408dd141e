import { execFile } from "node:child_process";
import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { FlowError } from "../contracts/errors.js";
import type { AudioStreamInfo, MediumInfo, VideoStreamInfo } from "../contracts/media.js";
import { binaryEnv, ffprobePath, ffprobeVersion } from "./binaries.js";
import { isImageFile, probeImage } from "./image-probe.js";
import { ffmpegInput, isUrl, localPath, protocolWhitelist, redactUri } from "./uri.js";

/** What a medium is, without its content id (identify.ts). */
export type ProbedMedium = Omit<MediumInfo, "id" | "memoisable">;

const PROBE_TIMEOUT_MS = 60_000;
const TEXT_SUBTITLES = new Set(["subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text", "subviewer", "microdvd", "sami", "ttml"]);
// Demuxers that accept any text: a match means "not a medium", not a picture of its letters.
const TEXT_FORMATS = new Set(["tty", "srt", "webvtt", "ass", "ffmetadata", "concat", "lrc", "subviewer"]);

interface ProbeStream {
  index: number;
  codec_type?: string;
  codec_name?: string;
  width?: number;
  height?: number;
  sample_aspect_ratio?: string;
  r_frame_rate?: string;
  avg_frame_rate?: string;
  start_time?: string;
  duration?: string;
  nb_frames?: string;
  sample_rate?: string;
  channels?: number;
  disposition?: Record<string, number>;
  tags?: Record<string, string>;
  side_data_list?: { rotation?: number }[];
}

interface ProbeAnswer {
  format?: { format_name?: string; duration?: string; start_time?: string; size?: string };
  streams?: ProbeStream[];
}

/** Opens a file or URL with ffprobe (images: sharp). First video (never a cover picture) and first audio stream. Throws MEDIA_* FlowErrors, or the reason of `signal`. */
export async function probe(uri: string, name: string = mediumName(uri), signal?: AbortSignal): Promise<ProbedMedium> {
  let sizeBytes: number | null = null;
  if (!isUrl(uri)) {
    sizeBytes = await fileSize(uri);
    if (await isImageFile(localPath(uri))) return probeImage(uri, name, sizeBytes);
  }
  const answer = await ffprobe(uri, signal).catch(async (cause: unknown) => {
    signal?.throwIfAborted();
    // Something else under its name can read no medium at all.
    await ffprobeVersion();
    throw cause;
  });
  return describe(uri, name, sizeBytes, answer);
}

/** The last part of a path or of a URL's path. */
export function mediumName(uri: string): string {
  if (!isUrl(uri)) return basename(localPath(uri));
  try {
    const url = new URL(uri);
    return decodeURIComponent(basename(url.pathname)) || url.hostname;
  } catch {
    return redactUri(uri);
  }
}

async function fileSize(uri: string): Promise<number> {
  const path = localPath(uri);
  const fail = (code: string, message: string, hint: string, cause?: unknown): FlowError => new FlowError(code, message, { hint, item: path, cause, permanent: code === "MEDIA_EMPTY" });
  let info;
  try {
    info = await stat(path);
    const handle = await open(path, "r");
    await handle.close();
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") throw fail("MEDIA_NOT_FOUND", `${path} does not exist.`, "Check the path; relative paths start at the working directory.", cause);
    if (errno === "EACCES" || errno === "EPERM") throw fail("MEDIA_FORBIDDEN", `${path} may not be read.`, "Give this user the permission to read it.", cause);
    throw fail("MEDIA_UNREADABLE", `${path} cannot be opened (${errno ?? "unknown"}).`, "Check the file and the disk it is on.", cause);
  }
  if (info.isDirectory()) throw fail("MEDIA_IS_DIRECTORY", `${path} is a folder.`, "Pass the folder as an input of `flow run` to take the media in it.");
  if (info.isFile() && info.size === 0) throw fail("MEDIA_EMPTY", `${path} is empty (0 bytes).`, "Copy or download the file again.");
  return info.size;
}

function ffprobe(uri: string, signal: AbortSignal | undefined): Promise<ProbeAnswer> {
  const args = ["-v", "error", "-hide_banner", "-protocol_whitelist", protocolWhitelist(uri)];
  if (/^https?:/i.test(uri)) args.push("-rw_timeout", "30000000");
  args.push("-show_format", "-show_streams", "-of", "json", ffmpegInput(uri));
  return new Promise((resolve, reject) => {
    execFile(ffprobePath(), args, { maxBuffer: 64 << 20, timeout: PROBE_TIMEOUT_MS, killSignal: "SIGKILL", signal, env: binaryEnv() }, (error, stdout, stderr) => {
      if (error === null) {
        try {
          resolve(JSON.parse(stdout) as ProbeAnswer);
        } catch (cause) {
          reject(unreadable(uri, "ffprobe gave no answer", { cause }));
        }
        return;
      }
      if (error.killed) reject(unreadable(uri, `no answer within ${PROBE_TIMEOUT_MS / 1000} s`, { cause: error }));
      else if (error.signal) reject(unreadable(uri, `ffprobe crashed on it (${error.signal})`, { cause: error }));
      else reject(unreadable(uri, complaint(stderr, uri), { cause: error, permanent: true }));
    });
  });
}

// The last line names the reason ("moov atom not found" comes before "Invalid data found"): keep both, without the path.
function complaint(stderr: string, uri: string): string {
  const lines = stderr.split("\n").map((line) => line.replaceAll(ffmpegInput(uri), "").replace(/^\[[^\]]*\]\s*/, "").replace(/^:\s*/, "").trim());
  return redactUri([...new Set(lines.filter((line) => line !== ""))].slice(-3).join("; ")) || "ffprobe failed";
}

/** `permanent`: the bytes are at fault. Those behind an address may be others the next time. */
function unreadable(uri: string, reason: string, { cause, permanent = false }: { cause?: unknown; permanent?: boolean } = {}): FlowError {
  const shown = isUrl(uri) ? redactUri(uri) : localPath(uri);
  // The cause's message holds the command line and with it the credentials of a URL.
  const safe = cause instanceof Error ? { cause: new Error(redactUri(cause.message)) } : {};
  return new FlowError("MEDIA_UNREADABLE", `${shown} cannot be read as a video, sound or picture: ${reason}.`, {
    hint: isUrl(uri) ? "Check the address in a browser or with curl." : "Play it in another player; if it is cut off or damaged, copy it again.",
    item: shown,
    permanent: permanent && !isUrl(uri),
    ...safe,
  });
}

function describe(uri: string, name: string, sizeBytes: number | null, answer: ProbeAnswer): ProbedMedium {
  const streams = answer.streams ?? [];
  const container = answer.format?.format_name ?? "unknown";
  const videoStream = streams.find((s) => s.codec_type === "video" && !s.disposition?.["attached_pic"] && (s.width ?? 0) > 0);
  const audioStream = streams.find((s) => s.codec_type === "audio" && Number(s.sample_rate) > 0);
  if (!videoStream && !audioStream) throw unreadable(uri, streams.length === 0 ? "it has no streams" : "it has no video and no audio stream", { permanent: true });
  if (TEXT_FORMATS.has(container)) throw unreadable(uri, "it is a text file", { permanent: true });
  const video = videoStream ? videoInfo(videoStream) : null;
  const audio = audioStream ? audioInfo(audioStream) : null;
  const startUs = micros(answer.format?.start_time) ?? Math.min(video?.startUs ?? Infinity, audio?.startUs ?? Infinity);
  return {
    uri,
    name,
    kind: video ? "video" : "audio",
    container,
    sizeBytes: sizeBytes ?? (answer.format?.size ? Number(answer.format.size) : null),
    durationUs: micros(answer.format?.duration),
    startUs,
    video,
    audio,
    subtitles: streams
      .filter((s) => s.codec_type === "subtitle")
      .map((s) => ({ index: s.index, codec: s.codec_name ?? "unknown", language: s.tags?.["language"] ?? null, text: TEXT_SUBTITLES.has(s.codec_name ?? "") })),
  };
}

function videoInfo(stream: ProbeStream): VideoStreamInfo {
  const width = stream.width ?? 0;
  const height = stream.height ?? 0;
  const rotation = rotationOf(stream);
  const turned = rotation % 180 !== 0;
  const baseFps = ratio(stream.r_frame_rate);
  return {
    codec: stream.codec_name ?? "unknown",
    width,
    height,
    sar: aspect(stream.sample_aspect_ratio),
    rotation,
    orientedWidth: turned ? height : width,
    orientedHeight: turned ? width : height,
    avgFps: ratio(stream.avg_frame_rate) || baseFps,
    baseFps,
    startUs: micros(stream.start_time) ?? 0,
    endUs: endOf(stream),
    frames: stream.nb_frames ? Number(stream.nb_frames) : null,
  };
}

function audioInfo(stream: ProbeStream): AudioStreamInfo {
  return { codec: stream.codec_name ?? "unknown", sampleRate: Number(stream.sample_rate), channels: stream.channels ?? 1, startUs: micros(stream.start_time) ?? 0, endUs: endOf(stream) };
}

// Matroska tells it in a tag, which counts from time 0.
function endOf(stream: ProbeStream): number | null {
  const [startUs, lengthUs] = [micros(stream.start_time), micros(stream.duration)];
  if (startUs !== null && lengthUs !== null) return startUs + lengthUs;
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(stream.tags?.["DURATION"] ?? "") ?? [];
  return seconds === undefined ? null : Math.round((Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1e6);
}

// The display matrix counts counter-clockwise, the old tag clockwise. ffmpeg turns by right angles; anything else it leaves to a rotate filter of the same raster.
function rotationOf(stream: ProbeStream): number {
  const matrix = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation;
  const degrees = matrix !== undefined ? -matrix : Number(stream.tags?.["rotate"] ?? 0);
  const turns = Math.round(degrees / 90) * 90;
  return Number.isFinite(turns) ? ((turns % 360) + 360) % 360 : 0;
}

function aspect(text: string | undefined): [number, number] {
  const match = /^(\d+):(\d+)$/.exec(text ?? "");
  const num = Number(match?.[1] ?? 1);
  const den = Number(match?.[2] ?? 1);
  return num > 0 && den > 0 ? [num, den] : [1, 1];
}

function ratio(text: string | undefined): number {
  const [num, den] = (text ?? "0/0").split("/").map(Number);
  return num && den ? num / den : 0;
}

/** Decimal seconds as integer microseconds without passing through a binary fraction of them. */
function micros(seconds: string | undefined): number | null {
  if (seconds === undefined || !/^-?\d+(\.\d+)?$/.test(seconds)) return null;
  return Math.round(Number(seconds) * 1e6);
}
