import type { Command } from "commander";
import { z } from "zod";
import { portToString, type OperatorDefinition } from "../../contracts/index.js";
import { EXIT, FlowError } from "../../contracts/errors.js";
import { act, define, withJson, type JsonOptions } from "../define.js";
import type { ExplainDocument } from "../json.js";
import { linkEnvironment } from "../open-graph.js";
import { print, printJson } from "../output.js";

export function command(): Command {
  const explain = define("explain", {
    examples: [
      ["flow explain scene.cut", "ports, config with defaults, examples"],
      ["flow explain image.embed --json", "with the JSON Schema of its config"],
    ],
  }).argument("<operator>", "name of an operator, as `flow list` shows it");
  return act<JsonOptions>(withJson(explain), async ([name], options) => {
    const { catalogue: operators } = await linkEnvironment();
    const { explainOperator, nearestName } = await import("../../graph/index.js");
    const [typed = "", ...pin] = String(name).split("@");
    const operator = operators.get(typed);
    if (!operator) {
      const near = nearestName(typed, operators.keys());
      throw new FlowError("UNKNOWN_OPERATOR", `There is no operator ${typed}.`, { hint: near ? `Did you mean ${near}? (flow explain ${near})` : "`flow list` names them all.", exit: EXIT.badInput });
    }
    if (pin.length > 0 && pin.join("@") !== String(operator.version)) {
      throw new FlowError("OPERATOR_VERSION", `${typed} has version ${operator.version} here, not ${pin.join("@") || "none"}.`, { hint: `flow explain ${typed}`, exit: EXIT.badInput });
    }
    if (options.json) return printJson(describe(operator));
    print(explainOperator(operator).trimEnd());
  });
}

function describe(operator: OperatorDefinition): ExplainDocument {
  const ports = (all: Record<string, Parameters<typeof portToString>[0]>): Record<string, string> => Object.fromEntries(Object.entries(all).map(([name, type]) => [name, portToString(type)]));
  return {
    name: operator.name,
    version: operator.version,
    level: operator.level,
    summary: operator.summary,
    description: operator.description ?? null,
    inputs: operator.inputs === "map" ? "map" : ports(operator.inputs),
    outputs: typeof operator.outputs === "function" ? "depends on config" : ports(operator.outputs),
    models: operator.models ?? {},
    config: z.toJSONSchema(operator.config, { io: "input", unrepresentable: "any" }),
    examples: operator.examples,
  };
}
