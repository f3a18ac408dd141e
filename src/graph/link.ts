import type { ModelManifest, OperatorDefinition, Problem } from "../contracts/index.js";
import { NAME, NAME_RULE } from "./inputs.js";
import { checkText } from "./text.js";
import { readNode, type NodeDraft } from "./node-syntax.js";
import { reach, topologicalOrder } from "./order.js";
import { readOutputs, type LinkedOutput } from "./outputs.js";
import { resolveParams, type ResolvedParam } from "./params.js";
import type { GraphSyntax } from "./parse.js";
import { nearestName, reporter, type Reporter } from "./problems.js";
import { expectedOf, isOrder, readDevice, readRuntime, type RuntimeSyntax } from "./runtime.js";
import { substitute, type Scope } from "./substitute.js";
import { child, describe, emptyMap, isBroken, overlay, type At, type MapEntry, type MapTree, type Tree } from "./tree.js";
import type { ModelCatalogue, Role } from "./roles.js";
import { wireNode, type LinkedNode, type Wiring } from "./wire.js";

export type OperatorCatalogue = ReadonlyMap<string, OperatorDefinition>;

export interface GraphEnvironment {
  catalogue: OperatorCatalogue;
  models: ModelCatalogue;
  environment: Readonly<Record<string, string | undefined>>;
  /** Makes the stand-in for a model, for `mock`. */
  standIn?: (manifest: ModelManifest) => ModelManifest;
}

export interface LinkOptions {
  /** `-p name=value`. */
  params?: Readonly<Record<string, string>> | undefined;
  /** Positional inputs: the value of the `positional` parameter. */
  inputs?: readonly string[] | undefined;
  profile?: string | undefined;
  /** Roles (or models by their own name) that stand-ins play; true: all of them. */
  mock?: true | readonly string[] | undefined;
}

/** The graph with parameters, profile, operators, models and edges resolved. Nodes that are wrong are missing from `nodes`. */
export interface LinkedGraph {
  file: string;
  name: string;
  profile: string | null;
  root: MapTree;
  params: ReadonlyMap<string, ResolvedParam>;
  /** Every sound, enabled node, sources first. */
  nodes: ReadonlyMap<string, LinkedNode>;
  /** Names of all nodes of the file, whatever became of them. */
  names: ReadonlySet<string>;
  disabled: ReadonlySet<string>;
  outputs: LinkedOutput[];
  runtime: RuntimeSyntax;
  roles: ReadonlyMap<string, Role>;
}

const ROOT_KEYS = ["flow", "name", "description", "params", "models", "runtime", "nodes", "outputs", "profiles", "plugins"];
const PROFILE_KEYS = ["params", "models", "runtime", "nodes", "outputs"];

interface Linked {
  linked: LinkedGraph;
  problems: Problem[];
}

/** Resolves names and checks types. Collects every problem; never throws. */
export function linkGraph(syntax: GraphSyntax, env: GraphEnvironment, options: LinkOptions = {}): Linked {
  const here = linkAs(syntax, env, options, null);
  const { problems } = here;
  for (const [role, { manifest, other }] of here.linked.roles) if (manifest && other) problems.push(...misfitsOf(role, manifest, other, problems, linkAs(syntax, env, options, role).problems));
  return here;
}

/** What is wrong only where the role has the other one of its two models. */
function misfitsOf(role: string, manifest: ModelManifest, { manifest: other, at }: NonNullable<Role["other"]>, here: readonly Problem[], there: readonly Problem[]): Problem[] {
  const place = ({ code, line, column }: Problem): string => `${code} ${line}:${column}`;
  const known = new Set(here.map(place));
  return there
    .filter((problem) => problem.severity === "error" && !known.has(place(problem)))
    .map((problem) => ({ ...problem, line: at.line, column: at.column, code: "ELSE_MISFIT", message: `With ${other.id} as ${role} instead of ${manifest.id}: ${problem.message}` }));
}

