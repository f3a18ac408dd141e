import type { Place } from "./problems.js";

/** Place of a value in the file, and which layer of the graph put it there ("graph", "profile:NAME", "param:NAME", …). */
export interface At extends Place {
  from: string;
}

/** A YAML value that keeps its positions through overlays and substitution. */
export type Tree = ScalarTree | ListTree | MapTree;
export interface ScalarTree {
  kind: "scalar";
  value: string | number | boolean | null;
  at: At;
  /** Place of a character of the text; absent where the text does not stand in the file as it is. */
  placeOf?: (offset: number) => Place;
  /** Its substitution failed and is reported: what it would have been is unknown, so nobody should complain about it again. */
  broken?: boolean;
}
export interface ListTree {
  kind: "list";
  items: Tree[];
  at: At;
}
export interface MapTree {
  kind: "map";
  entries: Map<string, MapEntry>;
  at: At;
}
export interface MapEntry {
  keyAt: At;
  value: Tree;
}

export const scalar = (value: ScalarTree["value"], at: At): ScalarTree => ({ kind: "scalar", value, at });
export const isBroken = (tree: Tree | null): boolean => tree?.kind === "scalar" && tree.broken === true;
/** This or something in it. */
export const holdsBroken = (tree: Tree): boolean =>
  tree.kind === "scalar" ? isBroken(tree) : tree.kind === "list" ? tree.items.some(holdsBroken) : [...tree.entries.values()].some(({ value }) => holdsBroken(value));
/** Where the character `offset` of a text stands, as far as that is known. */
export const placeIn = (tree: ScalarTree, offset: number): Place => tree.placeOf?.(offset) ?? tree.at;
export const emptyMap = (at: At): MapTree => ({ kind: "map", entries: new Map(), at });

export function child(tree: Tree | null | undefined, key: string): Tree | null {
  return tree?.kind === "map" ? (tree.entries.get(key)?.value ?? null) : null;
}

/** Plain JavaScript value. Objects have no prototype, so a key named `__proto__` is a key. */
export function toValue(tree: Tree): unknown {
  if (tree.kind === "scalar") return tree.value;
  if (tree.kind === "list") return tree.items.map(toValue);
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, entry] of tree.entries) object[key] = toValue(entry.value);
  return object;
}

/** Tree of a JavaScript value, all at one place: for values that come from outside the file. */
export function fromValue(value: unknown, at: At): Tree {
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => fromValue(item, at)), at };
  if (typeof value === "object" && value !== null) {
    return { kind: "map", entries: new Map(Object.entries(value).map(([key, inner]) => [key, { keyAt: at, value: fromValue(inner, at) }])), at };
  }
  return scalar(value as ScalarTree["value"], at);
}

/** The deepest tree on `path` that exists; `key` is the place of its key when the path ends on one. */
export function descend(tree: Tree, path: readonly PropertyKey[]): { tree: Tree; keyAt: At | null; whole: boolean } {
  let keyAt: At | null = null;
  for (const step of path) {
    const entry: MapEntry | null =
      tree.kind === "map" ? (tree.entries.get(String(step)) ?? null) : tree.kind === "list" && tree.items[Number(step)] ? { keyAt: tree.at, value: tree.items[Number(step)] as Tree } : null;
    if (!entry) return { tree, keyAt, whole: false };
    ({ value: tree, keyAt } = entry);
  }
  return { tree, keyAt, whole: true };
}

/** How messages show a value: `"abc"`, `12`, `["a", "b"]`, `a list`, `a mapping`. */
export function describe(tree: Tree): string {
  if (tree.kind === "scalar") return typeof tree.value === "string" ? JSON.stringify(tree.value.length > 60 ? `${tree.value.slice(0, 60)}…` : tree.value) : String(tree.value);
  if (tree.kind === "map") return "a mapping";
  return tree.items.length > 0 && tree.items.length <= 8 && tree.items.every(({ kind }) => kind === "scalar") ? `[${tree.items.map(describe).join(", ")}]` : "a list";
}

/**
 * Deep overlay: maps merge key by key, null removes, anything else replaces. A param of the base may be given as a bare value
 * (`params: { captioner: captioner2 }`): it becomes the param's default.
 */
export function overlay(base: Tree | null, over: Tree, path: readonly string[] = []): Tree | null {
  if (over.kind === "scalar" && over.value === null) return null;
  if (path.length === 2 && path[0] === "params" && over.kind !== "map" && base?.kind === "map") {
    return { ...base, entries: new Map(base.entries).set("default", { keyAt: over.at, value: over }) };
  }
  if (over.kind !== "map" || base?.kind !== "map") return over.kind === "map" ? withoutNulls(over) : over;
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    const merged = overlay(base.entries.get(key)?.value ?? null, entry.value, [...path, key]);
    if (merged === null) entries.delete(key);
    else entries.set(key, { keyAt: base.entries.get(key)?.keyAt ?? entry.keyAt, value: merged });
  }
  return { ...base, entries };
}

function withoutNulls(tree: MapTree): MapTree {
  const entries = new Map<string, MapEntry>();
  for (const [key, entry] of tree.entries) {
    if (entry.value.kind === "scalar" && entry.value.value === null) continue;
    entries.set(key, entry.value.kind === "map" ? { ...entry, value: withoutNulls(entry.value) } : entry);
  }
  return { ...tree, entries };
}
