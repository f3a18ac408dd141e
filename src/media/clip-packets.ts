import type { Readable } from "node:stream";
import { FlowError } from "../contracts/errors.js";
import type { MediumInfo } from "../contracts/media.js";
import { ffmpegPath } from "./binaries.js";
import { FIRST_OUTPUT_FD } from "./ffmpeg-args.js";
import { killGuarded, spawnGuarded } from "./guard.js";
import { HealthLog } from "./health-log.js";
import { PacketLines, type PacketLine } from "./packet-lines.js";
import { ffmpegInput, isUrl, protocolWhitelist } from "./uri.js";

/** One packet of a short run's only output. */
export interface ClipPacket {
  /** In units of `timeBase` seconds, as the medium has it (not from the medium's start). */
  pts: number;
  timeBase: [number, number];
  /** Valid until the next packet is asked for. */
  bytes: Buffer;
}

const CRC_FD = FIRST_OUTPUT_FD;
const RAW_FD = FIRST_OUTPUT_FD + 1;

/** `-ss` (from the medium's start) and `-i` of one input of a short run. */
export function clipInput(info: MediumInfo, seekUs: number | null): string[] {
  const args = ["-nostdin", "-hide_banner", "-v", "error", "-copyts", "-filter_complex_threads", "1"];
  if (seekUs !== null) args.push("-ss", (seekUs / 1e6).toFixed(6));
  args.push("-protocol_whitelist", protocolWhitelist(info.uri));
  if (isUrl(info.uri) && /^https?:/i.test(info.uri)) args.push("-reconnect", "1", "-reconnect_delay_max", "5", "-rw_timeout", "30000000");
  return [...args, "-threads", "1", "-i", ffmpegInput(info.uri)];
}

/** The end of the arguments: payload as raw `format` beside a framecrc pipe that gives each packet's time. */
export function clipOutput(format: string): string[] {
  return ["-avoid_negative_ts", "disabled", "-map_metadata", "-1", "-f", "tee", `[f=framecrc]pipe:${CRC_FD}|[f=${format}]pipe:${RAW_FD}`];
}

/**
 * Runs ffmpeg on one output and gives its packets in order. It writes no faster than it is read, and it ends, however this ends: with the
 * loop that reads it, with `signal`, or with this process. Nothing decoded at all: MEDIA_DECODE_FAILED; a damaged rest is left out.
 */
export async function* clipPackets(info: MediumInfo, args: string[], signal?: AbortSignal): AsyncGenerator<ClipPacket, void, void> {
  signal?.throwIfAborted();
  const child = spawnGuarded(ffmpegPath(), args, 2);
  const stop = (): void => killGuarded(child);
  signal?.addEventListener("abort", stop);
  const health = new HealthLog(info.uri, () => {});
  let startError: Error | null = null;
  const exited = new Promise<number | null>((resolve) => child.on("close", resolve).on("error", (error) => ((startError = error), resolve(null))));
  const [, , stderr, guard, crc, raw] = child.stdio as unknown as (Readable | null)[];
  stderr?.setEncoding("utf8").on("data", (text: string) => health.push(text));
  for (const stream of [stderr, guard, crc]) stream?.on("error", () => {});
  let packets = 0;
  try {
    const lines = new Lines(crc);
    for await (const packet of cut(raw, lines)) {
      packets++;
      yield packet;
    }
    const code = await exited;
    signal?.throwIfAborted();
    if (startError) throw new FlowError("FFMPEG_MISSING", `ffmpeg could not be started: ${(startError as Error).message}.`, { hint: "Run `flow doctor`.", cause: startError });
    if (packets === 0 && code !== 0) {
      health.end();
      throw new FlowError("MEDIA_DECODE_FAILED", `ffmpeg could not decode anything${health.last ? `: ${health.last}` : ` (exit code ${code})`}.`, { hint: "Play the file in another player; if it is cut off or damaged, copy it again.", permanent: true });
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
    for (const stream of child.stdio) (stream as Readable | null)?.destroy();
  }
}

/** The framecrc lines, always read: an undrained pipe would stall ffmpeg. */
class Lines {
  readonly #lines = new PacketLines();
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(stream: Readable | null | undefined) {
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    stream?.on("data", (text: Buffer) => {
      this.#lines.push(text);
      this.#wake?.();
    });
    stream?.on("end", end).on("close", end);
    if (!stream) end();
  }

  get timeBase(): [number, number] {
    return this.#lines.timeBase;
  }

  /** The object is the same each time. */
  async next(): Promise<PacketLine | null> {
    for (;;) {
      const line = this.#lines.next();
      if (line !== null || this.#ended) return line;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }
}

/** Payload cut into packets by the lengths that the lines tell. A packet without its line, or without all its bytes, is none. */
async function* cut(raw: Readable | null | undefined, lines: Lines): AsyncGenerator<ClipPacket, void, void> {
  if (!raw) return;
  let line: PacketLine | null = null;
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of raw as AsyncIterable<Buffer>) {
    held.push(chunk);
    size += chunk.length;
    for (;;) {
      if (size === 0) break;
      line ??= await lines.next();
      if (line === null) return;
      if (size < line.bytes) break;
      const all: Buffer = held.length === 1 ? held[0]! : Buffer.concat(held, size);
      yield { pts: line.pts, timeBase: lines.timeBase, bytes: all.subarray(0, line.bytes) };
      size -= line.bytes;
      held = size > 0 ? [all.subarray(line.bytes)] : [];
      line = null;
    }
  }
}
