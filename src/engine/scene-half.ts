/**
 * The scene half of a medium: cut → per-scene nodes → records.
 *
 * Who paces whom: scenes wait for `scenesInFlight` credits as bare intervals and read their inputs from blocks when it is their turn, so that a
 * slow branch never holds frames and intake never waits for a scene. The credits are the medium's own; for the pool, media take
 * turns (`Batcher`). What bounds memory: scenes in flight; of a finished scene only what medium-level nodes ask for stays, as keys of the memo. Who frees: the scene's last outcome.
 */
import { Subject, lastValueFrom, mergeMap } from "rxjs";
import { toFlowError, type Interval, type Outcome, type PlanInput, type PlanNode, type SceneCut, type Series } from "../contracts/index.js";
import { isVideoFed } from "./decode-plan.js";
import { committed, evaluateItem, type Evaluated, type ItemScope, type ListEntry } from "./evaluate.js";
import type { GridStream } from "./grid.js";
import type { MediumContext } from "./medium-context.js";
import type { Recorder } from "./recorder.js";

export interface CutRun {
  stream: GridStream | null;
  push(series: Series): void;
  end(endUs: number): void;
}

/** Where a finished scene's value is found: in the memo, or (a join has none) here. */
type Kept = { key: string } | { outcome: Outcome };

const INTERRUPTED: Outcome = { kind: "skipped", reason: "interrupted" };

export class SceneHalf {
  count = 0;
  readonly cutNode: PlanNode | null;
  /** Resolves when every scene that was begun has its outcomes; never rejects. */
  readonly done: Promise<unknown>;
  private readonly nodes: PlanNode[];
  private readonly dispatched = new Subject<SceneCut>();
  private readonly waiting: SceneCut[] = [];
  private readonly finished: { scene: SceneCut; kept: Map<string, Kept> }[] = [];
  /** Scene-level nodes that medium-level nodes read. */
  private readonly wanted: ReadonlySet<string>;
  private ended = false;
  private closed = false;

  constructor(
    private readonly context: MediumContext,
    private readonly recorder: Recorder,
    private readonly scope: (scene: SceneCut) => ItemScope,
  ) {
    const { plan } = context;
    this.cutNode = plan.nodes.find((n) => n.op.run.form === "cut") ?? null;
    this.nodes = plan.nodes.filter((n) => n.level === "scene" && n.op.run.form !== "cut");
    const scenes = new Set(this.nodes.map((n) => n.name));
    this.wanted = new Set(plan.nodes.filter((n) => n.level === "media").flatMap((n) => Object.values(n.inputs).map((input) => input.node).filter((name) => scenes.has(name))));
    this.done = lastValueFrom(this.dispatched.pipe(mergeMap((scene) => this.runScene(scene), plan.runtime.scenesInFlight)), { defaultValue: null });
  }

  /** The fold that cuts this medium, or null when its scenes are given or the graph has no cutter. */
  openCut(): CutRun | null {
    const node = this.cutNode;
    const { info, givenScenes } = this.context;
    if (!node || givenScenes) return null;
    const stream = this.cutStream();
    const fold = node.op.open!(node.config, info);
    const cut: CutRun = { stream, push: (series) => fold.push(series).forEach((scene) => this.add(scene)), end: (endUs) => fold.end(endUs).forEach((scene) => this.add(scene)) };
    // Rows stored by an earlier run are replayed into the cutter: cutting is pure, so nothing is decoded to cut again.
    if (stream) for (const rows of stream.parts(0, stream.complete ? Number.POSITIVE_INFINITY : stream.resumeUs)) cut.push(rows);
    return cut;
  }

  /** The medium ends at `endUs`: the last scenes are known. */
  end(cut: CutRun | null, endUs: number): void {
    this.ended = true;
    if (cut) cut.end(endUs);
    else this.addGiven(endUs);
    this.dispatch();
  }

  /** Scenes go on, in order, as soon as every stream has settled to their end. */
  dispatch(): void {
    if (this.closed) return;
    while (this.waiting.length > 0) {
      const scene = this.waiting[0]!;
      for (const stream of this.context.streams.values()) if (stream.settledUs < scene.endUs) return;
      this.waiting.shift();
      this.dispatched.next(scene);
    }
    if (this.ended) this.close();
  }

  /** Scenes that wait for a stream. */
  get pending(): number {
    return this.waiting.length;
  }

