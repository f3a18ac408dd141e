import { Observable, type Subscriber } from "rxjs";
import { Worker } from "node:worker_threads";
import { FlowError } from "../contracts/errors.js";
import type { DecodeEvent, DecodeSpec, Delivery, MediumInfo } from "../contracts/media.js";
import { ffmpegPath, requireAbilities } from "./binaries.js";
import type { DecodeJob, TrackJob, WorkerMessage } from "./decode-protocol.js";
import { newStats, onceReleased, type DecodeStats } from "./decode-stats.js";
import { decodePipes, ffmpegArgs, type ArgOptions } from "./ffmpeg-args.js";
import { openImage } from "./image.js";
import { createRing, releaseSlot } from "./ring.js";

/** One decode of one medium. */
export interface Decode {
  /** Starts on subscription, once. Errors (FlowError) are fatal for this medium only; unsubscribing stops it. */
  readonly events: Observable<DecodeEvent>;
  /** Ends ffmpeg and the worker within 2 s. `events` completes without `end` for the outputs that were not done. Leases stay valid. */
  stop(): Promise<void>;
  readonly stats: Readonly<DecodeStats>;
}

const STOP_MS = 2000;
const PREROLL_US = [3_000_000, 10_000_000, 30_000_000];

/** Opens the one decode of a medium: every output of `spec` from a single ffmpeg process in a worker thread of its own (pictures: sharp). */
export function openDecode(info: MediumInfo, spec: DecodeSpec): Decode {
  if (info.kind === "image") return openImage(info, spec);
  return new FfmpegDecode(info, spec);
}

class FfmpegDecode implements Decode {
  readonly stats = newStats();
  readonly events: Observable<DecodeEvent>;
  #worker: Worker | null = null;
  #exited: Promise<void> = Promise.resolve();
  #subscribed = false;
  #stopped = false;
  #starting: Promise<void> | null = null;

  constructor(
    readonly info: MediumInfo,
    readonly spec: DecodeSpec,
  ) {
    this.events = new Observable((subscriber) => {
      if (this.#subscribed) {
        subscriber.error(new FlowError("INTERNAL", "A decode can be subscribed to once.", { hint: "Share the observable." }));
        return;
      }
      this.#subscribed = true;
      this.#starting = this.#start(subscriber).catch((error: unknown) => subscriber.error(error));
      return () => void this.stop();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#starting;
    const worker = this.#worker;
    if (worker === null) return;
    worker.postMessage("stop");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => void worker.terminate().then(() => resolve()), STOP_MS);
    });
    await Promise.race([this.#exited, late]);
    clearTimeout(timer);
  }

  async #start(subscriber: Subscriber<DecodeEvent>): Promise<void> {
    const ffmpeg = ffmpegPath();
    const { passthrough, levels } = await requireAbilities(ffmpeg);
    if (this.#stopped) return subscriber.complete();
    const job = decodeJob(this.info, this.spec, ffmpeg, { passthrough, levels });
    for (const output of [...this.spec.video, ...this.spec.audio]) {
      // An output the medium cannot feed is complete at once.
      if (!job.tracks.some((track) => track.output === output.key)) subscriber.next({ type: "end", output: output.key, endUs: 0, items: 0 });
    }
    if (job.tracks.length === 0) return subscriber.complete();
    // Flags of a caller such as --input-type would be refused by a worker that runs a file.
    const worker = new Worker(new URL("./decode.worker.js", import.meta.url), { workerData: job, name: "flow-media", resourceLimits: { maxYoungGenerationSizeMb: 8 }, execArgv: [] });
    this.#worker = worker;
    let finished = false;
    worker.on("message", (messages: WorkerMessage[]) => {
      for (const message of messages) {
        if (message.type === "done") {
          finished = true;
          Object.assign(this.stats, message.stats);
        } else if (message.type === "failed") {
          finished = true;
          const { code, message: text, hint } = message.error;
          subscriber.error(new FlowError(code, text, { hint, item: this.info.uri }));
        } else {
          const event = this.#event(job.tracks, message);
          if (message.type === "progress") this.stats.framesDecoded = message.frames;
          if (event.type === "delivery" && subscriber.closed) event.delivery.release();
          else subscriber.next(event);
        }
      }
    });
    worker.on("error", (cause) => {
      finished = true;
      subscriber.error(new FlowError("MEDIA_WORKER_FAILED", `The media worker failed: ${cause.message}.`, { hint: "Please report this with the output of `flow doctor --json`.", cause }));
    });
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        if (finished || this.#stopped) subscriber.complete();
        else subscriber.error(new FlowError("MEDIA_WORKER_FAILED", "The media worker ended without a word.", { hint: "Run it again; it continues where it stopped." }));
        resolve();
      });
    });
  }

  #event(tracks: TrackJob[], message: Exclude<WorkerMessage, { type: "done" | "failed" }>): DecodeEvent {
    if (message.type === "health" || message.type === "progress") return message;
    const track = tracks[message.track] as TrackJob;
    const output = track.output;
    switch (message.type) {
      case "item":
        return { type: "delivery", delivery: this.#delivery(track, message) };
      case "rows":
        return { type: "rows", output, tap: message.tap, columns: message.columns, ptsUs: message.ptsUs, data: message.data, adler: message.adler };
      case "watermark":
        return { type: "watermark", output, ptsUs: message.ptsUs };
      case "starving":
        return { type: "starving", output };
      case "end":
        return { type: "end", output, endUs: message.endUs, items: message.items };
    }
  }

  #delivery(track: TrackJob, item: Extract<WorkerMessage, { type: "item" }>): Delivery {
    const ring = track.ring;
    if (ring === null) throw new Error(`no ring for ${track.output}`);
    const { output } = track;
    const byteLength = track.kind === "video" ? track.width * track.height * 3 : windowFrames(track) * track.channels * 4;
    const [width, height] = track.kind === "video" ? [track.width, track.height] : [0, 0];
    return {
      output,
      ptsUs: item.ptsUs,
      frame: item.frame,
      adler: item.adler,
      samples: item.samples,
      slot: { buffer: ring.data, byteOffset: item.slot * ring.strideBytes, byteLength, width, height },
      release: onceReleased(output, item.ptsUs, this.stats, () => releaseSlot(ring, item.slot)),
    };
  }
}

