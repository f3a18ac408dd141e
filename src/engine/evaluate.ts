/**
 * Runs the nodes of one level (scene or media) for one item: each node gives exactly one outcome, whatever its neighbours do.
 *
 * Who paces: the caller's credits (`scenesInFlight`); a waiting scene is only an interval, its inputs are read from blocks when its turn comes.
 * What bounds memory: items in evaluation × (their series ≤ max_length + their values).
 */
import {
  FlowError, isSkip, skip, toFlowError, type EachInputs, type Interval, type MediumInfo, type OperatorContext, type Outcome, type OutputValues, type PlanInput, type PlanNode, type Series, type Skip,
} from "../contracts/index.js";
import { digestValue, unpackValue, type Store } from "../store/index.js";
import { checkValue } from "./check.js";
import { digestSeries, memoKey } from "./keys.js";
import type { Ledger } from "./ledger.js";
import type { Services } from "./services.js";

export interface ListEntry extends Interval {
  value: unknown;
}

/** A value that reached an input, with the digest that stands for it in memo keys. `undefined` value: nothing came. */
export interface Arrived {
  value: unknown;
  digest: string;
  /** Why there is no value. */
  because?: string;
}

export interface ItemScope {
  info: MediumInfo;
  interval: Interval;
  store: Store;
  ledger: Ledger;
  services: Services;
  /** Values from other levels: series of the grid, lists of scenes, what media.open gave. null: that stream does not exist in this medium. */
  outside: (input: PlanInput) => Promise<unknown> | unknown;
  /** Name of the media.open node: its variable is `media`, with everything known of the medium. */
  sourceName: string | null;
  /** `media` and `scene` of `when`. */
  variables: Record<string, unknown>;
}

export interface Evaluated {
  outcome: Outcome<OutputValues>;
  /** Where the outcome is memoised; null when it is not (failed, join). */
  memoKey: string | null;
  digests: Record<string, string>;
  /** Resolves when the outcome can be read from the memo. */
  written: Promise<void>;
  /** The node's policy is `then: fail`: this ends the medium. */
  fatal?: FlowError;
}

const NOTHING_WRITTEN = Promise.resolve();

/** Runs every node on one item; resolves when each has its outcome. What is memoised may still be on its way: `committed` waits for it. @throws FlowError of a node with `then: fail` */
export async function evaluateItem(nodes: readonly PlanNode[], scope: ItemScope): Promise<Map<string, Evaluated>> {
  const running = new Map<string, Promise<Evaluated>>();
  for (const node of nodes) {
    scope.ledger.open(node.name);
    running.set(
      node.name,
      evaluateNode(node, scope, async (input) => {
        const upstream = running.get(input.node);
        return upstream ? fromUpstream(await upstream, input) : fromOutside(await scope.outside(input), input);
      })
        .catch((thrown: unknown) => failed(node, scope, null, thrown))
        .then((evaluated) => {
          scope.ledger.close(node.name, evaluated.outcome);
          return evaluated;
        }),
    );
  }
  const done = new Map<string, Evaluated>();
  for (const [name, promise] of running) done.set(name, await promise);
  for (const { fatal } of done.values()) if (fatal) throw fatal;
  return done;
}

/** What is memoised of these can be read. The record that is made of them takes them into its transaction: wait after it. @throws FlowError STORE_WRITE_FAILED */
export async function committed(done: ReadonlyMap<string, Evaluated>): Promise<void> {
  for (const { written } of done.values()) await written;
}

function fromUpstream({ outcome, digests }: Evaluated, input: PlanInput): Arrived {
  if (outcome.kind !== "done") return { value: undefined, digest: "-", because: outcome.kind === "failed" ? `${input.node} failed` : `${input.node} skipped` };
  const value = outcome.value[input.port];
  return { value: value ?? undefined, digest: digests[input.port] ?? "-" };
}

function fromOutside(value: unknown, input: PlanInput): Arrived {
  if (value === null || value === undefined) return { value: undefined, digest: "-", because: `no ${input.type.kind} in this medium` };
  if (input.mode === "group" && isSeries(value)) return { value: input.type.kind === "image" ? value : unpackedSeries(value), digest: digestSeries(value) };
  // What a medium is called and what its decoder complained about is not part of any result.
  if (input.type.kind === "info") return { value, digest: "info" };
  // The medium's id is part of the memo key.
  if (input.type.kind === "clip") return { value, digest: "clip" };
  return { value, digest: digestValue(value) };
}

/** Detections, labels and other plain values lie in blocks as bytes. */
function unpackedSeries({ bytes, ...series }: Series): Series {
  return bytes ? { ...series, values: bytes.map(unpackValue) } : series;
}

const isSeries = (value: unknown): value is Series => typeof value === "object" && value !== null && (value as Series).ptsUs instanceof Float64Array;

