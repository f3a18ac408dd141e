import type { Problem } from "../contracts/index.js";

type Severity = Problem["severity"];
const error = (meaning: string): { severity: Severity; meaning: string } => ({ severity: "error", meaning });
const warning = (meaning: string): { severity: Severity; meaning: string } => ({ severity: "warning", meaning });

/** The closed table of what `flow lint` can say; the code is stable, the message is not. */
export const PROBLEM_CODES = {
  YAML_SYNTAX: error("The text is not YAML 1.2."),
  YAML_ALIAS_BOMB: error("The file has, or its aliases expand to, more values than any graph needs."),
  YAML_TOO_DEEP: error("The file is nested deeper than any graph needs."),
  DUPLICATE_KEY: error("A mapping has the same key twice; YAML would silently keep one."),
  NOT_A_MAP: error("A mapping, list or text stands where another shape is needed."),
  FLOW_VERSION: error("`flow:` is missing or a major version this program does not know."),
  UNKNOWN_KEY: error("The key means nothing here."),
  MISSING_KEY: error("A key without which nothing can be planned is absent."),
  WRONG_TYPE: error("The value has the wrong type, or is outside its range."),
  NOT_SUPPORTED: error("The language reserves this, but this version cannot run it."),
  UNKNOWN_PARAM: error("A parameter is used or given that the graph does not declare."),
  PARAM_TYPE: error("A parameter's value does not fit its declared type."),
  PARAM_TWICE: error("A parameter is given by `-p` and by inputs: only one of them can be meant."),
  PARAM_MISSING: error("A parameter has neither a value nor a default."),
  NO_POSITIONAL: error("Inputs are given but no parameter is `positional: true`."),
  UNUSED_PARAM: warning("A parameter is declared that no value uses."),
  ENV_UNRESOLVED: error("`${env.X}` names a variable that is not set and has no `:-default`."),
  BAD_REFERENCE: error("The text inside ${…} is neither params.NAME nor env.NAME."),
  UNKNOWN_PROFILE: error("The graph has no profile of this name."),
  UNKNOWN_OPERATOR: error("No operator has this name."),
  OPERATOR_VERSION: error("The operator is pinned to a version this program does not have."),
  UNKNOWN_NODE: error("An input, an output or an option names a node that the graph, or what is chosen of it, does not have."),
  UNKNOWN_PORT: error("The operator has no input or output port of this name."),
  UNKNOWN_CASE: error("The switch's value is not among its cases."),
  UNKNOWN_ROLE: error("`model:` names a role that the graph's `models:` does not have, or that the operator does not know."),
  UNKNOWN_MODEL: error("`models:` names a manifest that is not there."),
  MODEL_TASK: error("The model does another task than the operator needs."),
  MODEL_INPUTS: error("The model has an input that the operator does not feed."),
  MODEL_LEFT_OUT: warning("The node vanishes because its model is optional and not installed."),
  MODEL_ELSE: warning("The role's model is not installed, and the one of its `else:` is used."),
  ELSE_MISFIT: error("A role's model and that of its `else:` do not both fit what reads them, so the graph would depend on what is installed."),
  MODEL_MISSING: error("The operator needs a model and the node names none."),
  INPUT_MISSING: error("A required input is not connected."),
  INPUT_TWICE: error("One input port is fed twice, or the level is said twice."),
  CYCLE: error("Nodes feed each other in a circle."),
  KIND_MISMATCH: error("The output is of another kind than the input takes."),
  LEVEL_MISMATCH: error("The output's level does not fit the input's, and neither grouping nor broadcast bridges it."),
  LEVEL_MISSING: error("The operator runs at a level that `by:` or `over:` must name."),
  DIMS_MISMATCH: error("The vector has another length than the input takes."),
  NORM_MISMATCH: error("The input needs unit vectors and the output does not promise them."),
  SPACE_MISMATCH: error("The vector belongs to another vector space."),
  SAMPLE_RATE_MISMATCH: error("The audio has another sample rate than the input takes."),
  COLOR_MISMATCH: error("The frames have another colour order than the input takes."),
  GEOMETRY_MISMATCH: error("The coordinates refer to another raster (coded or display) than the input takes."),
  RATE_MISMATCH: error("A frame-level node reads another one that sees other frames."),
  COLUMNS_MISSING: error("The rows lack columns that the input reads."),
  LINK_REFUSED: error("The operator itself refuses this combination of inputs, models and config."),
  SCENES_AMBIGUOUS: error("The graph cuts scenes in several ways and the node does not say which it means."),
  EXPRESSION: error("The expression is not valid CEL."),
  UNKNOWN_VARIABLE: error("The expression reads a variable that does not exist there."),
  TEMPLATE_PORT: error("The template names an input that the node does not have."),
  SLOTS: error("The ring has fewer slots than the batches of its consumers can hold at once."),
  MEMORY_LIMIT: error("The rings and models of the plan need more memory than `runtime.limits` allows, whatever is made smaller."),
  TIMEOUT_NEEDS_PROCESS: error("A timeout is given for workers that are threads, which nobody can end."),
  UNUSED_NODE: warning("No output reaches this node, so it never runs."),
  NOTHING_CHOSEN: error("`--only`, `--from` and `--until` leave no node to run."),
  DISABLED_UPSTREAM: warning("The node vanishes because an input it cannot do without is disabled."),
  OUTPUT_FIELD: error("An output names a field or vector that its record does not have."),
} as const satisfies Record<string, { severity: Severity; meaning: string }>;

