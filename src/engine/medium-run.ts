/**
 * One medium through the plan. Two halves that meet in the store's blocks: the *grid* half (decode → taps and batches → blocks) and the
 * *scene* half (cut → per-scene nodes → record).
 *
 * Who paces whom: a delivery is a lease; with all slots leased the media worker stops reading ffmpeg. Scenes wait for `scenesInFlight` credits as
 * bare intervals and read their inputs from blocks when it is their turn, so that a slow branch never holds frames and intake never waits
 * for a scene. What bounds memory: slots + uncommitted blocks + scenes in flight. Who frees: the lease's last consumer outcome.
 */
import { Subject, lastValueFrom, mergeMap, tap, toArray } from "rxjs";
import {
  FlowError, toFlowError, type Cue, type DecodeEvent, type Delivery, type Interval, type MediumInfo, type NodeCounts, type Outcome, type Plan, type PlanInput, type PlanNode, type SceneCut, type Series,
} from "../contracts/index.js";
import { mediaVariables, sceneVariables } from "../graph/index.js";
import { openDecode, readSubtitles, type Decode } from "../media/index.js";
import { DigestBuilder, type Store } from "../store/index.js";
import { checkValue } from "./check.js";
import { isVideoFed, planDecode, rateName } from "./decode-plan.js";
import { evaluateItem, type Evaluated, type ItemScope, type ListEntry } from "./evaluate.js";
import { GridStream } from "./grid.js";
import { digestValue, memoKey } from "./keys.js";
import { Ledger } from "./ledger.js";
import { buildRecord, vectorSpaces } from "./record.js";
import type { Services } from "./services.js";

export interface MediumResult {
  medium: string;
  uri: string;
  status: "done" | "interrupted";
  counts: Record<string, NodeCounts>;
  records: Record<string, number>;
  framesDecoded: number;
  digest: string;
  digestNumbers: string;
  failedItems: number;
}

export interface MediumProgress {
  uri: string;
  ptsUs: number;
  durationUs: number | null;
  frames: number;
  scenes: number;
}

export interface MediumRunOptions {
  plan: Plan;
  info: MediumInfo;
  uris: string[];
  /** Scenes given with the input (S1.14), µs. */
  givenScenes: Interval[] | null;
  store: Store;
  services: Services;
  stop: AbortSignal;
  progress: (progress: MediumProgress) => void;
}

/** What a finished medium leaves in the store, so that a rerun answers without looking at its blocks. */
export interface DoneMark {
  counts: Record<string, NodeCounts>;
  records: Record<string, number>;
  digest: string;
  digestNumbers: string;
}

export const doneKey = (plan: Plan, given: Interval[] | null): string => (given ? `${plan.hash}-${digestValue(given).slice(0, 12)}` : plan.hash);

export class MediumRun {
  private readonly ledger: Ledger;
  private readonly streams = new Map<string, GridStream>();
  private readonly scenes = new Subject<SceneCut>();
  private readonly waiting: SceneCut[] = [];
  private readonly sceneMemo: { scene: SceneCut; evaluated: Map<string, { key: string | null; evaluated: Evaluated | null }> }[] = [];
  private readonly recordIds = new Set<string>();
  private readonly health: { message: string; atUs: number }[] = [];
  private decodeFromUs = Number.NEGATIVE_INFINITY;
  private readonly digest = new DigestBuilder();
  private readonly nodes: ReadonlyMap<string, PlanNode>;
  private readonly sceneNodes: PlanNode[];
  private readonly mediaNodes: PlanNode[];
  private readonly cutNode: PlanNode | null;
  private readonly source: PlanNode | null;
  private decode: Decode | null = null;
  private framesDecoded = 0;
  private endUs = 0;
  private cutEnded = false;
  private scenesClosed = false;
  private cuesPromise: Promise<Cue[]> | null = null;
  private sceneCount = 0;
  private failure: FlowError | null = null;

