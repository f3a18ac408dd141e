/** What all media of one run share: the pool, one batcher and one error policy per node, compiled conditions, dead letters. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { DEVICES, EXIT, FlowError, toFlowError, type ModelManifest, type FlowErrorData, type GridItem, type Interval, type MediumInfo, type OutputValues, type Plan, type PlanNode, type Skip } from "../contracts/index.js";
import { compileExpression, outputVariable } from "../graph/index.js";
import { Batcher } from "../inference/batcher.js";
import { onCpu } from "../inference/devices.js";
import type { DeviceChoice, EachItem, InferencePool, PoolCall, PoolResult, PoolStats } from "../inference/index.js";
import type { Store } from "../store/index.js";
import { INTERRUPTED, interruptedError, NodePolicy } from "./retry.js";

type Condition = (variables: Record<string, unknown>) => boolean;
type PoolItem = GridItem | EachItem;

/** How long the rest of a medium waits for company in its batch while other media are decoded. */
const COMPANY_MS = 1000;

/** Calls of one node, the items in them, and how many one call could have held. */
export interface BatchCounts {
  calls: number;
  items: number;
  size: number;
}

/** What the pool of a run did and decided. */
export interface InferenceReport {
  loads: Record<string, number>;
  devices: Record<string, DeviceChoice>;
  notes: string[];
  ended: PoolStats["ended"];
}

/** The same over all passes. */
export class InferenceTotals implements InferenceReport {
  inferences = 0;
  readonly batches: Record<string, BatchCounts> = {};
  readonly loads: Record<string, number> = {};
  readonly devices: Record<string, DeviceChoice> = {};
  notes: string[] = [];
  readonly ended: PoolStats["ended"] = {};

  add(services: Services): void {
    const { loads, devices, notes, ended } = services.inferenceReport();
    this.addEnded(ended);
    this.inferences += services.inferences;
    for (const [model, n] of Object.entries(loads)) this.loads[model] = (this.loads[model] ?? 0) + n;
    Object.assign(this.devices, devices);
    this.notes = [...new Set([...this.notes, ...notes])];
    for (const [node, { calls, items, size }] of Object.entries(services.batches())) {
      const sum = (this.batches[node] ??= { calls: 0, items: 0, size });
      sum.calls += calls;
      sum.items += items;
    }
  }

  /** Also of pools that are counted nowhere else: those that checked or measured models. */
  addEnded(ended: PoolStats["ended"]): void {
    for (const [of, endings] of Object.entries(ended)) {
      const sum = (this.ended[of] ??= {});
      for (const [how, n] of Object.entries(endings)) sum[how] = (sum[how] ?? 0) + n;
    }
  }

  /** A run that got through all the same may not get through the next time. */
  endedNotes(): string[] {
    return Object.entries(this.ended).flatMap(([of, endings]) => Object.entries(endings).map(([how, n]) => `${of}: ${how}${n > 1 ? `, ${n} times` : ""}; another took its place and went on`));
  }
}

export class Services {
  private readonly policies = new Map<string, NodePolicy>();
  private readonly conditions = new Map<string, Condition>();
  private readonly batchers = new Map<string, Batcher<PoolItem, unknown>>();
  private readonly timers = new Map<string, { dueMs: number; upTo: number; timer: NodeJS.Timeout }>();
  private decodes = 0;
  private poolStart: Promise<InferencePool> | null = null;
  private poolInstance: InferencePool | null = null;

  constructor(
    private readonly plan: Plan,
    private readonly store: Store,
    private readonly force: ReadonlySet<string>,
    private readonly nowMs: () => number,
    private readonly stop: AbortSignal,
  ) {}

  /** Nothing stored counts for this node: it was asked to run again, or the medium may have changed behind its address. */
  forced(node: PlanNode, info: MediumInfo): boolean {
    return !info.memoisable || this.force.has(node.name);
  }

  policy(node: PlanNode): NodePolicy {
    let policy = this.policies.get(node.name);
    if (!policy) this.policies.set(node.name, (policy = new NodePolicy(node, this.stop)));
    return policy;
  }

  when(node: PlanNode, variables: Record<string, unknown>): boolean {
    let condition = this.conditions.get(node.name);
    if (!condition) this.conditions.set(node.name, (condition = compileCondition(node)));
    return condition(variables);
  }

  /** Loaded and started by the first item that needs it: a fully cached run never loads a model or starts a worker. */
  pool(): Promise<InferencePool> {
    return (this.poolStart ??= this.startPool());
  }

