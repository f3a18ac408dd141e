import type { Level, OperatorDefinition } from "../contracts/index.js";
import { compileExpression, type Variables } from "./expression.js";
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
      report.add("TEMPLATE_PORT", placeIn(tree, match.index), `The template reads {${name}}, and ${draft.name} has no input ${name}.`, { found: name, among: entries, hint: `Add it: in: { ${name}: NODE }.` });
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
  checkExpression(tree, variables, report);
  return String(tree.value);
}

function checkExpression(tree: ScalarTree, variables: Variables, report: Reporter): void {
  const compiled = compileExpression(String(tree.value), variables, report.file, (offset) => placeIn(tree, offset));
  if ("problems" in compiled) report.take(compiled.problems);
}
