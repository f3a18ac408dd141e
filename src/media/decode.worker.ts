import { parentPort, workerData } from "node:worker_threads";
import { FlowError, toFlowError } from "../contracts/errors.js";
import { giveWay } from "../contracts/give-way.js";
import type { AudioTapFactory, FrameTapFactory } from "../contracts/media.js";
import { Attempt } from "./decode-attempt.js";
import { AudioTrack } from "./audio-track.js";
import type { DecodeJob, WorkerMessage } from "./decode-protocol.js";
import { HealthLog } from "./health-log.js";
import { loadTaps } from "./load-taps.js";
import { isUrl } from "./uri.js";
import type { Session, Track } from "./track.js";
import { VideoTrack } from "./video-track.js";

/*
 * The media worker of one decode. Paced by ring slots (an output without a free slot stops its pipe and with it ffmpeg); memory is the rings,
 * one chunk per pipe and the row batches. The main thread frees slots; this thread ends when ffmpeg has ended and all is posted.
 */
const TICK_MS = 500;
const port = parentPort;
if (port === null) throw new Error("decode.worker runs in a worker thread only");
giveWay();
const job = workerData as DecodeJob;

/** What is posted waits this long for company: a message costs the main thread a millisecond of waking up, and nobody needs it sooner. */
const SEND_MS = 100;
let outbox: WorkerMessage[] = [];
let transfers: ArrayBuffer[] = [];
let sentAt = 0;
const post = (message: WorkerMessage, transfer?: ArrayBuffer[]): void => {
  outbox.push(message);
  if (transfer) transfers.push(...transfer);
};
const send = (): void => {
  if (outbox.length === 0) return;
  sentAt = performance.now();
  port.postMessage(outbox, transfers);
  outbox = [];
  transfers = [];
};

let stopped = false;
let current: Attempt | null = null;
port.on("message", () => {
  stopped = true;
  current?.stop();
});

const videoTaps = await Promise.all(job.tracks.map((track) => (track.kind === "video" ? loadTaps<FrameTapFactory>(track.taps) : []))).catch(fail);
const audioTaps = await Promise.all(job.tracks.map((track) => (track.kind === "audio" ? loadTaps<AudioTapFactory>(track.taps) : []))).catch(fail);

function fail(error: unknown): null {
  post({ type: "failed", error: toFlowError(error).toJSON() });
  return null;
}

let framesDecoded = 0;
let rawBytes = 0;
let starvedMs = 0;
let ffmpegMs = 0;
let attempts = 0;

function makeTracks(session: Session): Track[] {
  return job.tracks.map((track, index) => {
    if (track.kind === "video") {
      const { width, height } = track;
      const taps = (videoTaps?.[index] ?? []).map(({ key, config, factory }) => ({ key, tap: factory(config, { width, height }) }));
      return new VideoTrack(index, track, session, taps);
    }
    const { sampleRate, channels } = track;
    return new AudioTrack(index, track, session, (startUs) =>
      (audioTaps?.[index] ?? []).map(({ key, config, factory }) => ({ key, tap: factory(config, { sampleRate, channels, startUs }) })),
    );
  });
}

/** How far ffmpeg has got, in the picture where there is one: a complaint is about what comes next. −1: not at all. */
function writtenUs(tracks: Track[]): number {
  const track = densest(tracks) ?? tracks[0];
  return track === undefined || Number.isNaN(track.writtenUs) ? -1 : track.writtenUs;
}

function densest(tracks: Track[]): VideoTrack | null {
  let best: VideoTrack | null = null;
  for (const track of tracks) if (track instanceof VideoTrack && (best === null || track.frames > best.frames)) best = track;
  return best;
}

/** Throws when ffmpeg failed before it gave anything: then no output is empty, it is unknown. */
function assertDecoded(tracks: readonly Track[], health: HealthLog, exitCode: number | null): void {
  if (exitCode === 0 || tracks.some((track) => track.queue.received > 0)) return;
  throw new FlowError("MEDIA_DECODE_FAILED", `ffmpeg could not decode anything${health.last ? `: ${health.last}` : ` (exit code ${exitCode})`}.`, {
    hint: isUrl(job.uri)
      ? "Download it and take the file: a server that answers no ranges cannot give a medium whose index lies at its end."
      : "Play the file in another player; if it is cut off or damaged, copy it again.",
    permanent: !isUrl(job.uri),
  });
}

