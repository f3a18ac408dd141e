import { createContext, Script, type Context } from "node:vm";
import { Environment, type ASTNode } from "@marcbachmann/cel-js";
import { FlowError, type Problem } from "../contracts/index.js";
import { reporter, type Place } from "./problems.js";

/** What an expression may read: `true` is a value of any shape, an object lists the members that exist. */
export interface Variables {
  readonly [name: string]: true | Variables;
}

export interface CompiledExpression {
  /** Paths that the expression reads, `["media", "info", "hasAudio"]`. */
  reads: string[][];
  /** What it gives, as CEL names it: bool, string, dyn (known only with the values), … */
  type: string;
  /**
   * Value for one set of variables; integers come back as numbers. A member that is absent makes the result null (unknown), as in a
   * record without that field. Throws FlowError EXPRESSION_FAILED for anything else (a text compared with a number, more than a second of work).
   */
  evaluate(variables: Record<string, unknown>): unknown;
  /** The same for a condition: unknown is false, and what is neither true nor false throws as well. */
  holds(variables: Record<string, unknown>): boolean;
}

const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false, limits: { maxAstNodes: 2_000, maxDepth: 64 } });
// CEL proper refuses 1 + 0.5; a reader of YAML does not know that 1 is an int here.
for (const [sign, apply] of [
  ["+", (a: number, b: number) => a + b],
  ["-", (a: number, b: number) => a - b],
  ["*", (a: number, b: number) => a * b],
  ["/", (a: number, b: number) => a / b],
] as const) {
  environment.registerOperator(`double ${sign} int`, (a: unknown, b: unknown) => apply(Number(a), Number(b)));
  environment.registerOperator(`int ${sign} double`, (a: unknown, b: unknown) => apply(Number(a), Number(b)));
}
for (const [left, right] of [["double", "int"], ["int", "double"], ["double", "double"]] as const) environment.registerOperator(`${left} % ${right}`, (a: unknown, b: unknown) => Number(a) % Number(b));

interface ExpressionFault {
  message: string;
  range?: { start: number; end: number };
  code?: string;
  summary?: string;
}

