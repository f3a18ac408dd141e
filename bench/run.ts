/**
 * The bench command: `npm run bench [-- NAME… [--quick] [--with="ARGUMENTS"]]`. Each case in a fresh process, one after the other; its result goes to bench/results/NAME.json with
 * the machine, the versions and the exact command, then bench/results/SUMMARY.md is written from all results that are there. Exits 1 when a case breaks its
 * budget. --quick: shorter inputs and fewer rounds, said in the result. --with: arguments for the cases named, such as
 * --with="--kills 40".
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CLIP } from "./inputs.js";
import { figuresOf, summary, type CaseResult } from "./summary.js";
import { abilities } from "../src/media/index.js";
import { refuseTelemetry } from "../src/models/telemetry.js";

interface Case {
  module: string;
  args?: string[];
  quick?: string[];
}

const MEDIA = process.env["FLOW_MEDIA_DIR"];
const CASES: Record<string, Case> = {
  "content-score": { module: "content-score.bench.js" },
  decode: { module: "decode.bench.js", ...(MEDIA ? {} : { args: [CLIP] }) },
  whole: { module: "whole.bench.js", quick: ["--minutes", "5", "--rounds", "3"] },
  inference: { module: "inference.bench.js" },
  pipeline: { module: "pipeline.bench.js", quick: ["--seconds", "20", "--rounds", "3"] },
  gpu: { module: "gpu.bench.js" },
  "pipeline-gpu": { module: "pipeline.bench.js", args: ["--device", "webgpu"], quick: ["--seconds", "20", "--rounds", "1"] },
  fill: { module: "fill.bench.js" },
  isolation: { module: "isolation.bench.js", quick: ["--rounds", "20"] },
  budget: { module: "budget.bench.js", quick: ["--seconds", "20"] },
  rerun: { module: "rerun.bench.js", quick: ["--rounds", "3"] },
  memory: { module: "memory.bench.js", quick: ["--long", "30"] },
  store: { module: "store.bench.js" },
  kill: { module: "kill.bench.js", quick: ["--kills", "20"] },
};

const { values, positionals: names } = parseArgs({ allowPositionals: true, options: { quick: { type: "boolean", default: false }, with: { type: "string", default: "" } } });
const { quick } = values;
const extra = values.with.split(" ").filter((word) => word !== "");
const unknown = names.filter((name) => !Object.hasOwn(CASES, name));
if (unknown.length > 0) {
  console.error(`no bench is called ${unknown.join(", ")}; there are ${Object.keys(CASES).join(", ")}`);
  process.exit(2);
}

// For the peers too: they open models themselves.
refuseTelemetry();
const results = fileURLToPath(new URL("../../bench/results/", import.meta.url));
mkdirSync(results, { recursive: true });
const version = (name: string): string => (JSON.parse(readFileSync(fileURLToPath(new URL(`../../node_modules/${name}/package.json`, import.meta.url)), "utf8")) as { version: string }).version;
/** The card, where nvidia-smi tells. */
function gpuName(): string | undefined {
  const { status, stdout } = spawnSync("nvidia-smi", ["--query-gpu=name,driver_version", "--format=csv,noheader"], { encoding: "utf8" });
  return status === 0 ? stdout.trim().split("\n")[0]!.replace(", ", ", driver ") : undefined;
}
const gpu = gpuName();
const machine = {
  ...(gpu === undefined ? {} : { gpu }),
  cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryGB: Math.round(totalmem() / 1e9), kernel: release(), node: process.version,
  versions: { ffmpeg: (await abilities()).version, "onnxruntime-node": version("onnxruntime-node"), "@huggingface/transformers": version("@huggingface/transformers"), piscina: version("piscina"), lmdb: version("lmdb") },
};

let broken = 0;
for (const name of names.length > 0 ? names : Object.keys(CASES)) {
  const { module, args = [], quick: quickArgs = [] } = CASES[name]!;
  const all = [...args, ...(quick ? quickArgs : []), ...extra];
  const loadBefore = loadavg();
  const started = new Date();
  const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(new URL(module, import.meta.url)), ...all], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 });
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (status !== 0 || !line.startsWith("{")) {
    console.error(`${name}: failed (exit ${status ?? "none"})`);
    broken += 1;
    continue;
  }
  const printed = JSON.parse(line) as Record<string, unknown>;
  if (printed["skipped"] !== undefined) {
    console.log(`skipped ${name}: ${String(printed["skipped"])}`);
    continue;
  }
  const result: CaseResult = {
    name, command: ["node", `dist/bench/${module}`, ...all].join(" "), date: started.toISOString(), seconds: Math.round((Date.now() - started.getTime()) / 1000), quick, machine,
    load: { before: loadBefore.map((v) => Math.round(v * 10) / 10), after: loadavg().map((v) => Math.round(v * 10) / 10) }, result: printed,
  };
  writeFileSync(`${results}${name}.json`, `${JSON.stringify(result, null, 1)}\n`);
  for (const figure of figuresOf(result)) {
    if (!figure.ok) broken += 1;
    console.log(`${figure.ok ? "ok     " : "BROKEN "} ${name}: ${figure.figure} ${figure.value} (budget ${figure.budget})`);
  }
}
const found = readdirSync(results).filter((file) => file.endsWith(".json")).map((file) => JSON.parse(readFileSync(results + file, "utf8")) as CaseResult);
const order = Object.keys(CASES);
writeFileSync(`${results}SUMMARY.md`, summary(found.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))));
process.exitCode = broken > 0 ? 1 : 0;
