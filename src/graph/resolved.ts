import type { Origin, Plan, ResolvedValue } from "../contracts/index.js";
import { child, toValue, type MapTree, type Tree } from "./tree.js";

/** Every value of the resolved graph with its place and origin, in the order of the file; defaults follow what they complete. */
export const resolvedGraph = (plan: Plan): readonly ResolvedValue[] => plan.resolved;

/** Shown as resolved, with the defaults that complete them. */
const COMPLETED = new Set(["with", "batch", "queue", "on_error", "runtime"]);

/** Where `runtime:` says what the plan has under another name. */
const WRITTEN: Readonly<Record<string, readonly (readonly string[])[]>> = {
  workers: [["workers"], ["pools", "inference", "workers"]],
  isolation: [["pools", "inference", "isolation"]],
  timeoutMs: [["pools", "inference", "timeout"]],
  rssBytes: [["limits", "rss"]],
  vramBytes: [["limits", "vram"]],
};

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
    const written = (WRITTEN[key] ?? [[snake]]).map((path) => path.reduce<Tree | null>((tree, step) => child(tree, step), runtime)).find((tree) => tree !== null);
    values.push({ path: `runtime.${key}`, value, origin: written ? origin(written) : origin(runtime ?? root, "default") });
  }
  const nodes = child(root, "nodes");
  for (const node of plan.nodes) {
    const tree = child(nodes, node.name);
    const path = `nodes.${node.name}`;
    const fallback: Origin = { ...node.origin, from: "default" };
    if (tree?.kind === "map") for (const [key, entry] of tree.entries) if (!COMPLETED.has(key)) walk(entry.value, `${path}.${key}`);
    const written = child(tree, "with");
    for (const [key, value] of Object.entries((node.config ?? {}) as Record<string, unknown>)) {
      const given = child(written, key);
      values.push({ path: `${path}.with.${key}`, value, origin: given ? origin(given) : fallback });
    }
    const { batch, queue, onError } = node;
    const policies: [key: string, field: string, value: unknown][] = [
      ["batch", "size", batch.size],
      ["batch", "wait", `${batch.waitMs}ms`],
      ["queue", "max", queue.max],
      ["queue", "policy", queue.policy],
      ["on_error", "retry", onError.retry],
      ["on_error", "backoff", `${onError.backoffMinMs}ms..${onError.backoffMaxMs}ms`],
      ["on_error", "then", onError.then],
    ];
    // Where its models run: of the node, else of the graph.
    const pool = child(child(runtime, "pools"), "inference");
    const common: Record<string, Tree | null> = { device: child(runtime, "device"), check: child(runtime, "check"), isolation: child(pool, "isolation"), timeout: child(pool, "timeout") };
    if (Object.keys(node.models).length > 0) {
      const { devices, check, isolation, timeoutMs } = node.runtime;
      policies.push(["runtime", "device", devices], ["runtime", "check", check ?? "off"], ["runtime", "isolation", isolation], ["runtime", "timeout", timeoutMs === null ? null : `${timeoutMs}ms`]);
    }
    for (const [key, field, value] of policies) {
      const given = child(child(tree, key), field) ?? (key === "runtime" ? common[field] : null);
      values.push({ path: `${path}.${key}.${field}`, value, origin: given ? origin(given) : fallback });
    }
  }
  const outputs = child(root, "outputs");
  if (outputs) walk(outputs, "outputs");
  return values;
}
