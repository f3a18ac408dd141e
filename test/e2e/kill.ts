/** Kills a run with SIGKILL at random moments until it has been killed `kills` times, then lets it finish. Shared by the test and the bench command. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { left, marked } from "../processes.js";
import { flow, start } from "./flow.js";

export interface KillReport {
  kills: number;
  /** Runs that finished before their kill came; each then starts over on a fresh store. */
  finishedEarly: number;
  mismatches: string[];
  /** Kills that left a process of the run: an ffmpeg, its guard, a process of a pool. */
  orphans: number;
}

/** In the environment of a killed run, so that its processes are told from those of tests beside it. */
const MARK = "FLOW_TEST_KILLED_RUN";

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
      const mark = randomUUID();
      const { child, ended } = start(["run", graph, medium, "--store", store, "--json", ...args], { env: { [MARK]: mark } });
      // At once: one that has just ended by itself has no environment any more.
      if (!marked(MARK, mark).includes(child.pid!)) throw new Error("a run does not carry its mark: what it leaves could not be found");
      const result = await Promise.race([ended, delay(150 + random() * wholeMs).then(() => null)]);
      if (result) {
        report.finishedEarly += 1;
        break;
      }
      child.kill("SIGKILL");
      await ended;
      report.kills += 1;
      if ((await left(() => marked(MARK, mark))).length > 0) report.orphans += 1;
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
