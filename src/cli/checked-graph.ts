import type { Plan } from "../contracts/index.js";
import { hasErrors } from "../graph/problems.js";
import { GraphError } from "./failure.js";
import { loadPlan, type GraphRequest } from "./open-graph.js";

/** Stands for what `flow run GRAPH INPUT` names; nothing opens it. */
const SOME_INPUT = "INPUT";

/** A graph by itself, for commands that take no input: one whose input has no default is as right as one that has. `needsInput`: it was such a graph. */
export async function loadWithoutInput(typed: string, request: GraphRequest): Promise<Awaited<ReturnType<typeof loadPlan>> & { needsInput: boolean }> {
  const bare = await loadPlan(typed, request);
  const lacksValue = ({ problems }: typeof bare): boolean => problems.some((problem) => problem.code === "PARAM_MISSING");
  if (!lacksValue(bare)) return { ...bare, needsInput: false };
  const withInput = await loadPlan(typed, { ...request, inputs: [SOME_INPUT] });
  return lacksValue(withInput) ? { ...bare, needsInput: false } : { ...withInput, needsInput: true };
}

/** Its plan, or GraphError with all problems. */
export async function requireWithoutInput(typed: string, request: GraphRequest): Promise<Plan> {
  const { file, plan, problems } = await loadWithoutInput(typed, request);
  if (plan) return plan;
  throw new GraphError(file, problems, hasErrors((await loadWithoutInput(typed, {})).problems) ? "graph" : "command line");
}