/** `swapped`: the role that has the other one of its two models. */
function linkAs(syntax: GraphSyntax, env: GraphEnvironment, options: LinkOptions, swapped: string | null): Linked {
  const report = reporter(syntax.file);
  checkRoot(syntax.root, report);
  const profiled = applyProfile(syntax.root, options.profile, report);
  const used = new Set<string>();
  const environment = env.environment;
  const params = resolveParams(profiled, { given: options.params ?? {}, inputs: options.inputs ?? [], environment }, { params: null, environment, used: new Set() }, report);
  const scope: Scope = { params, environment, used };
  const resolve = (key: string): Tree | null => {
    const tree = child(profiled, key);
    return tree ? substitute(tree, scope, report) : null;
  };
  const models = withStandIns(env, options.mock);
  const roles = readRoles(resolve("models"), models, swapped, report);
  mockRoles(roles, env, options.mock, report);
  const runtime = readRuntime(resolve("runtime"), report);
  const { drafts, inactive, disabled, names } = readNodes(child(profiled, "nodes"), profiled, scope, env.catalogue, report);

  reportOpeners(drafts, report);
  const linked = new Map<string, LinkedNode>();
  const cutters = [...drafts.values()].filter((draft) => draft.op?.run.form === "cut").map((draft) => draft.name);
  const wiring: Wiring = { drafts, disabled, names, linked, roles, models, cutters, report };
  const { order, cycles } = topologicalOrder([...drafts.keys()], sourcesOf(drafts, cutters));
  for (const cycle of cycles) {
    const at = drafts.get(cycle[0] ?? "")?.keyAt ?? profiled.at;
    report.add("CYCLE", at, `These nodes feed each other: ${cycle.join(" → ")}.`, { found: cycle.join(" → "), expected: "edges without a circle", hint: "Cut one of these edges; flow graph FILE draws them." });
  }
  for (const name of order) {
    const draft = drafts.get(name);
    if (draft) wireNode(draft, wiring);
  }
  const outputs = readOutputs(resolve("outputs"), { linked, names, disabled, drafts, report });
  for (const [name, param] of params) {
    if (!used.has(name) && !mentions(syntax.root, name)) report.add("UNUSED_PARAM", param.at, `Nothing uses the parameter ${name}.`, { found: name, expected: "a value that reads it", hint: `Use \${params.${name}} somewhere, or remove it.` });
  }
  if (child(profiled, "outputs")) reportUnused(drafts, inactive, profiled, cutters, names, report);
  const root = { ...profiled, entries: new Map(profiled.entries) };
  setNodes(root, drafts);
  const title = child(profiled, "name");
  return {
    linked: {
      file: syntax.file,
      name: title?.kind === "scalar" && (typeof title.value === "string" || typeof title.value === "number") ? String(title.value) : (syntax.file.split("/").pop() ?? "graph").replace(/\.ya?ml$/, ""),
      profile: options.profile ?? null,
      root,
      params,
      nodes: linked,
      names,
      disabled,
      outputs,
      runtime,
      roles,
    },
    problems: report.problems,
  };
}

function withStandIns({ models, standIn }: GraphEnvironment, mock: LinkOptions["mock"]): ModelCatalogue {
  if (!standIn || mock === undefined) return models;
  const played = new Map<string, ModelManifest>();
  const get = (id: string): ModelManifest | undefined => {
    const manifest = models.get(id);
    if (!manifest || (mock !== true && !mock.includes(id))) return manifest;
    if (!played.has(id)) played.set(id, standIn(manifest));
    return played.get(id);
  };
  return { get, has: (id) => models.has(id), keys: () => models.keys() };
}

function mockRoles(roles: Map<string, Role>, { models, standIn }: GraphEnvironment, mock: LinkOptions["mock"], report: Reporter): void {
  if (!standIn || mock === undefined || mock === true) return;
  for (const name of mock) {
    const role = roles.get(name);
    const played = role?.wanted ?? role?.manifest;
    if (role && played && !played.mock) roles.set(name, { ...role, manifest: standIn(played), wanted: null, other: null });
    else if (!role && !models.has(name)) report.add("UNKNOWN_ROLE", { line: 1, column: 1 }, `--mock-models ${name}: the graph has no such role, and no model has that name.`, {
      found: name,
      among: roles,
      ...(nearestName(name, roles) === null ? { hint: `What follows --mock-models is taken for its roles. All of them: --mock-models at the end, behind the inputs; some: --mock-models=${[...roles.keys()][0] ?? "ROLE"}.` } : {}),
    });
  }
}

