import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { Problem } from "../contracts/index.js";
import { hasErrors, reporter, type Reporter } from "./problems.js";
import { offsetsIn } from "./scalar-text.js";
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
/** A value takes some eight tokens. Counting them costs a tenth of parsing them. */
const MAX_TOKENS = 12 * MAX_VALUES;
/** What YAML forbids, and what is left of bytes that are not UTF-8. */
const UNREADABLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/;

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
  // A byte order mark is no column.
  const text = source.text.replace(/^\ufeff/, "");
  const lines = new LineCounter();
  const place = (offset: number): At => {
    const { line, col } = lines.linePos(Math.max(0, offset));
    return { line: Math.max(1, line), column: Math.max(1, col), from: "graph" };
  };
  if (!isReadable(text, report)) return null;
  let document: Document.Parsed;
  try {
    // logLevel "error": warnings of the library would go to the console. uniqueKeys: its check takes time by the square of the keys.
    document = parseDocument(text, { lineCounter: lines, version: "1.2", schema: "core", merge: false, prettyErrors: false, uniqueKeys: false, logLevel: "error", stringKeys: false });
  } catch (thrown) {
    report.add("YAML_SYNTAX", { line: 1, column: 1 }, `The text cannot be read as YAML: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return null;
  }
  // Whatever the parser says after its first stumble is about the fall.
  const [stumble] = document.errors;
  if (stumble) {
    reportStumble(stumble, text, place(stumble.pos[0]), report);
    return null;
  }
  for (const { code, pos } of document.warnings) {
    if (code !== "TAG_RESOLVE_FAILED") continue;
    const tag = text.slice(...pos);
    report.add("YAML_SYNTAX", place(pos[0]), `The tag ${tag} means nothing here.`, { found: tag, expected: "a value without a tag", hint: "Variables are written ${env.NAME}; a text that begins with ! needs quotes." });
  }
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
      report.add("YAML_ALIAS_BOMB", at, depth > MAX_DEPTH ? `The file is nested deeper than ${MAX_DEPTH} levels.` : `The file expands to more than ${MAX_VALUES} values.`, { hint: "Write the values out, or use a profile for what repeats." });
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
      if (typeof value === "string" && node.range) {
        const [start, end] = node.range;
        let offsets: ((offset: number) => number) | null = null;
        return { kind: "scalar", value, at, placeOf: (offset) => place((offsets ??= offsetsIn(text, start, end, value))(offset)) };
      }
      if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string") return { kind: "scalar", value, at };
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
          report.add("YAML_SYNTAX", keyAt, "A key must be a plain word.", { expected: "a word", hint: "Keys are words, as in name: value." });
          continue;
        }
        const word = String(key.value);
        if (word === "<<" && key.type === "PLAIN") {
          report.add("NOT_SUPPORTED", keyAt, "Merge keys are not part of YAML 1.2.", { found: "<<", expected: "the keys themselves", hint: "Write the keys out, or use a profile for what repeats." });
          continue;
        }
        const value = convert(pair.value as Node | null, keyAt, depth + 1);
        if (!value) return null;
        // Keeping the first keeps later messages about the one that the reader meets first.
        if (!entries.has(word)) entries.set(word, { keyAt, value });
        else report.add("DUPLICATE_KEY", keyAt, `The key ${JSON.stringify(word)} stands twice in one mapping.`, { found: word, hint: "Remove or rename one of the two." });
      }
      return { kind: "map", entries, at };
    } finally {
      open.delete(node);
    }
  };
  return convert(document.contents as Node, { line: 1, column: 1, from: "graph" }, 0);
}

/** Bounds that hold before anything is built of the text, and characters that no editor shows. */
function isReadable(text: string, report: Reporter): boolean {
  const place = (offset: number): { line: number; column: number } => {
    const before = text.slice(0, offset);
    return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
  };
  if (text.length > MAX_TEXT) {
    report.add("YAML_SYNTAX", { line: 1, column: 1 }, `The file has ${text.length} characters; a graph has at most ${MAX_TEXT}.`, { hint: "Is it the graph? Long lists belong into files that the graph names." });
    return false;
  }
  const odd = UNREADABLE.exec(text);
  if (odd) {
    const name = `U+${odd[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    const what = odd[0] === "\ufffd" ? "The text is not UTF-8 here" : "A control character stands here";
    report.add("YAML_SYNTAX", place(odd.index), `${what} (${name}).`, { found: name, expected: "text in UTF-8", hint: "Save the file as UTF-8 without control characters." });
    return false;
  }
  let tokens = 0;
  let depth = 0;
  let offset = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (++tokens > MAX_TOKENS || depth > MAX_DEPTH) {
      report.add("YAML_ALIAS_BOMB", place(offset), depth > MAX_DEPTH ? `The file is nested deeper than ${MAX_DEPTH} levels.` : `The file holds more than ${MAX_VALUES} values.`, { hint: "Is it the graph? Long lists belong into files that the graph names." });
      return false;
    }
    // The lexer's own marks (control characters) are not in the text.
    if (!UNREADABLE.test(token.charAt(0))) offset += token.length;
  }
  return true;
}

function reportStumble({ code, message, pos }: Document.Parsed["errors"][number], text: string, at: At, report: Reporter): void {
  if (/call stack/.test(message)) {
    report.add("YAML_ALIAS_BOMB", at, `The file is nested deeper than ${MAX_DEPTH} levels.`, { hint: "Write the values less deep." });
    return;
  }
  if (code === "MULTIPLE_DOCS") {
    report.add("YAML_SYNTAX", at, "A second document begins here; a file holds one graph.", { found: "---", expected: "one document", hint: "Put the second one into a file of its own." });
    return;
  }
  const brace = /(?<!["'])\$$/.test(text.slice(0, pos[0])) && text[pos[0]] === "{";
  report.add("YAML_SYNTAX", at, `${(message.split("\n")[0] ?? message).replace(/\.$/, "")}.`, {
    hint: brace ? 'Inside { } a reference needs quotes: "${params.NAME}".' : "Fix the YAML at this place first; the rest is checked after it parses.",
  });
}
