import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, visit, type Document, type Node } from "yaml";
import type { Problem } from "../contracts/index.js";
import { reporter, type Reporter } from "./problems.js";
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

/** What a file that is no graph is told. */
const LEAST_GRAPH = "The least one holds `flow: 1` and `nodes: { media: { op: media.open, with: { uri: a.mp4 } } }`; graphs/ego.yaml is a whole one, and `flow explain media.open` shows an example.";

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
  const read = readYaml(source, report);
  if (!read) return { syntax: null, problems: report.problems };
  const { root } = read;
  if (root.kind !== "map") {
    report.add("NOT_A_MAP", root.at, `A graph is a mapping with the keys flow, name, nodes, outputs; this file holds ${describe(root)}.`, { found: describe(root), expected: "a mapping", hint: LEAST_GRAPH });
    return { syntax: null, problems: report.problems };
  }
  const readable = checkVersion(root, report);
  return { syntax: readable && !read.partial ? { file: source.path, root } : null, problems: report.problems };
}

/** False: another version of the language, in which the rest may mean something else. */
function checkVersion(root: MapTree, report: Reporter): boolean {
  const entry = root.entries.get("flow");
  const hint = "Write `flow: 1` as the first key; `flow doctor` prints which versions this program reads.";
  if (!entry) report.add("FLOW_VERSION", root.at, "The graph does not say which version of the language it is written in.", { found: "no key `flow`", expected: "flow: 1", hint });
  else if (entry.value.kind !== "scalar" || (entry.value.value !== 1 && entry.value.value !== "1")) {
    report.add("FLOW_VERSION", entry.value.at, `This program reads version 1 of the language, not ${describe(entry.value)}.`, { found: describe(entry.value), expected: "1", hint });
    return false;
  }
  return true;
}

/** `partial`: parts of the file are missing from the tree, so nothing can be concluded from it. */
function readYaml(source: GraphSource, report: Reporter): { root: Tree; partial: boolean } | null {
  // A byte order mark is no column.
  const text = source.text.replace(/^\ufeff/, "");
  const lines = new LineCounter();
  const place = (offset: number): At => {
    const { line, col } = lines.linePos(Math.max(0, offset));
    return { line: Math.max(1, line), column: Math.max(1, col), from: "graph" };
  };
  if (!isReadable(text, report)) return null;
  const document = parseYaml(text, lines);
  if (document instanceof Error) {
    report.add("YAML_SYNTAX", { line: 1, column: 1 }, `The text cannot be read as YAML: ${document.message}`, { found: "a text that the parser gives up on", expected: "YAML 1.2" });
    return null;
  }
  if (document.errors.length > 0) {
    reportStumbles(document, text, place, report);
    return null;
  }
  for (const { code, pos } of document.warnings) {
    if (code !== "TAG_RESOLVE_FAILED") continue;
    const tag = text.slice(...pos);
    report.add("YAML_SYNTAX", place(pos[0]), `The tag ${tag} means nothing here.`, { found: tag, expected: "a value without a tag", hint: "Variables are written ${env.NAME}; a text that begins with ! needs quotes." });
  }
  if (document.contents === null) {
    report.add("NOT_A_MAP", { line: 1, column: 1 }, "The file is empty.", { found: "nothing", expected: "a mapping", hint: LEAST_GRAPH });
    return null;
  }

  let partial = false;
  let aliases = 0;
  let values = 0;
  const open = new Set<Node>();
  const convert = (node: Node | null, fallback: At, depth: number): Tree | null => {
    if (node === null) return { kind: "scalar", value: null, at: fallback };
    const at = node.range ? place(node.range[0]) : fallback;
    if (depth > MAX_DEPTH) {
      reportDepth(at, report);
      return null;
    }
    if (++values > MAX_VALUES) {
      report.add("YAML_ALIAS_BOMB", at, `The file expands to more than ${MAX_VALUES} values.`, { found: `more than ${MAX_VALUES} values`, expected: `at most ${MAX_VALUES}`, hint: "Write the values out, or use a profile for what repeats." });
      return null;
    }
    // A tag that nobody reads is reported: what its value would have been is unknown.
    if (!isAlias(node) && node.tag?.startsWith("!")) return { kind: "scalar", value: null, at, broken: true };
    if (isAlias(node)) {
      const target = node.resolve(document) as Node | undefined;
      if (!target) {
        report.add("YAML_SYNTAX", at, `The alias *${node.source} has no anchor before it.`, { found: `*${node.source}`, expected: `&${node.source} before this line`, hint: "Texts that begin with * need quotes." });
        return { kind: "scalar", value: null, at, broken: true };
      }
      if (++aliases > MAX_ALIASES || open.has(target)) {
        const [why, expected] = open.has(target) ? [`The alias *${node.source} contains itself.`, "an alias of something else"] : [`The file uses more than ${MAX_ALIASES} aliases.`, `at most ${MAX_ALIASES} aliases`];
        report.add("YAML_ALIAS_BOMB", at, why, { found: `*${node.source}`, expected, hint: "Write the values out, or use a profile for what repeats." });
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
          partial = true;
          report.add("YAML_SYNTAX", keyAt, "A key must be a plain word.", { found: isScalar(key) ? String(key.value) : isMap(key) ? "a mapping" : isSeq(key) ? "a list" : "no word", expected: "a word", hint: "Keys are words, as in name: value." });
          continue;
        }
        const word = String(key.value);
        if (word === "<<" && key.type === "PLAIN") {
          partial = true;
          report.add("NOT_SUPPORTED", keyAt, "Merge keys are not part of YAML 1.2.", { found: "<<", expected: "the keys themselves", hint: "Write the keys out, or use a profile for what repeats." });
          continue;
        }
        const value = convert(pair.value as Node | null, keyAt, depth + 1);
        if (!value) return null;
        // Keeping the first keeps later messages about the one that the reader meets first.
        if (!entries.has(word)) entries.set(word, { keyAt, value });
        else report.add("DUPLICATE_KEY", keyAt, `The key ${JSON.stringify(word)} stands twice in one mapping.`, { found: word, expected: "each key once", hint: "Remove or rename one of the two." });
      }
      return { kind: "map", entries, at };
    } finally {
      open.delete(node);
    }
  };
  const root = convert(document.contents as Node, { line: 1, column: 1, from: "graph" }, 0);
  return root && { root, partial };
}