  constructor(private readonly options: MediumRunOptions) {
    const { plan } = options;
    this.ledger = new Ledger(plan.nodes.map((n) => n.name));
    this.nodes = new Map(plan.nodes.map((n) => [n.name, n]));
    this.source = plan.nodes.find((n) => n.op.run.form === "source") ?? null;
    this.cutNode = plan.nodes.find((n) => n.op.run.form === "cut") ?? null;
    this.sceneNodes = plan.nodes.filter((n) => n.level === "scene" && n.op.run.form !== "cut");
    this.mediaNodes = plan.nodes.filter((n) => n.level === "media" && n.op.run.form !== "source");
  }

  async run(): Promise<MediumResult> {
    const { plan, info, store, givenScenes } = this.options;
    const mark = store.getDone(info.id, doneKey(plan, givenScenes)) as DoneMark | undefined;
    // The mark counts only while the records are this plan's: another threshold since then has put other scenes in their place.
    const current = store.getMedium(info.id)?.plan === doneKey(plan, givenScenes);
    if (mark && current && !plan.nodes.some((n) => this.options.services.forced(n))) return this.replay(mark);
    await store.clearFailures(info.id);

    if (this.source) this.ledger.open(this.source.name);
    for (const node of plan.nodes) {
      if (node.level !== "frame") continue;
      if (isVideoFed(node) ? !info.video : !info.audio) continue;
      if (this.options.services.forced(node)) await store.removeBlocks(info.id, node.key);
      this.streams.set(
        node.name,
        new GridStream({ node, medium: info.id, rate: rateName(node), store, blockUs: plan.runtime.blockUs, ledger: this.ledger, moved: () => this.dispatchScenes() }),
      );
    }

    const sceneWork = lastValueFrom(
      this.scenes.pipe(
        mergeMap((scene) => this.runScene(scene), plan.runtime.scenesInFlight),
        toArray(),
      ),
    );
    sceneWork.catch(() => undefined);
    try {
      await this.runGrid();
    } catch (thrown) {
      this.failure = toFlowError(thrown);
    }
    const interrupted = this.options.stop.aborted;
    if (this.failure || interrupted) {
      // An interrupted scene is not closed as if it had ended: only what is whole goes on.
      this.dispatchScenes();
      this.scenesClosed = true;
      this.scenes.complete();
    }
    await sceneWork;
    for (const stream of this.streams.values()) await stream.flushed();
    if (this.failure && !interrupted) {
      this.closeSource({ kind: "failed", error: this.failure.toJSON() });
      throw this.failure;
    }
    if (interrupted) {
      this.closeSource({ kind: "skipped", reason: "interrupted" });
      return this.result("interrupted");
    }
    await this.runMediaLevel();
    this.closeSource({ kind: "done", value: null });
    await this.finish();
    return this.result("done");
  }

  // -- grid half ------------------------------------------------------------------------------------------------------------

  private async runGrid(): Promise<void> {
    const { info, plan, stop } = this.options;
    const streams = [...this.streams.values()];
    const planned = planDecode(info, streams, plan.runtime.slots);
    const cut = this.openCut();
    // Rows stored by an earlier run are replayed into the cutter: cutting is pure, so nothing is decoded to cut again.
    if (cut?.stream && cut.stream.resumeUs > 0) cut.push(cut.stream.series(0, cut.stream.complete ? Number.POSITIVE_INFINITY : cut.stream.resumeUs));
    if (planned && !stop.aborted) {
      if (planned.spec.resume) {
        this.decodeFromUs = planned.spec.resume.fromUs;
        this.health.push(...this.options.store.getHealth(info.id));
      }
      const decode = openDecode(info, planned.spec);
      this.decode = decode;
      const onStop = (): void => void decode.stop();
      stop.addEventListener("abort", onStop, { once: true });
      try {
        await lastValueFrom(decode.events.pipe(tap((event) => this.onDecodeEvent(event, planned.consumers, cut))), { defaultValue: null });
      } finally {
        stop.removeEventListener("abort", onStop);
        for (const stream of streams) if (stream.node.op.run.form === "batch") this.options.services.batcher(stream.node).flush();
        await this.settled(streams);
        await decode.stop();
        this.framesDecoded = decode.stats.framesDecoded;
        if (decode.stats.leased > 0) {
          throw new FlowError("LEASE_LEAK", `${decode.stats.leased} frame leases of ${info.name} were never given back.`, { hint: "This is a defect of flow: please report it with the graph." });
        }
      }
    }
    if (stop.aborted) return;
    this.endUs = Math.max(...streams.map((s) => s.endUs ?? 0), streams.length === 0 ? (info.durationUs ?? 0) : 0);
    if (this.endUs === 0 && info.durationUs) this.endUs = info.durationUs;
    this.closeScenes(cut);
  }

