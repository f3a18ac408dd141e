import { z } from "zod";
import type { OperatorDefinition } from "../contracts/index.js";
import type { Reporter } from "./problems.js";
import { descend, describe, emptyMap, isBroken, toValue, type At, type MapTree, type Tree } from "./tree.js";

/** JSON Schema of an operator's config as a user writes it; an empty object schema for what JSON Schema cannot say. */
export function configSchema(op: OperatorDefinition): ConfigSchema {
  try {
    return z.toJSONSchema(op.config, { io: "input", unrepresentable: "any" }) as ConfigSchema;
  } catch {
    return {};
  }
}

export interface ConfigSchema {
  [key: string]: unknown;
  type?: string | string[];
  properties?: Record<string, ConfigSchema>;
  required?: string[];
  description?: string;
  default?: unknown;
  enum?: unknown[];
  anyOf?: ConfigSchema[];
  oneOf?: ConfigSchema[];
  allOf?: ConfigSchema[];
  items?: ConfigSchema;
}

/** Keys that a config schema knows, also those of its alternatives. */
export function schemaKeys(schema: ConfigSchema): string[] {
  const keys = new Set(Object.keys(schema.properties ?? {}));
  for (const part of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]) for (const key of schemaKeys(part)) keys.add(key);
  return [...keys];
}

interface Issue {
  code: string;
  path: PropertyKey[];
  message: string;
  keys?: string[];
  values?: unknown[];
  errors?: Issue[][];
  expected?: string;
  origin?: string;
  minimum?: number;
  maximum?: number;
  inclusive?: boolean;
}

/** `with:` → the operator's config, every zod issue as a problem at the value (or key) it is about. */
export function parseConfig(op: OperatorDefinition, tree: Tree | null, nodeAt: At, report: Reporter): { ok: true; config: unknown } | { ok: false } {
  const given = tree ?? emptyMap(nodeAt);
  if (isBroken(given)) return { ok: false };
  if (given.kind !== "map") {
    report.add("NOT_A_MAP", given.at, `\`with:\` is a mapping of options, not ${describe(given)}.`, { found: describe(given), expected: "a mapping", hint: `flow explain ${op.name}` });
    return { ok: false };
  }
  const result = op.config.safeParse(toValue(given));
  if (result.success) return hasBroken(given) ? { ok: false } : { ok: true, config: result.data };
  for (const issue of result.error.issues as unknown as Issue[]) reportIssue(issue, op, given, nodeAt, report);
  return { ok: false };
}

function reportIssue(issue: Issue, op: OperatorDefinition, given: MapTree, nodeAt: At, report: Reporter): void {
  const hint = `flow explain ${op.name}`;
  const { tree, keyAt, whole } = descend(given, issue.path);
  // Of alternatives, the one that the value has the shape of: what is wrong lies inside.
  const inside = whole ? issue.errors?.find((issues) => issues.length > 0 && issues.every(({ path }) => path.length > 0)) : undefined;
  if (inside) {
    for (const inner of inside) reportIssue({ ...inner, path: [...issue.path, ...inner.path] }, op, given, nodeAt, report);
    return;
  }
  const field = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const schema = schemaAt(configSchema(op), issue.path);
    for (const key of issue.keys ?? []) {
      const at = tree.kind === "map" ? (tree.entries.get(key)?.keyAt ?? tree.at) : tree.at;
      report.add("UNKNOWN_KEY", at, `${op.name} has no option ${key}${field ? ` under ${field}` : ""}.`, { found: key, among: schemaKeys(schema), hint });
    }
    return;
  }
  if (!whole) {
    report.add("MISSING_KEY", given.entries.size > 0 ? (keyAt ?? given.at) : nodeAt, `${op.name} needs the option ${field}.`, { found: "nothing", expected: expectation(issue), hint });
    return;
  }
  if (hasBroken(tree)) return;
  const words = issue.values?.map(String);
  const found = tree.kind === "scalar" ? String(tree.value) : describe(tree);
  const source = tree.at.from.startsWith("param:") ? ` (from the parameter ${tree.at.from.slice(6)})` : "";
  report.add("WRONG_TYPE", tree.at, `${op.name}: ${field || "with"} cannot be ${describe(tree)}${source}: ${expectation(issue)}.`, { found, expected: words ? words.join(", ") : expectation(issue), ...(words ? { among: words } : {}), hint });
}

function expectation(issue: Issue): string {
  if (issue.errors) {
    const parts = new Set(issue.errors.flatMap((alternative) => alternative.slice(0, 1).map(expectation)));
    if (parts.size > 0) return [...parts].join(" or ");
  }
  const { origin = "value", minimum, maximum, inclusive = true } = issue;
  const bound = issue.code === "too_small" ? `${inclusive ? "≥" : ">"} ${minimum}` : issue.code === "too_big" ? `${inclusive ? "≤" : "<"} ${maximum}` : null;
  if (bound !== null) return origin === "string" ? `a text of a length ${bound}` : origin === "array" ? `a list of a length ${bound}` : `a number ${bound}`;
  return issue.message.replace(/^Invalid (input|option|string): /, "").replace(/^expected /, "").replace(/, received .*$/, "").replace(/ expected$/, "");
}

function schemaAt(schema: ConfigSchema, path: readonly PropertyKey[]): ConfigSchema {
  for (const step of path) {
    const next: ConfigSchema | undefined = typeof step === "number" ? schema.items : schema.properties?.[String(step)];
    if (!next) return schema;
    schema = next;
  }
  return schema;
}

export function hasBroken(tree: Tree): boolean {
  if (tree.kind === "scalar") return isBroken(tree);
  return tree.kind === "list" ? tree.items.some(hasBroken) : [...tree.entries.values()].some((entry) => hasBroken(entry.value));
}
