import { parseDurationUs } from "../contracts/index.js";
import { NAME, NAME_RULE } from "./inputs.js";
import { coreScalar, substitute, type Scope } from "./substitute.js";
import type { Reporter } from "./problems.js";
import { checkText } from "./text.js";
import { child, describe, isBroken, toValue, type At, type MapTree, type Tree } from "./tree.js";

const TYPES = ["media", "number", "integer", "boolean", "string", "enum", "duration"] as const;
type ParamType = (typeof TYPES)[number];
const KEYS = ["type", "of", "default", "positional", "description", "min", "max"];

export interface ResolvedParam {
  value: unknown;
  at: At;
  /** Alternatives that a value may take: type names, or words that stand for themselves. */
  types: string[];
  positional: boolean;
  broken?: boolean;
}

export interface ParamSources {
  /** `-p name=value`. */
  given: Readonly<Record<string, string>>;
  /** Positional inputs of the command line. */
  inputs: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
}

/** Command line, then the environment variable FLOW_PARAM_NAME, then the default (a profile's before the graph's). */
export function resolveParams(root: MapTree, sources: ParamSources, scope: Scope, report: Reporter): Map<string, ResolvedParam> {
  const params = new Map<string, ResolvedParam>();
  const declared = child(root, "params");
  const entries = declared?.kind === "map" ? declared.entries : new Map<string, never>();
  if (declared && declared.kind !== "map" && !isBroken(declared)) report.add("NOT_A_MAP", declared.at, "`params:` is a mapping of name to declaration.", { found: describe(declared), expected: "a mapping" });
  const positional = [...entries].filter(([, entry]) => isTrue(child(entry.value, "positional")));
  for (const [, entry] of positional.slice(1)) report.add("WRONG_TYPE", entry.keyAt, "Only one parameter can be positional.", { found: `${positional.length} of them`, expected: "one `positional: true`" });
  const fills = positional[0]?.[0] ?? null;
  if (sources.inputs.length > 0 && fills === null) {
    report.add("NO_POSITIONAL", declared?.at ?? root.at, "Inputs are given, but no parameter takes them.", { found: sources.inputs.join(" "), expected: "a parameter with positional: true", hint: "Declare one: params: { input: { type: media, positional: true } }." });
  }
  for (const [name, value] of Object.entries(sources.given)) {
    if (!entries.has(name)) report.add("UNKNOWN_PARAM", declared?.at ?? root.at, `-p ${name}=${value}: the graph declares no parameter ${name}.`, { found: name, among: entries });
  }
  for (const [name, entry] of entries) {
    if (!NAME.test(name)) report.add("WRONG_TYPE", entry.keyAt, `${JSON.stringify(name)} cannot name a parameter.`, { found: name, expected: NAME_RULE });
    else params.set(name, resolveParam(name, entry.keyAt, entry.value, fills === name ? sources.inputs : [], sources, scope, report));
  }
  return params;
}