  /** All items that were taken have their outcome and their blocks are committed. */
  private async settled(streams: readonly GridStream[]): Promise<void> {
    await Promise.allSettled([...this.openWork]);
    for (const stream of streams) await stream.flushed();
  }

  private readonly openWork = new Set<Promise<void>>();

  private onDecodeEvent(event: DecodeEvent, consumers: Map<string, GridStream[]>, cut: CutRun | null): void {
    switch (event.type) {
      case "delivery":
        this.onDelivery(event.delivery, consumers.get(event.delivery.output) ?? []);
        break;
      case "rows": {
        const stream = this.streams.get(event.tap);
        if (!stream) break;
        const series: Series = { ptsUs: event.ptsUs, width: event.columns.length, columns: event.columns, data: event.data };
        stream.takeRows(series, event.adler);
        if (cut?.stream === stream) cut.push(from(series, stream.resumeUs));
        break;
      }
      case "watermark":
        for (const stream of consumers.get(event.output) ?? []) stream.watermark(event.ptsUs);
        break;
      case "end":
        for (const stream of consumers.get(event.output) ?? []) {
          if (stream.node.op.run.form === "batch") this.options.services.batcher(stream.node).flush();
          stream.end(event.endUs);
        }
        break;
      case "starving":
        for (const stream of consumers.get(event.output) ?? []) if (stream.node.op.run.form === "batch") this.options.services.batcher(stream.node).flush();
        break;
      case "health":
        this.complained(event.message, event.atUs);
        break;
      case "progress":
        this.options.progress({ uri: this.options.info.uri, ptsUs: event.ptsUs, durationUs: this.options.info.durationUs, frames: event.frames, scenes: this.sceneCount });
        break;
    }
  }

  /** Kept over kills; what a seek stirs up before its first wanted frame is no damage of the medium. */
  private complained(message: string, atUs: number): void {
    if (atUs < this.decodeFromUs || this.health.some((known) => known.message === message) || this.health.length >= MAX_COMPLAINTS) return;
    this.health.push({ message, atUs });
    void this.options.store.putHealth(this.options.info.id, this.health);
  }

  /** Each consumer of the frame takes a share of its lease; the slot is free when the last one has its outcome. */
  private onDelivery(delivery: Delivery, streams: readonly GridStream[]): void {
    let shares = 1;
    const drop = (): void => {
      shares -= 1;
      if (shares === 0) delivery.release();
    };
    for (const stream of streams) {
      if (stream.node.op.run.form !== "batch") continue;
      const settle = stream.take(delivery.ptsUs, delivery.adler);
      if (!settle) continue;
      const known = stream.stored(delivery.ptsUs);
      if (known) {
        settle({ kind: "done", value: known, cached: true });
        continue;
      }
      shares += 1;
      const work = this.infer(stream.node, delivery)
        .then(settle)
        .catch((thrown: unknown) => {
          this.failure ??= toFlowError(thrown);
          void this.decode?.stop();
        })
        .finally(() => {
          drop();
          this.openWork.delete(work);
        });
      this.openWork.add(work);
    }
    drop();
  }

