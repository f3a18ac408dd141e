/**
 * One medium through the plan. Two halves that meet in the store's blocks, the grid half and the scene half, then the nodes of the whole medium and
 * the mark that it is done.
 */
import { FlowError, redactUri, toFlowError, type Complaint, type Cue, type Interval, type NodeCounts, type Outcome, type PlanInput, type PlanNode, type SceneCut, type Series } from "../contracts/index.js";
import { mediaVariables, sceneVariables } from "../graph/index.js";
import { holdsOther, readSubtitles } from "../media/index.js";
import type { MediumRow } from "../store/index.js";
import { blockKey, isVideoFed, rateName } from "./decode-plan.js";
import { damageOf, type ReadEnds } from "./damage.js";
import { doneKey, keepsStanding, type DoneMark } from "./done.js";
import { committed, evaluateItem, type Evaluated, type ItemScope } from "./evaluate.js";
import { GridHalf } from "./grid-half.js";
import { GridStream } from "./grid.js";
import { Ledger } from "./ledger.js";
import type { MediumContext, MediumProgress, MediumResult, MediumRunOptions } from "./medium-context.js";
import { Recorder } from "./recorder.js";
import { SceneHalf } from "./scene-half.js";

export const MEDIA_CHANGED = "MEDIA_CHANGED";

export class MediumRun implements MediumContext {
  readonly plan;
  readonly whole;
  readonly info;
  readonly uris;
  readonly givenScenes;
  readonly store;
  readonly services;
  readonly stop;
  readonly progress;
  readonly ledger: Ledger;
  readonly streams = new Map<string, GridStream>();
  halted = false;

  private readonly source: PlanNode | null;
  private readonly levels: ReadonlyMap<string, string>;
  private readonly grid: GridHalf;
  private readonly scenes: SceneHalf;
  private readonly recorder: Recorder;
  private readonly last: MediumProgress;
  private failed: FlowError | null = null;
  private endUs = 0;
  private cues: Promise<Cue[]> | null = null;
  private digests = { digest: "", digestNumbers: "" };
  private damage: string | null = null;
  /** What the store holds of the medium from before, when this plan makes no records of a kind that its graph makes: those stay. */
  private earlier: MediumRow | null = null;
  /** This plan makes no records at all: the earlier ones stay the medium's standing. */
  private keeps = false;
  /** Nodes of the whole medium that scenes read (voice activity): they need only the medium itself, and run beside the decode. */
  private readonly early: readonly PlanNode[];
  private earlyDone: Promise<Map<string, Evaluated>> | null = null;

  constructor(options: MediumRunOptions) {
    this.whole = options.whole ?? null;
    ({ plan: this.plan, info: this.info, uris: this.uris, givenScenes: this.givenScenes, store: this.store, services: this.services, stop: this.stop, progress: this.progress } = options);
    const { plan, info } = options;
    this.ledger = new Ledger(plan.nodes.map((n) => n.name));
    this.levels = new Map(plan.nodes.map((n) => [n.name, n.level]));
    this.source = plan.nodes.find((n) => n.op.run.form === "source") ?? null;
    this.early = mediaBeforeScenes(plan.nodes);
    this.recorder = new Recorder(this);
    this.grid = new GridHalf(this);
    this.scenes = new SceneHalf(this, this.recorder, (scene) => this.scope(scene, scene, scene));
    this.last = { uri: info.uri, ptsUs: 0, durationUs: info.durationUs, frames: 0, scenes: 0 };
  }

