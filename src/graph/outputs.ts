import type { OutputSpec } from "../contracts/index.js";
import type { Reporter } from "./problems.js";
import { child, describe, isBroken, type At, type MapTree, type Tree } from "./tree.js";
import type { NodeDraft } from "./node-syntax.js";
import type { LinkedNode } from "./wire.js";

export interface LinkedOutput extends OutputSpec {
  at: At;
}

const OUTPUT_KEYS = ["from", "vectors", "fulltext", "index", "retain"];
/** What every record has besides its fields. */
const RECORD_KEYS = ["start", "end", "duration", "media", "kind", "outcome"];
const TEXTUAL = new Set(["text", "attributes", "value", "record", "info", "subtitles"]);

export interface OutputScope {
  linked: ReadonlyMap<string, LinkedNode>;
  /** Every node of the graph, disabled and broken ones too. */
  names: ReadonlySet<string>;
  disabled: ReadonlySet<string>;
  /** Enabled nodes as written. */
  drafts: ReadonlyMap<string, NodeDraft>;
  report: Reporter;
}

export function readOutputs(tree: Tree | null, scope: OutputScope): LinkedOutput[] {
  const { report } = scope;
  if (!tree || isBroken(tree)) return [];
  if (tree.kind !== "map") {
    report.add("NOT_A_MAP", tree.at, `\`outputs:\` is a mapping, not ${describe(tree)}.`, { found: describe(tree), expected: "{ scene: { from: NODE }, media: { from: NODE } }" });
    return [];
  }
  const outputs: LinkedOutput[] = [];
  for (const [kind, entry] of tree.entries) {
    if (kind !== "scene" && kind !== "media") report.add("UNKNOWN_KEY", entry.keyAt, `There are no records of the kind ${kind}.`, { found: kind, among: ["scene", "media"] });
    else if (entry.value.kind !== "map") report.add("NOT_A_MAP", entry.value.at, `An output is a mapping, not ${describe(entry.value)}.`, { found: describe(entry.value), expected: "{ from: NODE }" });
    else {
      const output = readOutput(kind, entry.keyAt, entry.value, scope);
      if (output) outputs.push(output);
    }
  }
  return outputs;
}