function parseYaml(text: string, lineCounter = new LineCounter()): Document.Parsed | Error {
  try {
    // logLevel "error": warnings of the library would go to the console. uniqueKeys: its check takes time by the square of the keys.
    return parseDocument(text, { lineCounter, version: "1.2", schema: "core", merge: false, prettyErrors: false, uniqueKeys: false, logLevel: "error", stringKeys: false });
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}

function reportDepth(at: { line: number; column: number }, report: Reporter): void {
  report.add("YAML_TOO_DEEP", at, `The file is nested deeper than ${MAX_DEPTH} levels.`, { found: `more than ${MAX_DEPTH} levels`, expected: `at most ${MAX_DEPTH}`, hint: "Is a bracket left open? A graph is some ten levels deep." });
}

/** Bounds that hold before anything is built of the text, and characters that no editor shows. */
function isReadable(text: string, report: Reporter): boolean {
  const place = (offset: number): { line: number; column: number } => {
    const before = text.slice(0, offset);
    return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
  };
  if (text.length > MAX_TEXT) {
    report.add("YAML_SYNTAX", { line: 1, column: 1 }, `The file has ${text.length} characters; a graph has at most ${MAX_TEXT}.`, { found: `${text.length} characters`, expected: `at most ${MAX_TEXT}`, hint: "Is it the graph? Long lists belong into files that the graph names." });
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
    if (depth > MAX_DEPTH) {
      reportDepth(place(offset), report);
      return false;
    }
    if (++tokens > MAX_TOKENS) {
      report.add("YAML_ALIAS_BOMB", place(offset), `The file holds more than ${MAX_VALUES} values.`, { found: `more than ${MAX_VALUES} values`, expected: `at most ${MAX_VALUES}`, hint: "Is it the graph? Long lists belong into files that the graph names." });
      return false;
    }
    // The lexer's own marks (control characters) are not in the text.
    if (!UNREADABLE.test(token.charAt(0))) offset += token.length;
  }
  return true;
}

type Stumble = Document.Parsed["errors"][number];
/** Mistakes that are reported at most, and characters that are parsed again to find them. */
const MAX_STUMBLES = 20;
const MAX_REPARSED = 1_000_000;

/** Whatever the parser says after its first stumble may be about the fall: so the entry around it is blanked, and the rest parsed again for the next. */
function reportStumbles(first: Document.Parsed, source: string, place: (offset: number) => At, report: Reporter): void {
  let document: Document.Parsed | Error = first;
  let text = source;
  for (let left = Math.min(MAX_STUMBLES, MAX_REPARSED / source.length); !(document instanceof Error); left--) {
    const [stumble] = document.errors;
    if (!stumble) break;
    // What the parser met first stands where something is missing before it.
    const open = OPEN_COLLECTION.test(stumble.message) && text.slice(0, stumble.pos[0]).trimEnd().length < lineStart(text, stumble.pos[0]);
    const at = open ? text.slice(0, stumble.pos[0]).trimEnd().length : stumble.pos[0];
    const quote = /^Missing closing .quote/.test(stumble.message) ? openingQuote(document.contents as Node | null, at) : null;
    reportStumble(stumble, text, quote ?? at, place, report);
    const next: string = stumble.code === "MULTIPLE_DOCS" || left <= 1 ? text : withoutEntry(text, document.contents as Node | null, quote ?? at);
    if (next === text) break;
    text = next;
    document = parseYaml(text);
  }
  report.problems.sort((a, b) => a.line - b.line || a.column - b.column);
}

const OPEN_COLLECTION = /^Flow (?:map|sequence) in block collection .* end with a (.)$/;
const lineStart = (text: string, offset: number): number => text.lastIndexOf("\n", offset - 1) + 1;

/** The same text, same length, with the innermost block entry around `offset` blank. */
function withoutEntry(text: string, contents: Node | null, offset: number): string {
  const word = offset + (/^[ \t]*/.exec(text.slice(offset, offset + 200))?.[0].length ?? 0);
  const begin = lineStart(text, keyBefore(contents, word) ?? word);
  // How deep a tab goes nobody knows.
  const depth = text.slice(begin, word).includes("\t") ? Number.POSITIVE_INFINITY : indentation(text, begin);
  let end = text.indexOf("\n", Math.max(begin, word));
  while (end >= 0 && end + 1 < text.length) {
    const line = text.slice(end + 1, text.indexOf("\n", end + 1) + 1 || text.length);
    if (line.trim() !== "" && indentation(line, 0) <= depth) break;
    end += line.length;
  }
  const stop = end < 0 ? text.length : end;
  return text.slice(0, begin) + text.slice(begin, stop).replace(/[^\n]/g, " ") + text.slice(stop);
}

function indentation(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t") at++;
  return at - from;
}

/** Where the last key (or item of a list) at or before `offset` begins; keys within brackets do not count. */
function keyBefore(node: Node | null, offset: number): number | null {
  if (!(isMap(node) || isSeq(node)) || node.flow) return null;
  for (const item of [...node.items].reverse()) {
    const [head, value] = isMap(node) ? [(item as { key: Node | null }).key, (item as { value: Node | null }).value] : [item as Node | null, item as Node | null];
    const start = head?.range?.[0];
    if (start !== undefined && start <= offset) return keyBefore(value, offset) ?? start;
  }
  return null;
}

/** Where the text in quotes begins that is open at `offset`. */
function openingQuote(contents: Node | null, offset: number): number | null {
  let start: number | null = null;
  if (contents) visit(contents, { Scalar: (_, { type, range }) => void (type?.startsWith("QUOTE") && range && range[0] <= offset && (start = Math.max(start ?? 0, range[0]))) });
  return start;
}

function reportStumble({ code, message }: Stumble, text: string, offset: number, place: (offset: number) => At, report: Reporter): void {
  const at = place(offset);
  if (/call stack/.test(message)) {
    reportDepth(at, report);
    return;
  }
  if (code === "MULTIPLE_DOCS") {
    report.add("YAML_SYNTAX", at, "A second document begins here; a file holds one graph.", { found: "---", expected: "one document", hint: "Put the second one into a file of its own." });
    return;
  }
  const brace = /(?<!["'])\$$/.test(text.slice(0, offset)) && text[offset] === "{";
  const [token] = /^\S{1,40}/.exec(text.slice(offset, offset + 40)) ?? [text.slice(offset).trim() === "" ? "the end of the file" : text[offset] === "\n" ? "the end of the line" : text[offset] === "\t" ? "a tab" : "a blank"];
  report.add("YAML_SYNTAX", at, `${(message.split("\n")[0] ?? message).replace(/\.$/, "")}.`, {
    found: token,
    expected: OPEN_COLLECTION.exec(message)?.[1] ?? /^Missing (?:closing )?(["',:])/.exec(message)?.[1] ?? EXPECTED[code] ?? "YAML 1.2",
    hint: brace ? 'Inside { } a reference needs quotes: "${params.NAME}".' : "Fix the YAML at this place first; the rest is checked after it parses.",
  });
}

const EXPECTED: Partial<Record<Stumble["code"], string>> = {
  BAD_DQ_ESCAPE: "an escape that YAML has, or single quotes",
  BAD_INDENT: "the indentation of the entries beside it",
  BAD_SCALAR_START: "a letter, a digit or a text in quotes",
  BLOCK_AS_IMPLICIT_KEY: "one KEY: VALUE in a line",
  BLOCK_IN_FLOW: "values in { } or [ ]",
  MULTILINE_IMPLICIT_KEY: "KEY: VALUE in one line",
  TAB_AS_INDENT: "spaces",
};
