import { type Level, type ModelManifest, type OperatorDefinition, type PlanInput, type PortType } from "../contracts/index.js";
import { compareLevels, misfitOfMap, misfits, modeOf } from "./fit.js";
import type { InputRef } from "./inputs.js";
import { checkExpressionFields, checkTemplates, checkWhen, type WhenSource } from "./node-checks.js";
import type { NodeDraft } from "./node-syntax.js";
import { reporter, type Reporter } from "./problems.js";
import { chooseModels, type ModelCatalogue, type Role } from "./roles.js";
import { holdsBroken } from "./tree.js";
import { MEDIA_VARIABLES } from "./when.js";

/** A node whose edges, level, models and types are known. */
export interface LinkedNode {
  draft: NodeDraft;
  op: OperatorDefinition;
  level: Level;
  inputs: Record<string, PlanInput>;
  /** Places and options of the inputs, by entry. */
  refs: Record<string, InputRef>;
  outputs: Record<string, PortType>;
  models: Record<string, ModelManifest>;
  when: string | null;
  scenes: string | null;
  absent: string[];
}

export interface Wiring {
  drafts: ReadonlyMap<string, NodeDraft>;
  disabled: Set<string>;
  /** All nodes of the file, broken ones too. */
  names: ReadonlySet<string>;
  linked: Map<string, LinkedNode>;
  /** role of the graph → manifest, null when the manifest is unknown (and reported). */
  roles: ReadonlyMap<string, Role>;
  models: ModelCatalogue;
  /** Active nodes that cut scenes. */
  cutters: readonly string[];
  report: Reporter;
}

interface Edge {
  ref: InputRef;
  entry: string;
  into: string;
  type: PortType;
  sourcePort: string;
  declared: PortType | null;
}