  private async infer(node: PlanNode, delivery: Delivery): Promise<Outcome<Float32Array | Uint8Array>> {
    const { services, info, stop } = this.options;
    try {
      const value = await services.policy(node).run(() => services.submit(node, { ptsUs: delivery.ptsUs, slot: delivery.slot, samples: delivery.samples }));
      const [port, type] = Object.entries(node.outputs)[0]!;
      checkValue(node.name, port, type, value);
      return { kind: "done", value: value as Float32Array };
    } catch (thrown) {
      const error = toFlowError(thrown);
      if (node.onError.then === "fail") throw error;
      if (!stop.aborted) services.deadLetter(node, info, { startUs: delivery.ptsUs, endUs: delivery.ptsUs }, error);
      return { kind: "failed", error: { ...error.toJSON(), node: node.name }, permanent: error.permanent };
    }
  }

  // -- scene half -----------------------------------------------------------------------------------------------------------

  private openCut(): CutRun | null {
    const node = this.cutNode;
    if (!node || this.options.givenScenes) return null;
    // Fed by the first of its inputs that this medium has: score rows of video, else audio levels.
    const stream = Object.values(node.inputs).map((input) => this.streams.get(input.node)).find((s) => s !== undefined) ?? null;
    const fold = node.op.open!(node.config, this.options.info);
    return { stream, push: (series) => fold.push(series).forEach((scene) => this.addScene(scene)), end: (endUs) => fold.end(endUs).forEach((scene) => this.addScene(scene)) };
  }

  private closeScenes(cut: CutRun | null): void {
    this.cutEnded = true;
    if (cut) cut.end(this.endUs);
    else for (const given of this.options.givenScenes ?? []) this.addScene({ startUs: given.startUs, endUs: Math.min(given.endUs, this.endUs || given.endUs), ...this.frameNumbers(given) });
    this.dispatchScenes();
  }

  /** First and last frame of a given interval, from the stored scores if the graph has them. */
  private frameNumbers(interval: Interval): { startFrame: number | null; endFrame: number | null } {
    const all = [...this.streams.values()].find((s) => s.rate === "all" && isVideoFed(s.node));
    if (!all) return { startFrame: null, endFrame: null };
    const before = all.series(0, interval.startUs).ptsUs.length;
    return { startFrame: before, endFrame: before + all.series(interval.startUs, interval.endUs).ptsUs.length };
  }

  private addScene(scene: SceneCut): void {
    this.sceneCount += 1;
    if (this.cutNode) this.ledger.open(this.cutNode.name);
    this.waiting.push(scene);
  }

  /** Scenes go on, in order, as soon as every stream has settled to their end. */
  private dispatchScenes(): void {
    if (this.scenesClosed) return;
    while (this.waiting.length > 0) {
      const scene = this.waiting[0]!;
      for (const stream of this.streams.values()) if (stream.settledUs < scene.endUs) return;
      this.waiting.shift();
      this.scenes.next(scene);
    }
    if (this.cutEnded) {
      this.scenesClosed = true;
      this.scenes.complete();
    }
  }

  private async runScene(scene: SceneCut): Promise<void> {
    const { plan, info, store } = this.options;
    if (this.cutNode) this.ledger.close(this.cutNode.name, { kind: "done", value: null, cached: this.streams.size > 0 && [...this.streams.values()].every((s) => s.complete) && this.framesDecoded === 0 });
    const interval: Interval = { startUs: scene.startUs, endUs: scene.endUs };
    const done = await evaluateItem(this.sceneNodes, this.scope(scene, (input) => this.outside(input, interval, scene)));
    this.sceneMemo.push({
      scene,
      // Kept: the key only; media-level nodes read the value back from the memo. What has no memo (join) is small or stays unread.
      evaluated: new Map([...done].map(([name, e]) => [name, { key: e.memoKey, evaluated: e.memoKey && e.outcome.kind === "done" ? null : e }])),
    });
    const output = plan.outputs.find((o) => o.kind === "scene");
    if (output) await this.commit("scene", scene, output.from, done);
    void store;
    this.options.progress({ uri: info.uri, ptsUs: scene.endUs, durationUs: info.durationUs, frames: 0, scenes: this.sceneCount });
  }

