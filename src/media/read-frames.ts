import type { Readable } from "node:stream";
import { FlowError } from "../contracts/errors.js";
import type { Interval } from "../contracts/items.js";
import type { MediumInfo, VideoDemand } from "../contracts/media.js";
import { ffmpegPath, requireAbilities } from "./binaries.js";
import { clipInput, clipOutput } from "./clip-packets.js";
import { SCALERS, gridSelect } from "./ffmpeg-args.js";
import { killGuarded, spawnGuarded } from "./guard.js";
import { outputSize } from "./output-size.js";
import { PacketLines } from "./packet-lines.js";
import { redactUri } from "./uri.js";

/** Which frames of an interval are wanted, and how. */
export interface FramesWanted extends Pick<VideoDemand, "size" | "geometry"> {
  /**
   * fps: the first frame at or after the interval's start and after every 1/fps s from there. count: the same, with the rate that gives this
   * many (fewer where the interval has fewer). at: the frames of these times (µs from the medium's start).
   */
  which: { fps: number | "all" } | { count: number } | { at: readonly number[] };
  /** Frames at most; reading ends there. */
  limit?: number;
}

/** One decoded frame, the reader's own. */
export interface ReadFrame {
  ptsUs: number;
  width: number;
  height: number;
  /** rgb24, width × height × 3. */
  pixels: Uint8Array<ArrayBuffer>;
}

const TRIM_SLACK_US = 50_000;
/** How far before the interval decoding begins: frames need those they refer to, and containers seek inexactly. */
const PREROLL_US = [3_000_000, 10_000_000, 30_000_000];

/**
 * Decodes frames of one interval again, apart from the medium's one decode: for operators that look at a whole scene and are run later, in a pool
 * worker or a test. Frames come in order with their true times, the same ones on every machine; a reader that stops early stops ffmpeg, one that is
 * slow holds it, and ffmpeg ends with this process. At most two frames lie in memory. Throws MEDIA_DECODE_FAILED.
 */
export async function* readFrames(info: MediumInfo, interval: Interval, wanted: FramesWanted): AsyncGenerator<ReadFrame, void> {
  const { video } = info;
  const limit = wanted.limit ?? Infinity;
  if (video === null || limit < 1 || ("at" in wanted.which && wanted.which.at.length === 0)) return;
  if (info.kind === "image") return yield* readImage(info, wanted);
  const firstUs = "at" in wanted.which ? Math.min(...wanted.which.at) : interval.startUs;
  const seeks = [...PREROLL_US.map((preroll) => firstUs - preroll).filter((seekUs) => seekUs > 0), null];
  for (const seekUs of seeks) {
    let given = 0;
    let tried = false;
    for await (const frame of decode(info, interval, wanted, seekUs)) {
      // The first frame shows where the seek landed: behind the point, what is missing before it is unknown.
      if (!tried && seekUs !== null && frame.ptsUs >= firstUs) break;
      tried = true;
      if (!isWanted(frame.ptsUs, interval, wanted)) continue;
      yield frame;
      if (++given >= limit) return;
    }
    if (tried) return;
  }
}

/** `isnan(prev_t)` lets the first frame through in every case: it tells where a seek has landed. */
function select(info: MediumInfo, interval: Interval, { which }: FramesWanted): string {
  const fromUs = info.startUs + interval.startUs;
  if ("at" in which) {
    const near = which.at.map((ptsUs) => `between(t\\,${seconds(info.startUs + ptsUs - 2)}\\,${seconds(info.startUs + ptsUs + 2)})`);
    return `select='isnan(prev_t)+${near.join("+")}',`;
  }
  const fps = rate(interval, which);
  return fps === "all" ? "" : `${gridSelect(fps, fromUs)},`;
}

const rate = ({ startUs, endUs }: Interval, which: { fps: number | "all" } | { count: number }): number | "all" => ("fps" in which ? which.fps : (which.count * 1e6) / Math.max(1, endUs - startUs));
const seconds = (us: number): string => (us / 1e6).toFixed(6);

function isWanted(ptsUs: number, { startUs, endUs }: Interval, { which }: FramesWanted): boolean {
  return "at" in which ? which.at.some((at) => Math.abs(at - ptsUs) <= 2) : ptsUs >= startUs && ptsUs < endUs;
}

