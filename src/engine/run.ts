/** Runs a plan over its inputs: pre-flight, media side by side, one summary. */
import { setMaxListeners } from "node:events";
import { from, lastValueFrom, mergeMap, toArray } from "rxjs";
import { EXIT, FlowError, toFlowError, type FlowErrorData, type NodeCounts, type Plan } from "../contracts/index.js";
import { combineDigests, type Store } from "../store/index.js";
import { blockKey } from "./decode-plan.js";
import { Ledger, unbalanced } from "./ledger.js";
import type { MediumProgress, MediumResult } from "./medium-context.js";
import { MediumRun } from "./medium-run.js";
import { preflight, type Source } from "./preflight.js";
import { Services, type BatchCounts } from "./services.js";

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
}

export interface RunOptions {
  plan: Plan;
  store: Store;
  /** What the plan leaves out, for the summary. */
  notes?: readonly string[];
  /** Overrides the plan's inputs. */
  inputs?: string[];
  force?: readonly string[];
  /** Aborted by the first Ctrl-C: drain, commit what is whole. */
  stop?: AbortSignal;
  onProgress?: (progress: RunProgress) => void;
}

/** Runs the whole plan. Rejects with a FlowError only when nothing could be run (bad inputs, missing model); failures of items and media are in the summary. */
export async function runPlan(options: RunOptions): Promise<RunSummary> {
  const { plan, store } = options;
  const started = performance.now();
  const stop = options.stop ?? new AbortController().signal;
  const services = new Services(plan, store, new Set(options.force ?? []), () => Date.now(), stop);
  // One listener per node and per medium in flight.
  setMaxListeners(0, stop);
  try {
    const { sources, failures, notes } = await preflight(plan, options.inputs ?? plan.inputs, store, services);
    // Not waited for: they are committed before what follows them.
    void store.putPlan(plan.hash, { nodes: plan.nodes.map((node) => ({ key: node.key, blockKey: blockKey(node, plan.runtime.blockUs), level: node.level })) });
    const total = new Ledger(plan.nodes.map((node) => node.name));
    const active = new Map<string, MediumProgress>();
    let mediaDone = 0;
    let lacking: FlowError | null = null;
    const report = (): void => options.onProgress?.({ media: sources.length, mediaDone, active: [...active.values()], queues: services.queueDepths() });

    const runOne = async (source: Source): Promise<MediumResult | null> => {
      if (stop.aborted || lacking) return null;
      const run = new MediumRun({
        plan, info: source.info, uris: source.uris, givenScenes: source.givenScenes, store, services, stop,
        progress: (progress) => {
          active.set(source.info.id, progress);
          report();
        },
      });
      try {
        void store.putStarted(source.info.id, plan.hash);
        const result = await run.run();
        if (result.status === "done") mediaDone += 1;
        return result;
      } catch (thrown) {
        const error = toFlowError(thrown);
        if (lacks(error)) {
          lacking ??= error;
          return { ...run.snapshot(), failedItems: 0 };
        }
        failures.push({ uri: source.info.uri, code: error.code, message: error.message, hint: error.hint });
        services.mediumFailed(source.info, error);
        return { ...run.snapshot(), failedItems: 1 };
      } finally {
        active.delete(source.info.id);
        report();
      }
    };
    const results = (await lastValueFrom(from(sources).pipe(mergeMap(runOne, plan.runtime.mediaInFlight), toArray()))).filter((result) => result !== null);
    // Not the media's fault, and the same for each of them: the command's error.
    if (lacking) throw lacking as FlowError;
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
      inferences: services.inferences,
      framesDecoded: results.reduce((sum, result) => sum + result.framesDecoded, 0),
      batches: services.batches(),
      nodes: counts,
      failures,
      notes: [...notes, ...(options.notes ?? [])],
      ...(finished.length === 0 && failures[0] ? { error: { code: failures[0].code, message: failures[0].message, hint: failures[0].hint, item: failures[0].uri } } : {}),
    };
  } finally {
    await services.close();
    await store.flushed();
  }
}

/** Whether this machine is what is missing something; from a worker an error comes without its exit code. */
const lacks = (error: FlowError): boolean => error.exit === EXIT.environment || error.code === "FFMPEG_MISSING";

/** Exit code of a finished run, as DESIGN §2 lists them. */
export function exitCodeOf(summary: RunSummary): number {
  return summary.status === "interrupted" ? EXIT.interrupted : summary.status === "failed-items" ? EXIT.failedItems : EXIT.ok;
}