  private async commit(kind: "scene" | "media", interval: Interval & Partial<SceneCut>, from: readonly string[], done: Map<string, Evaluated>): Promise<void> {
    const { info, store } = this.options;
    const joined: Record<string, unknown> = {};
    const spaces: Record<string, string> = {};
    const keys: string[] = [];
    let partial = false;
    for (const name of from) {
      const node = this.nodes.get(name);
      const evaluated = done.get(name);
      if (!node || !evaluated) continue;
      keys.push(name, evaluated.digests["record"] ?? JSON.stringify(evaluated.digests));
      if (evaluated.outcome.kind !== "done") continue;
      Object.assign(spaces, vectorSpaces(node, this.nodes));
      for (const [port, value] of Object.entries(evaluated.outcome.value)) {
        if (node.outputs[port]?.kind === "record") Object.assign(joined, value);
        else joined[port] = value;
        const type = node.outputs[port];
        if (type?.kind === "vector") spaces[port] = type.space ?? "";
      }
    }
    for (const [, evaluated] of done) if (evaluated.outcome.kind === "failed") partial = true;
    const built = buildRecord(kind, info, interval, joined, spaces, partial);
    if (kind === "media") Object.assign(built.record.fields, this.mediumFields());
    this.recordIds.add(built.record.id);
    this.digest.addRecord(built.record, built.vectors);
    const key = memoKey(`record:${kind}`, info.id, interval, [digestValue(built.record), ...Object.values(built.vectors).map(digestValue), ...keys]);
    if (store.getMemo(key) && store.getRecord(built.record.id)) return;
    await store.commitRecord({ record: built.record, vectors: built.vectors, blobs: built.blobs, memo: [{ key, outcome: { kind: "done", value: built.record.id } }] });
  }

  private mediumFields(): Record<string, unknown> {
    const { info, uris } = this.options;
    return {
      uri: info.uri, uris, name: info.name, kind: info.kind, durationUs: this.endUs, hasVideo: info.video !== null, hasAudio: info.audio !== null, container: info.container,
      width: info.video?.orientedWidth ?? null, height: info.video?.orientedHeight ?? null, fps: info.video ? Math.round(info.video.avgFps * 1000) / 1000 : null, scenes: this.sceneCount, complete: true, health: this.health.length > 0 ? this.health : this.options.store.getHealth(info.id),
    };
  }

  // -- medium level ---------------------------------------------------------------------------------------------------------

  private async runMediaLevel(): Promise<void> {
    const output = this.options.plan.outputs.find((o) => o.kind === "media");
    const interval: Interval = { startUs: 0, endUs: this.endUs };
    this.sceneMemo.sort((a, b) => a.scene.startUs - b.scene.startUs);
    const done = await evaluateItem(this.mediaNodes, this.scope(interval, (input) => this.outside(input, { startUs: 0, endUs: Number.POSITIVE_INFINITY }, null)));
    await this.commit("media", interval, output?.from ?? [], done);
  }

  private scope(interval: Interval & Partial<SceneCut>, outside: ItemScope["outside"]): ItemScope {
    const { info, store, services } = this.options;
    const media = mediaVariables(info);
    return {
      info, interval, store, services, outside, ledger: this.ledger, sourceName: this.source?.name ?? null,
      variables: { media, [this.source?.name ?? "media"]: media, scene: sceneVariables(interval) },
    };
  }

