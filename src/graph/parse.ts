import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { Problem } from "../contracts/index.js";
import { hasErrors, reporter, type Reporter } from "./problems.js";
import { describe, type At, type MapEntry, type MapTree, type Tree } from "./tree.js";

export interface GraphSource {
  path: string;
  text: string;
}

/** A graph file as read: every value with its place, nothing resolved. */
export interface GraphSyntax {
  file: string;
  root: MapTree;
}

/** Aliases are for repeating a line or two; past these bounds a file is hostile or broken. */
const MAX_ALIASES = 100;
const MAX_VALUES = 50_000;
const MAX_DEPTH = 64;
const MAX_TEXT = 4_000_000;

/** YAML 1.2 core → tree with places. Never throws; `syntax` is null when the text has no usable root mapping. */
export function parseGraph(source: GraphSource): { syntax: GraphSyntax | null; problems: Problem[] } {
  const report = reporter(source.path);
  const root = readYaml(source, report);
  if (!root) return { syntax: null, problems: report.problems };
  if (root.kind !== "map") {
    report.add("NOT_A_MAP", root.at, `A graph is a mapping with the keys flow, name, nodes, outputs; this file holds ${describe(root)}.`, { found: describe(root), expected: "a mapping" });
    return { syntax: null, problems: report.problems };
  }
  checkVersion(root, report);
  return { syntax: hasErrors(report.problems.filter((problem) => problem.code !== "DUPLICATE_KEY")) ? null : { file: source.path, root }, problems: report.problems };
}

function checkVersion(root: MapTree, report: Reporter): void {
  const entry = root.entries.get("flow");
  const hint = "Write `flow: 1` as the first key; `flow doctor` prints which versions this program reads.";
  if (!entry) report.add("FLOW_VERSION", root.at, "The graph does not say which version of the language it is written in.", { expected: "flow: 1", hint });
  else if (entry.value.kind !== "scalar" || (entry.value.value !== 1 && entry.value.value !== "1")) {
    report.add("FLOW_VERSION", entry.value.at, `This program reads version 1 of the language, not ${describe(entry.value)}.`, { found: describe(entry.value), expected: "1", hint });
  }
}

function readYaml(source: GraphSource, report: Reporter): Tree | null {
  const lines = new LineCounter();
  const place = (offset: number): At => {
    const { line, col } = lines.linePos(Math.max(0, offset));
    return { line: Math.max(1, line), column: Math.max(1, col), from: "graph" };
  };
  if (source.text.length > MAX_TEXT) {
    report.add("YAML_SYNTAX", { line: 1, column: 1 }, `The file has ${source.text.length} characters; a graph has at most ${MAX_TEXT}.`);
    return null;
  }
  let document: Document.Parsed;
  try {
    // logLevel "error": warnings of the library would go to the console.
    document = parseDocument(source.text, { lineCounter: lines, version: "1.2", schema: "core", merge: false, prettyErrors: false, uniqueKeys: true, logLevel: "error", stringKeys: false });
  } catch (thrown) {
    report.add("YAML_SYNTAX", { line: 1, column: 1 }, `The text cannot be read as YAML: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return null;
  }
  let fatal = false;
  for (const problem of document.errors) {
    const at = place(problem.pos[0]);
    if (problem.code === "DUPLICATE_KEY") {
      const word = /^[^\s:,{}[\]]+/.exec(source.text.slice(problem.pos[0]))?.[0] ?? "";
      report.add("DUPLICATE_KEY", at, `The key ${JSON.stringify(word)} stands twice in one mapping.`, { found: word, hint: "Remove or rename one of the two." });
      continue;
    }
    // Whatever the parser says after its first stumble is about the fall.
    if (fatal) continue;
    fatal = true;
    const brace = /(?<!["'])\$$/.test(source.text.slice(0, problem.pos[0])) && source.text[problem.pos[0]] === "{";
    report.add("YAML_SYNTAX", at, `${problem.message.split("\n")[0] ?? problem.message}.`, {
      hint: brace ? 'Inside { } a reference needs quotes: "${params.NAME}".' : "Fix the YAML at this place first; the rest is checked after it parses.",
    });
  }
  if (fatal) return null;
  if (document.contents === null) {
    report.add("NOT_A_MAP", { line: 1, column: 1 }, "The file is empty.", { found: "nothing", expected: "a mapping" });
    return null;
  }

  let aliases = 0;
  let values = 0;
  const open = new Set<Node>();
  const convert = (node: Node | null, fallback: At, depth: number): Tree | null => {
    if (node === null) return { kind: "scalar", value: null, at: fallback };
    const at = node.range ? place(node.range[0]) : fallback;
    if (++values > MAX_VALUES || depth > MAX_DEPTH) {
      report.add("YAML_ALIAS_BOMB", at, `The file expands to more than ${MAX_VALUES} values or ${MAX_DEPTH} levels.`, { hint: "Write the values out, or use a profile for what repeats." });
      return null;
    }
    if (isAlias(node)) {
      const target = node.resolve(document) as Node | undefined;
      if (!target) {
        report.add("YAML_SYNTAX", at, `The alias *${node.source} has no anchor before it.`, { found: `*${node.source}`, expected: `&${node.source} before this line`, hint: "Texts that begin with * need quotes." });
        return null;
      }
      if (++aliases > MAX_ALIASES || open.has(target)) {
        const why = open.has(target) ? `The alias *${node.source} contains itself.` : `The file uses more than ${MAX_ALIASES} aliases.`;
        report.add("YAML_ALIAS_BOMB", at, why, { hint: "Write the values out, or use a profile for what repeats." });
        return null;
      }
      return convert(target, at, depth + 1);
    }
    if (isScalar(node)) {
      const value = node.value;
      const quoted = node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE";
      if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string") return { kind: "scalar", value, at, ...(quoted ? { quoted } : {}) };
      return { kind: "scalar", value: String(value), at };
    }
    open.add(node);
    try {
      if (isSeq(node)) {
        const items: Tree[] = [];
        for (const item of node.items) {
          const tree = convert(item as Node | null, at, depth + 1);
          if (!tree) return null;
          items.push(tree);
        }
        return { kind: "list", items, at };
      }
      if (!isMap(node)) return { kind: "scalar", value: String(node), at };
      const entries = new Map<string, MapEntry>();
      for (const pair of node.items) {
        const key = pair.key as Node | null;
        const keyAt = key?.range ? place(key.range[0]) : at;
        if (!isScalar(key) || key.value === null || typeof key.value === "object") {
          report.add("YAML_SYNTAX", keyAt, "A key must be a plain word.", { expected: "a word" });
          continue;
        }
        const value = convert(pair.value as Node | null, keyAt, depth + 1);
        if (!value) return null;
        // A duplicate is reported above; keeping the first keeps later messages about the one that the reader meets first.
        if (!entries.has(String(key.value))) entries.set(String(key.value), { keyAt, value });
      }
      return { kind: "map", entries, at };
    } finally {
      open.delete(node);
    }
  };
  return convert(document.contents as Node, { line: 1, column: 1, from: "graph" }, 0);
}
