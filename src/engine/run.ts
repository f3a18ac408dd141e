/** Runs a plan over its inputs: pre-flight, media side by side, one summary. */
import { setMaxListeners } from "node:events";
import { from, lastValueFrom, mergeMap, toArray } from "rxjs";
import { EXIT, FlowError, toFlowError, type FlowErrorData, type NodeCounts, type Plan } from "../contracts/index.js";
import { combineDigests, type Store } from "../store/index.js";
import { blockKey } from "./decode-plan.js";
import { damageNotes } from "./damage.js";
import { keepsStanding } from "./done.js";
import { Ledger, unbalanced } from "./ledger.js";
import type { MediumProgress, MediumResult } from "./medium-context.js";
import { MEDIA_CHANGED, MediumRun } from "./medium-run.js";
import { estimateNotes, measureAndFit } from "./memory.js";
import { mergeCounts, passPlans, type PassPlan } from "./passes.js";
import { preflight, type Source } from "./preflight.js";
import { InferenceTotals, Services, type BatchCounts, type InferenceReport } from "./services.js";
import { checkStandIns, mockedModels, mockNotes } from "./stand-ins.js";

export interface RunSummary {
  status: "done" | "failed-items" | "interrupted";
  store: string;
  digest: string;
  digestNumbers: string;
  durationMs: number;
  /** Media finished in this run or found finished. */
  media: number;
  records: Record<string, number>;
  /** Rows sent to models, each once. */
  inferences: number;
  /** Source frames delivered on the densest output, pre-roll included. */
  framesDecoded: number;
  /** Calls of the pool by node: how full the batches were. */
  batches: Record<string, BatchCounts>;
  /** Model → how often it was loaded into a worker. */
  loads: Record<string, number>;
  /** Model → what it ran on and why not on what was preferred; models of the CPU that asked for nothing else are left out. */
  devices: InferenceReport["devices"];
  /** Passes over the media, of which each had its own models in memory. */
  passes: number;
  /** Models whose memory was measured in this run, for `limits: { rss }`. */
  measured: string[];
  /** Models that stand-ins played: their results mean nothing. */
  mocked: string[];
  nodes: Record<string, NodeCounts>;
  /** Media that could not be opened or decoded. */
  failures: { uri: string; code: string; message: string; hint: string }[];
  /** Said once per run: what was left out and which command adds it. */
  notes: string[];
  /** Set when not one medium could be run: the first reason. */
  error?: FlowErrorData;
}

export interface RunProgress {
  media: number;
  mediaDone: number;
  active: MediumProgress[];
  /** Node → items waiting or running in its batcher. */
  queues: Record<string, number>;
  /** Which of several passes runs, from 1. */
  pass?: { index: number; of: number };
}

export interface RunOptions {
  plan: Plan;
  store: Store;
  /** What the plan leaves out, for the summary. */
  notes?: readonly string[];
  /** Overrides the plan's inputs. */
  inputs?: string[];
  force?: readonly string[];
  /** Stand-ins were asked for, though the plan may have no model that one plays. Default: whether it has. */
  mock?: boolean;
  /** Aborted by the first Ctrl-C: drain, commit what is whole. */
  stop?: AbortSignal;
  onProgress?: (progress: RunProgress) => void;
}