  async run(): Promise<MediumResult> {
    const { plan, info, store, services } = this;
    const key = doneKey(this.whole ?? plan, this.givenScenes);
    const mark = store.getDone(info.id, key) as DoneMark | undefined;
    // The mark counts only while the records are this plan's: another threshold since then has put other scenes in their place.
    const known = store.getMedium(info.id);
    this.earlier = plan.omitted.length > 0 && known && !known.partial ? known : null;
    this.keeps = known !== undefined && keepsStanding(this.whole ?? plan, known);
    const current = known?.plan === key || this.keeps;
    const forced = plan.nodes.some((n) => services.forced(n, info));
    // A medium that may change behind its address leaves nothing that the next pass could read.
    if (this.whole && ((mark && current && !forced) || !info.memoisable)) return this.result("done");
    if (mark && current && !forced) return this.replay(mark);
    await store.clearFailures(info.id, plan.omitted.length > 0 ? new Set(this.levels.keys()) : null);
    // No plan's results until the end: an interrupted medium is known, and said to be incomplete.
    if (!this.keeps || forced) await store.putMedium(info.id, { ...this.reading(), info, uris: this.uris, complete: false, ...this.partial() });
    await this.openStreams();
    if (this.source) this.ledger.open(this.source.name);

    try {
      this.runEarly();
      const cut = this.scenes.openCut();
      await this.grid.run(cut);
      if (!this.failed && !this.stop.aborted) {
        this.endUs = this.mediumEndUs();
        // What was promised behind the last frame did not go by.
        this.report({ durationUs: this.endUs });
        this.scenes.end(cut, this.endUs);
      }
    } catch (thrown) {
      this.failed ??= toFlowError(thrown);
    }
    if (this.scenes.pending > 0 && !this.failed && !this.stop.aborted) {
      this.failed = new FlowError("INTERNAL", `${this.scenes.pending} scenes of ${info.name} wait for streams that have ended.`, { hint: "This is a defect of flow: please report it with the graph." });
    }
    this.scenes.breakOff();
    await this.scenes.done;
    await this.earlyDone?.catch((thrown: unknown) => (this.failed ??= toFlowError(thrown)));
    for (const stream of this.streams.values()) {
      stream.breakOff();
      await stream.flushed().catch((thrown: unknown) => this.fail(toFlowError(thrown)));
    }
    const changed = await this.dropIfChanged();
    if (this.stop.aborted && !changed) {
      this.closeSource({ kind: "skipped", reason: "interrupted" });
      return this.result("interrupted");
    }
    try {
      this.throwIfFailed();
      await this.runMediaLevel();
    } catch (thrown) {
      const error = toFlowError(thrown);
      this.closeSource({ kind: "failed", error: error.toJSON() });
      throw error;
    }
    this.closeSource({ kind: "done", value: null });
    await this.finish(key);
    return this.result("done");
  }

  /**
   * What `run` would do, when nothing has to be decoded: the cut and every memo are asked, no result is computed. Returns null when something has to be.
   * `endUs`: the medium is at least as long.
   */
  async rehearse(endUs: number): Promise<Record<string, NodeCounts> | null> {
    await this.openStreams();
    if ([...this.streams.values()].some((stream) => !stream.complete)) return null;
    this.endUs = Math.max(endUs, this.mediumEndUs());
    this.runEarly();
    this.scenes.end(this.scenes.openCut(), this.endUs);
    await this.scenes.done;
    await this.runMediaLevel();
    return this.ledger.snapshot();
  }

  fail(error: FlowError): void {
    this.failed ??= error;
    this.halted = true;
    this.grid.stop();
  }

  report(moved: Partial<Pick<MediumProgress, "ptsUs" | "frames" | "durationUs">>): void {
    Object.assign(this.last, moved, { scenes: this.scenes.count });
    this.progress({ ...this.last });
  }

  /** What is known of a medium that failed as a whole. */
  snapshot(): MediumResult {
    return this.result("interrupted");
  }

  private mediumEndUs(): number {
    return Math.max(0, ...[...this.streams.values()].map((s) => s.endUs ?? 0)) || (this.info.durationUs ?? 0);
  }

  private readEnds(): ReadEnds {
    const end = (video: boolean): number | null => {
      const streams = [...this.streams.values()].filter(({ node }) => isVideoFed(node) === video);
      return streams.length > 0 ? Math.max(...streams.map(({ endUs }) => endUs ?? 0)) : null;
    };
    return { video: end(true), audio: end(false) };
  }

  /**
   * The file was written to while it was read: what was made of it is not what its content id stands for, and would be found under that for ever. Blocks go, and
   * memos of nodes that read the file itself; other memos are keyed by what their nodes consumed.
   */
  private async dropIfChanged(): Promise<boolean> {
    const { plan, info, store } = this;
    if (!(await holdsOther(info.uri, info.id, store.identities))) return false;
    for (const node of plan.nodes) {
      if (node.level === "frame") await store.removeBlocks(info.id, blockKey(node, plan.runtime.blockUs));
      else if (Object.values(node.inputs).some((input) => input.node === this.source?.name)) await store.removeMemos(node.key, info.id);
    }
    await store.putHealth(info.id, []);
    this.failed = new FlowError(MEDIA_CHANGED, `${info.uri} changed while it was read.`, { hint: "Run it again once nothing writes to it any more; nothing that was read is kept.", item: info.uri });
    return true;
  }

  private throwIfFailed(): void {
    if (this.failed) throw this.failed;
  }

