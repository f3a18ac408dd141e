import type { Origin, Plan, ResolvedValue } from "../contracts/index.js";
import { child, toValue, type MapTree, type Tree } from "./tree.js";

/** Every value of the resolved graph with its place and origin, in the order of the file; defaults follow what they complete. */
export const resolvedGraph = (plan: Plan): readonly ResolvedValue[] => plan.resolved;

/** Collects them while the trees are at hand. */
export function resolvedValues(plan: Plan, root: MapTree): ResolvedValue[] {
  const values: ResolvedValue[] = [];
  const origin = (tree: Tree, from = tree.at.from): Origin => ({ file: plan.file, line: tree.at.line, column: tree.at.column, from });
  const walk = (tree: Tree, path: string): void => {
    if (tree.kind === "map" && tree.entries.size > 0) for (const [key, entry] of tree.entries) walk(entry.value, `${path}.${key}`);
    else if (tree.kind === "list" && tree.items.some((item) => item.kind !== "scalar")) tree.items.forEach((item, i) => walk(item, `${path}[${i}]`));
    else values.push({ path, value: toValue(tree), origin: origin(tree) });
  };
  for (const [name, { value, origin: from }] of Object.entries(plan.params)) values.push({ path: `params.${name}`, value, origin: from });
  const models = child(root, "models");
  if (models) walk(models, "models");
  const runtime = child(root, "runtime");
  for (const [key, value] of Object.entries(plan.runtime)) {
    const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/_us$/, "");
    const written = child(runtime, snake);
    values.push({ path: `runtime.${key}`, value, origin: written ? origin(written) : origin(runtime ?? root, "default") });
  }
  const nodes = child(root, "nodes");
  for (const node of plan.nodes) {
    const tree = child(nodes, node.name);
    const path = `nodes.${node.name}`;
    const fallback: Origin = { ...node.origin, from: "default" };
    if (tree?.kind === "map") for (const [key, entry] of tree.entries) if (key !== "with") walk(entry.value, `${path}.${key}`);
    const written = child(tree, "with");
    for (const [key, value] of Object.entries((node.config ?? {}) as Record<string, unknown>)) {
      const given = child(written, key);
      values.push({ path: `${path}.with.${key}`, value, origin: given ? origin(given) : fallback });
    }
    const missing: [string, unknown][] = [
      ["batch", node.batch],
      ["queue", node.queue],
      ["on_error", node.onError],
    ];
    for (const [key, value] of missing) if (!child(tree, key)) values.push({ path: `${path}.${key}`, value, origin: fallback });
  }
  const outputs = child(root, "outputs");
  if (outputs) walk(outputs, "outputs");
  return values;
}