function checkRoot(root: MapTree, report: Reporter): void {
  for (const [key, entry] of root.entries) {
    if (key === "plugins") {
      if (entry.value.kind !== "list" || entry.value.items.length > 0) report.add("NOT_SUPPORTED", entry.keyAt, "Plugins come later.", { found: "plugins", expected: "no plugins", hint: "Leave `plugins` out." });
    } else if (key === "inputs") report.add("NOT_SUPPORTED", entry.keyAt, "Graphs used as operators (`inputs:`) come later.", { found: "inputs", expected: "params", hint: "Leave `inputs` out; media come from a parameter with positional: true." });
    // x-… holds anchors, as in other YAML formats.
    else if (!ROOT_KEYS.includes(key) && !key.startsWith("x-")) report.add("UNKNOWN_KEY", entry.keyAt, `A graph has no key ${key}.`, { found: key, among: ROOT_KEYS });
  }
  for (const key of ["name", "description"]) checkText(child(root, key), key, report);
  const profiles = child(root, "profiles");
  if (!profiles || isBroken(profiles)) return;
  if (profiles.kind !== "map") {
    report.add("NOT_A_MAP", profiles.at, `\`profiles:\` is a mapping, not ${describe(profiles)}.`, { found: describe(profiles), expected: "{ NAME: { … } }" });
    return;
  }
  const nodes = child(root, "nodes");
  const known = nodes?.kind === "map" ? nodes.entries : new Map<string, MapEntry>();
  for (const [name, profile] of profiles.entries) {
    if (profile.value.kind !== "map") {
      report.add("NOT_A_MAP", profile.value.at, `The profile ${name} is a mapping of changes, not ${describe(profile.value)}.`, { found: describe(profile.value), expected: `{ ${PROFILE_KEYS.join(", ")} }` });
      continue;
    }
    for (const [key, { keyAt }] of profile.value.entries) if (!PROFILE_KEYS.includes(key)) report.add("UNKNOWN_KEY", keyAt, `A profile cannot change ${key}.`, { found: key, among: PROFILE_KEYS });
    const changed = child(profile.value, "nodes");
    for (const [node, change] of changed?.kind === "map" ? changed.entries : []) {
      const makesOne = change.value.kind === "map" && (change.value.entries.has("op") || change.value.entries.has("switch"));
      if (!known.has(node) && !makesOne) report.add("UNKNOWN_NODE", change.keyAt, `The profile ${name} changes the node ${node}, which the graph does not have.`, { found: node, among: known });
    }
  }
}

export function applyProfile(root: MapTree, name: string | undefined, report: Reporter): MapTree {
  if (name === undefined) return root;
  const profiles = child(root, "profiles");
  const profile = child(profiles, name);
  if (profile?.kind !== "map") {
    const names = profiles?.kind === "map" ? [...profiles.entries.keys()] : [];
    if (!profile) report.add("UNKNOWN_PROFILE", profiles?.at ?? root.at, `The graph has no profile ${name}.`, { found: name, among: names, ...(names.length === 0 ? { expected: "no --profile: the graph has none", hint: "Leave --profile out." } : nearestName(name, names) === null ? { hint: `Take one of its profiles (${names.join(", ")}), or leave --profile out.` } : {}) });
    return root;
  }
  const entries = new Map([...profile.entries].filter(([key]) => PROFILE_KEYS.includes(key)));
  const merged = overlay(root, marked({ ...profile, entries }, `profile:${name}`));
  return merged?.kind === "map" ? merged : root;
}

/** The same tree with every value's origin renamed. */
function marked(tree: Tree, from: string): Tree {
  const at: At = { ...tree.at, from };
  if (tree.kind === "scalar") return { ...tree, at };
  if (tree.kind === "list") return { ...tree, at, items: tree.items.map((item) => marked(item, from)) };
  return { ...tree, at, entries: new Map([...tree.entries].map(([key, entry]) => [key, { keyAt: { ...entry.keyAt, from }, value: marked(entry.value, from) }])) };
}

/**
 * ROLE: MODEL, or ROLE: { model: MODEL, else: MODEL, optional: true }. Where the model is not installed, its nodes run that of `else:`, if that is
 * there; else they do without it, if it is optional.
 */
