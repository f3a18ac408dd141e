// Memory of a long run against a short one: RssAnon + RssShmem of all processes (LMDB's map counts in RSS and is not memory), sampled every second.
// Budget: the long input's peak within 10 % of the short one's; slope after the second minute of the medium <= 1 MB per 10 minutes of it;
// main-thread utilisation <= 0.1. node dist/bench/memory.bench.js [--short 5] [--long 60] [--fps 2]. Prints JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { COMMAND_ENV, inChild, median, round } from "./child.js";
import { EGO, loopClip } from "./inputs.js";
import type { WholeRun } from "./whole-child.js";

const { values } = parseArgs({ options: { short: { type: "string", default: "5" }, long: { type: "string", default: "60" }, fps: { type: "string", default: "2" } } });
const MB = 1e6;
const AFTER_US = 120e6;

/** Least-squares slope of memory over the medium's time, MB per 10 minutes. */
function slope(samples: WholeRun["samples"]): number {
  const late = samples.filter(([, ptsUs]) => ptsUs >= AFTER_US);
  const x = late.map(([, ptsUs]) => ptsUs / 600e6);
  const y = late.map(([, , bytes]) => bytes / MB);
  const mean = (list: number[]): number => list.reduce((sum, v) => sum + v, 0) / list.length;
  const [mx, my] = [mean(x), mean(y)];
  return x.reduce((sum, v, i) => sum + (v - mx) * (y[i]! - my), 0) / x.reduce((sum, v) => sum + (v - mx) ** 2, 0);
}

const dir = mkdtempSync(join(tmpdir(), "flow-bench-memory-"));
try {
  const measure = async (minutes: number): Promise<Record<string, unknown> & { peakMB: number; settledMB: number; slope: number; utilisation: number; main: WholeRun["main"] }> => {
    const film = loopClip(join(dir, `${minutes}.mp4`), minutes);
    const run = await inChild<WholeRun>("whole-child.js", [EGO, film, join(dir, `${minutes}.store`), "1000", `fps=${values.fps}`], COMMAND_ENV);
    if (run.status !== "done") throw new Error(`the ${minutes}-minute run ended ${run.status}`);
    const late = run.samples.filter(([, ptsUs]) => ptsUs >= AFTER_US).map(([, , bytes]) => bytes / MB);
    return {
      minutes, frames: run.framesDecoded, wallS: round(run.wallMs / 1000, 1), samples: run.samples.length,
      peakMB: round(Math.max(...run.samples.map(([, , bytes]) => bytes)) / MB, 1), settledMB: round(median(late), 1), slope: round(slope(run.samples), 2), utilisation: round(run.mainUtilisation), main: run.main && { computed: round(run.main.computed), waited: round(run.main.waited) },
      timelineMB: run.samples.filter((_, i) => i % Math.ceil(run.samples.length / 60) === 0).map(([, ptsUs, bytes]) => [Math.round(ptsUs / 1e6), round(bytes / MB, 1)]),
    };
  };
  const short = await measure(Number(values.short));
  const long = await measure(Number(values.long));
  const ratio = { peak: round(long.peakMB / short.peakMB), settled: round(long.settledMB / short.settledMB) };
  console.log(JSON.stringify({ bench: "memory", ok: ratio.peak <= 1.1 && long.slope <= 1 && long.utilisation <= 0.1, fps: values.fps, ratio, slopeMBPer10Minutes: long.slope, mainUtilisation: long.utilisation, main: long.main, short, long }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