export type ProblemCode = keyof typeof PROBLEM_CODES;

/** 1-based place in the graph file. */
export interface Place {
  line: number;
  column: number;
}

/** Whatever is wrong was found, and something else was expected: in words, or as the names that the found one could have been. */
export type ProblemDetails = { found: string; hint?: string | undefined } & ({ expected: string; among?: Names | undefined } | { among: Names; expected?: string | undefined });

export interface Reporter {
  readonly file: string;
  readonly problems: Problem[];
  add(code: ProblemCode, at: Place, message: string, details: ProblemDetails): void;
  /** Problems that another reporter of the same file made. */
  take(problems: readonly Problem[]): void;
}

/** Collects problems instead of throwing, so that one run of lint reports all of them. */
export function reporter(file: string): Reporter {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  const isNew = ({ code, line, column, message }: Pick<Problem, "code" | "line" | "column" | "message">): boolean => {
    const id = `${code} ${line}:${column} ${message}`;
    return !seen.has(id) && seen.add(id) !== undefined;
  };
  return {
    file,
    problems,
    take: (taken) => problems.push(...taken.filter(isNew)),
    add(code, at, message, { found, expected, among, hint }) {
      if (!isNew({ code, line: at.line, column: at.column, message })) return;
      const names = among === undefined ? null : indexOf(among);
      const near = names ? nearestIn(found, names) : null;
      const wanted = expected ?? (names && names.list.length > 0 ? listed(names.list) : "no name: none is declared");
      problems.push({
        severity: PROBLEM_CODES[code].severity,
        file,
        line: at.line,
        column: at.column,
        code,
        message,
        found: found === "" ? '""' : found,
        expected: wanted,
        ...(near === null ? {} : { nearest: near }),
        hint: hint ?? (near !== null ? `Did you mean "${near}"?` : expected !== undefined ? `Write ${wanted}.` : names && names.list.length > 1 ? "Write one of those." : names?.list.length === 1 ? `There is only "${names.list[0]}".` : `Change it here and check again: flow lint ${file}`),
      });
    },
  };
}

const MAX_LISTED = 60;
const listed = (names: readonly string[]): string => (names.length <= MAX_LISTED ? names.join(", ") : `${names.slice(0, MAX_LISTED).join(", ")}, … (${names.length} in all)`);

/** What is missing from the records, or is in them in place of something better, for want of a model: a run's summary says it, with the command that adds it. */
export const modelNotes = (problems: readonly Problem[]): string[] => problems.filter(({ code }) => code === "MODEL_LEFT_OUT" || code === "MODEL_ELSE").map(({ message, hint }) => `${message} ${hint}`);

export const hasErrors = (problems: readonly Problem[]): boolean => problems.some((problem) => problem.severity === "error");

/** Names to choose from; of a map, its keys. */
export type Names = Iterable<string> | ReadonlyMap<string, unknown>;

/** Names by their length, each with its letters: of thousands a search compares few. */
interface NameIndex {
  list: readonly string[];
  byLength: ReadonlyMap<number, readonly { name: string; lower: string; letters: number; rank: number }[]>;
  /** What was searched before. */
  found: Map<string, string | null>;
}

/** Thousands of wrong names search the same collection. */
const indexes = new WeakMap<object, NameIndex>();