function windowFrames(track: { windowUs: number; sampleRate: number }): number {
  return Math.round((track.windowUs * track.sampleRate) / 1e6);
}

function decodeJob(info: MediumInfo, spec: DecodeSpec, ffmpeg: string, abilities: Pick<ArgOptions, "passthrough" | "levels">): DecodeJob {
  const pipes = decodePipes(info, spec);
  const fps = info.video?.avgFps || info.video?.baseFps || 25;
  const tracks = pipes.map((pipe): TrackJob => {
    if (pipe.kind === "video") {
      const { key, deliver, slots, taps } = spec.video[pipe.index] as DecodeSpec["video"][number];
      const { width, height, crcFd, rawFd, demand } = pipe;
      const ring = deliver ? createRing(slots, width * height * 3) : null;
      const numbered = demand.fps === "all" && !spec.resume;
      return { kind: "video", output: key, crcFd, rawFd, deliver, ring, taps, width, height, fps: demand.fps, frameUs: Math.round(1e6 / fps), durationUs: info.durationUs, numbered };
    }
    const { key, deliver, slots, taps } = spec.audio[pipe.index] as DecodeSpec["audio"][number];
    const { crcFd, rawFd, demand } = pipe;
    const ring = deliver ? createRing(slots, windowFrames(demand) * demand.channels * 4) : null;
    return { kind: "audio", output: key, crcFd, rawFd, deliver, ring, taps, ...demand };
  });
  const fromUs = spec.resume?.fromUs ?? -Infinity;
  const wantedVerify = spec.resume?.verify ?? null;
  const track = tracks.findIndex((t) => t.kind === "video" && t.output === wantedVerify?.output);
  const verify = wantedVerify && track >= 0 ? { track, ptsUs: wantedVerify.ptsUs, adler: wantedVerify.adler | 0 } : null;
  const seeks: (number | null)[] = [null];
  if (spec.resume && info.video) {
    const targetUs = Math.min(fromUs, verify?.ptsUs ?? fromUs);
    seeks.unshift(...PREROLL_US.map((preroll) => targetUs - preroll).filter((seekUs) => seekUs > 0));
  }
  return {
    ffmpeg,
    uri: info.uri,
    startUs: info.startUs,
    attempts: seeks.map((seekUs) => ({ args: ffmpegArgs(info, spec, { ...abilities, seekUs }).args, seekUs })),
    tracks,
    fromUs,
    verify,
  };
}