function readRoles(tree: Tree | null, models: ModelCatalogue, swapped: string | null, report: Reporter): Map<string, Role> {
  const roles = new Map<string, Role>();
  if (!tree || isBroken(tree)) return roles;
  if (tree.kind !== "map") {
    report.add("NOT_A_MAP", tree.at, `\`models:\` is a mapping of role to model, not ${describe(tree)}.`, { found: describe(tree), expected: "{ ROLE: MODEL }" });
    return roles;
  }
  for (const [role, { value: written }] of tree.entries) {
    const model = readModel(written.kind === "map" ? (child(written, "model") ?? written) : written, models, report);
    const instead = child(written, "else");
    const other = instead ? readModel(instead, models, report) : null;
    const takes = (model.manifest !== null && other?.manifest != null && !model.manifest.installed && other.manifest.installed) !== (swapped === role);
    const [taken, left] = takes && other ? [other, model] : [model, other];
    roles.set(role, {
      ...{ manifest: taken.manifest, wanted: takes ? model.manifest : null, other: left?.manifest ? { manifest: left.manifest, at: left.at } : null, at: model.at },
      ...{ optional: readOptional(written, report), device: readRoleDevice(written, report) },
    });
  }
  return roles;
}

function readModel(tree: Tree, models: ModelCatalogue, report: Reporter): { manifest: ModelManifest | null; at: At } {
  const { at } = tree;
  if (tree.kind !== "scalar") {
    report.add("WRONG_TYPE", at, `A role names one model, not ${describe(tree)}.`, { found: describe(tree), expected: "a model's name, or { model: NAME, else: NAME, optional: true, device: auto }" });
    return { manifest: null, at };
  }
  const id = String(tree.value);
  const manifest = models.get(id) ?? null;
  if (!manifest && !tree.broken) report.add("UNKNOWN_MODEL", at, `There is no model ${id}.`, { found: id, among: [...models.keys()], hint: "A model is a manifest models/NAME.yaml; `flow models list` shows all." });
  return { manifest, at };
}

const ROLE_KEYS = ["model", "else", "optional", "device"];

function readRoleDevice(tree: Tree, report: Reporter): Role["device"] {
  const written = child(tree, "device");
  if (!written || (written.kind === "scalar" && written.broken)) return null;
  const read = readDevice(written);
  if (isOrder(read)) return read;
  report.add("WRONG_TYPE", written.at, `\`device:\` cannot be ${describe(written)}.`, { found: describe(written), expected: expectedOf(read) });
  return null;
}

function readOptional(tree: Tree, report: Reporter): boolean {
  if (tree.kind !== "map") return false;
  for (const [key, { keyAt }] of tree.entries) if (!ROLE_KEYS.includes(key)) report.add("UNKNOWN_KEY", keyAt, `A role has no key ${key}.`, { found: key, among: ROLE_KEYS });
  const optional = child(tree, "optional");
  if (!optional || (optional.kind === "scalar" && (optional.broken || typeof optional.value === "boolean"))) return optional?.kind === "scalar" && optional.value === true;
  report.add("WRONG_TYPE", optional.at, `\`optional:\` is true or false, not ${describe(optional)}.`, { found: describe(optional), expected: "true or false" });
  return false;
}

interface Nodes {
  drafts: Map<string, NodeDraft>;
  /** Cases not chosen and disabled nodes: checked on their own, not run. */
  inactive: NodeDraft[];
  disabled: Set<string>;
  names: Set<string>;
}

