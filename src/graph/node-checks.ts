import type { Level, OperatorDefinition } from "../contracts/index.js";
import { compileExpression, type CompiledExpression, type Variables } from "./expression.js";
import { NAME } from "./inputs.js";
import type { NodeDraft } from "./node-syntax.js";
import type { Reporter } from "./problems.js";
import { child, placeIn, type ScalarTree } from "./tree.js";
import { MEDIA_VARIABLES, SCENE_VARIABLES } from "./when.js";

/** `{port}` in template fields must be an input of the node. */
export function checkTemplates(draft: NodeDraft, op: OperatorDefinition, entries: readonly string[], report: Reporter): void {
  const config = child(draft.tree, "with");
  for (const field of Object.keys(op.templates ?? {})) {
    const tree = child(config, field);
    if (tree?.kind !== "scalar" || typeof tree.value !== "string" || tree.broken) continue;
    for (const match of tree.value.matchAll(/\{\{|\}\}|\{([^{}]*)\}/g)) {
      const name = match[1];
      if (name === undefined || entries.includes(name)) continue;
      report.add("TEMPLATE_PORT", placeIn(tree, match.index), `The template reads {${name}}, and ${draft.name} has no input ${name}.`, { found: name, among: entries, hint: NAME.test(name) ? `Add it: in: { ${name}: NODE }.` : "Braces of the text itself are written twice: {{ }}." });
    }
  }
}

/** CEL in fields that the operator declares as expressions. */
export function checkExpressionFields(draft: NodeDraft, op: OperatorDefinition, report: Reporter): void {
  for (const [field, names] of Object.entries(op.expressions ?? {})) {
    const tree = child(child(draft.tree, "with"), field);
    if (tree?.kind !== "scalar" || typeof tree.value !== "string" || tree.broken) continue;
    const variables: Variables = Object.fromEntries(names.map((name) => [name, true]));
    checkExpression(tree, variables, report);
  }
}

/** What `when:` may read of one source: null for a source that is broken or disabled, which is somebody else's problem. */
export interface WhenSource {
  node: string;
  ports: Variables | null;
}

/** CEL over media, scene (at scene level) and the nodes that `in` names; gives the source text, null without a condition. */
export function checkWhen(draft: NodeDraft, level: Level, sources: readonly WhenSource[], report: Reporter): string | null {
  const tree = draft.when;
  if (!tree) return null;
  const variables: Record<string, true | Variables> = {};
  for (const { node, ports } of sources) {
    const before = variables[node];
    variables[node] = ports === null || before === true ? true : { ...before, ...ports };
  }
  if (level === "scene") variables["scene"] = SCENE_VARIABLES;
  variables["media"] = MEDIA_VARIABLES;
  const compiled = checkExpression(tree, variables, report);
  if (!compiled) return String(tree.value);
  for (const [name, ...rest] of compiled.reads) {
    const ports = variables[name!];
    if (rest.length > 0 || name === "scene" || name === "media" || typeof ports !== "object") continue;
    const outputs = Object.keys(ports).map((port) => `${name}.${port}`);
    report.add("EXPRESSION", tree.at, `The condition reads the node ${name}; what it can read is what the node gives: ${outputs.join(", ")}.`, { found: name!, expected: outputs.join(" or "), hint: `For example size(${outputs[0]}) > 0.` });
  }
  const { type } = compiled;
  if (type !== "bool" && type !== "dyn") {
    report.add("EXPRESSION", tree.at, `A condition is true or false; this one gives ${type}.`, { found: String(tree.value), expected: "true or false", hint: "Compare it with something: scene.duration > 2.0, size(speech.text) > 0." });
  }
  return String(tree.value);
}

/** Null when it is wrong. */
function checkExpression(tree: ScalarTree, variables: Variables, report: Reporter): CompiledExpression | null {
  const compiled = compileExpression(String(tree.value), variables, report.file, (offset) => placeIn(tree, offset));
  if (!("problems" in compiled)) return compiled;
  report.take(compiled.problems);
  return null;
}