/** Compiles CEL, checking every variable and member against `variables` (null: lint has done so). `place`: where a character of the text stands in `file`. */
export function compileExpression(source: string, variables: Variables | null, file = "expression", place: (offset: number) => Place = (offset) => ({ line: 1, column: 1 + offset })): CompiledExpression | { problem: Problem; problems: Problem[] } {
  const report = reporter(file);
  const refuse = (thrown: unknown): void => {
    const fault = thrown as ExpressionFault;
    const message = fault.summary ?? String(fault.message).split("\n")[0];
    report.add("EXPRESSION", place(fault.range?.start ?? 0), `The expression is not valid: ${message}.`, { found: source, expected: "a CEL expression", hint: "Examples: media.info.hasAudio, scene.duration > 2.0, size(speech.text) > 0" });
  };
  const reads: string[][] = [];
  let type = "dyn";
  let slow = false;
  let program: ReturnType<Environment["parse"]> | null = null;
  try {
    program = environment.parse(source);
    visit(program.ast, new Set(), (path, node) => {
      reads.push(path);
      if (variables) checkPath(path, variables, (name, depth, among) =>
        report.add("UNKNOWN_VARIABLE", place(node.range.start), `The expression reads ${path.join(".")}, but ${depth === 0 ? `there is no ${name}` : `${path.slice(0, depth).join(".")} has no ${name}`} here.`, { found: name, among, ...(depth === 0 && (name === "params" || name === "env") ? { hint: `Parameters and variables are put in beforehand: \${${path.join(".")}}.` } : {}) }),
      );
    });
    slow = mayBeSlow(program.ast);
    for (const pattern of patterns(program.ast)) checkPattern(pattern, (message) => report.add("EXPRESSION", place(pattern.range.start), `The expression is not valid: ${message}.`, { found: String(pattern.args), expected: "a regular expression", hint: "Letters that have a meaning of their own are written with a backslash before them." }));
    const checked = program.check();
    type = String(checked.type ?? "dyn");
    if (!checked.valid && report.problems.length === 0) refuse(checked.error);
  } catch (thrown) {
    refuse(thrown);
  }
  const [first] = report.problems;
  if (first || !program) return { problem: first as Problem, problems: report.problems };
  const run = program;
  const evaluate = (values: Record<string, unknown>): unknown => {
    try {
      return plain(slow ? bounded(() => run(values)) : run(values));
    } catch (thrown) {
      const fault = thrown as ExpressionFault;
      if (fault.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") throw new FlowError("EXPRESSION_FAILED", `${source}: it was not done after ${LIMIT_MS / 1_000} s`, { hint: "Loops inside loops and patterns like (a+)+ take time by a power of their input: write it without.", cause: thrown });
      if (fault.code === "no_such_key" || fault.code === "unknown_variable") return null;
      throw new FlowError("EXPRESSION_FAILED", `${source}: ${fault.summary ?? String(fault.message).split("\n")[0]}`, { hint: "Compare values of one type; has(x.y) asks whether a member is there.", cause: thrown });
    }
  };
  const holds = (values: Record<string, unknown>): boolean => {
    const value = evaluate(values);
    if (typeof value === "boolean" || value === null) return value === true;
    throw new FlowError("EXPRESSION_FAILED", `${source}: a condition is true or false, and this gives ${Array.isArray(value) ? "a list" : typeof value === "object" ? "a mapping" : JSON.stringify(value)}`, { hint: "Compare it with something, as in x > 2.0; has(x.y) asks whether a member is there." });
  };
  return { reads, type, evaluate, holds };
}

const LIMIT_MS = 1_000;
let sandbox: { context: Context; script: Script } | null = null;

/** Ends `work` after LIMIT_MS, a regular expression too: the watchdog of node:vm stops whatever is called from a script. Costs 0.1 ms. */
function bounded(work: () => unknown): unknown {
  sandbox ??= { context: createContext({}), script: new Script("work()") };
  sandbox.context["work"] = work;
  return sandbox.script.runInContext(sandbox.context, { timeout: LIMIT_MS });
}

/** A loop in a loop, or a pattern: what takes more time than its input is long. */
function mayBeSlow(node: ASTNode, inLoop = false): boolean {
  if (node.op === "rcall") {
    const [name, on, given] = node.args;
    const loop = MACROS.has(name) && given.length >= 2;
    if (name === "matches" || (loop && inLoop)) return true;
    return mayBeSlow(on, inLoop) || given.some((inner) => mayBeSlow(inner, inLoop || loop));
  }
  return [...nodesIn(node.args)].some((inner) => mayBeSlow(inner, inLoop));
}

/** Texts that `matches` is given as they stand. */
function* patterns(node: ASTNode): Generator<ASTNode> {
  if (node.op === "rcall" && node.args[0] === "matches" && node.args[2][0]?.op === "value" && typeof node.args[2][0].args === "string") yield node.args[2][0];
  for (const inner of nodesIn(node.args)) yield* patterns(inner);
}

function checkPattern(pattern: ASTNode, refuse: (message: string) => void): void {
  try {
    new RegExp(String(pattern.args));
  } catch (thrown) {
    refuse((thrown as Error).message);
  }
}

const plain = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : Array.isArray(value) ? value.map(plain) : value);

function checkPath(path: string[], variables: Variables, fail: (name: string, depth: number, among: string[]) => void): void {
  let scope: true | Variables | undefined = variables;
  for (const [depth, name] of path.entries()) {
    if (scope === true) return;
    if (!scope || !Object.hasOwn(scope, name)) return fail(name, depth, Object.keys(scope ?? {}));
    scope = scope[name];
  }
}

const MACROS = new Set(["all", "exists", "exists_one", "map", "filter"]);

/** Calls `read` with the longest member path of every free variable. */
function visit(node: ASTNode, bound: ReadonlySet<string>, read: (path: string[], node: ASTNode) => void): void {
  const path = memberPath(node);
  if (path) {
    if (!bound.has(path[0] ?? "")) read(path, node);
    return;
  }
  if (node.op === "rcall" && MACROS.has(node.args[0]) && node.args[2].length >= 2 && node.args[2][0]?.op === "id") {
    visit(node.args[1], bound, read);
    const inner = new Set(bound).add(node.args[2][0].args);
    for (const argument of node.args[2].slice(1)) visit(argument, inner, read);
    return;
  }
  for (const inner of nodesIn(node.args)) visit(inner, bound, read);
}

function memberPath(node: ASTNode): string[] | null {
  if (node.op === "id") return [node.args];
  if (node.op !== "." && node.op !== ".?") return null;
  const head = memberPath(node.args[0]);
  return head ? [...head, String(node.args[1])] : null;
}

function* nodesIn(value: unknown): Generator<ASTNode> {
  if (Array.isArray(value)) for (const item of value) yield* nodesIn(item);
  else if (typeof value === "object" && value !== null && "op" in value && "args" in value) yield value as ASTNode;
}