/** Types one node whose sources are all linked, disabled or broken; adds it to `linked` unless something is wrong with it. */
export function wireNode(draft: NodeDraft, wiring: Wiring): void {
  const { report, disabled } = wiring;
  const { op } = draft;
  const errorsBefore = report.problems.length;
  let sound = draft.ok && op !== null;
  const edges: Edge[] = [];
  const absent: string[] = [];
  const vanished: { ref: InputRef; port: string }[] = [];
  const connected = new Set<string>();
  const ports = op ? portsOf(draft, op, wiring) : null;
  for (const ref of draft.refs) {
    const into = ref.into ?? (op ? choosePort(ref, op, wiring) : null);
    if (into !== null) connected.add(into);
    if (op && ref.into !== null && op.inputs !== "map" && !Object.hasOwn(op.inputs, ref.into)) {
      report.add("UNKNOWN_PORT", ref.keyAt, `${op.name} has no input ${ref.into}.`, { found: ref.into, among: Object.keys(op.inputs), hint: `flow explain ${op.name}` });
      sound = false;
      reportSource(ref, wiring);
      continue;
    }
    if (reportSource(ref, wiring)) {
      sound = false;
      continue;
    }
    if (disabled.has(ref.node)) {
      const name = into ?? ref.node;
      const port = ports?.[name];
      if (port && !port.optional && !port.nullable && !ref.listed) vanished.push({ ref, port: name });
      else absent.push(ref.listed ? ref.node : name);
      continue;
    }
    const source = wiring.linked.get(ref.node);
    if (!source || !op || into === null) {
      sound = false;
      continue;
    }
    const declared = ports?.[into] ?? null;
    const sourcePort = chooseOutput(ref, source, declared);
    const type = sourcePort === null ? undefined : source.outputs[sourcePort];
    if (sourcePort === null || !type) {
      sound = false;
      continue;
    }
    const entry = entryName(ref, into, edges);
    if (edges.some((edge) => edge.entry === entry)) {
      report.add("INPUT_TWICE", ref.keyAt, `The input ${entry} of ${draft.name} is fed twice.`, { found: entry, expected: "each input once", hint: "Use a list where the operator takes several, or one of the two." });
      sound = false;
      continue;
    }
    edges.push({ ref, entry, into, type, sourcePort, declared });
  }
  if (vanished.length > 0) {
    const sources = [...new Set(vanished.map(({ ref }) => ref.node))].join(", ");
    const inputs = vanished.map(({ port }) => port);
    report.add("DISABLED_UPSTREAM", draft.keyAt, `${draft.name} vanishes, because its ${inputs.length > 1 ? "inputs" : "input"} ${inputs.join(", ")} ${inputs.length > 1 ? "come" : "comes"} from ${sources}, which ${sources.includes(",") ? "are" : "is"} disabled.`, { found: sources, expected: "nodes that are enabled", hint: `Disable ${draft.name} as well, or enable ${sources}.` });
    disabled.add(draft.name);
    return;
  }
  // Nothing that it could read is left, though it could do without each single input.
  if (op && op.run.form !== "join" && sound && edges.length === 0 && absent.length > 0) {
    disabled.add(draft.name);
    return;
  }
  if (!op) return;
  const models = chooseModels(draft, op, wiring);
  if (models === "left out") {
    disabled.add(draft.name);
    return;
  }
  if (!models) sound = false;
  if (!hasInputs(draft, op, ports, connected, report)) sound = false;
  const entries = [...new Set([...edges.map((edge) => edge.entry), ...absent, ...draft.refs.map((ref) => (ref.listed ? ref.node : (ref.into ?? ref.node)))])];
  checkTemplates(draft, op, entries, report);
  checkExpressionFields(draft, op, report);
  const unknown = !sound && edges.length < draft.refs.length && edges.length === 0;
  const level = unknown ? null : chooseLevel(draft, op, edges, sound, report);
  // At a level that nobody knows a condition may read what is there at any.
  const when = checkWhen(draft, level ?? "scene", whenSources(draft, edges, wiring), report);
  if (level === null) return;
  for (const edge of edges) {
    const faults = edge.declared ? misfits(edge.type, edge.declared, level, op.level === "inherit", op.name) : [misfitOfMap(edge.type, level, op.name)].flatMap((fault) => fault ?? []);
    for (const fault of faults) report.add(fault.code, edge.ref.at, fault.message, { found: fault.found, expected: fault.expected, hint: fault.hint });
    if ((edge.ref.fps || edge.ref.size) && edge.type.kind !== "frames") {
      const option = edge.ref.fps ?? edge.ref.size;
      report.add("KIND_MISMATCH", option?.at ?? edge.ref.at, `fps and size are asked of frames; ${edge.ref.node}.${edge.sourcePort} is ${edge.type.kind}.`, { found: edge.type.kind, expected: "frames", hint: "Put the option on the input that reads media.frames." });
    }
  }
  if (!sound || !models || report.problems.slice(errorsBefore).some((problem) => problem.severity === "error")) return;
  const scenes = level === "scene" ? chooseScenes(draft, op, edges, wiring) : null;
  if (scenes === undefined) return;
  const inputTypes = Object.fromEntries(edges.map((edge) => [edge.entry, edge.type]));
  const outputs = outputTypes(draft, op, models, inputTypes, level, report);
  if (!outputs) return;
  const inputs = Object.fromEntries(
    edges.map((edge): [string, PlanInput] => [
      edge.entry,
      {
        node: edge.ref.node,
        port: edge.sourcePort,
        into: edge.into,
        type: edge.type,
        mode: modeOf(edge.type.level, level),
        optional: edge.declared?.optional ?? op.inputs === "map",
        nullable: edge.declared?.nullable ?? op.inputs === "map",
      },
    ]),
  );
  wiring.linked.set(draft.name, { draft, op, level, inputs, refs: Object.fromEntries(edges.map((edge) => [edge.entry, edge.ref])), outputs, models, when, scenes, absent });
}

/** The declared inputs as the node's options and models make them; null where any name is one. */
function portsOf(draft: NodeDraft, op: OperatorDefinition, wiring: Wiring): Readonly<Record<string, PortType>> | null {
  if (op.inputs === "map") return null;
  if (!op.narrow || !draft.ok) return op.inputs;
  // What is wrong with the models is reported where they are chosen.
  const models = chooseModels(draft, op, { ...wiring, report: reporter(wiring.report.file) });
  if (!models || models === "left out") return op.inputs;
  const narrower = op.narrow({ config: draft.config, models });
  return Object.fromEntries(Object.entries(op.inputs).map(([name, port]) => [name, { ...port, ...narrower[name] }]));
}

