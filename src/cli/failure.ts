import { EXIT, FlowError, toFlowError, type ExitCode, type Problem } from "../contracts/index.js";
import type { ErrorDocument } from "./json.js";
import { logError, logLine } from "./log.js";
import { coloursFor, note, printJson, shellWord } from "./output.js";
import { problemLines } from "./problems.js";

/** A graph that cannot be planned: all its problems travel with the error. */
export class GraphError extends FlowError {
  constructor(
    file: string,
    readonly problems: Problem[],
    /** command line: without -p, --profile, --only and their like the graph has no problem; strict: only warnings, which --strict makes errors. */
    because: "graph" | "command line" | "strict" = "graph",
  ) {
    const errors = problems.filter((p) => p.severity === "error");
    super("BAD_GRAPH", `${file}: ${errors.length === 1 ? "1 problem" : `${errors.length} problems`}`, {
      hint: {
        graph: `Correct the graph and check it with \`flow lint ${shellWord(file)}\`.`,
        "command line": "The graph itself is right: correct the command line, as the problems say.",
        strict: "Do as the problems say, or run without --strict: then they are warnings.",
      }[because],
      exit: EXIT.badInput,
    });
  }
}

export const badArguments = (message: string, hint: string): FlowError => new FlowError("BAD_ARGUMENTS", message, { hint, exit: EXIT.badInput });

/**
 * Prints the failure (`--json`: one document on stdout, `--log json`: a line on stderr, else message and hint on stderr) and gives the exit code; never a stack
 * trace unless FLOW_DEBUG is set.
 */
export function reportFailure(thrown: unknown, { json = false, log }: { json?: boolean | undefined; log?: string | undefined }): ExitCode {
  const error = toFlowError(thrown);
  const problems = thrown instanceof GraphError ? thrown.problems : undefined;
  if (json) {
    const document: ErrorDocument = { error: error.toJSON(), ...(problems ? { problems } : {}) };
    printJson(document);
  } else if (log === "json") logError(error.toJSON(), problems);
  else {
    if (problems) note(problemLines(problems, coloursFor(process.stderr)));
    noteError(error);
  }
  if (process.env["FLOW_DEBUG"]) {
    if (log === "json") logLine("trace", { trace: debugTrace(thrown) });
    else note(debugTrace(thrown));
  }
  return error.exit;
}

/** An error and its hint on stderr. */
export function noteError(error: FlowError): void {
  const c = coloursFor(process.stderr);
  const where = [error.node && `node ${error.node}`, error.item && !error.message.includes(error.item) && error.item].filter(Boolean).join(", ");
  note(`${c.red("error")} ${c.dim(error.code)} ${error.message}${where ? c.dim(` (${where})`) : ""}`);
  if (error.hint) note(`${c.dim("hint:")} ${error.hint}`);
}

function debugTrace(thrown: unknown): string {
  const traces: string[] = [];
  for (let e: unknown = thrown; e instanceof Error; e = e.cause) traces.push(e.stack ?? String(e));
  return traces.join("\ncaused by ");
}