  // Intra-op 1, parallel by workers: more threads in one session do not give the same bits at every batch size.
  private async startPool(): Promise<InferencePool> {
    const { InferencePool } = await import("../inference/pool.js");
    const { runtime: { workers, isolation, timeoutMs, rssBytes }, shares } = this.plan;
    return (this.poolInstance = new InferencePool({ workers, intraOpThreads: 1, isolation, timeoutMs, interrupted: this.stop, limits: this.storedLimits(), shares, releaseVerified: this.plan.passes.length > 1 || rssBytes !== null }));
  }

  /** How many rows of each model fitted when an earlier run ran out of memory. */
  private storedLimits(): Record<string, number> {
    const limits: Record<string, number> = {};
    const hashes = new Set(this.plan.nodes.flatMap((node) => Object.values(node.models)).map((model) => model.sha256));
    for (const sha256 of hashes) {
      for (const device of DEVICES) {
        const stored = this.store.getMemo(rowsKey(`${sha256}:${device}`));
        if (stored?.kind === "done") limits[`${sha256}:${device}`] = stored.value as number;
      }
    }
    return limits;
  }

  /** Nothing when the pool never started. */
  inferenceReport(): InferenceReport {
    const stats = this.poolInstance?.stats();
    if (!stats) return { loads: {}, devices: {}, notes: [], ended: {} };
    // What keeps one model from a device keeps most of them.
    const byReason = new Map<string, string[]>();
    for (const [id, { device, reason }] of Object.entries(stats.devices)) if (reason !== null) byReason.set(`${device}: ${reason}`, [...(byReason.get(`${device}: ${reason}`) ?? []), id]);
    const notes = [...byReason].map(([why, models]) => `${models.sort().join(", ")} ${models.length === 1 ? "runs" : "run"} on ${why}`);
    const ids = new Map(this.plan.nodes.flatMap((node) => Object.values(node.models)).map((model) => [model.sha256, model.id]));
    for (const [key, rows] of Object.entries(stats.limits)) {
      const [sha256 = "", device = ""] = key.split(":");
      if (ids.has(sha256)) notes.push(`${ids.get(sha256)!} runs at most ${rows} rows at once on ${device}: more did not fit into memory`);
    }
    return { loads: stats.loads, devices: stats.devices, notes, ended: stats.ended };
  }

  /** Rows sent to models by this run. */
  get inferences(): number {
    const rows = this.poolInstance?.stats().inferences ?? {};
    return Object.values(rows).reduce((sum, n) => sum + n, 0);
  }

  /** The node's batcher: fills across media, which take turns, bisects a failing batch, gives each item its own result. */
  batcher(node: PlanNode): Batcher<PoolItem, unknown> {
    let batcher = this.batchers.get(node.name);
    if (!batcher) {
      const kind = node.op.run.form === "eachBatch" ? "eachBatch" : node.op.run.form === "each" ? "each" : "batch";
      batcher = new Batcher<PoolItem, unknown>({
        size: kind !== "each" ? node.batch.size : isLight(node) ? LIGHT_ITEMS : 1,
        inFlight: this.plan.runtime.batchesInFlight,
        call: async (items) => unwrap(await this.call({ ...poolCall(node), kind, items } as PoolCall, node), node),
      });
      this.batchers.set(node.name, batcher);
    }
    return batcher;
  }

  /** The first call of a node may be the one that tries its devices, which an interruption gives up: its items have not failed. */
  private async call(call: PoolCall, node: PlanNode): Promise<PoolResult[]> {
    try {
      return await (await this.pool()).run(call);
    } catch (thrown) {
      throw this.stop.aborted && toFlowError(thrown).code === "CANCELLED" ? interruptedError(node) : thrown;
    }
  }

  /** A scene-level item through the node's batcher; a partial batch waits `batch.wait` for company, light work only for what comes in the same turn. */
  inPool(node: PlanNode, item: EachItem): Promise<OutputValues | Skip> {
    const result = this.submit(node, item, item.medium.id);
    if (node.op.run.form === "eachBatch") this.flushSoon(node);
    else if (isLight(node)) this.flushWithin(node, 0);
    return result as Promise<OutputValues | Skip>;
  }

  /** An item of the grid. One that comes back after a back-off may find nobody left who would fill or cut its batch. */
  onGrid(node: PlanNode, medium: string, item: GridItem, again: boolean): Promise<unknown> {
    const result = this.submit(node, item, medium);
    if (again) this.flushSoon(node);
    return result;
  }