/** Runs the whole plan. Rejects with a FlowError only when nothing could be run (bad inputs, missing model); failures of items and media are in the summary. */
export async function runPlan(options: RunOptions): Promise<RunSummary> {
  const { store } = options;
  let { plan } = options;
  const started = performance.now();
  const stop = options.stop ?? new AbortController().signal;
  const force = new Set(options.force ?? []);
  const servicesOf = (part: Plan, forced: Set<string>): Services => new Services(part, store, forced, () => Date.now(), stop);
  // One listener per node and per medium in flight.
  setMaxListeners(0, stop);
  let passes = passPlans(plan);
  const limited = plan.runtime.rssBytes !== null;
  const mocked = mockedModels(plan.nodes);
  const mock = options.mock ?? mocked.length > 0;
  // What checks the models has them in memory: with passes or a limit it is gone before the first one begins.
  let services = servicesOf(plan, passes.length > 1 || limited ? new Set() : force);
  const totals = new InferenceTotals();
  try {
    checkStandIns(store, mock);
    const refused = (thrown: unknown): never => {
      store.leaveNothing();
      throw thrown;
    };
    const { sources, failures, notes } = await preflight(plan, options.inputs ?? plan.inputs, store, services, stop).catch(refused);
    if (limited) await services.close();
    const { measured, fitted, ended } = await measureAndFit(plan, store, stop).catch(refused);
    totals.addEnded(ended);
    plan = fitted;
    passes = passPlans(plan);
    // Not waited for: they are committed before what follows them.
    if (mock) void store.putStandIns(mocked);
    void store.putPlan(plan.hash, { nodes: plan.nodes.map((node) => ({ key: node.key, blockKey: blockKey(node, plan.runtime.blockUs), level: node.level })) });
    const total = new Ledger(plan.nodes.map((node) => node.name));
    // What could not be opened was an item all the same.
    const opening = plan.nodes.find((node) => node.op.run.form === "source");
    if (opening) for (const { code, message, hint } of failures) total.settle(opening.name, { kind: "failed", error: { code, message, hint } });
    const active = new Map<string, MediumProgress>();
    let mediaDone = 0;
    let passIndex = 0;
    let lacking: FlowError | null = null;
    let framesDecoded = 0;
    const broken = new Set<string>();
    /** Media of which an earlier run made records, that a run of part of the graph leaves as they are. */
    const standing = new Set<string>();
    const report = (): void => options.onProgress?.({ media: sources.length, mediaDone, active: [...active.values()], queues: services.queueDepths(), ...(passes.length > 1 ? { pass: { index: passIndex + 1, of: passes.length } } : {}) });

    const runOne = async (source: Source, { plan: part, whole }: PassPlan): Promise<MediumResult | null> => {
      if (stop.aborted || lacking || broken.has(source.info.id)) return null;
      const run = new MediumRun({
        plan: part, whole, info: source.info, uris: source.uris, givenScenes: source.givenScenes, store, services, stop,
        progress: (progress) => {
          active.set(source.info.id, progress);
          report();
        },
      });
      try {
        const row = store.getMedium(source.info.id);
        if (row && !row.partial) standing.add(source.info.id);
        // What was begun on a medium stays so while a run of part of the graph only passes by: `gc` keeps what it needs.
        if (!row || !keepsStanding(plan, row)) void store.putStarted(source.info.id, plan.hash);
        const result = await run.run();
        if (result.status === "done") mediaDone += 1;
        return result;
      } catch (thrown) {
        const error = toFlowError(thrown);
        if (lacks(error)) {
          lacking ??= error;
          return { ...run.snapshot(), failedItems: 0 };
        }
        broken.add(source.info.id);
        failures.push({ uri: source.info.uri, code: error.code, message: error.message, hint: error.hint });
        // The path is another content's by now: it is listed under that until it opens.
        if (error.code === MEDIA_CHANGED) services.mediumUnopened(source.info.uri, error);
        else services.mediumFailed(source.info, error);
        return { ...run.snapshot(), failedItems: 1 };
      } finally {
        active.delete(source.info.id);
        report();
      }
    };
    // The last result of each medium, with the counts of all passes.
    const byMedium = new Map<string, MediumResult>();
    for (const [i, pass] of passes.entries()) {
      if (stop.aborted || lacking) break;
      if (passes.length > 1 || limited) {
        await services.close();
        if (i === 0) totals.addEnded(services.inferenceReport().ended);
        services = servicesOf(pass.plan, new Set([...force].filter((name) => pass.own.has(name))));
      }
      passIndex = i;
      mediaDone = 0;
      const ran = await lastValueFrom(from(sources).pipe(mergeMap((source) => runOne(source, pass), plan.runtime.mediaInFlight), toArray()));
      for (const result of ran.filter((one) => one !== null)) {
        framesDecoded += result.framesDecoded;
        const before = byMedium.get(result.medium);
        const earlier = new Set(passes.slice(0, i).flatMap(({ own }) => [...own]));
        byMedium.set(result.medium, before ? { ...result, counts: mergeCounts(before.counts, earlier, result.counts, plan.nodes) } : result);
      }
      totals.add(services);
    }
    // Not the media's fault, and the same for each of them: the command's error.
    if (lacking) throw lacking as FlowError;
    const results = [...byMedium.values()];
    for (const result of results) total.add(result.counts);

    const counts = total.snapshot();
    const wrong = unbalanced(counts);
    if (wrong.length > 0) throw new FlowError("BOOKS_UNBALANCED", `The item counts of ${wrong.join(", ")} do not add up.`, { hint: "This is a defect of flow: please report it with the graph." });
    const finished = results.filter((result) => result.status === "done" && result.digest !== "");
    const records: Record<string, number> = {};
    for (const result of results) for (const [kind, n] of Object.entries(result.records)) records[kind] = (records[kind] ?? 0) + n;
    const failedItems = failures.length + results.reduce((sum, result) => sum + result.failedItems, 0);
    return {
      status: stop.aborted ? "interrupted" : failedItems > 0 ? "failed-items" : "done",
      store: store.dir,
      digest: combineDigests(finished.map((result) => result.digest)),
      digestNumbers: combineDigests(finished.map((result) => result.digestNumbers)),
      durationMs: Math.round(performance.now() - started),
      media: finished.length,
      records,
      inferences: totals.inferences,
      framesDecoded,
      batches: totals.batches,
      loads: totals.loads,
      devices: totals.devices,
      passes: passes.length,
      measured,
      mocked,
      nodes: counts,
      failures,
      notes: [...mockNotes(mocked), ...omittedNotes(plan, finished.map(({ medium }) => standing.has(medium))), ...notes, ...plan.notes, ...estimateNotes(plan), ...(options.notes ?? []), ...totals.notes, ...totals.endedNotes(), ...damageNotes(results), ...outputNotes(plan)],
      ...(finished.length === 0 && failures[0] ? { error: { code: failures[0].code, message: failures[0].message, hint: failures[0].hint, item: failures[0].uri } } : {}),
    };
  } finally {
    await services.close();
    await store.flushed();
  }
}

