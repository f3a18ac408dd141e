import type { FlowRecord, Interval, PlanNode, SceneCut } from "../contracts/index.js";
import { DigestBuilder, digestValue, recordMemoKey } from "../store/index.js";
import type { Evaluated } from "./evaluate.js";
import type { GridStream } from "./grid.js";
import type { MediumContext } from "./medium-context.js";
import { buildRecord, vectorSpaces } from "./record.js";

/** Makes the records of one medium, writes those that changed, and keeps the run's digests. */
export class Recorder {
  /** Ids of the scenes' records. */
  readonly scenes = new Set<string>();
  private readonly digest = new DigestBuilder();
  private readonly nodes: ReadonlyMap<string, PlanNode>;

  constructor(private readonly context: MediumContext) {
    this.nodes = new Map(context.plan.nodes.map((n) => [n.name, n]));
  }

  /** `keep`: an earlier record stays; the digest says the same as where there is none. @throws FlowError STORE_WRITE_FAILED */
  async commit(kind: "scene" | "media", interval: Interval & Partial<SceneCut>, from: readonly string[], done: ReadonlyMap<string, Evaluated>, more: Record<string, unknown> = {}, keep = false): Promise<void> {
    const { info, store, whole } = this.context;
    if (whole) return;
    const joined: Record<string, unknown> = {};
    const spaces: Record<string, string> = {};
    const inputs: string[] = [];
    for (const name of from) {
      const node = this.nodes.get(name);
      const evaluated = done.get(name);
      if (!node || !evaluated) continue;
      inputs.push(name, evaluated.digests["record"] ?? JSON.stringify(evaluated.digests));
      if (evaluated.outcome.kind !== "done") continue;
      Object.assign(spaces, vectorSpaces(node, this.nodes));
      for (const [port, value] of Object.entries(evaluated.outcome.value)) {
        const type = node.outputs[port];
        if (type?.kind === "record") Object.assign(joined, value);
        else joined[port] = value;
        if (type?.kind === "vector") spaces[port] = type.space ?? "";
      }
    }
    const partial = [...done.values()].some(({ outcome }) => outcome.kind === "failed") || this.lacksFrames(interval);
    const built = buildRecord(kind, info, interval, joined, spaces, partial);
    Object.assign(built.record.fields, more);
    if (kind === "scene") this.scenes.add(built.record.id);
    this.digest.addRecord(built.record, built.vectors);
    if (keep) return;
    // What the record holds now, not what it ever held: another configuration may have written it since.
    const key = recordMemoKey(built.record.id);
    const held = digestValue([built.record, Object.values(built.vectors).map(digestValue), inputs]);
    const memo = store.getMemo(key);
    if (memo?.kind === "done" && memo.value === held && store.getRecord(built.record.id)) return;
    await store.commitRecord({ record: built.record, vectors: built.vectors, blobs: built.blobs, memo: [{ key, outcome: { kind: "done", value: held } }] });
  }

  /** Says `fields` again in a record that otherwise stays. What it held is not what it holds now: whoever makes it next writes it. */
  async amend(before: FlowRecord, fields: Record<string, unknown>): Promise<void> {
    const record = { ...before, fields: { ...before.fields, ...fields } };
    await this.context.store.commitRecord({ record, vectors: {}, memo: [{ key: recordMemoKey(record.id), outcome: { kind: "done", value: digestValue(record) } }] });
  }

  /** The digests of all records and of what the streams hold, which is read block by block. */
  finish(streams: Iterable<GridStream>): { digest: string; digestNumbers: string } {
    for (const stream of streams) {
      const { name, op } = stream.node;
      let count = 0;
      const rows = function* (): Generator<Float32Array> {
        for (const { ptsUs, data } of stream.parts(0, Number.POSITIVE_INFINITY)) {
          count += ptsUs.length;
          if (data) yield data;
        }
      };
      // Pictures have no numbers: they are counted.
      if (op.run.form === "batch" && op.run.result === "image") for (const _ of rows());
      else this.digest.addNumbersOf(name, rows());
      this.digest.addNumbers(`${name}:count`, Float32Array.of(count));
    }
    return this.digest.finish();
  }

  /** A scene with a frame that failed is no less partial than one with a node that failed. */
  private lacksFrames({ startUs, endUs }: Interval): boolean {
    for (const stream of this.context.streams.values()) if (stream.failedItems > 0 && stream.failedIn(startUs, endUs) > 0) return true;
    return false;
  }
}