function indexOf(names: Names): NameIndex {
  const size = names instanceof Map || names instanceof Set ? names.size : Array.isArray(names) ? names.length : null;
  const known = indexes.get(names);
  if (known && known.list.length === size) return known;
  const list = [...(names instanceof Map ? (names.keys() as Iterable<string>) : (names as Iterable<string>))];
  const byLength = new Map<number, { name: string; lower: string; letters: number; rank: number }[]>();
  for (const [rank, name] of list.entries()) {
    const lower = name.toLowerCase();
    const entry = { name, lower, letters: lettersOf(lower), rank };
    const same = byLength.get(lower.length);
    if (same) same.push(entry);
    else byLength.set(lower.length, [entry]);
  }
  const index: NameIndex = { list, byLength, found: new Map() };
  if (size !== null) indexes.set(names, index);
  return index;
}

/** A bit for each letter of a word (digits and signs share the last ones): a letter that only one of two words has is an edit. */
function lettersOf(lower: string): number {
  let bits = 0;
  for (let i = 0; i < lower.length; i++) {
    const code = lower.charCodeAt(i);
    bits |= 1 << (code >= 97 && code <= 122 ? code - 97 : 26 + (code % 6));
  }
  return bits;
}

function bitsIn(x: number): number {
  let bits = x - ((x >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

const MAX_WORD = 100;

/** The closest of `names` by edit distance, ties to the first; null when in none at least two thirds of the letters are right. */
export const nearestName = (word: string, names: Names): string | null => nearestIn(word, indexOf(names));

function nearestIn(word: string, index: NameIndex): string | null {
  // A longer word is no slip of the pen, and the table grows by the square.
  if (word.length > MAX_WORD) return null;
  let nearest = index.found.get(word);
  if (nearest === undefined) index.found.set(word, (nearest = search(word, index)));
  return nearest;
}

function search(word: string, { byLength }: NameIndex): string | null {
  const lower = word.toLowerCase();
  const letters = lettersOf(lower);
  let best: { name: string; rank: number } | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const length of [...byLength.keys()].sort((a, b) => Math.abs(a - lower.length) - Math.abs(b - lower.length))) {
    const longer = Math.max(length, lower.length);
    const most = Math.min(Math.max(1, Math.floor(longer / 3)), longer - 1, bestDistance);
    if (Math.abs(length - lower.length) > most) continue;
    for (const entry of byLength.get(length) ?? []) {
      // An earlier name wins a tie.
      const limit = Math.min(most, bestDistance - (best && entry.rank > best.rank ? 1 : 0));
      if (bitsIn(letters & ~entry.letters) > limit || bitsIn(entry.letters & ~letters) > limit) continue;
      const distance = editDistance(lower, entry.lower, limit);
      if (distance <= limit) [best, bestDistance] = [entry, distance];
    }
  }
  return best?.name ?? null;
}

/** Levenshtein distance with adjacent transpositions counted once (optimal string alignment). Past `limit` any number above it. */
export function editDistance(a: string, b: string, limit = Number.POSITIVE_INFINITY): number {
  // What both begin and end with costs nothing: most names of a graph differ in the middle.
  let start = 0;
  let [m, n] = [a.length, b.length];
  while (start < m && start < n && a.charCodeAt(start) === b.charCodeAt(start)) start++;
  while (m > start && n > start && a.charCodeAt(m - 1) === b.charCodeAt(n - 1)) [m, n] = [m - 1, n - 1];
  m -= start;
  n -= start;
  if (m === 0 || n === 0) return m + n;
  if (table[0].length <= n) table = [new Uint32Array(n + 1), new Uint32Array(n + 1), new Uint32Array(n + 1)];
  let [before, last, row] = table;
  let lastLeast = 0;
  for (let j = 0; j <= n; j++) last[j] = j;
  for (let i = 1; i <= m; i++) {
    const letter = a.charCodeAt(start + i - 1);
    const letterBefore = i > 1 ? a.charCodeAt(start + i - 2) : -1;
    let least = (row[0] = i);
    for (let j = 1; j <= n; j++) {
      const other = b.charCodeAt(start + j - 1);
      let value = last[j - 1]! + (letter === other ? 0 : 1);
      if (last[j]! + 1 < value) value = last[j]! + 1;
      if (row[j - 1]! + 1 < value) value = row[j - 1]! + 1;
      if (j > 1 && letterBefore === other && letter === b.charCodeAt(start + j - 2) && before[j - 2]! + 1 < value) value = before[j - 2]! + 1;
      row[j] = value;
      if (value < least) least = value;
    }
    // A transposition adds one to the row before the last.
    if (least > limit && lastLeast >= limit) return least;
    lastLeast = least;
    [before, last, row] = [last, row, before];
  }
  return last[n]!;
}

let table: [Uint32Array, Uint32Array, Uint32Array] = [new Uint32Array(64), new Uint32Array(64), new Uint32Array(64)];
