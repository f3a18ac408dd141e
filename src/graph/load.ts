import type { Plan, Problem } from "../contracts/index.js";
import { linkGraph, type GraphEnvironment, type LinkOptions } from "./link.js";
import { parseGraph, type GraphSource } from "./parse.js";
import { planGraph, type PlanOptions } from "./plan.js";
import { hasErrors } from "./problems.js";

export interface LoadOptions extends LinkOptions, PlanOptions {}

/** Text → plan. Every problem of every stage at once, in the order of the file; `plan` is null when one of them is an error. Never throws. */
export function loadGraph(source: GraphSource, env: GraphEnvironment, options: LoadOptions = {}): { plan: Plan | null; problems: Problem[] } {
  const parsed = parseGraph(source);
  if (!parsed.syntax) return { plan: null, problems: parsed.problems };
  const { linked, problems } = linkGraph(parsed.syntax, env, options);
  const planned = planGraph(linked, options);
  const all = [...parsed.problems, ...problems, ...planned.problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return { plan: hasErrors(all) ? null : planned.plan, problems: all };
}
