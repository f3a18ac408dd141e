/**
 * Every document that a command prints with `--json`: one on stdout, nothing else there. Times are integer microseconds from the start of
 * the medium (`…Us`); ids are hex. A command that fails prints ErrorDocument instead and sets the exit code (DESIGN §2).
 */
import type { FlowErrorData, FlowRecord, ModelManifest, NodeCounts, Problem, ResolvedValue } from "../contracts/index.js";
import type { Decode } from "../graph/index.js";

/** Any command that fails. `problems`: what `flow lint` would say, when the graph is why. */
export interface ErrorDocument {
  error: FlowErrorData;
  problems?: Problem[];
}

/** `flow run`, `flow retry`. */
export interface RunDocument {
  status: "done" | "failed-items" | "interrupted";
  /** Folder of the store. */
  store: string;
  /**
   * Hash of all results that the plan reaches, but the numbers inside vectors and scores; independent of order, timing, paths and clocks. What no record is made
   * of (--only, --from, --until) counts node by node.
   */
  digest: string;
  /** Hash of those numbers. */
  digestNumbers: string;
  durationMs: number;
  /** Media finished in this run or found finished. */
  media: number;
  /** Record kind → how many records the plan reaches. */
  records: Record<string, number>;
  /** Rows sent to a model, each once; padding and retries not counted. */
  inferences: number;
  /** Model → how often it was loaded into a worker: once for each that needed it. */
  loads: Record<string, number>;
  /**
   * Model → what it ran on, for models that asked for more than the CPU. `reason`: what kept it from the devices before it, or that it was not
   * compared; `difference`: the largest one from the CPU at the start, relative to max(1, |value|), null where it was not measured.
   */
  devices: Record<string, { device: string; reason: string | null; difference: number | null }>;
  /** Passes over the media (`schedule: stages`). */
  passes: number;
  /** Models whose memory was measured in this run, for `limits: { rss }`. */
  measured: string[];
  /** Models that stand-ins played (`--mock-models`). */
  mocked: string[];
  /** Source frames delivered on the densest output, pre-roll included. */
  framesDecoded: number;
  /** Calls of the inference pool by node, the items in them, and how many one call may hold. */
  batches: Record<string, { calls: number; items: number; size: number }>;
  /** Node → the books: in = done + cached + skipped + dropped + failed + inFlight. A medium that could not be opened has failed at media.open. */
  nodes: Record<string, NodeCounts>;
  /** Media that could not be opened or decoded to their end. */
  failures: { uri: string; code: string; message: string; hint: string }[];
  /** What was left out or stands in for a better model, and which command adds it; workers that ended and were replaced; media that are damaged, and what is missing of them. */
  notes: string[];
  /** Only when not one medium could be run: the first of `failures`, as in ErrorDocument. */
  error?: FlowErrorData;
}

/**
 * One line on stderr of `flow run`, `flow retry`, `flow demo` with `--log json`; then nothing else is printed, but the one document on stdout if `--json` asks for
 * it. `at`: ISO time. With `--quiet` only `failure` and `error` come.
 */
export type LogLine = { at: string } & (
  | { event: "problems"; problems: Problem[] }
  | { event: "start"; graph: string; inputs: string[]; store: string }
  /** Times of the source in microseconds; `queues`: node and items, longest first. */
  | { event: "progress"; doneUs: number; totalUs: number | null; timesRealTime: number; framesPerSecond: number; queues: [string, number][]; etaMs: number | null; media: number; mediaDone: number }
  | { event: "stopping" }
  | ({ event: "end" } & RunDocument)
  /** The command that goes on with an interrupted run. */
  | { event: "resume"; command: string }
  | ({ event: "failure" } & RunDocument["failures"][number])
  | ({ event: "demo" } & Omit<DemoDocument, "run">)
  | { event: "no-report"; error: FlowErrorData }
  | ({ event: "error" } & ErrorDocument)
  /** Only with FLOW_DEBUG. */
  | { event: "pull-progress"; bytes: number; total: number | null; bytesPerSecond: number; etaMs: number | null }
  /** A file of `flow models pull` that is done with, well or not; `file`: MODEL/PATH. */
  | { event: "pulled"; file: string; bytes: number; ok: boolean }
  | ({ event: "not-pulled" } & ModelsPullDocument["failed"][number])
  | ({ event: "pull-end" } & ModelsPullDocument)
  | { event: "trace"; trace: string }
);

