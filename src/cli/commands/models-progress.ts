import type { PullFile } from "../../models/store/index.js";
import { coloursFor, cut, elapsed, size } from "../output.js";

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;
/** The rate is that of the last seconds: a mirror that slows down shows at once. */
const WINDOW_MS = 8_000;

/** A bar on a terminal that rewrites its line; elsewhere a line per finished file and one every 5 s. On stderr. */
export class PullProgress {
  private readonly c: ReturnType<typeof coloursFor>;
  private readonly samples: { atMs: number; bytes: number }[] = [];
  private readonly told = new Set<PullFile>();
  private shownMs = performance.now();
  private drawn = false;

  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly format: "text" | "json" | "off",
  ) {
    this.c = coloursFor(stream);
  }

  update(files: readonly PullFile[]): void {
    if (this.format === "off") return;
    const now = performance.now();
    const bar = this.format === "text" && this.stream.isTTY;
    for (const file of files) {
      if ((file.state !== "done" && file.state !== "failed") || this.told.has(file)) continue;
      this.told.add(file);
      this.clear();
      if (this.format === "json") this.stream.write(`${JSON.stringify({ event: "pulled", at: new Date().toISOString(), file: file.name, bytes: file.bytes, ok: file.state === "done" })}\n`);
      else this.stream.write(`${file.state === "done" ? this.c.green("pulled") : this.c.red("failed")} ${file.name}${file.bytes > 0 ? `  ${size(file.bytes)}` : ""}\n`);
    }
    if (now - this.shownMs < (bar ? BAR_EVERY_MS : LINE_EVERY_MS)) return;
    this.shownMs = now;
    const figures = this.figures(files, now);
    if (this.format === "json") this.stream.write(`${JSON.stringify({ event: "pull-progress", at: new Date().toISOString(), ...figures })}\n`);
    else if (bar) this.draw(figures, files);
    else this.stream.write(`${line(figures, files)}\n`);
  }

  clear(): void {
    if (this.drawn) this.stream.write("\r\u001b[K");
    this.drawn = false;
  }

  private figures(files: readonly PullFile[], now: number): Figures {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const total = files.some((file) => file.total === null) ? null : files.reduce((sum, file) => sum + (file.total ?? 0), 0);
    this.samples.push({ atMs: now, bytes });
    while (this.samples.length > 2 && now - this.samples[0]!.atMs > WINDOW_MS) this.samples.shift();
    const [oldest] = this.samples as [(typeof this.samples)[number]];
    const bytesPerSecond = now > oldest.atMs ? Math.max(0, ((bytes - oldest.bytes) / (now - oldest.atMs)) * 1000) : 0;
    const etaMs = total === null || bytesPerSecond === 0 ? null : ((total - bytes) / bytesPerSecond) * 1000;
    return { bytes, total, bytesPerSecond, etaMs };
  }

  private draw(figures: Figures, files: readonly PullFile[]): void {
    const share = figures.total ? Math.min(1, figures.bytes / figures.total) : 0;
    const cells = 22;
    const full = Math.round(share * cells);
    const bar = `${this.c.cyan("█".repeat(full))}${this.c.dim("░".repeat(cells - full))} ${String(Math.floor(share * 100)).padStart(3)} %`;
    this.stream.write(`\r\u001b[K${bar}  ${cut(line(figures, files), (this.stream.columns ?? 100) - cells - 8)}`);
    this.drawn = true;
  }
}

interface Figures {
  bytes: number;
  total: number | null;
  bytesPerSecond: number;
  etaMs: number | null;
}

/** `12.3 MB / 45 MB  3.1 MB/s  ETA 11 s  2/5 files  clip-vision/onnx/vision_model.onnx`. */
function line({ bytes, total, bytesPerSecond, etaMs }: Figures, files: readonly PullFile[]): string {
  const parts = [total === null ? size(bytes) : `${size(bytes)} / ${size(total)}`, `${size(bytesPerSecond)}/s`];
  if (etaMs !== null) parts.push(`ETA ${elapsed(etaMs)}`);
  parts.push(`${files.filter((file) => file.state === "done").length}/${files.length} files`);
  const running = files.find((file) => file.state === "running");
  if (running) parts.push(running.name);
  return parts.join("  ");
}
