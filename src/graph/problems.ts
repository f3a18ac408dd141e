import type { Problem } from "../contracts/index.js";

type Severity = Problem["severity"];
const error = (meaning: string): { severity: Severity; meaning: string } => ({ severity: "error", meaning });
const warning = (meaning: string): { severity: Severity; meaning: string } => ({ severity: "warning", meaning });

/** The closed table of what `flow lint` can say; the code is stable, the message is not. */
export const PROBLEM_CODES = {
  YAML_SYNTAX: error("The text is not YAML 1.2."),
  YAML_ALIAS_BOMB: error("The file has, or its aliases expand to, more values or levels than any graph needs."),
  DUPLICATE_KEY: error("A mapping has the same key twice; YAML would silently keep one."),
  NOT_A_MAP: error("A mapping, list or text stands where another shape is needed."),
  FLOW_VERSION: error("`flow:` is missing or a major version this program does not know."),
  UNKNOWN_KEY: error("The key means nothing here."),
  MISSING_KEY: error("A key without which nothing can be planned is absent."),
  WRONG_TYPE: error("The value has the wrong type, or is outside its range."),
  NOT_SUPPORTED: error("The language reserves this, but this version cannot run it."),
  UNKNOWN_PARAM: error("A parameter is used or given that the graph does not declare."),
  PARAM_TYPE: error("A parameter's value does not fit its declared type."),
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

export interface ProblemDetails {
  found?: string | undefined;
  expected?: string | undefined;
  /** Names the found one could have been: the nearest is reported, the list becomes `expected` unless that is given. */
  among?: Iterable<string> | undefined;
  hint?: string | undefined;
}

export interface Reporter {
  readonly file: string;
  readonly problems: Problem[];
  add(code: ProblemCode, at: Place, message: string, details?: ProblemDetails): void;
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
    add(code, at, message, { found, expected, among, hint } = {}) {
      if (!isNew({ code, line: at.line, column: at.column, message })) return;
      const names = among === undefined ? null : [...among];
      const near = names && found !== undefined ? nearestName(found, names) : null;
      const wanted = expected ?? (names && names.length > 0 ? listed(names) : undefined);
      problems.push({
        severity: PROBLEM_CODES[code].severity,
        file,
        line: at.line,
        column: at.column,
        code,
        message,
        ...(found === undefined ? {} : { found }),
        ...(wanted === undefined ? {} : { expected: wanted }),
        ...(near === null ? {} : { nearest: near }),
        hint: hint ?? (near !== null ? `Did you mean "${near}"?` : names && names.length > 1 && !expected ? "Write one of those." : wanted !== undefined ? `Write ${wanted}.` : `Change it here and check again: flow lint ${file}`),
      });
    },
  };
}

const MAX_LISTED = 60;
const listed = (names: readonly string[]): string => (names.length <= MAX_LISTED ? names.join(", ") : `${names.slice(0, MAX_LISTED).join(", ")}, … (${names.length} in all)`);

/** What is missing from the records, or is in them in place of something better, for want of a model: a run's summary says it, with the command that adds it. */
export const modelNotes = (problems: readonly Problem[]): string[] => problems.filter(({ code }) => code === "MODEL_LEFT_OUT" || code === "MODEL_ELSE").map(({ message, hint }) => `${message} ${hint}`);

export const hasErrors = (problems: readonly Problem[]): boolean => problems.some((problem) => problem.severity === "error");

const MAX_WORD = 100;

/** The closest of `names` by edit distance, ties to the first; null when none is closer than half of the word. */
export function nearestName(word: string, names: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(word.length / 2)) + 1;
  // A longer word is no slip of the pen, and the table grows by the square.
  if (word.length > MAX_WORD) return null;
  for (const name of names) {
    if (Math.abs(name.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance && distance < Math.max(word.length, name.length)) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** Levenshtein distance with adjacent transpositions counted once (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) value = Math.min(value, (before[j - 2] ?? 0) + 1);
      row.push(value);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
