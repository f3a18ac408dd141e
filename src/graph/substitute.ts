import { parseDocument } from "yaml";
import type { Place, Reporter } from "./problems.js";
import { fromValue, placeIn, type At, type ScalarTree, type Tree } from "./tree.js";

export interface Scope {
  /** Resolved parameters; null while parameters themselves are being resolved (defaults may read the environment only). */
  params: ReadonlyMap<string, { value: unknown; broken?: boolean }> | null;
  environment: Readonly<Record<string, string | undefined>>;
  /** Parameters that something read. */
  used: Set<string>;
  /** Inactive parts (cases not chosen, disabled nodes): an unset variable is no problem there. */
  quiet?: boolean;
}

const REFERENCE = /\$(\$\{)|\$\{([^}]*)\}/g;

/** Resolves every `${params.x}` and `${env.X:-default}`. A text that is nothing but one reference keeps the type of its value; `$${` writes `${`. */
export function substitute(tree: Tree, scope: Scope, report: Reporter): Tree {
  if (tree.kind === "list") return { ...tree, items: tree.items.map((item) => substitute(item, scope, report)) };
  if (tree.kind === "map") {
    return { ...tree, entries: new Map([...tree.entries].map(([key, entry]) => [key, { ...entry, value: substitute(entry.value, scope, report) }])) };
  }
  if (typeof tree.value !== "string" || !tree.value.includes("${")) return tree;
  const text = tree.value;
  const whole = /^\$\{([^}]*)\}$/.exec(text);
  if (whole) {
    const found = resolve(whole[1] ?? "", tree, 0, scope, report);
    return found === null ? { ...tree, broken: true } : fromValue(found.value, { ...tree.at, from: found.from });
  }
  let broken = false;
  let from = tree.at.from;
  let value = "";
  let done = 0;
  /** Stretches of the result: where each begins, and in the written text. */
  const pieces: { at: number; written: number; verbatim: boolean }[] = [];
  /** Only behind the last reference can one be left open: another } would have closed it. */
  const checkRest = (): void => {
    const open = text.indexOf("${", done);
    if (open < 0) return;
    broken = true;
    report.add("BAD_REFERENCE", placeIn(tree, open), "A reference begins here and has no end.", { found: text.slice(open, open + 40), expected: "${params.NAME}, ${env.NAME} or ${env.NAME:-default}", hint: "Close it with }, or write $${ for the characters themselves." });
  };
  const append = (piece: string, written: number, verbatim: boolean): void => {
    if (piece !== "") pieces.push({ at: value.length, written, verbatim });
    value += piece;
  };
  for (const { 0: all, 1: escape, 2: inner, index } of text.matchAll(REFERENCE)) {
    append(text.slice(done, index), done, true);
    done = index + all.length;
    const found = escape ? null : resolve(inner ?? "", tree, index, scope, report);
    if (escape) append(escape, index + 1, true);
    else if (found === null) {
      broken = true;
      append(all, index, true);
    } else {
      from = found.from;
      append(typeof found.value === "object" ? JSON.stringify(found.value) : String(found.value), index, false);
    }
  }
  checkRest();
  append(text.slice(done), done, true);
  const placeOf = (offset: number): Place => {
    const piece = pieces.findLast((known) => known.at <= offset);
    return placeIn(tree, piece ? piece.written + (piece.verbatim ? offset - piece.at : 0) : 0);
  };
  return { kind: "scalar", value, at: { ...tree.at, from }, placeOf, ...(broken ? { broken } : {}) };
}

function resolve(reference: string, tree: ScalarTree, offset: number, scope: Scope, report: Reporter): { value: unknown; from: string } | null {
  const at: At = { ...tree.at, ...placeIn(tree, offset) };
  const param = /^params\.([A-Za-z_][\w-]*)$/.exec(reference.trim());
  if (param) {
    const name = param[1] ?? "";
    scope.used.add(name);
    if (!scope.params) {
      report.add("BAD_REFERENCE", at, `A parameter's default cannot read another parameter (\${params.${name}}).`, { found: reference, expected: "${env.NAME} or ${env.NAME:-default}" });
      return null;
    }
    const found = scope.params.get(name);
    if (!found) {
      report.add("UNKNOWN_PARAM", at, `The graph declares no parameter ${name}.`, { found: name, among: scope.params });
      return null;
    }
    return found.broken ? null : { value: found.value, from: `param:${name}` };
  }
  const env = /^env\.([A-Za-z_]\w*)(?::-([\s\S]*))?$/.exec(reference.trim());
  if (env) {
    const [, name = "", fallback] = env;
    const value = Object.hasOwn(scope.environment, name) ? scope.environment[name] : undefined;
    if (value !== undefined && value !== "") return { value: coreScalar(value), from: "environment" };
    if (fallback !== undefined) return { value: coreScalar(fallback), from: tree.at.from };
    if (!scope.quiet) {
      report.add("ENV_UNRESOLVED", at, `The environment variable ${name} is not set.`, { found: `\${env.${name}}`, expected: "a set variable or a default", hint: `Set it (export ${name}=…) or give a default: \${env.${name}:-value}.` });
    }
    return null;
  }
  report.add("BAD_REFERENCE", at, `\${${reference}} is neither a parameter nor an environment variable.`, { found: reference, expected: "${params.NAME}, ${env.NAME} or ${env.NAME:-default}" });
  return null;
}

/** The environment holds texts; "16" and "true" mean what they would mean in the file. */
export function coreScalar(text: string): string | number | boolean | null {
  const value: unknown = parseDocument(text, { schema: "core", logLevel: "silent" }).contents?.toJSON();
  return typeof value === "number" || typeof value === "boolean" ? value : text;
}