  /** A medium's decode has begun or has ended: while others go on, they fill the batches that it leaves behind. */
  decoding(change: 1 | -1): void {
    this.decodes += change;
  }

  /** No more items come from one medium. */
  mediumEnded(node: PlanNode): void {
    if (this.decodes === 0) this.batcher(node).flush();
    else this.flushWithin(node, COMPANY_MS);
  }

  /** The ring of one medium is full. What runs will free its slots, and other media may fill the partial batch; with nothing running it has to go. */
  starving(node: PlanNode): void {
    const { pending, waiting } = this.batcher(node);
    if (pending > waiting) this.flushWithin(node, this.decodes > 1 ? COMPANY_MS : node.batch.waitMs);
    else this.batcher(node).flush();
  }

  private flushSoon(node: PlanNode): void {
    this.flushWithin(node, node.batch.waitMs);
  }

  private flushWithin(node: PlanNode, ms: number): void {
    const dueMs = performance.now() + ms;
    const batcher = this.batcher(node);
    const known = this.timers.get(node.name);
    if (known && known.dueMs <= dueMs) {
      known.upTo = batcher.submitted;
      return;
    }
    if (known) clearTimeout(known.timer);
    const due = { dueMs, upTo: batcher.submitted, timer: setTimeout(cut, ms) };
    const { timers } = this;
    function cut(): void {
      timers.delete(node.name);
      // What came since then is others', who did not ask.
      batcher.flush(due.upTo);
    }
    timers.set(node.name, due);
  }

  /** One item to the node's batcher; rejects with the item's own error. */
  private submit(node: PlanNode, item: PoolItem, medium: string): Promise<unknown> {
    return this.batcher(node).submit(item, medium).then(valueOrThrow);
  }

  deadLetter(node: PlanNode, info: MediumInfo, interval: Interval, error: FlowErrorData, permanent: boolean): void {
    // What an interruption left undone has not failed.
    if (error.code === INTERRUPTED) return;
    void this.store.putFailure({ node: node.name, operator: node.op.name, medium: info.id, uri: info.uri, startUs: interval.startUs, endUs: interval.endUs, error, permanent, atMs: this.nowMs() });
  }

  /** Filed under the node that ended the medium (`then: fail`, which nothing remembers: a rerun tries again), else under the one that opens it. */
  mediumFailed({ id, uri }: Pick<MediumInfo, "id" | "uri">, error: FlowError): void {
    const guilty = this.plan.nodes.find((node) => node.name === error.node && node.onError.then === "fail");
    const source = guilty ?? this.plan.nodes.find((node) => node.op.run.form === "source");
    void this.store.putFailure({ node: source?.name ?? "media", operator: source?.op.name ?? "media.open", medium: id, uri, startUs: 0, endUs: 0, error: error.toJSON(), permanent: error.permanent && !guilty, atMs: this.nowMs() });
  }

  /** It stays on the list of failures, under its address, until it opens. */
  mediumUnopened(uri: string, error: FlowError): void {
    this.mediumFailed({ id: "", uri }, error);
  }

  /**
   * Files of the models, checked by size and hash; what was checked once stays checked until the file changes (the store remembers), so
   * that a cached rerun does not read it again. `reads`: outputs that options name, by model.
   */
  async checkModels(models: readonly ModelManifest[], reads: ReadonlyMap<string, readonly string[]>): Promise<FlowError[]> {
    const unknown = [];
    for (const model of models) {
      const files = await Promise.all(model.files.map(({ at }) => stat(at).then(({ size, mtimeMs }) => `${size}/${mtimeMs}/${at}`, () => `-/${at}`)));
      const key = `model/${model.sha256}/${createHash("sha256").update(files.join("\n")).digest("hex")}${[...(reads.get(model.id) ?? [])].sort().map((name) => `/${name}`).join("")}`;
      if (!this.store.getMemo(key)) unknown.push({ model, key });
    }
    if (unknown.length === 0) return [];
    const pool = await this.pool();
    const errors = await pool.verify(unknown.map(({ model }) => model), { reads, opened: (model) => (reads.get(model.id)?.length ? false : this.opensOnDevice(pool, model)) });
    if (errors.length === 0) for (const { key } of unknown) void this.store.putMemo(key, { kind: "done", value: true });
    return errors;
  }