function readNodes(tree: Tree | null, root: MapTree, scope: Scope, catalogue: OperatorCatalogue, report: Reporter): Nodes {
  const nodes: Nodes = { drafts: new Map(), inactive: [], disabled: new Set(), names: new Set() };
  if (!tree) {
    report.add("MISSING_KEY", root.at, "The graph has no `nodes:`.", { found: "nothing", expected: "nodes: { NAME: { op: … } }", hint: "flow list" });
    return nodes;
  }
  if (isBroken(tree)) return nodes;
  if (tree.kind !== "map") {
    report.add("NOT_A_MAP", tree.at, `\`nodes:\` is a mapping of name to node, not ${describe(tree)}.`, { found: describe(tree), expected: "{ NAME: { op: … } }" });
    return nodes;
  }
  for (const [name, { keyAt, value }] of tree.entries) {
    nodes.names.add(name);
    if (!NAME.test(name)) {
      report.add("WRONG_TYPE", keyAt, `${JSON.stringify(name)} cannot name a node.`, { found: name, expected: NAME_RULE });
      continue;
    }
    if (isBroken(value)) continue;
    if (value.kind !== "map") {
      report.add("NOT_A_MAP", value.at, `The node ${name} is a mapping, not ${describe(value)}.`, { found: describe(value), expected: "{ op: … }" });
      continue;
    }
    const on = readEnabled(name, value, scope, report);
    if (on === null) continue;
    if (!on) nodes.disabled.add(name);
    for (const variant of readSwitch(name, keyAt, value, scope, report)) {
      const caseOn = on && variant.chosen && variant.tree !== null && variant.tree !== value ? readEnabled(name, variant.tree, scope, report) : true;
      if (caseOn === null) continue;
      if (!caseOn) nodes.disabled.add(name);
      const active = on && variant.chosen && caseOn;
      if (variant.tree === null) {
        if (active) nodes.disabled.add(name);
        continue;
      }
      const resolved = substitute(variant.tree, { ...scope, quiet: !active }, report) as MapTree;
      const draft = readNode(name, variant.keyAt, resolved, catalogue, report);
      if (active) nodes.drafts.set(name, { ...draft, keyAt });
      else nodes.inactive.push(draft);
    }
  }
  return nodes;
}

function readEnabled(name: string, tree: MapTree, scope: Scope, report: Reporter): boolean | null {
  const written = child(tree, "enabled");
  if (!written) return true;
  const value = substitute(written, scope, report);
  if (value.kind === "scalar" && value.broken) return null;
  if (value.kind === "scalar" && typeof value.value === "boolean") return value.value;
  report.add("WRONG_TYPE", value.at, `\`enabled:\` of ${name} is decided when the graph loads, so it is true or false, not ${describe(value)}.`, { found: describe(value), expected: "true or false", hint: "A condition per item is `when:`." });
  return null;
}

interface Variant {
  tree: MapTree | null;
  keyAt: At;
  chosen: boolean;
}

/** A node without `switch` is its own only variant; a case is laid over the keys beside `switch`. */
function readSwitch(name: string, keyAt: At, node: MapTree, scope: Scope, report: Reporter): Variant[] {
  const written = node.entries.get("switch");
  const cases = node.entries.get("cases");
  if (!written && !cases) return [{ tree: node, keyAt, chosen: true }];
  if (!written || !cases) {
    report.add("MISSING_KEY", (written ?? cases)?.keyAt ?? keyAt, `The node ${name} needs both \`switch:\` and \`cases:\`.`, { found: written ? "switch" : "cases", expected: "switch and cases" });
    return [];
  }
  if (cases.value.kind !== "map") {
    report.add("NOT_A_MAP", cases.value.at, `\`cases:\` is a mapping of value to node, not ${describe(cases.value)}.`, { found: describe(cases.value), expected: "{ VALUE: { op: … } }" });
    return [];
  }
  const value = substitute(written.value, scope, report);
  if (value.kind === "scalar" && value.broken) return [];
  const word = value.kind === "scalar" ? String(value.value) : describe(value);
  const names = [...cases.value.entries.keys()];
  if (!names.includes(word)) report.add("UNKNOWN_CASE", value.at, `${name} has no case ${word}.`, { found: word, among: names });
  const common = { ...node, entries: new Map([...node.entries].filter(([key]) => !["switch", "cases", "enabled"].includes(key))) };
  return [...cases.value.entries].flatMap(([key, entry]): Variant[] => {
    const chosen = key === word;
    if (entry.value.kind === "scalar" && entry.value.value === null) return [{ tree: null, keyAt: entry.keyAt, chosen }];
    if (entry.value.kind !== "map") {
      report.add("NOT_A_MAP", entry.value.at, `The case ${key} of ${name} is a node, not ${describe(entry.value)}.`, { found: describe(entry.value), expected: "{ op: … } or null" });
      return [];
    }
    const again = entry.value.entries.get("switch") ?? entry.value.entries.get("cases");
    if (again) {
      report.add("NOT_SUPPORTED", again.keyAt, `The case ${key} of ${name} cannot be a switch itself.`, { found: "switch", expected: "{ op: … } or null", hint: "Give the inner switch a node of its own and read that." });
      return [];
    }
    return [{ tree: (overlay(common, entry.value) ?? emptyMap(entry.value.at)) as MapTree, keyAt: entry.keyAt, chosen }];
  });
}