async function evaluateNode(node: PlanNode, scope: ItemScope, arrive: (input: PlanInput) => Promise<Arrived>): Promise<Evaluated> {
  const inputs: EachInputs = {};
  const digests: string[] = [];
  const variables: Record<string, unknown> = { ...scope.variables };
  let missing: string | null = null;
  for (const [name, input] of Object.entries(node.inputs)) {
    const arrived = await arrive(input);
    digests.push(`${name}:${arrived.digest}`);
    setInput(inputs, name, input, arrived.value);
    if (node.when !== null && input.node !== scope.sourceName) variables[input.node] = { ...(variables[input.node] as object | undefined), [input.port]: arrived.value ?? null };
    if (arrived.value === undefined && !input.nullable && !input.optional && node.op.run.form !== "join") missing ??= arrived.because ?? `${input.node} gave nothing`;
  }
  if (node.when !== null && !scope.services.when(node, variables)) return { outcome: { kind: "skipped", reason: "when" }, memoKey: null, digests: {}, written: NOTHING_WRITTEN };
  if (missing !== null) return { outcome: { kind: "skipped", reason: missing }, memoKey: null, digests: {}, written: NOTHING_WRITTEN };

  if (node.op.run.form === "join") {
    const record = Object.fromEntries([...node.absent, ...Object.keys(inputs)].map((name) => [name, recorded(inputs[name])]));
    return { outcome: { kind: "done", value: { record } }, memoKey: null, digests: { record: digestValue(digests) }, written: NOTHING_WRITTEN };
  }

  const key = memoKey(node.key, scope.info.id, scope.interval, digests);
  const stored = scope.services.forced(node, scope.info) ? undefined : scope.store.getMemo(key);
  // What failed for good stays failed, and stays on the list of failures.
  if (stored?.kind === "failed" && node.onError.then !== "fail") {
    scope.services.deadLetter(node, scope.info, scope.interval, stored.error, true);
    return { outcome: stored, memoKey: key, digests: {}, written: NOTHING_WRITTEN };
  }
  if (stored && stored.kind !== "failed" && stored.kind !== "dropped") {
    const outcome = { ...stored, cached: true } as Outcome<OutputValues>;
    return { outcome, memoKey: key, digests: portDigests(outcome), written: NOTHING_WRITTEN };
  }
  let outcome: Outcome<OutputValues>;
  try {
    const value = await scope.services.policy(node).run(() => call(node, inputs, scope));
    if (isSkip(value)) outcome = { kind: "skipped", reason: value.skip };
    else {
      for (const [port, type] of Object.entries(node.outputs)) checkValue(node.name, port, type, value[port]);
      outcome = { kind: "done", value };
    }
  } catch (thrown) {
    return failed(node, scope, key, thrown);
  }
  return { outcome, memoKey: key, digests: portDigests(outcome), written: scope.store.putMemo(key, outcome) };
}

/** A failure that a rerun should try again leaves nothing in the memo; one that ends the medium neither. */
function failed(node: PlanNode, scope: ItemScope, key: string | null, thrown: unknown): Evaluated {
  const error = toFlowError(thrown);
  const outcome: Outcome<OutputValues> = { kind: "failed", error: { ...error.toJSON(), node: node.name }, permanent: error.permanent };
  if (node.onError.then === "fail") {
    const fatal = new FlowError(error.code, error.message, { hint: error.hint, node: node.name, cause: error, permanent: error.permanent });
    return { outcome, memoKey: null, digests: {}, written: NOTHING_WRITTEN, fatal };
  }
  scope.services.deadLetter(node, scope.info, scope.interval, outcome.error, error.permanent);
  return { outcome, memoKey: key, digests: {}, written: key !== null && error.permanent ? scope.store.putMemo(key, outcome) : NOTHING_WRITTEN };
}

/** As a record holds it: a series of plain values is a list with times. */
function recorded(value: unknown): unknown {
  if (!isSeries(value) || !value.values) return value ?? null;
  return value.values.map((entry, i) => ({ ptsUs: value.ptsUs[i]!, value: entry }));
}

/** An entry of a list input (`vectors: [video, sound]`) goes into that input under its own name. */
function setInput(inputs: EachInputs, name: string, { into }: PlanInput, value: unknown): void {
  if (into === name) inputs[name] = value;
  else ((inputs[into] ??= {}) as Record<string, unknown>)[name] = value;
}

function portDigests(outcome: Outcome<OutputValues>): Record<string, string> {
  if (outcome.kind !== "done") return {};
  return Object.fromEntries(Object.entries(outcome.value).map(([port, value]) => [port, digestValue(value)]));
}

async function call(node: PlanNode, inputs: EachInputs, scope: ItemScope): Promise<OutputValues | Skip> {
  const { run } = node.op;
  if (run.form === "each" && run.thread === "main") {
    const context: OperatorContext = { node: node.name, medium: scope.info, interval: scope.interval, models: {} };
    return run.each(inputs, node.config as never, context);
  }
  if (run.form === "each" || run.form === "eachBatch") return scope.services.inPool(node, { inputs, medium: scope.info, interval: scope.interval });
  return skip(`${node.op.name} cannot run at level ${node.level}`);
}
