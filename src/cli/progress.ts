import { basename } from "node:path";
import type { RunProgress } from "../engine/index.js";
import { clock, coloursFor, cut, elapsed } from "./output.js";

export interface ProgressOptions {
  stream: NodeJS.WriteStream;
  /** off: --quiet. */
  format: "text" | "json" | "off";
}

/** What the bar shows, computed from a run's progress; times in microseconds of the source. */
export interface ProgressFigures {
  doneUs: number;
  /** null while no duration is known. */
  totalUs: number | null;
  timesRealTime: number;
  framesPerSecond: number;
  /** Items waiting in or running from each node's queue, longest first. */
  queues: [node: string, items: number][];
  /** null where nothing tells it: no duration, several passes, everything decoded. */
  etaMs: number | null;
  media: number;
  mediaDone: number;
}

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;
/** Less of the source than this is its end: frames do not end where the container says. */
const NOTHING_LEFT_US = 200_000;

/** A bar that rewrites its line on a terminal, a plain line every 5 s elsewhere; written to stderr so that stdout stays the command's. */
export class ProgressBar {
  private readonly started = performance.now();
  private readonly seen = new Map<string, { fromUs: number; ptsUs: number; durationUs: number | null; frames: number }>();
  private lastShown: number;
  private drawn = false;
  private mediaDone = 0;
  private readonly c: ReturnType<typeof coloursFor>;

  constructor(private readonly options: ProgressOptions) {
    this.c = coloursFor(options.stream);
    this.lastShown = options.format === "text" && options.stream.isTTY ? -Infinity : this.started;
  }

  update(progress: RunProgress): void {
    const active = new Set(progress.active.map((medium) => medium.uri));
    for (const { uri, ptsUs, durationUs, frames } of progress.active) {
      const before = this.seen.get(uri);
      // What is replayed from the store before the first frame is no speed of ours.
      const fromUs = before && before.frames > 0 ? before.fromUs : frames === 0 ? ptsUs : (before?.fromUs ?? 0);
      this.seen.set(uri, { fromUs, ptsUs: Math.max(ptsUs, before?.ptsUs ?? 0), durationUs, frames: Math.max(frames, before?.frames ?? 0) });
    }
    // A medium that was finished is behind us in full, whatever its last report said (a failed or interrupted one is not counted as done).
    if (progress.mediaDone > this.mediaDone) for (const [uri, medium] of this.seen) if (!active.has(uri)) medium.ptsUs = Math.max(medium.ptsUs, medium.durationUs ?? 0);
    this.mediaDone = progress.mediaDone;
    if (this.options.format === "off") return;
    const bar = this.options.format === "text" && this.options.stream.isTTY;
    const now = performance.now();
    if (now - this.lastShown < (bar ? BAR_EVERY_MS : LINE_EVERY_MS)) return;
    this.lastShown = now;
    const figures = this.figures(progress);
    if (this.options.format === "json") this.options.stream.write(`${JSON.stringify({ event: "progress", at: new Date().toISOString(), ...figures })}\n`);
    else if (bar) this.draw(figures, progress);
    else this.options.stream.write(`${line(figures, progress)}\n`);
  }

  figures(progress: RunProgress): ProgressFigures {
    const all = [...this.seen.values()];
    const doneUs = all.reduce((sum, medium) => sum + medium.ptsUs, 0);
    const known = all.length > 0 && all.every((medium) => medium.durationUs !== null);
    // Media that have not begun are taken to be as long as those that have.
    const knownUs = all.reduce((sum, medium) => sum + (medium.durationUs ?? 0), 0);
    const totalUs = known ? Math.max(doneUs, Math.round((knownUs / all.length) * Math.max(progress.media, all.length))) : null;
    const seconds = Math.max(1e-3, (performance.now() - this.started) / 1000);
    const timesRealTime = this.sourceUs / 1_000_000 / seconds;
    // What still waits in queues behind the last frame, or in later passes, has no length of the source.
    const leftUs = totalUs === null || progress.pass || totalUs - doneUs < NOTHING_LEFT_US ? null : totalUs - doneUs;
    return {
      doneUs,
      totalUs,
      timesRealTime,
      framesPerSecond: all.reduce((sum, medium) => sum + medium.frames, 0) / seconds,
      queues: Object.entries(progress.queues).filter(([, items]) => items > 0).sort(([, a], [, b]) => b - a),
      etaMs: leftUs === null || timesRealTime < 1e-6 ? null : leftUs / 1000 / timesRealTime,
      media: progress.media,
      mediaDone: progress.mediaDone,
    };
  }

  /** Source time that went by in this run, all media together. */
  get sourceUs(): number {
    return [...this.seen.values()].reduce((sum, medium) => sum + medium.ptsUs - medium.fromUs, 0);
  }

  /** Takes the bar off the screen; what is printed next starts on a clean line. */
  clear(): void {
    if (this.drawn) this.options.stream.write("\r\u001b[K");
    this.drawn = false;
  }

  private draw(figures: ProgressFigures, progress: RunProgress): void {
    const { c } = this;
    const share = figures.totalUs ? Math.min(1, figures.doneUs / figures.totalUs) : 0;
    const cells = 22;
    const full = Math.round(share * cells);
    const bar = `${c.cyan("█".repeat(full))}${c.dim("░".repeat(cells - full))} ${String(Math.floor(share * 100)).padStart(3)} %`;
    const room = (this.options.stream.columns || 100) - cells - 8;
    this.options.stream.write(`\r\u001b[K${bar}  ${cut(line(figures, progress), room)}`);
    this.drawn = true;
  }
}

/** `0:31 / 1:13  12.4×  310 frames/s  queue text 12  ETA 3.4 s  clip.mp4`. */
function line(figures: ProgressFigures, progress: RunProgress): string {
  const parts = [
    figures.totalUs === null ? clock(figures.doneUs, 0) : `${clock(figures.doneUs, 0)} / ${clock(figures.totalUs, 0)}`,
    `${figures.timesRealTime.toFixed(1)}× real time`,
    `${Math.round(figures.framesPerSecond)} frames/s`,
  ];
  const [busiest] = figures.queues;
  if (busiest) parts.push(`busiest ${busiest[0]}`, `queues ${figures.queues.slice(0, 3).map(([node, items]) => `${node} ${items}`).join(" ")}`);
  if (figures.etaMs !== null) parts.push(`ETA ${elapsed(figures.etaMs)}`);
  if (progress.pass) parts.push(`pass ${progress.pass.index}/${progress.pass.of}`);
  if (progress.media > 1) parts.push(`${progress.mediaDone}/${progress.media} media`);
  const [first] = progress.active;
  if (first) parts.push(basename(first.uri));
  return parts.join("  ");
}