  private async openStreams(): Promise<void> {
    const { plan, info, store, services, ledger } = this;
    const { blockUs } = plan.runtime;
    for (const node of plan.nodes) {
      if (node.level !== "frame" || (isVideoFed(node) ? !info.video : !info.audio)) continue;
      const key = blockKey(node, blockUs);
      if (services.forced(node, info)) await store.removeBlocks(info.id, key);
      const stream = new GridStream({
        node, key, medium: info.id, rate: rateName(node), store, blockUs, ledger,
        moved: () => this.scenes.dispatch(),
        broken: (error) => this.fail(toFlowError(error)),
      });
      for (const { ptsUs, outcome } of stream.failures) if (outcome.kind === "failed") services.deadLetter(node, info, { startUs: ptsUs, endUs: ptsUs }, outcome.error, true);
      this.streams.set(node.name, stream);
    }
  }

  // -- values ---------------------------------------------------------------------------------------------------------------

  /** `covered`: what is read of the grid for the item of `interval`. */
  private scope(interval: Interval & Partial<SceneCut>, covered: Interval, scene: SceneCut | null): ItemScope {
    const { info, store, services, ledger } = this;
    const media = mediaVariables(info);
    // One for all readers: a scene's scores have half a dozen.
    const series = new Map<GridStream, Series>();
    const outside = (input: PlanInput): unknown => {
      const stream = this.streams.get(input.node);
      if (!stream) return this.outside(input, scene);
      let known = series.get(stream);
      if (!known) series.set(stream, (known = stream.series(covered.startUs, covered.endUs)));
      return known;
    };
    return {
      info, interval, store, services, outside, ledger, sourceName: this.source?.name ?? null,
      variables: { media, [this.source?.name ?? "media"]: media, scene: sceneVariables(interval) },
    };
  }

  /** A value of no stream: the scenes' values, what media.open gives. */
  private outside(input: PlanInput, scene: SceneCut | null): unknown {
    if (input.node === this.source?.name) {
      if (input.port === "info" || input.port === "clip") return this.info;
      if (input.port === "subtitles") return this.info.subtitles.some((s) => s.text) ? (this.cues ??= readSubtitles(this.info)) : [];
      return null;
    }
    if (this.early.some((node) => node.name === input.node)) return this.earlyValue(input);
    if (!scene) return this.levels.get(input.node) === "scene" ? this.scenes.list(input) : null;
    if (input.node !== this.scenes.cutNode?.name) return null;
    return { startUs: scene.startUs, endUs: scene.endUs, startFrame: scene.startFrame, endFrame: scene.endFrame };
  }

  // -- the whole medium -----------------------------------------------------------------------------------------------------

  private runEarly(): void {
    if (this.early.length === 0) return;
    const whole: Interval = { startUs: 0, endUs: this.info.durationUs ?? 0 };
    this.earlyDone = evaluateItem(this.early, this.scope(whole, whole, null));
    // Whoever waits for it gets the error; nobody may be waiting yet.
    this.earlyDone.catch(() => undefined);
  }

  private async earlyValue(input: PlanInput): Promise<unknown> {
    const outcome = (await this.earlyDone)?.get(input.node)?.outcome;
    return outcome?.kind === "done" ? ((outcome.value as Record<string, unknown>)[input.port] ?? null) : null;
  }

  private async runMediaLevel(): Promise<void> {
    const { plan } = this;
    const interval: Interval = { startUs: 0, endUs: this.endUs };
    const nodes = plan.nodes.filter((n) => n.level === "media" && n.op.run.form !== "source" && !this.early.includes(n));
    const done = await evaluateItem(nodes, this.scope(interval, { startUs: 0, endUs: Number.POSITIVE_INFINITY }, null));
    for (const [name, evaluated] of (await this.earlyDone) ?? []) done.set(name, evaluated);
    const output = plan.outputs.find((o) => o.kind === "media");
    const fields = this.mediumFields();
    // The record of the whole medium stays; only what every such record says is said again.
    const [standing] = !output && this.earlier ? this.store.records({ kind: "media", media: this.info.id }) : [];
    const keep = standing !== undefined || (!output && this.keeps);
    await this.recorder.commit("media", interval, output?.from ?? [], done, fields, keep);
    this.recorder.digestLoose("media", interval, done);
    await committed(done);
    if (standing && !this.keeps && !this.whole) await this.recorder.amend(standing, fields);
  }

  /** How earlier records that stay are read. */
  private reading(): Pick<MediumRow, "outputs" | "nodes"> {
    const { outputs, nodes } = this.earlier ?? {};
    return { ...(outputs ? { outputs } : {}), ...(nodes ? { nodes } : {}) };
  }

  private partial(): Pick<MediumRow, "partial"> {
    return this.plan.omitted.length > 0 && !this.earlier ? { partial: true } : {};
  }