/** `flow lint`. Exit 2 when a problem is an error, 0 with warnings only. */
export interface LintDocument {
  problems: Problem[];
}

/** One node of `flow plan`. */
export interface PlanNodeDocument {
  name: string;
  op: string;
  version: number;
  level: string;
  /** port → what feeds it. */
  inputs: Record<string, { from: string; type: string; mode: "same" | "group" | "broadcast" }>;
  outputs: Record<string, string>;
  /** role → model id. */
  models: Record<string, string>;
  when: string | null;
  /** role → what its model is tried on, in order; tolerance of the comparison with the CPU (null: none); kind of worker; ms after which a call is ended. */
  runtime: { devices: Record<string, "auto" | readonly string[]>; check: number | null; isolation: "thread" | "process"; timeoutMs: number | null };
  batch: { size: number; waitMs: number };
  config: unknown;
  /** Static part of the memo key. */
  key: string;
}

/** What a run would do on one medium, node by node. */
export interface PlanMediumDocument {
  uri: string;
  /** Content id; null when it cannot be opened. */
  id: string | null;
  /**
   * cached: nothing to do; new: never seen; incomplete: this plan has not finished it (with all nodes cached, a run only puts the records together); unreadable: it
   * cannot be opened, see `why`, and `nodes` is empty. An input that does not exist is the command's error, as for `flow run`.
   */
  state: "cached" | "new" | "incomplete" | "unreadable";
  why: string;
  /**
   * new: nothing stored; stale: stored under another key; partial: some blocks stored; cached: nothing to do; failed: tried and failed;
   * unknown: it reads what a run computes first, which `why` names. `stored`: items kept as they are.
   */
  nodes: { node: string; state: "new" | "stale" | "cached" | "partial" | "failed" | "unknown"; why: string; stored: number }[];
}

/** `flow plan`. */
export interface PlanDocument {
  name: string;
  file: string;
  profile: string | null;
  /** Hash of everything that decides results. */
  hash: string;
  inputs: string[];
  params: Record<string, { value: unknown; from: string }>;
  nodes: PlanNodeDocument[];
  /** Outputs of the one ffmpeg per medium: demand, who reads it, slots of its ring. */
  decode: Decode[];
  outputs: unknown[];
  runtime: unknown;
  /** One after the other over all media; each has only its models in memory (`bytes`: estimated, on one worker). */
  passes: { nodes: string[]; models: string[]; bytes: number }[];
  /** `limits: { rss }`: what models were measured to take and may run at once on each worker, which the first run will measure, and which are only ever estimated by their files; null without the limit. */
  memory: { measured: { model: string; residentBytes: number; loadBytes: number; firstRowBytes: number | null; moreRowBytes: number | null; rows: number | null }[]; unmeasured: string[]; estimated: string[] } | null;
  /** Where the machine's memory has no room for what the graph or its defaults ask for: what a run does instead. */
  notes: string[];
  /** Per input medium; empty when no input can be opened. */
  media: PlanMediumDocument[];
  problems: Problem[];
}

/** `flow plan --resolved`: every value of the graph with its origin. */
export interface ResolvedDocument {
  file: string;
  hash: string;
  resolved: readonly ResolvedValue[];
}

/** `flow list`. */
export interface ListDocument {
  operators: { name: string; version: number; family: string; level: string; summary: string; form: string }[];
  models: { id: string; task: string; summary: string; dims: number | null; space: string | null; file: string }[];
}

/** `flow explain OP`. */
export interface ExplainDocument {
  name: string;
  version: number;
  level: string;
  summary: string;
  description: string | null;
  inputs: Record<string, string> | "map";
  outputs: Record<string, string> | "depends on config";
  models: Record<string, { task: string; optional?: boolean }>;
  /** JSON Schema of `with:`. */
  config: unknown;
  examples: { title: string; yaml: string }[];
}

/** `flow graph`. */
export interface GraphDocument {
  mermaid: string;
}

/**
 * `flow show`. A scene's fields include startFrame, endFrame, caption, transcript; a medium's uri, durationUs, hasAudio, complete. A medium whose file
 * holds other content now is there only with `--superseded` (or by its id); its field `supersededBy` is the content id found in its place, `uris` is empty.
 */
export interface ShowDocument {
  records: FlowRecord[];
}