  /** A value from another level: the grid's series, the scenes' values, what media.open gives. */
  private outside(input: PlanInput, interval: Interval, scene: SceneCut | null): unknown {
    const stream = this.streams.get(input.node);
    if (stream) return stream.series(interval.startUs, interval.endUs);
    if (input.node === this.source?.name) {
      if (input.port === "info") return this.options.info;
      if (input.port === "subtitles") return this.options.info.subtitles.some((s) => s.text) ? (this.cuesPromise ??= readSubtitles(this.options.info)) : [];
      return null;
    }
    if (input.node === this.cutNode?.name) {
      if (scene) return { startUs: scene.startUs, endUs: scene.endUs, startFrame: scene.startFrame, endFrame: scene.endFrame };
      return this.sceneMemo.map(({ scene: s }): ListEntry => ({ startUs: s.startUs, endUs: s.endUs, value: s }));
    }
    if (!scene && this.nodes.get(input.node)?.level === "scene") return this.sceneMemo.map(({ scene: s, evaluated }): ListEntry => ({ startUs: s.startUs, endUs: s.endUs, value: this.remembered(evaluated.get(input.node), input.port) }));
    return null;
  }

  private remembered(entry: { key: string | null; evaluated: Evaluated | null } | undefined, port: string): unknown {
    const outcome = entry?.evaluated?.outcome ?? (entry?.key ? this.options.store.getMemo(entry.key) : undefined);
    return outcome?.kind === "done" ? ((outcome.value as Record<string, unknown>)[port] ?? null) : null;
  }

  // -- end ------------------------------------------------------------------------------------------------------------------

  private closeSource(outcome: Outcome): void {
    if (this.source) this.ledger.close(this.source.name, outcome);
  }

  private async finish(): Promise<void> {
    const { plan, info, store, uris, givenScenes } = this.options;
    for (const stream of this.streams.values()) {
      const series = stream.series(0, Number.POSITIVE_INFINITY);
      if (series.data) this.digest.addNumbers(stream.node.name, series.data);
      this.digest.addNumbers(`${stream.node.name}:count`, Float32Array.of(series.ptsUs.length));
    }
    await store.removeRecords(info.id, "scene", this.recordIds);
    const { digest, digestNumbers } = this.digest.finish();
    const counts = this.ledger.snapshot();
    const records = { media: 1, scene: this.sceneCount };
    await store.putMedium(info.id, {
      info, uris, complete: true, plan: doneKey(plan, givenScenes),
      outputs: plan.outputs,
      nodes: Object.fromEntries(plan.nodes.map((node) => [node.name, { op: node.op.name, key: node.key, rate: rateName(node) }])),
    });
    if (!Object.values(counts).some((c) => c.failed > 0)) await store.putDone(info.id, doneKey(plan, givenScenes), { counts, records, digest, digestNumbers } satisfies DoneMark);
    this.finished = { digest, digestNumbers };
  }

  private finished = { digest: "", digestNumbers: "" };

  private result(status: "done" | "interrupted"): MediumResult {
    const counts = this.ledger.snapshot();
    return {
      medium: this.options.info.id,
      uri: this.options.info.uri,
      status,
      counts,
      records: { media: status === "done" ? 1 : 0, scene: this.recordIds.size - (status === "done" ? 1 : 0) },
      framesDecoded: this.framesDecoded,
      ...this.finished,
      failedItems: Object.values(counts).reduce((sum, c) => sum + c.failed, 0),
    };
  }

  /** What is known of a medium that failed as a whole. */
  snapshot(): MediumResult {
    return this.result("interrupted");
  }

  private async replay(mark: DoneMark): Promise<MediumResult> {
    const { info, uris, store } = this.options;
    this.ledger.replay(mark.counts);
    this.finished = { digest: mark.digest, digestNumbers: mark.digestNumbers };
    await store.putMedium(info.id, { ...store.getMedium(info.id)!, info, uris });
    return { ...this.result("done"), records: mark.records };
  }
}

const MAX_COMPLAINTS = 50;

interface CutRun {
  stream: GridStream | null;
  push(series: Series): void;
  end(endUs: number): void;
}

/** Rows at or after `fromUs`: what the cutter has not seen in the replay. */
function from(series: Series, fromUs: number): Series {
  let i = 0;
  while (i < series.ptsUs.length && series.ptsUs[i]! < fromUs) i += 1;
  return i === 0 ? series : { ...series, ptsUs: series.ptsUs.subarray(i), data: series.data!.subarray(i * series.width) };
}