/** `stood`: of each medium that was finished, whether it had records before. */
function omittedNotes({ omitted }: Plan, stood: readonly boolean[]): string[] {
  if (omitted.length === 0) return [];
  return [
    ...(stood.includes(true) ? [`only part of the graph ran: no ${omitted.join(" and no ")} record was written and none was removed; a run of the whole graph finds these results computed`] : []),
    ...(stood.includes(false) ? [`only part of the graph ran on a new medium: its results are stored, and a record that says no more than what it is; a run of the whole graph finds them computed and makes the ${omitted.join(" and ")} records`] : []),
  ];
}

/** A run without records is easily taken for one that found nothing. */
function outputNotes({ outputs, omitted }: Plan): string[] {
  return outputs.length + omitted.length > 0 ? [] : ["no record was written, for no output is enabled: outputs: { scene: { from: NODE } } says which node makes the records"];
}

/** Whether this machine is what is missing something; from a worker an error comes without its exit code. */
const lacks = (error: FlowError): boolean => error.exit === EXIT.environment || error.code === "FFMPEG_MISSING";

/** Exit code of a finished run, as DESIGN §2 lists them. */
export function exitCodeOf(summary: RunSummary): number {
  return summary.status === "interrupted" ? EXIT.interrupted : summary.status === "failed-items" ? EXIT.failedItems : EXIT.ok;
}