export interface HitDocument {
  id: string;
  kind: string;
  /** Content id of the medium. */
  media: string;
  uri: string;
  startUs: number;
  endUs: number;
  /** Fused score (reciprocal ranks, k = 60), higher is better. */
  score: number;
  /** Where it was found: rank counts from 1. */
  spaces: { name: string; rank: number; score: number }[];
  why: string;
  /** As in a record: models that stand-ins played for it. */
  mocked?: string[];
}

/** `flow search`. No evidence: no hits and the reason. */
export interface SearchDocument {
  hits: HitDocument[];
  /** Words and phrases of the query, as typed, that no record has; empty when a model that knows their meaning read them. */
  notUnderstood: string[];
  /** Why there are no hits. */
  reason?: string;
}

/** `flow report`, `flow export`, `flow clip`: what was written. */
export interface WrittenDocument {
  path: string;
  bytes: number;
}
/** `flow export` writes one or several files. */
export interface ExportDocument {
  format: string;
  files: WrittenDocument[];
  records: number;
  /** Models that stand-ins played for what was written; absent: none. */
  mocked?: string[];
}
/** `flow clip`. */
export interface ClipDocument extends WrittenDocument {
  id: string;
  uri: string;
  startUs: number;
  endUs: number;
}

/** `flow errors`. */
export interface ErrorsDocument {
  /** `medium` is empty for one that could not be opened. */
  failures: { id: string; node: string; operator: string; medium: string; uri: string; startUs: number; endUs: number; error: FlowErrorData; permanent: boolean; at: string }[];
}

/** `flow runs`. */
export interface RunsDocument {
  /** `args`: what `flow run` repeats it with, in the folder `cwd` (null: made by an older version); `mocked`: models that stand-ins played. */
  runs: { id: string; at: string; graph: string; args: string[]; cwd: string | null; status: string; durationMs: number; media: number; digest: string; inferences: number; framesDecoded: number; mocked: string[] }[];
}

/** `flow gc`. */
export interface GcDocument {
  /** Nothing was removed: this is what would be. */
  dryRun: boolean;
  /** Folder of the store. */
  store: string;
  /** Media that go with all that is theirs. superseded: their files hold other content now; missing: their files are gone (only with --missing). */
  media: { id: string; uri: string; why: "superseded" | "missing" }[];
  /** Rows that go, those of these media included, with the bytes of their values. */
  removed: Record<"records" | "blocks" | "memos" | "marks" | "vectors" | "pictures" | "failures" | "paths", { count: number; bytes: number }>;
  /** The store's file. Not compacted: dry run, too little to gain, or (`reason`) not possible; free pages are used by later runs. */
  file: { beforeBytes: number; afterBytes: number; compacted: boolean; reason?: string };
}

/** `flow diff`. Exit 0 when equal, 1 when not. */
export interface DiffDocument {
  equal: boolean;
  /** Largest difference of a component of a normalised vector. */
  maxDelta: number;
  onlyA: string[];
  onlyB: string[];
  /** The first of them: record, path of the field or `vectors.NAME`, both values. */
  differing: { id: string; field: string; a?: unknown; b?: unknown; delta?: number }[];
  differingCount: number;
}

/** `flow doctor`. Exit 3 when a check failed. */
export interface DoctorDocument {
  ok: boolean;
  checks: { name: string; ok: boolean; value: string; hint?: string }[];
}

/** `flow demo`. `checks`: what was compared with the clip's truth; `extra`: found and not in the truth. */
export interface DemoDocument {
  run: RunDocument;
  checks: { name: string; right: number; of: number; extra: number }[];
  report: WrittenDocument | null;
}

/** One file of a model. */
export interface ModelFileDocument {
  path: string;
  /** Where it is, or would be. */
  at: string;
  present: boolean;
  /** A file lies there, in another size. */
  damaged: boolean;
  /** null: not known before the first download. */
  sizeBytes: number | null;
  sha256: string | null;
  /** The lock file that states both, where the manifest does not. */
  lock: string | null;
  licence: string;
  /** `huggingface:org/name@revision/path`, `github:owner/name@commit/path`, a URL; null: nowhere to be downloaded. */
  source: string | null;
  /** A page about it. */
  page: string | null;
}

