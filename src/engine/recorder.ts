import type { FlowRecord, Interval, PlanNode, SceneCut } from "../contracts/index.js";
import { upstream } from "../graph/index.js";
import { DigestBuilder, digestValue, recordMemoKey } from "../store/index.js";
import type { Evaluated } from "./evaluate.js";
import type { GridStream } from "./grid.js";
import type { MediumContext } from "./medium-context.js";
import { buildRecord, vectorSpaces } from "./record.js";
import { mockedModels } from "./stand-ins.js";

/** Makes the records of one medium, writes those that changed, and keeps the run's digests. */
export class Recorder {
  /** Ids of the scenes' records. */
  readonly scenes = new Set<string>();
  private readonly digest = new DigestBuilder();
  private readonly nodes: ReadonlyMap<string, PlanNode>;
  private readonly mocked = new Map<string, string[]>();
  /** Nodes that no record of this plan is made of: there are none unless --only, --until or --from leave records out, or the graph makes none. */
  private readonly loose: readonly PlanNode[];

  constructor(private readonly context: MediumContext) {
    const { nodes, outputs } = context.plan;
    this.nodes = new Map(nodes.map((n) => [n.name, n]));
    const recorded = new Set(upstream(outputs.flatMap(({ from }) => from.map((name) => this.nodes.get(name)!)), nodes));
    this.loose = nodes.filter((node) => node.op.run.form !== "source" && !recorded.has(node));
  }

  /** `keep`: an earlier record stays; the digest says the same as where there is none. @throws FlowError STORE_WRITE_FAILED */
  async commit(kind: "scene" | "media", interval: Interval & Partial<SceneCut>, from: readonly string[], done: ReadonlyMap<string, Evaluated>, more: Record<string, unknown> = {}, keep = false): Promise<void> {
    const { info, store, whole } = this.context;
    if (whole) return;
    const { joined, spaces } = this.valuesOf(from, done);
    const partial = [...done.values()].some(({ outcome }) => outcome.kind === "failed") || this.lacksFrames(interval);
    const built = buildRecord(kind, info, interval, joined, spaces, partial, this.mockedBehind(from));
    Object.assign(built.record.fields, more);
    if (kind === "scene") this.scenes.add(built.record.id);
    this.digest.addRecord(built.record, built.vectors);
    if (keep) return;
    // What the record holds now, not what it ever held: another configuration may have written it since.
    const key = recordMemoKey(built.record.id);
    const inputs = from.flatMap((name) => {
      const digests = done.get(name)?.digests;
      return digests ? [name, digests["record"] ?? JSON.stringify(digests)] : [];
    });
    const held = digestValue([built.record, Object.values(built.vectors).map(digestValue), inputs]);
    const memo = store.getMemo(key);
    if (memo?.kind === "done" && memo.value === held && store.getRecord(built.record.id)) return;
    await store.commitRecord({ record: built.record, vectors: built.vectors, blobs: built.blobs, memo: [{ key, outcome: { kind: "done", value: held } }] });
  }

  /** Results of one item that no record is made of: they are told apart by a record for each, which nobody writes. */
  digestLoose(kind: "scene" | "media", interval: Interval & Partial<SceneCut>, done: ReadonlyMap<string, Evaluated>): void {
    const { info, whole } = this.context;
    if (whole) return;
    for (const { name, level } of this.loose) {
      if (level !== kind) continue;
      const { joined, spaces } = this.valuesOf([name], done);
      const { record, vectors } = buildRecord(kind, info, interval, joined, spaces, done.get(name)?.outcome.kind === "failed");
      this.digest.addRecord({ ...record, id: `${record.id}/${name}` }, vectors);
    }
  }

  /** Models behind these nodes that stand-ins play. */
  private mockedBehind(names: readonly string[]): string[] {
    const key = names.join();
    let mocked = this.mocked.get(key);
    if (!mocked) this.mocked.set(key, (mocked = mockedModels(upstream(names.map((name) => this.nodes.get(name)!), this.context.plan.nodes))));
    return mocked;
  }

  /** What these nodes gave, by port; of a join by entry. */
  private valuesOf(names: readonly string[], done: ReadonlyMap<string, Evaluated>): { joined: Record<string, unknown>; spaces: Record<string, string> } {
    const joined: Record<string, unknown> = {};
    const spaces: Record<string, string> = {};
    for (const name of names) {
      const node = this.nodes.get(name);
      const outcome = done.get(name)?.outcome;
      if (!node || outcome?.kind !== "done") continue;
      Object.assign(spaces, vectorSpaces(node, this.nodes));
      for (const [port, value] of Object.entries(outcome.value)) {
        const type = node.outputs[port];
        if (type?.kind === "record") Object.assign(joined, value);
        else joined[port] = value;
        if (type?.kind === "vector") spaces[port] = type.space ?? "";
      }
    }
    return { joined, spaces };
  }

  /** Says `fields` again in a record that otherwise stays. What it held is not what it holds now: whoever makes it next writes it. */
  async amend(before: FlowRecord, fields: Record<string, unknown>): Promise<void> {
    const record = { ...before, fields: { ...before.fields, ...fields } };
    await this.context.store.commitRecord({ record, vectors: {}, memo: [{ key: recordMemoKey(record.id), outcome: { kind: "done", value: digestValue(record) } }] });
  }

  /** The digests of all records and of what the streams hold, which is read block by block. */
  finish(streams: Iterable<GridStream>): { digest: string; digestNumbers: string } {
    const { digest } = this;
    for (const stream of streams) {
      const { name, op } = stream.node;
      const loose = this.loose.includes(stream.node);
      let count = 0;
      const rows = function* (): Generator<Float32Array> {
        for (const { ptsUs, data, bytes = [] } of stream.parts(0, Number.POSITIVE_INFINITY)) {
          count += ptsUs.length;
          if (data) yield data;
          if (loose) bytes.forEach((value, i) => digest.addContent(`${name}@${ptsUs[i]!}`, value));
        }
      };
      // Pictures have no numbers: they are counted.
      if (op.run.form === "batch" && op.run.result === "image") for (const _ of rows());
      else digest.addNumbersOf(name, rows());
      digest.addNumbers(`${name}:count`, Float32Array.of(count));
    }
    return digest.finish();
  }

  /** A scene with a frame that failed is no less partial than one with a node that failed. */
  private lacksFrames({ startUs, endUs }: Interval): boolean {
    for (const stream of this.context.streams.values()) if (stream.failedItems > 0 && stream.failedIn(startUs, endUs) > 0) return true;
    return false;
  }
}
