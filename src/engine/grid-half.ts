/**
 * The grid half of a medium: decode → taps and batches → blocks.
 *
 * Who paces whom: a delivery is a lease; with all slots leased the media worker stops reading ffmpeg. What bounds memory: slots + uncommitted
 * blocks. Who frees: the last consumer's outcome.
 */
import { lastValueFrom, tap } from "rxjs";
import { FlowError, toFlowError, type Complaint, type DecodeEvent, type Delivery, type Outcome, type PlanNode, type PortType, type Series } from "../contracts/index.js";
import { displaySize, openDecode, type Decode } from "../media/index.js";
import { packValue, unpackValue } from "../store/index.js";
import { checkValue } from "./check.js";
import { planDecode, type DecodePlan } from "./decode-plan.js";
import type { GridOutcome, GridStream } from "./grid.js";
import type { MediumContext } from "./medium-context.js";
import { OpenWork } from "./open-work.js";
import { Relay } from "./relay.js";
import { INTERRUPTED } from "./retry.js";

const MAX_COMPLAINTS = 50;

/** The stream whose rows a cutter folds, and where they go. */
export interface RowsTaker {
  stream: GridStream | null;
  push(series: Series): void;
}

export class GridHalf {
  framesDecoded = 0;
  readonly health: Complaint[] = [];
  /** Items that were begun and have no outcome yet, by node. */
  private readonly openWork = new Map<PlanNode, OpenWork>();
  /** Nodes that other frame-level nodes read. */
  private readonly relays = new Map<string, Relay>();
  private readonly source: { width: number; height: number } | null;
  private decode: Decode | null = null;
  private decodeFromUs = Number.NEGATIVE_INFINITY;

  constructor(private readonly context: MediumContext) {
    const { video } = context.info;
    const size = video && displaySize(video);
    this.source = size && { width: size[0], height: size[1] };
  }

  /** Decodes what is missing; resolves when every item taken has its outcome and its lease is back. @throws FlowError when decoding failed */
  async run(cut: RowsTaker | null): Promise<void> {
    const { info, plan, store, stop, streams } = this.context;
    const planned = planDecode(info, [...streams.values()], plan);
    if (!planned || stop.aborted || this.context.halted) return;
    if (planned.spec.resume) {
      this.decodeFromUs = planned.spec.resume.fromUs;
      this.health.push(...store.getHealth(info.id));
    }
    for (const stream of streams.values()) {
      for (const { node } of shapeOf(stream.node).above) {
        const above = streams.get(node);
        if (above && !this.relays.has(node)) this.relays.set(node, new Relay(above));
      }
    }
    const decode = openDecode(info, planned.spec);
    this.decode = decode;
    const onStop = (): void => void decode.stop();
    stop.addEventListener("abort", onStop, { once: true });
    this.context.services.decoding(1);
    try {
      await lastValueFrom(decode.events.pipe(tap((event) => this.onEvent(event, planned, cut))), { defaultValue: null });
    } finally {
      stop.removeEventListener("abort", onStop);
      this.context.services.decoding(-1);
      // In the plan's order: what a node reads of another one is settled before it.
      for (const [name, stream] of streams) {
        this.ended(stream);
        await this.openWork.get(stream.node)?.none();
        this.relays.get(name)?.end();
      }
      await decode.stop();
      this.framesDecoded = decode.stats.framesDecoded;
    }
    if (decode.stats.leased > 0) {
      throw new FlowError("LEASE_LEAK", `${decode.stats.leased} frame leases of ${info.name} were never given back.`, { hint: "This is a defect of flow: please report it with the graph." });
    }
  }

  /** No more frames: what is open is finished. */
  stop(): void {
    void this.decode?.stop();
  }

  private ended(stream: GridStream): void {
    if (stream.node.op.run.form === "batch") this.context.services.mediumEnded(stream.node);
  }

  private onEvent(event: DecodeEvent, { consumers }: DecodePlan, cut: RowsTaker | null): void {
    switch (event.type) {
      case "delivery":
        this.onDelivery(event.delivery, consumers.get(event.delivery.output) ?? []);
        break;
      case "rows": {
        const stream = this.context.streams.get(event.tap);
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
          this.ended(stream);
          stream.end(event.endUs);
        }
        break;
      case "starving":
        for (const { node } of consumers.get(event.output) ?? []) this.starving(node);
        break;
      case "health":
        this.complained(event.message, event.atUs);
        break;
      case "progress":
        this.context.report({ ptsUs: event.ptsUs, frames: event.frames });
        break;
    }
  }

  /** A full ring waits for its consumers, and those for the nodes they read: whichever of them has the partial batch, it has to go. */
  private starving(node: PlanNode): void {
    for (const above of shapeOf(node).above) {
      const stream = this.context.streams.get(above.node);
      if (stream) this.starving(stream.node);
    }
    if (node.op.run.form === "batch") this.context.services.starving(node);
  }

  /** Kept over kills; what a seek stirs up before its first wanted frame is no damage of the medium. */
  private complained(message: string, atUs: number): void {
    if (atUs < this.decodeFromUs || this.health.some((known) => known.message === message) || this.health.length >= MAX_COMPLAINTS) return;
    this.health.push({ message, atUs });
    void this.context.store.putHealth(this.context.info.id, this.health);
  }