function resolveParam(name: string, keyAt: At, spec: Tree, inputs: readonly string[], sources: ParamSources, scope: Scope, report: Reporter): ResolvedParam {
  const none = (types: string[] = []): ResolvedParam => ({ value: null, at: keyAt, types, positional: false, broken: true });
  if (spec.kind !== "map") {
    report.add("NOT_A_MAP", spec.at, `The parameter ${name} is declared as { type, default }, not as ${describe(spec)}.`, { found: describe(spec), expected: `{ type: …, default: ${describe(spec)} }` });
    return none();
  }
  for (const [key, { keyAt: at }] of spec.entries) if (!KEYS.includes(key)) report.add("UNKNOWN_KEY", at, `A parameter has no key ${key}.`, { found: key, among: KEYS });
  checkOptions(name, spec, report);
  const types = readTypes(name, keyAt, spec, report);
  if (!types) return none();
  const positional = isTrue(child(spec, "positional"));
  const check = (value: unknown, at: At, origin: string): ResolvedParam => {
    const fitted = fit(value, types, spec);
    if (fitted.ok) return { value: fitted.value, at: { ...at, from: origin }, types, positional };
    const words = types.filter((type) => !isType(type) || type === "enum").flatMap((type) => (type === "enum" ? enumWords(spec) : [type]));
    report.add("PARAM_TYPE", at, `The parameter ${name} takes ${fitted.expected}, not ${show(value)} (${origin}).`, { found: show(value, false), expected: fitted.expected, ...(words.length > 0 ? { among: words } : {}) });
    return none(types);
  };
  const text = Object.hasOwn(sources.given, name) ? sources.given[name] : undefined;
  if (text !== undefined && inputs.length > 0) {
    report.add("PARAM_TWICE", keyAt, `-p ${name}=${text} and ${inputs.join(" ")} both give the parameter ${name}.`, { found: `-p ${name}=${text}`, expected: "one of them", hint: `Leave -p ${name}=… out, or the inputs.` });
    return none(types);
  }
  if (text !== undefined) return check(fromText(text, types), keyAt, "command line");
  if (inputs.length > 0) return check(inputs.length === 1 ? inputs[0] : [...inputs], keyAt, "command line");
  const fromEnvironment = sources.environment[`FLOW_PARAM_${name.toUpperCase()}`];
  if (fromEnvironment !== undefined && fromEnvironment !== "") return check(fromText(fromEnvironment, types), keyAt, "environment");
  const written = child(spec, "default");
  if (!written) {
    report.add("PARAM_MISSING", keyAt, `The parameter ${name} has neither a value nor a default.`, { found: "nothing", expected: types.join(" or "), hint: positional ? "Name an input after the graph: flow run GRAPH INPUT." : `Give it: -p ${name}=…, or write a default.` });
    return none(types);
  }
  const value = substitute(written, scope, report);
  if (value.kind === "scalar" && value.broken) return none(types);
  return check(toValue(value), value.at, value.at.from === "graph" ? "default" : value.at.from);
}

/** What would only be ignored if it were wrong. */
function checkOptions(name: string, spec: MapTree, report: Reporter): void {
  const check = (key: string, expected: string, fits: (tree: Tree) => boolean): void => {
    const tree = child(spec, key);
    if (tree && !fits(tree)) report.add("WRONG_TYPE", tree.at, `\`${key}:\` of the parameter ${name} cannot be ${describe(tree)}.`, { found: describe(tree), expected });
  };
  const value = (tree: Tree | null): unknown => (tree?.kind === "scalar" ? tree.value : undefined);
  const isNumber = (tree: Tree): boolean => Number.isFinite(value(tree));
  checkText(child(spec, "description"), "description", report);
  check("positional", "true or false", (tree) => typeof value(tree) === "boolean");
  check("min", "a number", isNumber);
  check("max", "a number", isNumber);
  const [min, max] = [value(child(spec, "min")), value(child(spec, "max"))];
  if (typeof min === "number" && typeof max === "number") check("max", `a number ≥ ${min}, as \`min:\` says`, () => max >= min);
  check("of", "a list of words", (tree) => tree.kind === "list" && tree.items.every((item) => item.kind === "scalar" && item.value !== null));
}

function readTypes(name: string, keyAt: At, spec: MapTree, report: Reporter): string[] | null {
  const type = child(spec, "type");
  if (!type) {
    report.add("MISSING_KEY", keyAt, `The parameter ${name} has no type.`, { found: "nothing", expected: `type: ${TYPES.join(" | ")}` });
    return null;
  }
  const items = type.kind === "list" ? type.items : [type];
  const types: string[] = [];
  for (const item of items) {
    // In a list a word that is no type stands for itself: [number, all].
    const known = item.kind === "scalar" && typeof item.value === "string" && (isType(item.value) || type.kind === "list");
    if (known) types.push(item.value as string);
    else report.add("WRONG_TYPE", item.at, `${describe(item)} is no type of parameter.`, { found: item.kind === "scalar" ? String(item.value) : describe(item), among: TYPES });
  }
  if (items.length === 0) report.add("WRONG_TYPE", type.at, `The parameter ${name} has no type.`, { found: "an empty list", expected: TYPES.join(" | ") });
  if (types.length < items.length || types.length === 0) return null;
  if (types.includes("enum") && enumWords(spec).length === 0) {
    report.add("MISSING_KEY", keyAt, `The parameter ${name} is an enum without \`of: [word, …]\`.`, { found: "nothing", expected: "of: [word, …]" });
    return null;
  }
  return types;
}

