import type { Command } from "commander";
import { requireWithoutInput } from "../checked-graph.js";
import { act, define, withGraph, type GraphOptions } from "../define.js";
import type { GraphDocument } from "../json.js";
import { print, printJson } from "../output.js";

export function command(): Command {
  const graph = define("graph", {
    examples: [
      ["flow graph graphs/ego.yaml", "Mermaid text on stdout"],
      ["flow graph graphs/ego.yaml > ego.mmd", "into a file that editors and GitHub draw"],
      ["flow graph graphs/ego.yaml --profile full", "as a profile changes it"],
    ],
  }).argument("<graph>", "graph file");
  return act<GraphOptions>(withGraph(graph), async ([typed], options) => {
    const [{ toMermaid }, plan] = await Promise.all([import("../../graph/index.js"), requireWithoutInput(String(typed), { params: options.param, profile: options.profile })]);
    const mermaid = toMermaid(plan);
    if (options.json) return printJson({ mermaid } satisfies GraphDocument);
    print(mermaid.trimEnd());
  });
}