const jumpMessage = (atUs: number): string =>
  `behind ${(atUs / 1e6).toFixed(1)} s the timestamps jump back, as in joined files: what follows has no times of its own; \`ffmpeg -i IN -c copy OUT.mkv\` gives it some`;

async function attempt(index: number): Promise<"again" | "end"> {
  const { args, seekUs } = job.attempts[index] as DecodeJob["attempts"][number];
  const last = index === job.attempts.length - 1;
  const health = new HealthLog(job.uri, (message) => {
    // A seek into the middle of references makes the decoder complain until the next key frame: not this medium's damage.
    if (seekUs === null || session.confirmed) post({ type: "health", message, atUs: writtenUs(tracks) });
  });
  const hasVideo = job.tracks.some((track) => track.kind === "video");
  let jumped = false;
  const session: Session = {
    post,
    health: (message) => health.add(message),
    jumped: (atUs) => {
      if (!jumped) health.add(jumpMessage(atUs));
      jumped = true;
    },
    confirmed: !hasVideo || (job.verify === null && seekUs === null),
    confirm: () => {
      session.confirmed = true;
      // Not now: the confirming track is in the middle of its own pump.
      setImmediate(() => run.pumpAll());
    },
    assertWhole: (exitCode) => {
      if (!health.lost) return assertDecoded(tracks, health, exitCode);
      const atUs = writtenUs(tracks);
      throw new FlowError("MEDIA_CONNECTION_LOST", `The connection was lost${atUs < 0 ? "" : ` ${(atUs / 1e6).toFixed(1)} s into the medium`}.`, { hint: "Run it again; it continues where it stopped." });
    },
    fromUs: job.fromUs,
    verify: job.verify,
    seeking: seekUs !== null,
    startUs: job.startUs,
  };
  const tracks = makeTracks(session);
  const startedAt = performance.now();
  const deliver = (beat: boolean): void => {
    for (const track of tracks) if (!track.ended) track.tellWatermark(beat);
    send();
  };
  const tick = (): void => {
    const track = densest(tracks);
    if (track && track.frames > 0) post({ type: "progress", ptsUs: track.lastUs, frames: framesDecoded + track.frames });
    deliver(true);
  };
  const afterTurn = (starving: boolean): void => {
    if (starving || (outbox.length > 0 && performance.now() - sentAt >= SEND_MS)) deliver(false);
  };
  const run = new Attempt(job.ffmpeg, args, job.tracks, tracks, session, (text) => health.push(text), afterTurn);
  current = run;
  if (stopped) run.stop();
  const look = (): void => {
    for (const track of tracks) track.flushOldRows(performance.now());
    afterTurn(false);
  };
  const timers = [setInterval(tick, TICK_MS), setInterval(look, SEND_MS)];
  const end = await run.done.finally(() => timers.forEach((timer) => clearInterval(timer)));
  framesDecoded += densest(tracks)?.frames ?? 0;
  for (const track of tracks) rawBytes += track.queue.received;
  starvedMs += run.starvedMs;
  ffmpegMs += performance.now() - startedAt;
  attempts++;
  for (const track of tracks) if (!track.ended) track.abandon();
  if (end.outcome === "stopped") return "end";
  if (end.startError) throw new FlowError("FFMPEG_MISSING", `ffmpeg could not be started: ${end.startError.message}.`, { hint: "Run `flow doctor`.", cause: end.startError });
  const received = tracks.reduce((sum, track) => sum + track.queue.received, 0);
  if (end.outcome === "mismatch" && !last) return "again";
  if (end.outcome === "mismatch" && received > 0) {
    throw new FlowError("MEDIA_RESUME_MISMATCH", "The frame at which the interrupted run stopped is not in this medium any more.", {
      hint: "The decoder or the file has changed: run this medium again with --force.",
    });
  }
  health.end();
  assertDecoded(tracks, health, end.exitCode);
  if (received === 0) post({ type: "health", message: "the decoder found no frame and no sound", atUs: -1 });
  if (end.exitCode !== 0) post({ type: "health", message: `ffmpeg ended early (exit code ${end.exitCode ?? "none"})`, atUs: writtenUs(tracks) });
  return "end";
}

if (videoTaps !== null && audioTaps !== null) {
  try {
    for (let n = 0; n < job.attempts.length && !stopped; n++) if ((await attempt(n)) === "end") break;
    post({ type: "done", stats: { framesDecoded, rawBytes, starvedMs: Math.round(starvedMs), ffmpegMs: Math.round(ffmpegMs), attempts } });
  } catch (error) {
    fail(error);
  }
}
send();
port.close();
