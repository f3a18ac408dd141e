import type { Command } from "commander";
import { EXIT } from "../../contracts/errors.js";
import { loadWithoutInput } from "../checked-graph.js";
import { act, define, withGraph, type GraphOptions } from "../define.js";
import type { LintDocument } from "../json.js";
import { colours, plural, print, printJson } from "../output.js";
import { problemLines } from "../problems.js";

export function command(): Command {
  const lint = define("lint", {
    description: "Nothing is opened, decoded or loaded. Without --profile every profile is checked as well. Exit 2 when a problem is an error, 0 with warnings only.",
    examples: [
      ["flow lint graphs/ego.yaml", "check the graph with its defaults, and its profiles"],
      ["flow lint graphs/ego.yaml -p fps=all --profile full", "check one variant"],
      ["flow lint mine.yaml --json", "problems for an editor"],
    ],
  }).argument("<graph>", "graph file");
  return act<GraphOptions>(withGraph(lint), async ([graph], options) => {
    const { file, plan, problems, needsInput } = await loadWithoutInput(String(graph), { params: options.param, profile: options.profile, everyProfile: true });
    const errors = problems.filter((problem) => problem.severity === "error").length;
    if (options.json) printJson({ problems } satisfies LintDocument);
    else {
      if (problems.length > 0) print(problemLines(problems, colours));
      const warnings = problems.length - errors;
      const counts = [errors > 0 ? colours.red(plural(errors, "error")) : "", warnings > 0 ? colours.yellow(plural(warnings, "warning")) : ""].filter(Boolean).join(", ");
      const nodes = plan ? `, ${plural(plan.nodes.length, "node")}` : "";
      print(`${file}: ${counts || colours.green("no problems")}${nodes}`);
      if (errors === 0) print(`${colours.dim("next:")} flow plan ${file}${needsInput ? " INPUT" : ""}`);
    }
    return errors > 0 ? EXIT.badInput : EXIT.ok;
  });
}
