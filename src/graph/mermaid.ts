import type { Level, Plan } from "../contracts/index.js";

const SHAPES: Record<Level, [string, string]> = { media: ["[[", "]]"], scene: ["(", ")"], frame: ["[", "]"], detection: ["[/", "/]"] };

/** The plan as a Mermaid flowchart: one box per node (its shape says the level), one arrow per edge with its kind, `×n` where finer items are grouped. */
export function toMermaid(plan: Plan): string {
  const lines = ["flowchart LR"];
  // Node names may be words of Mermaid itself ("end"): only the labels show them.
  const id = new Map(plan.nodes.map((node, i) => [node.name, `n${i}`]));
  for (const node of plan.nodes) {
    const [open, close] = SHAPES[node.level];
    const models = Object.values(node.models).map((model) => model.id);
    lines.push(`  ${id.get(node.name)}${open}"${text(node.name)}<br/><small>${text([node.op.name, ...models].join(" · "))}</small>"${close}`);
  }
  for (const node of plan.nodes) {
    const edges = new Map<string, Set<string>>();
    for (const input of Object.values(node.inputs)) {
      const demand = input.video ? ` ${input.video.fps === "all" ? "every frame" : `${input.video.fps} fps`}` : "";
      const kinds = edges.get(input.node) ?? new Set();
      edges.set(input.node, kinds.add(`${input.type.kind}${demand}${input.mode === "group" ? " ×n" : ""}`));
    }
    for (const [source, kinds] of edges) lines.push(`  ${id.get(source)} -->|"${text([...kinds].join(", "))}"| ${id.get(node.name)}`);
  }
  for (const [i, output] of plan.outputs.entries()) {
    lines.push(`  o${i}[("${output.kind} records")]`);
    for (const from of output.from) lines.push(`  ${id.get(from)} --> o${i}`);
  }
  return `${lines.join("\n")}\n`;
}

const text = (value: string): string => value.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