/** Parameter → the words that it takes beside numbers and texts. */
export function paramWords(root: MapTree): Record<string, string[]> {
  const declared = child(root, "params");
  if (declared?.kind !== "map") return {};
  const words = (type: string, spec: Tree): string[] => (type === "enum" && spec.kind === "map" ? enumWords(spec) : type === "boolean" ? ["true", "false"] : isType(type) ? [] : [type]);
  return Object.fromEntries(
    [...declared.entries].map(([name, { value: spec }]) => {
      const type = child(spec, "type");
      const types = type?.kind === "list" ? type.items : type ? [type] : [];
      return [name, types.flatMap((item) => (item.kind === "scalar" ? words(String(item.value), spec) : []))];
    }),
  );
}

const isType = (word: string): word is ParamType => (TYPES as readonly string[]).includes(word);
const isTrue = (tree: Tree | null): boolean => tree?.kind === "scalar" && tree.value === true;
const show = (value: unknown, quote = true): string => ((typeof value === "string" && !quote) || typeof value === "number" ? String(value) : JSON.stringify(value));

function enumWords(spec: MapTree): string[] {
  const of = child(spec, "of");
  return of?.kind === "list" ? of.items.flatMap((item) => (item.kind === "scalar" ? [String(item.value)] : [])) : [];
}

/** `-p fps=2` is a number unless the parameter is a text. */
function fromText(text: string, types: readonly string[]): unknown {
  return types.some((type) => type === "number" || type === "integer" || type === "boolean") ? coreScalar(text) : text;
}

function fit(value: unknown, types: readonly string[], spec: MapTree): { ok: true; value: unknown } | { ok: false; expected: string } {
  const bound = (key: string): number | null => {
    const tree = child(spec, key);
    return tree?.kind === "scalar" && typeof tree.value === "number" ? tree.value : null;
  };
  const [min, max] = [bound("min"), bound("max")];
  const range = `${min === null ? "" : ` ≥ ${min}`}${max === null ? "" : ` ≤ ${max}`}`;
  const inRange = (x: number): boolean => (min === null || x >= min) && (max === null || x <= max);
  const expected: string[] = [];
  for (const type of types) {
    switch (type) {
      case "number":
      case "integer":
        if (typeof value === "number" && Number.isFinite(value) && (type === "number" || Number.isInteger(value)) && inRange(value)) return { ok: true, value };
        expected.push(`${type === "number" ? "a number" : "an integer"}${range}`);
        break;
      case "boolean":
        if (typeof value === "boolean") return { ok: true, value };
        expected.push("true or false");
        break;
      case "string":
        if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return { ok: true, value: String(value) };
        expected.push("a text");
        break;
      case "media":
        if (typeof value === "string" && value !== "") return { ok: true, value };
        if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string")) return { ok: true, value };
        expected.push("a file, folder, glob or URL");
        break;
      case "enum": {
        const words = enumWords(spec);
        if (words.includes(String(value))) return { ok: true, value: String(value) };
        expected.push(`one of ${words.join(", ")}`);
        break;
      }
      case "duration":
        if (parseDurationUs(value) !== null) return { ok: true, value };
        // A bare number on the command line is a text here, and means seconds as it does in the file.
        if (typeof value === "string" && value.trim() !== "" && parseDurationUs(Number(value)) !== null) return { ok: true, value: Number(value) };
        expected.push('a duration like "0.6s"');
        break;
      default:
        if (value === type) return { ok: true, value };
        expected.push(JSON.stringify(type));
    }
  }
  return { ok: false, expected: expected.join(" or ") };
}

