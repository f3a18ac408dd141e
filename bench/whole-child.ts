/** One run of a graph through the SDK, measured from inside: `node whole-child.js GRAPH INPUT STORE SAMPLE_MS [NAME=VALUE…]`. Prints one JSON document. */
import { readFileSync } from "node:fs";
import { tightHeaps } from "../src/inference/tight-heaps.js";
import { runGraph } from "../src/sdk.js";
import { sampleTree } from "../test/engine/fixtures/process-tree.js";

export interface WholeRun {
  status: string;
  wallMs: number;
  /** This process (all its threads) and its children, from the start of the process. */
  cpuMs: { own: number; children: number };
  /** Share of the run in which the event loop was not idle: where all cores are in use, that includes waiting for one. */
  mainUtilisation: number;
  /** Shares of the run in which the main thread computed, and in which it waited for a core (Linux, else null). */
  main: { computed: number; waited: number } | null;
  inferences: number;
  framesDecoded: number;
  digest: string;
  digestNumbers: string;
  done: Record<string, number>;
  passes: number;
  /** Sessions made, of all models. */
  loads: number;
  /** [ms since the start, µs of the medium, bytes of RssAnon + RssShmem of all processes] */
  samples: [number, number, number][];
}

const CLOCK_TICK_MS = 10;

/** CPU of children that have ended and been waited for. */
function childrenCpuMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[13]) + Number(fields[14])) * CLOCK_TICK_MS;
}

/** Computed and waited for a core so far, ms: the scheduler's own account of the first thread. */
function mainThreadMs(): [number, number] | null {
  try {
    const [computed, waited] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ").map(Number) as [number, number];
    return [computed / 1e6, waited / 1e6];
  } catch {
    return null;
  }
}

const [graph, input, store, sampleMs, ...rest] = process.argv.slice(2) as [string, string, string, string, ...string[]];
// As the command does.
tightHeaps();
const samples: WholeRun["samples"] = [];
let ptsUs = 0;
const started = performance.now();
const sample = (): void => void samples.push([Math.round(performance.now() - started), ptsUs, sampleTree(process.pid).bytes]);
const timer = Number(sampleMs) > 0 ? setInterval(sample, Number(sampleMs)) : null;
const before = performance.eventLoopUtilization();
const mainBefore = mainThreadMs();
const summary = await runGraph(graph, {
  store, inputs: [input], models: process.env["BENCH_MODELS"] ? [process.env["BENCH_MODELS"]] : [], params: Object.fromEntries(rest.map((pair) => pair.split("=") as [string, string])),
  onProgress: ({ active }) => (ptsUs = Math.max(ptsUs, active[0]?.ptsUs ?? 0)),
});
const mainUtilisation = performance.eventLoopUtilization(before).utilization;
const wallMs = performance.now() - started;
const mainAfter = mainThreadMs();
const main = mainBefore && mainAfter && { computed: (mainAfter[0] - mainBefore[0]) / wallMs, waited: (mainAfter[1] - mainBefore[1]) / wallMs };
if (timer) clearInterval(timer);
const { userCPUTime, systemCPUTime } = process.resourceUsage();
const { status, inferences, framesDecoded, digest, digestNumbers, nodes, passes } = summary;
const loads = Object.values(summary.loads).reduce((sum, n) => sum + n, 0);
const done = Object.fromEntries(Object.entries(nodes).map(([name, counts]) => [name, counts.done]));
console.log(JSON.stringify({ status, wallMs, cpuMs: { own: (userCPUTime + systemCPUTime) / 1000, children: childrenCpuMs() }, mainUtilisation, main, inferences, framesDecoded, digest, digestNumbers, done, passes, loads, samples } satisfies WholeRun));