/** What each node waits for: its inputs, and the one node that cuts scenes when the node runs by scene without being wired to it. */
function sourcesOf(drafts: ReadonlyMap<string, NodeDraft>, cutters: readonly string[]): (name: string) => Iterable<string> {
  const direct = (name: string): string[] => drafts.get(name)?.refs.map((ref) => ref.node) ?? [];
  const before = reach(cutters, direct);
  return (name) => {
    const draft = drafts.get(name);
    const byScene = draft?.op?.level === "scene" || draft?.levelOption?.level === "scene";
    return byScene && !before.has(name) ? [...direct(name), ...cutters] : direct(name);
  };
}

/** A run has one list of media, and opens each of them once. */
function reportOpeners(drafts: ReadonlyMap<string, NodeDraft>, report: Reporter): void {
  const [first, ...more] = [...drafts.values()].filter(({ ok, op }) => ok && op?.run.form === "source");
  for (const { name, keyAt, op } of more) {
    report.add("NOT_SUPPORTED", keyAt, `A graph opens its media in one node, and ${first?.name} does: ${name} would run on the same ones.`, {
      found: `${op?.name} in ${first?.name} and in ${name}`,
      expected: `one ${op?.name}`,
      hint: `Open all of them in ${first?.name}: with: { uri: [a.mp4, b.mp4] }, a folder or a glob. What differs from medium to medium is two graphs.`,
    });
  }
}

function reportUnused(drafts: ReadonlyMap<string, NodeDraft>, inactive: readonly NodeDraft[], root: MapTree, cutters: readonly string[], names: ReadonlySet<string>, report: Reporter): void {
  const outputs = child(root, "outputs");
  const starts = new Set<string>();
  for (const [, entry] of outputs?.kind === "map" ? outputs.entries : []) {
    const from = child(entry.value, "from");
    for (const item of from?.kind === "list" ? from.items : from ? [from] : []) if (item.kind === "scalar") starts.add(String(item.value));
  }
  if (![...starts].some((name) => drafts.has(name))) return;
  const sources = sourcesOf(drafts, cutters);
  const alternatives = new Map<string, string[]>();
  for (const draft of inactive) alternatives.set(draft.name, [...(alternatives.get(draft.name) ?? []), ...draft.refs.map((ref) => ref.node)]);
  // A name that is misspelt reaches what it means.
  const meant = (name: string): string => (names.has(name) ? name : (nearestName(name, names) ?? name));
  const reached = reach([...starts].map(meant), (name) => [...sources(name), ...(alternatives.get(name) ?? [])].map(meant));
  for (const [name, draft] of drafts) {
    if (!reached.has(name)) report.add("UNUSED_NODE", draft.keyAt, `No output reaches the node ${name}, so it never runs.`, { found: name, expected: "a node that an output reaches", hint: "Connect it to a join, or remove it." });
  }
}

/** Whether a parameter is mentioned anywhere in the file, profiles and cases that are not chosen included. */
function mentions(tree: Tree, param: string): boolean {
  if (tree.kind === "scalar") return typeof tree.value === "string" && tree.value.includes(`params.${param}`);
  return (tree.kind === "list" ? tree.items : [...tree.entries.values()].map((entry) => entry.value)).some((inner) => mentions(inner, param));
}

function setNodes(root: MapTree, drafts: ReadonlyMap<string, NodeDraft>): void {
  const nodes = root.entries.get("nodes");
  if (nodes?.value.kind !== "map") return;
  const entries = new Map(nodes.value.entries);
  for (const [name, { tree }] of drafts) entries.set(name, { keyAt: entries.get(name)?.keyAt ?? tree.at, value: tree });
  root.entries.set("nodes", { ...nodes, value: { ...nodes.value, entries } });
}