  private mediumFields(): Record<string, unknown> {
    const { info } = this;
    return {
      uri: redactUri(info.uri), uris: this.allUris().map(redactUri), name: info.name, kind: info.kind, durationUs: this.endUs, hasVideo: info.video !== null, hasAudio: info.audio !== null, container: info.container,
      width: info.video?.orientedWidth ?? null, height: info.video?.orientedHeight ?? null, fps: info.video ? Math.round(info.video.avgFps * 1000) / 1000 : null,
      scenes: this.scenes.count, complete: true, health: this.health(),
    };
  }

  private health(): readonly Complaint[] {
    return this.grid.health.length > 0 ? this.grid.health : this.store.getHealth(this.info.id);
  }

  /** Every name under which these bytes were ever given. */
  private allUris(): string[] {
    return [...new Set([...(this.store.getMedium(this.info.id)?.uris ?? []), ...this.uris])];
  }

  private closeSource(outcome: Outcome): void {
    if (this.source) this.ledger.close(this.source.name, outcome);
  }

  private async finish(key: string): Promise<void> {
    if (this.whole) return;
    const { plan, info, store, uris, ledger, earlier } = this;
    this.digests = this.recorder.finish(this.streams.values());
    this.damage = damageOf(info, this.readEnds(), this.health());
    if (!plan.omitted.includes("scene")) await store.removeRecords(info.id, "scene", this.recorder.scenes);
    if (this.keeps) {
      const { plan: standing, ...row } = earlier!;
      // What failed here the run of the whole graph tries again: its done mark does not speak for it any more.
      const failed = Object.values(ledger.snapshot()).some((counts) => counts.failed > 0);
      await store.putMedium(info.id, { ...row, info, uris, ...(failed || standing === undefined ? {} : { plan: standing }) });
    } else {
      const { outputs = [], nodes = {} } = this.reading();
      await store.putMedium(info.id, {
        // Scenes that stay are all there are only if they were so before.
        info, uris, complete: plan.omitted.includes("scene") ? (earlier?.complete ?? true) : true, plan: key,
        outputs: [...plan.outputs, ...outputs.filter(({ kind }) => plan.omitted.includes(kind))],
        nodes: { ...nodes, ...Object.fromEntries(plan.nodes.map((node) => [node.name, { op: node.op.name, key: blockKey(node, plan.runtime.blockUs), rate: rateName(node) }])) },
        ...this.partial(),
      });
    }
    // What failed for good is part of the result; what may go better next time is not.
    if (ledger.retryable === 0) await store.putDone(info.id, key, { counts: ledger.snapshot(), records: this.records("done"), ...this.digests, damage: this.damage } satisfies DoneMark);
  }

  private records(status: MediumResult["status"]): Record<string, number> {
    return { media: status === "done" ? 1 : 0, ...(this.plan.omitted.includes("scene") ? {} : { scene: this.recorder.scenes.size }) };
  }

  private result(status: MediumResult["status"]): MediumResult {
    const counts = this.ledger.snapshot();
    return {
      medium: this.info.id,
      uri: this.info.uri,
      name: this.info.name,
      status,
      counts,
      records: this.records(status),
      framesDecoded: this.grid.framesDecoded,
      ...this.digests,
      failedItems: Object.values(counts).reduce((sum, c) => sum + c.failed, 0),
      damage: this.damage,
    };
  }

  /** Found finished: nothing is looked at. Only a new name of the medium is written down. */
  private async replay(mark: DoneMark): Promise<MediumResult> {
    const { info, uris, store } = this;
    this.ledger.replay(mark.counts);
    this.digests = { digest: mark.digest, digestNumbers: mark.digestNumbers };
    this.damage = mark.damage;
    const record = [...store.records({ kind: "media", media: info.id })][0];
    const all = this.allUris();
    if (record && (record.fields["uris"] as string[] | undefined)?.length !== all.length) {
      await store.commitRecord({ record: { ...record, fields: { ...record.fields, uri: info.uri, name: info.name, uris: all } }, vectors: {} });
    }
    await store.putMedium(info.id, { ...store.getMedium(info.id)!, info, uris });
    return { ...this.result("done"), records: mark.records };
  }
}

/** Nodes of the whole medium that some scene-level node reads, with what they read themselves. Lint has seen to it that they need neither frames nor scenes. */
function mediaBeforeScenes(nodes: readonly PlanNode[]): PlanNode[] {
  const wanted = new Set(nodes.filter((node) => node.level === "scene").flatMap((node) => Object.values(node.inputs).map((input) => input.node)));
  const early: PlanNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (node.level !== "media" || node.op.run.form === "source" || !wanted.has(node.name)) continue;
    early.unshift(node);
    for (const input of Object.values(node.inputs)) wanted.add(input.node);
  }
  return early;
}