async function* decode(info: MediumInfo, interval: Interval, wanted: FramesWanted, seekUs: number | null): AsyncGenerator<ReadFrame, void> {
  const ffmpeg = ffmpegPath();
  const { passthrough } = await requireAbilities(ffmpeg);
  const [width, height] = outputSize(info.video!, wanted);
  const endUs = "at" in wanted.which ? Math.max(...wanted.which.at) : interval.endUs;
  const args = [...(passthrough === "-vsync" ? ["-vsync", "0"] : []), ...clipInput(info, seekUs)];
  // trim rounds to the stream's ticks: a little more comes, and isWanted is exact.
  const end = Number.isFinite(endUs) ? `trim=end=${seconds(info.startUs + endUs + TRIM_SLACK_US)},` : "";
  args.push("-filter_complex", `[0:V:0]${end}${select(info, interval, wanted)}scale=${width}:${height}:flags=${SCALERS[wanted.geometry]},format=rgb24[v]`);
  args.push("-map", "[v]", "-enc_time_base", "1:1000000");
  if (passthrough === "-fps_mode") args.push("-fps_mode", "passthrough");
  args.push("-c:v", "rawvideo", ...clipOutput("rawvideo"));

  const child = spawnGuarded(ffmpeg, args, 2);
  const ended = new Promise<number | null>((resolve) => child.once("error", () => resolve(null)).once("close", resolve));
  const stdio = child.stdio as unknown as (Readable | null)[];
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-2000)));
  child.stdio[3]?.on("error", () => {});
  const times = new FrameTimes(stdio[4]!, info.startUs);
  const raw = stdio[5]!;
  let frames = 0;
  try {
    let pixels = new Uint8Array(width * height * 3);
    let filled = 0;
    for await (const chunk of raw as AsyncIterable<Uint8Array>) {
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + pixels.length - filled);
        pixels.set(part, filled);
        at += part.length;
        filled += part.length;
        if (filled < pixels.length) continue;
        const ptsUs = await times.next();
        if (ptsUs === null) return;
        frames += 1;
        yield { ptsUs, width, height, pixels };
        pixels = new Uint8Array(pixels.length);
        filled = 0;
      }
    }
    const code = await ended;
    if (code !== 0 && frames === 0 && seekUs === null) {
      throw new FlowError("MEDIA_DECODE_FAILED", `${redactUri(info.uri)}: the frames from ${seconds(interval.startUs)} s could not be decoded${stderr === "" ? "" : `: ${redactUri(stderr.trim().split("\n").at(-1)!)}`}.`, {
        hint: "Play the file in another player; if it is cut off or damaged, copy it again.",
      });
    }
  } finally {
    killGuarded(child);
    raw.destroy();
    await ended;
  }
}

/** Times of the frames, as framecrc tells them beside the payload. */
class FrameTimes {
  readonly #lines = new PacketLines();
  #ended = false;
  #wake: (() => void) | null = null;

  constructor(
    lines: Readable,
    private readonly startUs: number,
  ) {
    lines.on("data", (text: Buffer) => {
      this.#lines.push(text);
      this.#wake?.();
    });
    lines.on("error", () => {});
    lines.once("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  /** Null when there is none any more. */
  async next(): Promise<number | null> {
    for (;;) {
      const line = this.#lines.next();
      const [num, den] = this.#lines.timeBase;
      if (line !== null) return Math.round((line.pts * num * 1e6) / den) - this.startUs;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** A picture is one frame at 0 µs. */
async function* readImage(info: MediumInfo, { size, geometry }: FramesWanted): AsyncGenerator<ReadFrame, void> {
  // sharp is loaded when a picture needs it.
  const { openImage } = await import("./image.js");
  const { events } = openImage(info, { video: [{ key: "frames", demand: { size, fps: "all", geometry }, slots: 1, deliver: true, taps: [] }], audio: [] });
  const frame = await new Promise<ReadFrame | null>((resolve, reject) => {
    let found: ReadFrame | null = null;
    events.subscribe({
      next: (event) => {
        if (event.type !== "delivery") return;
        const { slot, release } = event.delivery;
        found = { ptsUs: 0, width: slot.width, height: slot.height, pixels: new Uint8Array(new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength)) };
        release();
      },
      error: reject,
      complete: () => resolve(found),
    });
  });
  if (frame) yield frame;
}