  /** The medium broke off: what is whole goes on, an interrupted scene is not closed as if it had ended. */
  breakOff(): void {
    this.dispatch();
    for (const _ of this.waiting.splice(0)) this.closeCut(INTERRUPTED);
    if (!this.closed) this.close();
  }

  /** What a medium-level node gets from a scene-level input. */
  list(input: PlanInput): ListEntry[] {
    this.finished.sort((a, b) => a.scene.startUs - b.scene.startUs || a.scene.endUs - b.scene.endUs);
    if (input.node === this.cutNode?.name) return this.finished.map(({ scene }) => ({ startUs: scene.startUs, endUs: scene.endUs, value: scene }));
    return this.finished.map(({ scene, kept }) => ({ startUs: scene.startUs, endUs: scene.endUs, value: this.remembered(kept.get(input.node), input.port) }));
  }

  /** What the cut is fed by: the first of its inputs that this medium has, score rows of video, else audio levels. */
  private cutStream(): GridStream | null {
    const { streams } = this.context;
    return Object.values(this.cutNode?.inputs ?? {}).map((input) => streams.get(input.node)).find((stream) => stream !== undefined) ?? null;
  }

  private close(): void {
    this.closed = true;
    this.dispatched.complete();
  }

  private closeCut(outcome: Outcome): void {
    if (this.cutNode) this.context.ledger.close(this.cutNode.name, outcome);
  }

  private add(scene: SceneCut): void {
    this.count += 1;
    if (this.cutNode) this.context.ledger.open(this.cutNode.name);
    this.waiting.push(scene);
  }

  /** Given twice is one scene; what begins behind the end of the medium is none. */
  private addGiven(mediumEndUs: number): void {
    const seen = new Set<string>();
    for (const given of this.context.givenScenes ?? []) {
      const endUs = Math.min(given.endUs, mediumEndUs || given.endUs);
      const key = `${given.startUs}-${endUs}`;
      if (given.startUs < endUs && !seen.has(key)) this.add({ startUs: given.startUs, endUs, ...this.frameNumbers({ startUs: given.startUs, endUs }) });
      else if (this.cutNode) {
        this.context.ledger.open(this.cutNode.name);
        this.closeCut({ kind: "dropped", reason: seen.has(key) ? "given twice" : "behind the end of the medium" });
      }
      seen.add(key);
    }
  }

  /** First and last frame of a given interval, from the stored scores if the graph has them. */
  private frameNumbers(interval: Interval): { startFrame: number | null; endFrame: number | null } {
    const all = [...this.context.streams.values()].find((s) => s.rate === "all" && isVideoFed(s.node));
    if (!all) return { startFrame: null, endFrame: null };
    let before = 0;
    let inside = 0;
    for (const { ptsUs } of all.parts(0, interval.startUs)) before += ptsUs.length;
    for (const { ptsUs } of all.parts(interval.startUs, interval.endUs)) inside += ptsUs.length;
    return { startFrame: before, endFrame: before + inside };
  }

  private async runScene(scene: SceneCut): Promise<void> {
    const { plan, stop, halted } = this.context;
    // It waited for a credit while the run was stopped: it is not begun. When only decoding failed, what is whole goes on.
    if (stop.aborted || halted) return this.closeCut(INTERRUPTED);
    try {
      this.closeCut({ kind: "done", value: null, cached: (this.cutStream()?.complete ?? false) && !(this.cutNode && this.context.services.forced(this.cutNode, this.context.info)) });
      const done = await evaluateItem(this.nodes, this.scope(scene));
      const output = plan.outputs.find((o) => o.kind === "scene");
      if (output) await this.recorder.commit("scene", scene, output.from, done);
      this.recorder.digestLoose("scene", scene, done);
      await committed(done);
      this.finished.push({ scene, kept: this.keep(done) });
      this.context.report({});
    } catch (thrown) {
      this.context.fail(toFlowError(thrown));
    }
  }

  private keep(done: ReadonlyMap<string, Evaluated>): Map<string, Kept> {
    const kept = new Map<string, Kept>();
    for (const name of this.wanted) {
      const evaluated = done.get(name);
      if (evaluated?.outcome.kind === "done") kept.set(name, evaluated.memoKey ? { key: evaluated.memoKey } : { outcome: evaluated.outcome });
    }
    return kept;
  }

  private remembered(kept: Kept | undefined, port: string): unknown {
    const outcome = kept && ("key" in kept ? this.context.store.getMemo(kept.key) : kept.outcome);
    return outcome?.kind === "done" ? ((outcome.value as Record<string, unknown>)[port] ?? null) : null;
  }
}
