import type { Plan, Problem } from "../contracts/index.js";
import { linkGraph, type GraphEnvironment, type LinkOptions } from "./link.js";
import { parseGraph, type GraphSource, type GraphSyntax } from "./parse.js";
import { planGraph, type PlanOptions } from "./plan.js";
import { hasErrors, type ProblemCode } from "./problems.js";
import { child } from "./tree.js";

export interface LoadOptions extends LinkOptions, PlanOptions {
  /** Without a profile: also what is wrong in each of them. For who checks a graph; a run has one profile and is only refused for that. */
  everyProfile?: boolean | undefined;
}

/** Text → plan. Every problem of every stage at once, in the order of the file; `plan` is null when one of them is an error. Never throws. */
export function loadGraph(source: GraphSource, env: GraphEnvironment, options: LoadOptions = {}): { plan: Plan | null; problems: Problem[] } {
  const parsed = parseGraph(source);
  if (!parsed.syntax) return { plan: null, problems: parsed.problems };
  const { plan, problems } = linkAndPlan(parsed.syntax, env, options);
  const inProfiles = options.everyProfile && options.profile === undefined ? problemsInProfiles(parsed.syntax, env, options, problems) : [];
  const all = [...parsed.problems, ...problems, ...inProfiles].sort((a, b) => a.line - b.line || a.column - b.column);
  return { plan: hasErrors(all) ? null : plan, problems: all };
}

function linkAndPlan(syntax: GraphSyntax, env: GraphEnvironment, options: LoadOptions): { plan: Plan | null; problems: Problem[] } {
  const { linked, problems } = linkGraph(syntax, env, options);
  const planned = planGraph(linked, options);
  return { plan: planned.plan, problems: [...problems, ...planned.problems] };
}

/** Profiles are linked one by one: past so many nodes in all, the rest of them is checked when it is chosen. */
const MAX_LINKED = 100_000;
/** What a profile may need from whoever chooses it: variables and values that are not there until then. */
const UNTIL_CHOSEN: readonly ProblemCode[] = ["ENV_UNRESOLVED", "PARAM_MISSING"];

/** Errors that only profiles have, each once, with the names of those that have it. */
function problemsInProfiles(syntax: GraphSyntax, env: GraphEnvironment, options: LoadOptions, known: readonly Problem[]): Problem[] {
  const profiles = child(syntax.root, "profiles");
  const nodes = child(syntax.root, "nodes");
  if (profiles?.kind !== "map" || nodes?.kind !== "map") return [];
  const id = ({ code, line, column, message }: Problem): string => `${code} ${line}:${column} ${message}`;
  const anyway = new Set(known.map(id));
  const found = new Map<string, { problem: Problem; profiles: string[] }>();
  for (const profile of [...profiles.entries.keys()].slice(0, Math.ceil(MAX_LINKED / Math.max(1, nodes.entries.size)))) {
    for (const problem of linkAndPlan(syntax, env, { ...options, profile }).problems) {
      if (problem.severity !== "error" || anyway.has(id(problem)) || UNTIL_CHOSEN.includes(problem.code as ProblemCode)) continue;
      // The profile `live` is reserved for what cannot run yet.
      if (profile === "live" && problem.code === "NOT_SUPPORTED") continue;
      const same = found.get(id(problem));
      if (same) same.profiles.push(profile);
      else found.set(id(problem), { problem, profiles: [profile] });
    }
  }
  return [...found.values()].map(({ problem, profiles: names }) => ({ ...problem, message: `With ${names.map((name) => `--profile ${name}`).join(" or ")}: ${problem.message}` }));
}
