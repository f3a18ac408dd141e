/** Kills a run with SIGKILL at random moments until it has been killed `kills` times, then lets it finish. Shared by the test and the bench command. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { flow, start } from "./flow.js";

export interface KillReport {
  kills: number;
  /** Runs that finished before their kill came; each then starts over on a fresh store. */
  finishedEarly: number;
  mismatches: string[];
  orphans: number;
}

/** Processes whose command line names the medium: an ffmpeg that outlived us. */
export function ffmpegsOn(path: string): number {
  let found = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      // The input is given as file:PATH.
      if (line[0]!.includes("ffmpeg") && line.some((word) => word.endsWith(path))) found += 1;
    } catch {
      // gone meanwhile
    }
  }
  return found;
}

async function noneLeft(path: string): Promise<boolean> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (ffmpegsOn(path) === 0) return true;
    await delay(50);
  }
  return false;
}

/** `random` in [0, 1). `storeOf(n)` names the n-th store folder. */
export async function killRuns(graph: string, medium: string, kills: number, random: () => number, storeOf: (n: number) => string, args: string[] = []): Promise<KillReport> {
  const reference = storeOf(0);
  const began = performance.now();
  const expected = await flow(["run", graph, medium, "--store", reference, "--json", ...args]);
  if (expected.json?.status !== "done") throw new Error(`reference run failed: ${expected.stdout}${expected.stderr}`);
  const wholeMs = performance.now() - began;
  const report: KillReport = { kills: 0, finishedEarly: 0, mismatches: [], orphans: 0 };
  for (let n = 1; report.kills < kills; n++) {
    const store = storeOf(n);
    // Several kills on one store: each resumes what the one before left.
    for (let round = 0; round < 4 && report.kills < kills; round++) {
      const { child, ended } = start(["run", graph, medium, "--store", store, "--json", ...args]);
      const result = await Promise.race([ended, delay(150 + random() * wholeMs).then(() => null)]);
      if (result) {
        report.finishedEarly += 1;
        break;
      }
      child.kill("SIGKILL");
      await ended;
      report.kills += 1;
      if (!(await noneLeft(medium))) report.orphans += 1;
    }
    const final = await flow(["run", graph, medium, "--store", store, "--json", ...args]);
    const diff = await flow(["diff", reference, store, "--json"]);
    if (final.json?.digest !== expected.json.digest || final.json?.digestNumbers !== expected.json.digestNumbers || final.json?.status !== "done") {
      report.mismatches.push(`store ${n}: ${JSON.stringify({ status: final.json?.status, digest: final.json?.digest, numbers: final.json?.digestNumbers, error: final.json?.error })} instead of ${expected.json.digest} ${expected.json.digestNumbers}`);
    } else if (diff.json?.equal !== true) report.mismatches.push(`store ${n}: diff ${diff.stdout.slice(0, 500)}`);
  }
  return report;
}

/** A deterministic stream of numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function remux(ffmpeg: string, from: string, to: string): void {
  execFileSync(ffmpeg, ["-nostdin", "-v", "error", "-y", "-i", from, "-map", "0:V", "-map", "0:a?", "-c", "copy", to]);
}
