import type { FlowRecord } from "../contracts/index.js";
import { EXIT, FlowError } from "../contracts/errors.js";
import type { Store } from "../store/index.js";
import { isAttributes } from "./records.js";

type Values = Record<string, unknown>;
/** Names that exist somewhere in the store; `true`: a value, or members that are not listed. */
interface Known {
  [name: string]: true | Known;
}

const EXAMPLES = 'Examples: duration > 5.0, "night" in labels, camera.pan > 0.2, media == "talk.mp4" && start < 60.0.';

/**
 * A `--where` condition (CEL) as a filter. It reads kind, id, start, end and duration (seconds), media (name), uri, every field of the
 * record, every measured attribute by its name (`brightness`, `camera.pan`: a number) and `labels`, the words that apply. A record without a field does not match.
 */
export async function whereFilter(source: string, store: Store): Promise<(record: FlowRecord) => boolean> {
  const { compileExpression } = await import("../graph/index.js");
  const media = new Map([...store.mediaRows()].map((row) => [row.id, row]));
  const values = (record: FlowRecord): Values => recordValues(record, media.get(record.media)?.info.name ?? "", media.get(record.media)?.info.uri ?? "");
  const known: Known = {};
  for (const record of store.records()) learn(known, values(record));
  const compiled = compileExpression(source, known, "--where");
  if ("problem" in compiled) {
    const { message, hint, expected } = compiled.problem;
    // The language's own examples are of graphs.
    const help = expected === "a CEL expression" ? [EXAMPLES] : [hint, expected && !hint.includes(expected) ? `Known here: ${expected}.` : ""];
    throw new FlowError("BAD_WHERE", `--where ${JSON.stringify(source)}: ${message}`, { hint: help.filter(Boolean).join(" "), exit: EXIT.badInput });
  }
  if (compiled.type !== "bool" && compiled.type !== "dyn") throw new FlowError("BAD_WHERE", `--where ${JSON.stringify(source)}: a condition is true or false; this one gives ${compiled.type}.`, { hint: EXAMPLES, exit: EXIT.badInput });
  return (record) => {
    try {
      return compiled.holds(values(record));
    } catch (cause) {
      if (!(cause instanceof FlowError)) throw cause;
      throw new FlowError("BAD_WHERE", `--where ${cause.message}`, { hint: cause.hint, exit: EXIT.badInput, cause });
    }
  };
}

function recordValues(record: FlowRecord, media: string, uri: string): Values {
  const attributes = Object.values(record.fields).flatMap((value) => (isAttributes(value) ? value : []));
  const start = record.startUs / 1e6;
  const end = record.endUs / 1e6;
  return {
    ...attributes.reduce((tree, attribute) => put(tree, attribute.name.split("."), attribute.value), {} as Values),
    ...(withoutNulls(record.fields) as Values),
    labels: attributes.flatMap((attribute) => (attribute.label === null ? [] : [attribute.label])),
    kind: record.kind, id: record.id, start, end, duration: end - start, media, uri,
  };
}

/** A null compares with nothing: it is as absent as a member that was never there. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null).map(([name, v]) => [name, withoutNulls(v)]));
}

/** Sets a dotted name in a tree; a name that is already a number stays one. */
function put(tree: Values, [head = "", ...rest]: string[], value: number): Values {
  if (rest.length === 0) tree[head] ??= value;
  else {
    const inner = (tree[head] ??= {});
    if (typeof inner === "object" && inner !== null) put(inner as Values, rest, value);
  }
  return tree;
}

function learn(known: Known, values: Values): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) known[name] = true;
    else if (known[name] !== true) learn((known[name] ??= {}) as Known, value as Values);
  }
}