/** Short form `in: scores`: the port named so, else the one required port, else the one that takes the kind and the columns. */
/** Reports inputs that are not connected though the operator needs them: each required one, and one of those of which every single one may be left out. */
function hasInputs(draft: NodeDraft, op: OperatorDefinition, ports: Readonly<Record<string, PortType>> | null, connected: ReadonlySet<string>, report: Reporter): boolean {
  const given = draft.tree.entries.get("in");
  const at = given?.keyAt ?? draft.keyAt;
  const hint = `flow explain ${op.name}`;
  const missing = Object.entries(ports ?? {}).filter(([port, type]) => !type.optional && !connected.has(port));
  for (const [port, type] of missing) {
    report.add("INPUT_MISSING", at, `${draft.name}: ${op.name} needs its input ${port}.`, { found: "nothing", expected: `${port}: ${type.kind}@${type.level}`, hint: type.hint ?? hint });
  }
  if (missing.length > 0) return false;
  const names = Object.keys(ports ?? {});
  // What is wrong inside `in` has been said.
  if (draft.refs.length > 0 || (given && (!draft.ok || holdsBroken(given.value))) || (ports && names.length === 0)) return true;
  report.add("INPUT_MISSING", at, `${draft.name}: ${op.name} needs at least one input.`, { found: "nothing", expected: ports ? `one or more of ${names.join(", ")}` : "in: { NAME: NODE, … }", hint });
  return false;
}

function choosePort(ref: InputRef, op: OperatorDefinition, wiring: Wiring): string | null {
  if (op.inputs === "map") return ref.node;
  const ports = Object.entries(op.inputs);
  const source = wiring.linked.get(ref.node);
  const type = source && (ref.port === null ? Object.values(source.outputs)[0] : source.outputs[ref.port]);
  const fitting = ports.filter(([, port]) => type && port.kind === type.kind && (port.columns ?? []).every((column) => type.columns?.includes(column) ?? true));
  const required = ports.filter(([, port]) => !port.optional);
  const named = ports.find(([name]) => name === (ref.port ?? ref.node));
  return (required.length === 1 ? required : fitting.length === 1 ? fitting : named ? [named] : fitting.length > 0 ? fitting : required.length > 0 ? required : ports)[0]?.[0] ?? null;
}

/** Whether the edge begins nowhere, which is a problem wherever it ends. */
function reportSource(ref: InputRef, { names, linked, report }: Wiring): boolean {
  if (!names.has(ref.node)) {
    report.add("UNKNOWN_NODE", ref.at, `The graph has no node ${ref.node}.`, { found: ref.node, among: names, hint: "Nodes may stand in any order; the name must match one." });
    return true;
  }
  const source = linked.get(ref.node);
  if (!source || ref.port === null || Object.hasOwn(source.outputs, ref.port)) return false;
  report.add("UNKNOWN_PORT", ref.at, `${ref.node} (${source.op.name}) has no output ${ref.port}.`, { found: ref.port, among: Object.keys(source.outputs), hint: `flow explain ${source.op.name}` });
  return true;
}

/** A node without a port means its only output, or the only one of the kind that is wanted, or its first. */
function chooseOutput(ref: InputRef, source: LinkedNode, declared: PortType | null): string | null {
  if (ref.port !== null) return ref.port;
  const ports = Object.keys(source.outputs);
  const ofKind = declared && !declared.any ? ports.filter((port) => source.outputs[port]?.kind === declared.kind) : [];
  return (ofKind.length === 1 ? ofKind : ports)[0] ?? null;
}

function entryName(ref: InputRef, into: string, edges: readonly Edge[]): string {
  if (!ref.listed) return into;
  const taken = (name: string): boolean => edges.some((edge) => edge.entry === name);
  return taken(ref.node) && ref.port !== null ? `${ref.node}.${ref.port}` : ref.node;
}