function readOutput(kind: "scene" | "media", at: At, tree: MapTree, scope: OutputScope): LinkedOutput | null {
  const { report, linked } = scope;
  for (const [key, { keyAt }] of tree.entries) if (!OUTPUT_KEYS.includes(key)) report.add("UNKNOWN_KEY", keyAt, `An output has no key ${key}.`, { found: key, among: OUTPUT_KEYS });
  const retain = child(tree, "retain");
  if (retain && !(retain.kind === "scalar" && retain.value === null)) report.add("NOT_SUPPORTED", retain.at, "Records are kept for ever; retention comes later.", { found: describe(retain), expected: "null", hint: "Write retain: null or leave it out." });
  const written = child(tree, "from");
  if (!written) {
    report.add("MISSING_KEY", at, `The output ${kind} does not say which node makes its records.`, { found: "nothing", expected: "from: NODE" });
    return null;
  }
  const from: LinkedNode[] = [];
  /** Joins in which something else is wrong: the names of their fields are known, not what these hold. */
  const broken: NodeDraft[] = [];
  let unknown = false;
  for (const { tree: item, value } of words(written, report)) {
    if (!scope.names.has(value)) {
      report.add("UNKNOWN_NODE", item.at, `The graph has no node ${value}.`, { found: value, among: scope.names, ...(value.includes(".") ? { hint: "An output names a node, not one of its ports: a join by: scene or media puts ports into a record." } : {}) });
      unknown = true;
      continue;
    }
    const node = linked.get(value);
    if (scope.disabled.has(value)) continue;
    if (!node) {
      const draft = scope.drafts.get(value);
      if (draft?.op?.run.form === "join" && draft.refs.length > 0) broken.push(draft);
      else unknown = true;
      continue;
    }
    if (node.level !== kind) report.add("LEVEL_MISMATCH", item.at, `The output ${kind} takes one record per ${kind}, and ${value} runs by ${node.level}.`, { found: node.level, expected: kind, hint: `Add a join by: ${kind}.` });
    else from.push(node);
  }
  if (unknown || from.length + broken.length === 0) return null;
  const fields = new Map<string, string>();
  const absent = new Set<string>();
  for (const node of from) {
    const source = node.op.run.form === "join" ? Object.entries(node.inputs).map(([name, input]) => [name, input.type] as const) : Object.entries(node.outputs);
    for (const [name, type] of source) fields.set(name, type.kind);
    for (const name of node.absent) absent.add(name);
  }
  for (const { refs, tree: written } of broken) {
    const inputs = child(written, "in");
    for (const name of inputs?.kind === "map" ? inputs.entries.keys() : refs.map((ref) => ref.node)) absent.add(name);
  }
  const known = (name: string, place: At, what: string, extra: readonly string[] = [], among = [...fields.keys(), ...absent]): boolean => {
    if (absent.has(name)) return false;
    if (fields.has(name) || extra.includes(name)) return true;
    report.add("OUTPUT_FIELD", place, `The records of ${[...from.map(({ draft }) => draft), ...broken].map((draft) => draft.name).join(", ")} have no ${what} ${name}.`, { found: name, among: [...among, ...extra] });
    return false;
  };
  const vectors: OutputSpec["vectors"] = {};
  const vectorTree = child(tree, "vectors");
  if (vectorTree && vectorTree.kind !== "map") report.add("NOT_A_MAP", vectorTree.at, `\`vectors:\` is a mapping of name to options, not ${describe(vectorTree)}.`, { found: describe(vectorTree), expected: "{ NAME: {} }" });
  for (const [name, entry] of vectorTree?.kind === "map" ? vectorTree.entries : []) {
    const weight = readWeight(entry.value, report);
    if (!known(name, entry.keyAt, "vector", [], [...[...fields].flatMap(([field, type]) => (type === "vector" ? [field] : [])), ...absent])) continue;
    if (fields.get(name) !== "vector") report.add("OUTPUT_FIELD", entry.keyAt, `${name} is ${fields.get(name)}, not a vector.`, { found: String(fields.get(name)), expected: "a vector", hint: `Take ${name} out of \`vectors:\`; words are searched by \`fulltext:\`.` });
    vectors[name] = { weight };
  }
  const list = (key: string): { tree: Tree; value: string }[] => {
    const found = child(tree, key);
    return found ? words(found, report) : [];
  };
  const fulltext = list("fulltext").filter(({ tree: item, value }) => {
    if (!known(value, item.at, "field")) return false;
    if (TEXTUAL.has(fields.get(value) ?? "")) return true;
    report.add("OUTPUT_FIELD", item.at, `${value} is ${fields.get(value)}: there are no words in it to search.`, { found: String(fields.get(value)), expected: "text or attributes" });
    return false;
  });
  const index = list("index").filter(({ tree: item, value }) => known(value, item.at, "field", RECORD_KEYS));
  if (from.length === 0) return null;
  return { kind, at, from: from.map((node) => node.draft.name), vectors, fulltext: fulltext.map((word) => word.value), index: index.map((word) => word.value) };
}

function readWeight(tree: Tree, report: Reporter): number {
  if (tree.kind === "scalar" && (tree.value === null || tree.broken)) return 1;
  if (tree.kind !== "map") {
    report.add("NOT_A_MAP", tree.at, `The options of a vector are a mapping, not ${describe(tree)}.`, { found: describe(tree), expected: "{ weight: 1 }" });
    return 1;
  }
  for (const [key, { keyAt }] of tree.entries) if (key !== "weight") report.add("UNKNOWN_KEY", keyAt, `A vector has no option ${key}.`, { found: key, among: ["weight"] });
  const weight = child(tree, "weight");
  if (!weight || (weight.kind === "scalar" && weight.broken)) return 1;
  if (weight.kind === "scalar" && typeof weight.value === "number" && weight.value >= 0 && weight.value <= 100) return weight.value;
  report.add("WRONG_TYPE", weight.at, `A weight is a number from 0 to 100, not ${describe(weight)}.`, { found: describe(weight), expected: "a number from 0 to 100" });
  return 1;
}

/** A word or a list of words. */
function words(tree: Tree, report: Reporter): { tree: Tree; value: string }[] {
  const items = tree.kind === "list" ? tree.items : [tree];
  return items.flatMap((item) => {
    if (item.kind === "scalar" && item.broken) return [];
    if (item.kind === "scalar" && typeof item.value === "string") return [{ tree: item, value: item.value }];
    report.add("WRONG_TYPE", item.at, `A name is expected, not ${describe(item)}.`, { found: describe(item), expected: "a name or a list of names" });
    return [];
  });
}
