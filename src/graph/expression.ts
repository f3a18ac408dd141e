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
  /**
   * Value for one set of variables; integers come back as numbers. A member that is absent makes the result null (unknown), as in a
   * record without that field. Throws FlowError EXPRESSION_FAILED for anything else (a text compared with a number).
   */
  evaluate(variables: Record<string, unknown>): unknown;
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
  let program: ReturnType<Environment["parse"]> | null = null;
  try {
    program = environment.parse(source);
    visit(program.ast, new Set(), (path, node) => {
      reads.push(path);
      if (variables) checkPath(path, variables, (name, depth, among) =>
        report.add("UNKNOWN_VARIABLE", place(node.range.start), `The expression reads ${path.join(".")}, but ${depth === 0 ? `there is no ${name}` : `${path.slice(0, depth).join(".")} has no ${name}`} here.`, { found: name, among }),
      );
    });
    const checked = program.check();
    if (!checked.valid && report.problems.length === 0) refuse(checked.error);
  } catch (thrown) {
    refuse(thrown);
  }
  const [first] = report.problems;
  if (first || !program) return { problem: first as Problem, problems: report.problems };
  const run = program;
  return {
    reads,
    evaluate(values) {
      try {
        return plain(run(values));
      } catch (thrown) {
        const fault = thrown as ExpressionFault;
        if (fault.code === "no_such_key" || fault.code === "unknown_variable") return null;
        throw new FlowError("EXPRESSION_FAILED", `${source}: ${fault.summary ?? String(fault.message).split("\n")[0]}`, { hint: "Compare values of one type; has(x.y) asks whether a member is there.", cause: thrown });
      }
    },
  };
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
