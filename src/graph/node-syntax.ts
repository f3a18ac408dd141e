import { LEVELS, parseDurationRangeUs, parseDurationUs, type ErrorPolicy, type Level, type OperatorDefinition } from "../contracts/index.js";
import { parseConfig } from "./config.js";
import { readInputs, type InputRef } from "./inputs.js";
import type { Reporter } from "./problems.js";
import { checkText } from "./text.js";
import { readNodeRuntime, type WorkerSyntax } from "./runtime.js";
import { child, describe, isBroken, type At, type ScalarTree, type Tree, type MapTree } from "./tree.js";

/** A node on its own: operator found, options checked, edges still names. */
export interface NodeDraft {
  name: string;
  keyAt: At;
  tree: MapTree;
  op: OperatorDefinition | null;
  config: unknown;
  refs: InputRef[];
  levelOption: { level: Level; at: At } | null;
  model: Tree | null;
  when: ScalarTree | null;
  batch: { size: number | null; waitMs: number | null };
  queueMax: number | null;
  onError: ErrorPolicy;
  runtime: WorkerSyntax;
  /** false: something about it is reported already, so conclusions drawn from it would only be noise. */
  ok: boolean;
}

export const NODE_KEYS = ["op", "in", "with", "model", "batch", "queue", "on_error", "runtime", "enabled", "when", "by", "over", "missing", "switch", "cases", "description"];
const POLICIES = ["block", "drop-oldest", "drop-newest", "latest", "sample"];
export const DEFAULT_ON_ERROR: ErrorPolicy = { retry: 2, backoffMinMs: 200, backoffMaxMs: 2_000, then: "dead_letter" };

export function readNode(name: string, keyAt: At, tree: MapTree, catalogue: ReadonlyMap<string, OperatorDefinition>, report: Reporter): NodeDraft {
  const before = report.problems.length;
  for (const [key, entry] of tree.entries) {
    if (key === "use") report.add("NOT_SUPPORTED", entry.keyAt, "Graphs used as operators (`use:`) come later.", { found: "use", expected: "op: OPERATOR", hint: "Write the nodes out." });
    else if (!NODE_KEYS.includes(key)) report.add("UNKNOWN_KEY", entry.keyAt, `A node has no key ${key}.`, { found: key, among: NODE_KEYS });
  }
  checkText(child(tree, "description"), "description", report);
  const op = readOperator(name, keyAt, tree, catalogue, report);
  const declared = op && op.inputs !== "map" ? op.inputs : {};
  const levelKeys = new Set(["by", "over"].filter((key) => !Object.hasOwn(declared, key)));
  const input = tree.entries.get("in");
  const refs = input ? readInputs(input.value, input.keyAt, levelKeys, report) : [];
  const levelOption = readLevel(tree, input?.value ?? null, levelKeys, report);
  const config = op ? parseConfig(op, child(tree, "with"), keyAt, report) : ({ ok: false } as const);
  const when = tree.entries.get("when")?.value ?? null;
  if (when && (when.kind !== "scalar" || typeof when.value === "number" || when.value === null)) report.add("WRONG_TYPE", when.at, `\`when:\` is an expression, not ${describe(when)}.`, { found: describe(when), expected: "a CEL expression" });
  const missing = tree.entries.get("missing")?.value;
  if (missing && !(missing.kind === "scalar" && missing.value === null)) report.add("NOT_SUPPORTED", missing.at, `A missing input becomes null; ${describe(missing)} cannot be chosen.`, { found: describe(missing), expected: "null", hint: "Write `missing: null` or leave it out." });
  const batch = readBatch(child(tree, "batch"), report);
  const queueMax = readQueue(child(tree, "queue"), report);
  const onError = readOnError(child(tree, "on_error"), report);
  const runtime = readNodeRuntime(child(tree, "runtime"), report);
  return {
    name, keyAt, tree, op, refs, levelOption, batch, queueMax, onError, runtime,
    config: config.ok ? config.config : null,
    model: child(tree, "model"),
    when: when?.kind === "scalar" && !when.broken && (typeof when.value === "string" || typeof when.value === "boolean") ? when : null,
    ok: config.ok && !report.problems.slice(before).some((problem) => problem.severity === "error"),
  };
}

function readOperator(name: string, keyAt: At, tree: MapTree, catalogue: ReadonlyMap<string, OperatorDefinition>, report: Reporter): OperatorDefinition | null {
  const written = child(tree, "op");
  if (!written) {
    if (!tree.entries.has("use")) report.add("MISSING_KEY", keyAt, `The node ${name} has no operator.`, { found: "nothing", expected: "op: OPERATOR", hint: "flow list" });
    return null;
  }
  if (isBroken(written)) return null;
  if (written.kind !== "scalar" || typeof written.value !== "string") {
    report.add("WRONG_TYPE", written.at, `\`op:\` is the name of an operator, not ${describe(written)}.`, { found: describe(written), expected: "an operator's name", hint: "flow list" });
    return null;
  }
  const [wanted = "", ...pins] = written.value.split("@");
  const pin = pins.length > 0 ? pins.join("@") : undefined;
  const op = catalogue.get(wanted);
  if (!op) {
    report.add("UNKNOWN_OPERATOR", written.at, `There is no operator ${wanted}.`, { found: wanted, among: catalogue, expected: "an operator of `flow list`", hint: "flow list" });
    return null;
  }
  if (pin !== undefined && pin !== String(op.version)) {
    report.add("OPERATOR_VERSION", written.at, `${wanted} is pinned to version ${pin || "nothing"}, and this program has version ${op.version}.`, { found: pin, expected: String(op.version), hint: `flow explain ${wanted}` });
    return null;
  }
  return op;
}

