/** The work of `flow run`, `flow retry` and `flow demo`: plan, run under Ctrl-C and a progress bar, log the run, print the summary. */
import type { Plan, Problem } from "../contracts/index.js";
import { exitCodeOf, runPlan, type RunSummary } from "../engine/index.js";
import { modelNotes } from "../graph/problems.js";
import { tightHeaps } from "../inference/tight-heaps.js";
import { Store } from "../store/index.js";
import { absolute, repeatArguments, runCommand } from "./command-line.js";
import type { GraphOptions, LogOptions, MockOptions, StoreOptions } from "./define.js";
import { GraphError } from "./failure.js";
import { Interrupts } from "./interrupt.js";
import type { RunDocument } from "./json.js";
import { Log, logLine } from "./log.js";
import { requirePlan } from "./open-graph.js";
import { coloursFor, note, printJson } from "./output.js";
import { problemLines } from "./problems.js";
import { ProgressBar } from "./progress.js";
import { failureText, printSummary } from "./summary.js";

export interface Selection {
  only?: string[];
  from?: string;
  until?: string;
  force?: string[];
}

export type ExecuteOptions = GraphOptions & StoreOptions & LogOptions & MockOptions & Selection & { strict?: boolean };

/** Runs and prints; the exit code. */
export async function execute(graph: string, inputs: string[], options: ExecuteOptions): Promise<number> {
  const { summary, plan, sourceUs, retryable } = await runGraphFile(graph, inputs, options);
  if (options.json) printJson(summary satisfies RunDocument);
  else if (options.quiet) for (const failure of summary.failures) options.log === "json" ? logLine("failure", failure) : note(failureText(failure));
  else if (options.log === "text") printSummary(summary, plan, { store: options.store, sourceUs, retryable });
  if (summary.status === "interrupted") {
    const command = runCommand(graph, inputs, options);
    logOf(options).event("resume", { command }, `${coloursFor(process.stderr).dim("resume:")} ${command}`);
  }
  return exitCodeOf(summary);
}

/** Plans, runs and logs the run in the store. */
export async function runGraphFile(graph: string, inputs: string[], options: ExecuteOptions): Promise<{ summary: RunSummary; plan: Plan; sourceUs: number; retryable: boolean }> {
  const request = { params: options.param, profile: options.profile, inputs: inputs.length > 0 ? inputs : undefined, only: options.only, from: options.from, until: options.until, force: options.force, mock: options.mockModels };
  const { plan, file, problems } = await requirePlan(graph, request);
  if (options.strict && problems.length > 0) throw new GraphError(file, problems.map((problem): Problem => ({ ...problem, severity: "error" })), "strict");
  const log = logOf(options);
  if (problems.length > 0) log.event("problems", { problems }, problemLines(problems, coloursFor(process.stderr)));

  tightHeaps();
  const store = await Store.open(options.store, {});
  try {
    const bar = new ProgressBar({ stream: process.stderr, format: log.format });
    const startedMs = Date.now();
    using interrupts = new Interrupts({ log, before: () => bar.clear() });
    log.event("start", { graph: file, inputs: plan.inputs, store: store.dir }, null);
    const summary = await runPlan({ plan, store, notes: modelNotes(problems), force: options.force ?? [], mock: options.mockModels !== undefined, stop: interrupts.signal, onProgress: (progress) => bar.update(progress) }).finally(() => bar.clear());
    await store.putRun({ id: startedMs.toString(36), graph: file, args: repeatArguments(absolute(file), inputs.map(absolute), options), cwd: process.cwd(), startedMs, durationMs: summary.durationMs, status: summary.status, summary });
    log.event("end", { ...summary }, null);
    return { summary, plan, sourceUs: bar.sourceUs, retryable: [...store.failures()].some((failure) => !failure.permanent) };
  } finally {
    await store.close();
  }
}

const logOf = ({ quiet, log }: ExecuteOptions): Log => new Log(quiet ? "off" : log);
