import type { Attribute, FlowRecord } from "../contracts/index.js";
import { EXIT, FlowError } from "../contracts/errors.js";
import type { Store } from "../store/index.js";

type Values = Record<string, unknown>;

/**
 * A `--where` condition (CEL) as a filter. It reads kind, id, start, end and duration (seconds), media (name), uri, every field of the
 * record, every measured attribute by its name (a number) and `labels`, the names that apply. A record without a field does not match.
 */
export async function whereFilter(source: string, store: Store): Promise<(record: FlowRecord) => boolean> {
  const { compileExpression } = await import("../graph/index.js");
  const media = new Map([...store.mediaRows()].map((row) => [row.id, row]));
  const values = (record: FlowRecord): Values => recordValues(record, media.get(record.media)?.info.name ?? "", media.get(record.media)?.info.uri ?? "");
  const names = new Set<string>();
  for (const record of store.records()) for (const name of Object.keys(values(record))) names.add(name);
  const compiled = compileExpression(source, Object.fromEntries([...names].map((name) => [name, true as const])), "--where");
  if ("problem" in compiled) {
    const { message, hint, expected } = compiled.problem;
    throw new FlowError("BAD_WHERE", `--where ${JSON.stringify(source)}: ${message}`, { hint: [hint, expected && !hint.includes(expected) ? `Known here: ${expected}.` : ""].filter(Boolean).join(" "), exit: EXIT.badInput });
  }
  return (record) => compiled.evaluate(values(record)) === true;
}

function recordValues(record: FlowRecord, media: string, uri: string): Values {
  const attributes = Object.values(record.fields).flatMap((value) => (isAttributes(value) ? value : []));
  const start = record.startUs / 1e6;
  const end = record.endUs / 1e6;
  return {
    ...Object.fromEntries(attributes.map((attribute) => [attribute.name.replaceAll(/\W/g, "_"), attribute.value])),
    ...Object.fromEntries(Object.entries(record.fields).filter(([, value]) => value !== null)),
    labels: attributes.flatMap((attribute) => (attribute.label === null ? [] : [attribute.label])),
    kind: record.kind, id: record.id, start, end, duration: end - start, media, uri,
  };
}

const isAttributes = (value: unknown): value is Attribute[] =>
  Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === "object" && entry !== null && "name" in entry && "value" in entry && "label" in entry);
