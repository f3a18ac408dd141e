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
  mainUtilisation: number;
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

const [graph, input, store, sampleMs, ...rest] = process.argv.slice(2) as [string, string, string, string, ...string[]];
// As the command does.
tightHeaps();
const samples: WholeRun["samples"] = [];
let ptsUs = 0;
const started = performance.now();
const sample = (): void => void samples.push([Math.round(performance.now() - started), ptsUs, sampleTree(process.pid).bytes]);
const timer = Number(sampleMs) > 0 ? setInterval(sample, Number(sampleMs)) : null;
const before = performance.eventLoopUtilization();
const summary = await runGraph(graph, {
  store, inputs: [input], models: process.env["BENCH_MODELS"] ? [process.env["BENCH_MODELS"]] : [], params: Object.fromEntries(rest.map((pair) => pair.split("=") as [string, string])),
  onProgress: ({ active }) => (ptsUs = Math.max(ptsUs, active[0]?.ptsUs ?? 0)),
});
const mainUtilisation = performance.eventLoopUtilization(before).utilization;
const wallMs = performance.now() - started;
if (timer) clearInterval(timer);
const { userCPUTime, systemCPUTime } = process.resourceUsage();
const { status, inferences, framesDecoded, digest, digestNumbers, nodes, passes } = summary;
const loads = Object.values(summary.loads).reduce((sum, n) => sum + n, 0);
const done = Object.fromEntries(Object.entries(nodes).map(([name, counts]) => [name, counts.done]));
console.log(JSON.stringify({ status, wallMs, cpuMs: { own: (userCPUTime + systemCPUTime) / 1000, children: childrenCpuMs() }, mainUtilisation, inferences, framesDecoded, digest, digestNumbers, done, passes, loads, samples } satisfies WholeRun));