  /** Each consumer of the frame takes a share of its lease; the slot is free when the last one has its outcome. */
  private onDelivery(delivery: Delivery, streams: readonly GridStream[]): void {
    const { info, services } = this.context;
    let shares = 1;
    const drop = (): void => {
      shares -= 1;
      if (shares === 0) delivery.release();
    };
    try {
      for (const stream of streams) {
        const { node } = stream;
        if (node.op.run.form !== "batch") continue;
        const take = stream.take(delivery.ptsUs, delivery.adler);
        const relay = this.relays.get(node.name);
        if (!take) {
          // Late, or settled by an earlier run, whose outcome the relay finds by itself.
          if (delivery.ptsUs >= stream.resumeUs) relay?.settle(delivery.ptsUs, LATE);
          continue;
        }
        const settle = (outcome: GridOutcome): void => {
          take(outcome);
          relay?.settle(delivery.ptsUs, outcome);
        };
        const known = stream.stored(delivery.ptsUs);
        if (known) {
          if (known.kind === "failed") services.deadLetter(node, info, { startUs: delivery.ptsUs, endUs: delivery.ptsUs }, known.error, true);
          settle(known);
          continue;
        }
        shares += 1;
        let open = this.openWork.get(node);
        if (!open) this.openWork.set(node, (open = new OpenWork()));
        open.begin();
        void this.inferred(node, delivery, settle, drop);
      }
    } finally {
      drop();
    }
  }

  /** Never rejects. This and what it calls run for every frame and node: what is the same for all of them is looked up once, in `shapeOf`. */
  private async inferred(node: PlanNode, delivery: Delivery, settle: (outcome: GridOutcome) => void, drop: () => void): Promise<void> {
    try {
      let outcome: GridOutcome;
      try {
        const { above } = shapeOf(node);
        const inputs = above.length === 0 ? NO_INPUTS : await this.inputsFor(above, delivery.ptsUs);
        outcome = inputs instanceof Missing ? inputs.outcome : { kind: "done", value: await this.infer(node, delivery, inputs) };
      } catch (thrown) {
        outcome = this.failed(node, delivery.ptsUs, thrown);
      }
      settle(outcome);
    } catch (thrown) {
      this.context.fail(toFlowError(thrown));
    } finally {
      drop();
      this.openWork.get(node)!.end();
    }
  }

  private async inputsFor(above: readonly Upstream[], ptsUs: number): Promise<Record<string, unknown> | Missing> {
    const inputs: Record<string, unknown> = {};
    for (const { entry, node } of above) {
      const outcome = await this.relays.get(node)?.read(ptsUs);
      if (outcome?.kind !== "done") return new Missing(withoutInput(node, outcome));
      inputs[entry] = outcome.value instanceof Uint8Array ? unpackValue(outcome.value) : outcome.value;
    }
    return inputs;
  }

  private infer(node: PlanNode, { ptsUs, slot, samples }: Delivery, inputs: Record<string, unknown>): Promise<Float32Array | Uint8Array> {
    const { services, info } = this.context;
    const { above, port, type, plain } = shapeOf(node);
    const item = { ptsUs, slot, samples, source: this.source, inputs };
    // Whoever waited for another node may find nobody left who would fill or cut its batch.
    return services.policy(node).run((again) => services.onGrid(node, info.id, item, again || above.length > 0)).then((value) => {
      checkValue(node.name, port, type, value);
      return plain ? packValue(value) : (value as Float32Array);
    });
  }

  private failed(node: PlanNode, ptsUs: number, thrown: unknown): GridOutcome {
    const { services, info } = this.context;
    const cause = toFlowError(thrown);
    const { code, permanent } = cause;
    const error = new FlowError(code, cause.message, { hint: cause.hint, permanent, node: node.name, item: cause.item, cause });
    if (node.onError.then === "fail" && code !== INTERRUPTED) this.context.fail(error);
    else services.deadLetter(node, info, { startUs: ptsUs, endUs: ptsUs }, error.toJSON(), permanent);
    return { kind: "failed", error: error.toJSON(), permanent: permanent && node.onError.then !== "fail" };
  }
}

/** A node above gave nothing for this frame: the outcome of the node that wanted it. */
class Missing {
  constructor(readonly outcome: GridOutcome) {}
}

const NO_INPUTS: Record<string, unknown> = Object.freeze({});

interface NodeShape {
  above: readonly Upstream[];
  port: string;
  type: PortType;
  /** Values are stored as bytes. */
  plain: boolean;
}

const shapes = new WeakMap<PlanNode, NodeShape>();

function shapeOf(node: PlanNode): NodeShape {
  let shape = shapes.get(node);
  if (!shape) {
    const [port, type] = Object.entries(node.outputs)[0]!;
    shapes.set(node, (shape = { above: upstreams(node), port, type, plain: node.op.run.form === "batch" && node.op.run.result === "value" }));
  }
  return shape;
}

interface Upstream {
  /** The input, and the node that it reads. */
  entry: string;
  node: string;
}

/** Frame-level values of other nodes that a frame-level node reads: input and source. */
const upstreams = (node: PlanNode): Upstream[] =>
  Object.entries(node.inputs).flatMap(([entry, input]) => (input.type.level === "frame" && !input.video && !input.audio && node.level === "frame" ? [{ entry, node: input.node }] : []));

const LATE: GridOutcome = { kind: "dropped", reason: "timestamp behind what is stored" };

/** What a node above did not give, this one cannot use; when a rerun tries again up there, it does here. */
function withoutInput(name: string, outcome: Outcome | undefined): GridOutcome {
  if (outcome?.kind !== "failed" || outcome.permanent) return { kind: "skipped", reason: outcome?.kind === "failed" ? `${name} failed` : `${name} skipped` };
  return { kind: "failed", error: { ...outcome.error, message: `${name} failed: ${outcome.error.message}` } };
}

/** Rows at or after `fromUs`: what the cutter has not seen in the replay. */
function from(series: Series, fromUs: number): Series {
  let i = 0;
  while (i < series.ptsUs.length && series.ptsUs[i]! < fromUs) i += 1;
  return i === 0 ? series : { ...series, ptsUs: series.ptsUs.subarray(i), data: series.data!.subarray(i * series.width) };
}