function chooseLevel(draft: NodeDraft, op: OperatorDefinition, edges: readonly Edge[], sound: boolean, report: Reporter): Level | null {
  const option = draft.levelOption;
  if (op.level !== "inherit") {
    if (option && option.level !== op.level) {
      report.add("LEVEL_MISMATCH", option.at, `${op.name} runs by ${op.level}; it cannot run by ${option.level}.`, { found: option.level, expected: op.level, hint: `Leave it out; flow explain ${op.name}` });
    }
    return op.level;
  }
  if (option) return option.level;
  const finest = edges.map((edge) => edge.type.level).sort((a, b) => compareLevels(b, a))[0];
  if (op.run.form !== "join" && finest && compareLevels(finest, "scene") <= 0) return finest;
  if (!sound && edges.length === 0) return null;
  const key = op.run.form === "join" ? "by" : "over";
  report.add("LEVEL_MISSING", draft.keyAt, `${draft.name}: ${op.name} does not know over what it runs.`, { found: "nothing", expected: `${key}: scene or ${key}: media`, hint: `Add ${key}: scene; flow explain ${op.name}` });
  return null;
}

/** Whose scenes are the node's items; undefined when that is reported as unknowable. */
function chooseScenes(draft: NodeDraft, op: OperatorDefinition, edges: readonly Edge[], wiring: Wiring): string | null | undefined {
  if (op.run.form === "cut") return draft.name;
  const wired = new Set(edges.flatMap((edge) => (edge.type.level === "scene" ? (wiring.linked.get(edge.ref.node)?.scenes ?? []) : [])));
  const [first] = wired.size > 0 ? wired : wiring.cutters;
  if (wired.size <= 1 && (wired.size === 1 || wiring.cutters.length === 1) && first !== undefined) return first;
  const { report } = wiring;
  if (wired.size === 0 && wiring.cutters.length === 0) {
    // A node whose operator nobody knows may well be the one that cuts: its own problem is enough.
    if ([...wiring.drafts.values()].some(({ op }) => op === null)) return undefined;
    report.add("LEVEL_MISMATCH", draft.keyAt, `${draft.name} runs by scene, and no node makes scenes: add scene.cut.`, { found: "no scenes", expected: "a node scene.cut", hint: "flow explain scene.cut" });
  } else {
    const among = wired.size > 0 ? [...wired] : wiring.cutters;
    report.add("SCENES_AMBIGUOUS", draft.keyAt, `${draft.name} could mean the scenes of ${among.join(" or ")}.`, { found: among.join(", "), expected: "inputs that follow one of them", hint: "Connect only nodes that follow the same scene.cut." });
  }
  return undefined;
}

function outputTypes(draft: NodeDraft, op: OperatorDefinition, models: Record<string, ModelManifest>, inputs: Record<string, PortType>, level: Level, report: Reporter): Record<string, PortType> | null {
  try {
    const outputs = typeof op.outputs === "function" ? op.outputs({ config: draft.config, models, inputs }) : op.outputs;
    if (op.level !== "inherit") return outputs;
    return Object.fromEntries(Object.entries(outputs).map(([port, type]) => [port, { ...type, level }]));
  } catch (thrown) {
    reportRefusal({ draft, op, models, inputs }, thrown, "refuses these inputs", report);
    return null;
  }
}

/** What the definition's own code throws about the node. */
export function reportRefusal({ draft, op, models, inputs }: Pick<LinkedNode, "draft" | "op" | "models"> & { inputs: Record<string, PortType | PlanInput> }, thrown: unknown, what: string, report: Reporter): void {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const found = [...Object.keys(inputs).map((input) => `input ${input}`), ...Object.values(models).map(({ id }) => `model ${id}`)].join(", ");
  report.add("LINK_REFUSED", draft.keyAt, `${draft.name}: ${op.name} ${what}: ${message}`, { found: found || "no input", expected: "inputs, models and options that fit each other", hint: (thrown as { hint?: string }).hint ?? `flow explain ${op.name}` });
}

function whenSources(draft: NodeDraft, edges: readonly Edge[], wiring: Wiring): WhenSource[] {
  const known = edges.map(({ ref, sourcePort }): WhenSource => {
    const opens = wiring.linked.get(ref.node)?.op.run.form === "source";
    return { node: ref.node, ports: opens ? MEDIA_VARIABLES : { [sourcePort]: true } };
  });
  return [...known, ...draft.refs.flatMap(({ node }) => (wiring.linked.has(node) ? [] : [{ node, ports: null }]))];
}