  /** Whether every node that uses the model gets a device for it. What keeps it from one is told when the node asks. In passes a device holds the models of one only. */
  private opensOnDevice(pool: InferencePool, { sha256 }: ModelManifest): Promise<boolean> | false {
    const uses = this.plan.nodes.flatMap(({ models, runtime }) =>
      Object.entries(models).filter(([, model]) => model.sha256 === sha256).map(([role, model]) => ({ model, order: runtime.devices[role] ?? (["cpu"] as const), runtime })),
    );
    if (this.plan.passes.length > 1 || uses.some(({ model, order }) => model.mock || onCpu(order))) return false;
    return Promise.all(uses.map(({ model, order, runtime }) => pool.device(model, order, runtime.check, runtime.timeoutMs).catch(() => null))).then((choices) => choices.every((choice) => choice !== null && choice.device !== "cpu"));
  }

  /** What was asked of the pool, node by node. */
  batches(): Record<string, BatchCounts> {
    return Object.fromEntries([...this.batchers].map(([name, { calls, items, size }]) => [name, { calls, items, size }]));
  }

  /** Lists of devices that do not end with the CPU: whether one of them works is known before the first frame. */
  async checkDevices(): Promise<FlowError[]> {
    const errors: FlowError[] = [];
    for (const { models, runtime } of this.plan.nodes) {
      for (const [role, model] of Object.entries(models)) {
        const order = runtime.devices[role] ?? ["cpu"];
        if (model.mock || order === "auto" || order.includes("cpu")) continue;
        await (await this.pool()).device(model, order, runtime.check, runtime.timeoutMs).catch((thrown: unknown) => errors.push(toFlowError(thrown)));
      }
    }
    return errors;
  }

  queueDepths(): Record<string, number> {
    return Object.fromEntries([...this.batchers].map(([name, batcher]) => [name, batcher.pending]));
  }

  async close(): Promise<void> {
    for (const { timer } of this.timers.values()) clearTimeout(timer);
    // A pool that could not start has told those who asked for it.
    await (await this.poolStart?.catch(() => null))?.destroy();
    for (const [key, rows] of Object.entries(this.poolInstance?.stats().limits ?? {})) {
      void this.store.putMemo(rowsKey(key), { kind: "done", value: rows });
    }
  }
}

/** Items of light work that go to a worker together: alone, the message costs as much as the work. Each has its own result. */
const LIGHT_ITEMS = 8;

/** Computing without a model: milliseconds an item. A child process with a time limit gets one at a time, so that the limit is the item's. */
const isLight = (node: PlanNode): boolean => node.op.run.form === "each" && Object.keys(node.models).length === 0 && node.runtime.isolation !== "process";

/** Of a model on a device; `model/` keys belong to the machine, not to a medium. */
const rowsKey = (limit: string): string => `model/rows/${limit}`;

function poolCall(node: PlanNode): Omit<PoolCall, "kind" | "items"> {
  return { module: node.op.module, operator: node.op.name, node: node.name, config: node.config, models: node.models, runtime: node.runtime };
}

function unwrap(results: PoolResult[], node: PlanNode): unknown[] {
  return results.map((result) => (result.ok ? result.value : new ItemFailure(result.error, result.permanent, node.name)));
}

/** An item's own failure inside a batch that succeeded: travels as a value, the batcher hands it on. */
class ItemFailure {
  constructor(
    readonly error: FlowErrorData,
    readonly permanent: boolean,
    readonly node: string,
  ) {}
}

function valueOrThrow(value: unknown): unknown {
  if (!(value instanceof ItemFailure)) return value;
  const { code, message, hint } = value.error;
  throw new FlowError(code, message, { hint, node: value.node, permanent: value.permanent });
}

/** Lint has checked the names; a variable of a disabled node is null. */
function compileCondition(node: PlanNode): Condition {
  const compiled = compileExpression(node.when!, null);
  if ("problem" in compiled) throw new FlowError(compiled.problem.code, compiled.problem.message, { node: node.name, hint: compiled.problem.hint, exit: EXIT.badInput });
  const outputs = compiled.reads.filter(([node, port]) => port !== undefined && node !== "media" && node !== "scene") as [string, string][];
  return (variables) => {
    const readable = { ...variables };
    for (const [node, port] of outputs) {
      const ports = readable[node] as Record<string, unknown> | null | undefined;
      // Not the whole node: what the condition does not read may be long.
      if (ports && port in ports) readable[node] = { ...ports, [port]: outputVariable((variables[node] as Record<string, unknown>)[port]) };
    }
    return compiled.holds(readable);
  };
}