/** `flow models list`. */
export interface ModelsListDocument {
  models: {
    id: string;
    task: string;
    family: string;
    summary: string;
    runtime: "onnx" | "transformers";
    licence: string;
    /** partial: some files are there; damaged: one is there in another size than it should have. */
    state: "installed" | "partial" | "missing" | "damaged";
    /** null: not all sizes are known. */
    sizeBytes: number | null;
    dir: string;
    /** Paths of the files that are not there, or not in their size. */
    missing: string[];
  }[];
  /** Manifests that cannot be read. */
  unreadable: { id: string; error: FlowErrorData }[];
}

/** `flow models list --partial`. */
export interface ModelsPartialDocument {
  /**
   * `source`: `hf:ORG/NAME` of a `flow models add` that lacks an answer, or a file's as in ModelFileDocument; null of a copy that was cut short.
   * `next`: the command that goes on; null where the pull of the model does.
   */
  partial: { source: string | null; bytes: number; totalBytes: number | null; paths: string[]; next: string | null }[];
  bytes: number;
}

/** `flow models show`. */
export interface ModelDocument extends Pick<ModelManifest, "id" | "task" | "family" | "summary" | "runtime" | "licence" | "origin" | "dir" | "inputs" | "outputs" | "output" | "preprocess" | "space" | "labels" | "precisions" | "settings"> {
  state: "installed" | "partial" | "missing" | "damaged";
  files: ModelFileDocument[];
  limits: string[];
}

/** `flow models pull`. Exit 3 when a file failed: `error` is the first of `failed`. Files that were checked are installed all the same. */
export interface ModelsPullDocument {
  models: string[];
  pulled: { model: string; path: string; at: string; size: number; sha256: string }[];
  /** Files that were there already. */
  present: number;
  failed: { model: string; path: string; error: FlowErrorData }[];
  bytes: number;
  durationMs: number;
  /** What cannot be downloaded and is not needed; files in other places that are not what they should be. */
  notes: string[];
  error?: FlowErrorData;
}

/** `flow models import`. Exit 3 when models were named and files of theirs are missing. */
export interface ModelsImportDocument {
  imported: { model: string; path: string; from: string; at: string; size: number; sha256: string }[];
  missing: { model: string; path: string; sizeBytes: number | null; sha256: string | null }[];
  present: number;
}

/** `flow models verify`. Exit 3 when `ok` is false. */
export interface ModelsVerifyDocument {
  ok: boolean;
  /** `problem` of a model: its inputs or outputs are not those of the manifest. `sha256` as read now; null when it was not read. */
  models: { id: string; ok: boolean; problem?: string; files: { path: string; at: string; ok: boolean; sha256: string | null; problem?: string }[] }[];
}

/** `flow models rm`. */
export interface ModelsRmDocument {
  removed: { model: string; path: string }[];
  freedBytes: number;
  /** What lies outside the cache: files used in place, and a manifest that was named by its path. */
  kept: { model: string; path: string }[];
}

/** `flow models where`, with a model's id or without. */
export type ModelsWhereDocument = { cache: string; locks: string[]; folders: string[]; manifests: string[] } | { id: string; dir: string; files: { path: string; at: string }[] };

/** `flow models add`. */
export interface ModelsAddDocument {
  id: string;
  /** The manifest that was written. */
  manifest: string;
  /** Its text. */
  yaml: string;
  /** What was inferred rather than given: field → from what. */
  inferred: Record<string, string>;
  /** Configuration that was not read; what graphs need to find the model. */
  notes: string[];
  /** The command that shows it. */
  next: string;
}

/** `flow models calibrate`. Cosines of normalised vectors. */
export interface ModelsCalibrateDocument {
  space: string;
  model: string;
  /** Records and media whose vectors were read; pairs of records of different media that were compared. */
  records: number;
  media: number;
  pairs: number;
  foreignMedian: number;
  /** From this cosine on at most `falsePositives` of the foreign pairs pass. */
  threshold: number;
  falsePositives: number;
  /** Pairs of scenes that follow one another in one medium: how many, their median, and the share that passes. Told, not used. */
  neighbours: { pairs: number; median: number | null; passing: number | null };
  /** What the model's manifest says. */
  before: { foreignMedian: number; threshold: number };
  /** The file it was written to, or null. */
  written: string | null;
  notes: string[];
}

/** `flow models calibrate --reset`: what held for this user, and what the manifest says, which holds again. */
export interface ModelsCalibrateResetDocument {
  space: string;
  model: string;
  before: { foreignMedian: number; threshold: number };
  now: { foreignMedian: number; threshold: number };
}
