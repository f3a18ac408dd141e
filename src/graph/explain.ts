import { portToString, type OperatorDefinition, type PortType } from "../contracts/index.js";
import { configSchema, type ConfigSchema } from "./config.js";

/** What a reader needs to use one operator: everything comes from its definition. `heading`: depth of its title. */
export function explainOperator(op: OperatorDefinition, heading = 1): string {
  const title = "#".repeat(heading);
  const parts = [`${title} ${op.name}`, op.summary];
  if (op.description) parts.push(op.description);
  const runs = op.level === "inherit" ? `by the level that \`${op.run.form === "join" ? "by" : "over"}:\` names` : `by ${op.level}`;
  parts.push(`Version ${op.version} (pin: \`op: ${op.name}@${op.version}\`). Runs ${runs}${PLACES[op.run.form] ? `, ${PLACES[op.run.form]}` : ""}.`);
  if (op.inputs === "map") parts.push("**Inputs**: any names, one value per item each.");
  else if (Object.keys(op.inputs).length > 0) parts.push(`**Inputs**\n\n${ports(op.inputs, op.level === "inherit")}`);
  const byOptions = outputsByOptions(op);
  if (byOptions) parts.push(`**Outputs**, as far as options do not change them\n\n${ports(byOptions, op.level === "inherit")}`);
  else if (typeof op.outputs === "function") parts.push(`**Outputs**: follow from the inputs and models${outputsHint(op)}.`);
  else if (Object.keys(op.outputs).length > 0) parts.push(`**Outputs**\n\n${ports(op.outputs, op.level === "inherit")}`);
  if (op.models) parts.push(`**Models**\n\n${Object.entries(op.models).map(([role, model]) => `- \`${role}\`: a model for ${model.task}${model.optional ? " (optional)" : ""}`).join("\n")}`);
  const options = optionLines(configSchema(op));
  if (options.length > 0) parts.push(`**Options** (\`with:\`)\n\n${options.join("\n")}`);
  for (const example of op.examples) parts.push(`**Example**: ${example.title}\n\n\`\`\`yaml\n${example.yaml.trim()}\n\`\`\``);
  return `${parts.join("\n\n")}\n`;
}

/** The whole catalogue as one page, by family, in alphabetical order. */
export function operatorReference(catalogue: ReadonlyMap<string, OperatorDefinition>): string {
  const operators = [...catalogue.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const families = new Map<string, OperatorDefinition[]>();
  for (const op of operators) {
    const family = op.name.includes(".") ? (op.name.split(".")[0] ?? op.name) : "flow";
    families.set(family, [...(families.get(family) ?? []), op]);
  }
  const anchor = (op: OperatorDefinition): string => op.name.replace(".", "");
  const index = [...families].map(([family, members]) => `- **${family}**: ${members.map((op) => `[${op.name}](#${anchor(op)})`).join(", ")}`);
  const pages = [...families].map(([family, members]) => `## ${family}\n\n${members.map((op) => explainOperator(op, 3)).join("\n")}`);
  return `<!-- Generated from the operators' definitions; do not edit. -->\n\n# Operators\n\n${index.join("\n")}\n\n${pages.join("\n")}`;
}

const PLACES: Partial<Record<OperatorDefinition["run"]["form"], string>> = {
  source: "decodes every medium once",
  tap: "beside the decoder, on every frame or chunk it is given",
  batch: "in batches in the pool",
  eachBatch: "in batches in the pool",
  cut: "as a fold over the stored rows",
  join: "and never fails",
};

function ports(types: Readonly<Record<string, PortType>>, inherits: boolean): string {
  return Object.entries(types)
    .map(([name, type]) => {
      const shown = inherits ? portToString(type).replace(`@${type.level}`, "") : portToString(type);
      const notes = [type.optional ? "may be left out" : "", type.nullable ? "an item without a value still runs" : ""].filter(Boolean);
      return `- \`${name}\`: ${shown}${notes.length > 0 ? ` (${notes.join("; ")})` : ""}`;
    })
    .join("\n");
}

/** Outputs under the default options, of an operator whose outputs follow from its options and nothing else; null for any other. */
function outputsByOptions({ outputs, config }: OperatorDefinition): Readonly<Record<string, PortType>> | null {
  const options = config.safeParse({});
  if (typeof outputs !== "function" || !options.success) return null;
  const unread = (): never => {
    throw new Error("it reads more than its options");
  };
  const refuse = new Proxy({}, { get: unread, has: unread, ownKeys: unread });
  try {
    return outputs({ config: options.data, models: refuse, inputs: refuse });
  } catch {
    return null;
  }
}

function outputsHint(op: OperatorDefinition): string {
  const roles = Object.keys(op.models ?? {});
  return roles.length > 0 ? ` (length and space of the model \`${roles.join("`, `")}\`)` : "";
}

/** `- `k`: integer 1…256, default 8. Clusters, and frames kept.` */
function optionLines(schema: ConfigSchema, prefix = ""): string[] {
  const alternatives = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].filter((part) => part.properties);
  const merged = { ...Object.assign({}, ...alternatives.map((part) => part.properties)), ...schema.properties } as Record<string, ConfigSchema>;
  return Object.entries(merged).flatMap(([name, field]) => {
    const required = schema.required?.includes(name) && field.default === undefined;
    const notes = [typeText(field), required ? "required" : field.default === undefined ? "" : `default ${JSON.stringify(field.default)}`].filter(Boolean).join(", ");
    const line = `- \`${prefix}${name}\`: ${notes}.${field.description ? ` ${field.description}` : ""}`;
    return field.properties ? [line, ...optionLines(field, `${prefix}${name}.`)] : [line];
  });
}

function typeText(schema: ConfigSchema): string {
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (schema["const"] !== undefined) return JSON.stringify(schema["const"]);
  if (schema["title"] === "duration") return "duration";
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts) return [...new Set(parts.map(typeText))].join(" or ");
  const [low, high] = [schema["minimum"] ?? schema["exclusiveMinimum"], schema["maximum"] ?? schema["exclusiveMaximum"]].map((bound) => (typeof bound === "number" && Math.abs(bound) < Number.MAX_SAFE_INTEGER ? bound : null));
  const lower = low === null ? "" : `${schema["exclusiveMinimum"] === undefined ? "≥" : ">"} ${low}`;
  const upper = high === null ? "" : `${schema["exclusiveMaximum"] === undefined ? "≤" : "<"} ${high}`;
  const base = schema.type === "array" ? `list of ${schema.items ? typeText(schema.items) : "values"}` : [schema.type ?? "value"].flat().join(" or ");
  return [base, lower, upper].filter(Boolean).join(" ");
}