function readLevel(tree: MapTree, input: Tree | null, levelKeys: ReadonlySet<string>, report: Reporter): NodeDraft["levelOption"] {
  const twice = tree.entries.get("over");
  if (twice && tree.entries.has("by")) report.add("INPUT_TWICE", twice.keyAt, "`by:` and `over:` say the same: at which level the node runs.", { found: "by and over", expected: "one of them", hint: "Remove one of the two." });
  const written = child(tree, "by") ?? child(tree, "over") ?? [...levelKeys].map((key) => child(input, key)).find((found) => found !== null) ?? null;
  if (!written || (written.kind === "scalar" && written.broken)) return null;
  const word = written.kind === "scalar" ? String(written.value) : describe(written);
  const level = LEVELS.find((known) => known === word);
  if (level) return { level, at: written.at };
  report.add("WRONG_TYPE", written.at, `${word} is no level.`, { found: word, among: LEVELS });
  return null;
}

type Fields = Record<string, (tree: ScalarTree) => string | null>;

/** Reads a small mapping of scalars; each reader takes the value or says what it expected. */
function readFields(tree: Tree | null, what: string, fields: Fields, report: Reporter): void {
  if (!tree || isBroken(tree)) return;
  if (tree.kind !== "map") {
    report.add("NOT_A_MAP", tree.at, `\`${what}:\` is a mapping, not ${describe(tree)}.`, { found: describe(tree), expected: `{ ${Object.keys(fields).join(", ")} }` });
    return;
  }
  for (const [key, entry] of tree.entries) {
    const read = fields[key];
    if (!read || !Object.hasOwn(fields, key)) report.add("UNKNOWN_KEY", entry.keyAt, `\`${what}:\` has no key ${key}.`, { found: key, among: Object.keys(fields) });
    else if (entry.value.kind === "scalar" && entry.value.broken) continue;
    else {
      const expected = entry.value.kind === "scalar" ? read(entry.value) : "a single value";
      if (expected !== null) report.add("WRONG_TYPE", entry.value.at, `${what}.${key} cannot be ${describe(entry.value)}.`, { found: describe(entry.value), expected });
    }
  }
}

const integer = (min: number, max: number, take: (value: number) => void) => (tree: ScalarTree): string | null => {
  if (typeof tree.value !== "number" || !Number.isInteger(tree.value) || tree.value < min || tree.value > max) return `an integer from ${min} to ${max}`;
  take(tree.value);
  return null;
};

function readBatch(tree: Tree | null, report: Reporter): NodeDraft["batch"] {
  const batch: NodeDraft["batch"] = { size: null, waitMs: null };
  readFields(tree, "batch", {
    size: integer(1, 1024, (size) => (batch.size = size)),
    wait: ({ value }) => {
      const us = parseDurationUs(value);
      if (us !== null) batch.waitMs = us / 1_000;
      return us === null ? 'a duration like "40ms"' : null;
    },
  }, report);
  return batch;
}

function readQueue(tree: Tree | null, report: Reporter): number | null {
  let max: number | null = null;
  readFields(tree, "queue", {
    max: integer(1, 100_000, (value) => (max = value)),
    policy: ({ value, at }) => {
      const word = /^sample\(\d+\)$/.test(String(value)) ? "sample" : String(value);
      if (!POLICIES.includes(word)) return `${POLICIES.slice(0, -1).join(", ")} or sample(n)`;
      if (word !== "block") report.add("NOT_SUPPORTED", at, `The policy ${word} belongs to live sources, which come later.`, { found: word, expected: "block", hint: at.from === "profile:live" ? "Leave --profile live out: it is for live sources." : "Put it into the profile `live`, or write policy: block." });
      return null;
    },
  }, report);
  return max;
}

function readOnError(tree: Tree | null, report: Reporter): ErrorPolicy {
  const policy = { ...DEFAULT_ON_ERROR };
  readFields(tree, "on_error", {
    retry: integer(0, 100, (retry) => (policy.retry = retry)),
    backoff: ({ value }) => {
      const range = parseDurationRangeUs(value);
      if (range) [policy.backoffMinMs, policy.backoffMaxMs] = [range[0] / 1_000, range[1] / 1_000];
      return range ? null : 'a range of durations like "1s..10s"';
    },
    then: ({ value }) => {
      if (value !== "dead_letter" && value !== "fail") return "dead_letter or fail";
      policy.then = value;
      return null;
    },
  }, report);
  return policy;
}
