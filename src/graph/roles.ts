import { tensorText, unfedInputs, type DeviceOrder, type ModelManifest, type OperatorDefinition } from "../contracts/index.js";
import type { NodeDraft } from "./node-syntax.js";
import { nearestName, type Reporter } from "./problems.js";
import { describe, type At, type Tree } from "./tree.js";

/** Asking for a model reads its manifest, and may throw MODEL_MANIFEST: one that nobody asks for may be wrong. */
export type ModelCatalogue = Pick<ReadonlyMap<string, ModelManifest>, "get" | "has" | "keys">;

/** What `models:` says of a role. */
export interface Role {
  /** What its nodes run; null: the manifest is unknown, which is reported. */
  manifest: ModelManifest | null;
  /** The model of `model:`, where it is not installed and that of `else:` is: `manifest` is the latter. */
  wanted: ModelManifest | null;
  /** Of `model:` and `else:` the one that is not run here. It has to fit as well: another machine runs it. */
  other: { manifest: ModelManifest; at: At } | null;
  at: At;
  /** Without its files the nodes that need it vanish, instead of the run being refused. */
  optional: boolean;
  /** null: that of the graph. */
  device: DeviceOrder | null;
}

export interface ModelScope {
  roles: ReadonlyMap<string, Role>;
  models: ModelCatalogue;
  report: Reporter;
}

/**
 * The operator's roles → manifests, by a role of the graph or a model's own name; null when something is missing or wrong, "left out" when the
 * node vanishes because an optional model is not installed.
 */
export function chooseModels(draft: NodeDraft, op: OperatorDefinition, scope: ModelScope): Record<string, ModelManifest> | null | "left out" {
  const { report, roles, models } = scope;
  const wanted = Object.entries(op.models ?? {});
  const hint = `flow explain ${op.name}`;
  const tree = draft.model;
  if (wanted.length === 0) {
    if (!tree) return {};
    report.add("UNKNOWN_ROLE", tree.at, `${op.name} uses no model.`, { found: describe(tree), expected: "no `model:`", hint });
    return null;
  }
  const given = new Map<string, { tree: Tree; keyAt: At }>();
  let good = true;
  if (tree?.kind === "map") {
    for (const [role, entry] of tree.entries) {
      if (Object.hasOwn(op.models ?? {}, role)) given.set(role, { tree: entry.value, keyAt: entry.keyAt });
      else {
        report.add("UNKNOWN_ROLE", entry.keyAt, `${op.name} has no model role ${role}.`, { found: role, among: Object.keys(op.models ?? {}), hint });
        good = false;
      }
    }
  } else if (tree) {
    const required = wanted.filter(([, role]) => !role.optional);
    const [only] = required.length > 0 ? required : wanted;
    if (required.length > 1) {
      report.add("MODEL_MISSING", tree.at, `${op.name} needs ${required.length} models: ${required.map(([role]) => role).join(", ")}.`, { found: describe(tree), expected: `model: { ${required.map(([role]) => `${role}: …`).join(", ")} }`, hint });
      return null;
    }
    if (only) given.set(only[0], { tree, keyAt: tree.at });
  }
  const chosen: Record<string, ModelManifest> = {};
  for (const [role, { task, optional }] of wanted) {
    const written = given.get(role)?.tree;
    if (!written) {
      if (optional) continue;
      report.add("MODEL_MISSING", draft.keyAt, `${draft.name}: ${op.name} needs a model for ${role} (${task}).`, { found: "nothing", expected: `model: ROLE`, among: roles, hint });
      good = false;
      continue;
    }
    if (written.kind === "scalar" && written.broken) return null;
    if (written.kind !== "scalar") {
      report.add("WRONG_TYPE", written.at, `\`model:\` names one role of the graph for each role of ${op.name}, not ${describe(written)}.`, { found: describe(written), expected: wanted.length > 1 ? `{ ${wanted.map(([name]) => `${name}: ROLE`).join(", ")} }` : "ROLE", hint });
      good = false;
      continue;
    }
    const name = String(written.value);
    const known = roles.get(name);
    const manifest = known ? known.manifest : models.get(name);
    if (manifest === null) return null; // the role is there; its manifest is reported under `models:`
    if (!manifest) {
      report.add("UNKNOWN_ROLE", written.at, `The graph's \`models:\` has no role ${name}.`, { found: name, among: roles, ...(nearestName(name, roles) === null ? { hint: `Add it: models: { ${name}: MANIFEST }.` } : {}) });
      good = false;
    } else if (task !== "any" && manifest.task !== task) {
      report.add("MODEL_TASK", written.at, `${op.name} needs a model for ${task}; ${manifest.id} does ${manifest.task}.`, { found: manifest.task, expected: task, hint });
      good = false;
    } else if (known?.optional && !manifest.installed) {
      if (optional) continue;
      report.add("MODEL_LEFT_OUT", draft.keyAt, `${draft.name} is left out: its model ${manifest.id} is not installed.`, { found: "no files", expected: manifest.id, hint: howToGet(manifest) });
      return "left out";
    } else {
      chosen[role] = manifest;
      // Once per role, however many nodes use it: the reporter keeps one of equal problems.
      if (known?.wanted) report.add("MODEL_ELSE", known.at, `${name} is ${manifest.id}, because ${known.wanted.id} is not installed.`, { found: manifest.id, expected: known.wanted.id, hint: howToGet(known.wanted) });
    }
  }
  if (!good) return null;
  for (const [role, wants] of wanted) {
    const unfed = unfedInputs(wants, role, chosen);
    if (unfed.length === 0) continue;
    const { id, inputs } = chosen[role]!;
    const fed = inputs.filter((input) => !unfed.includes(input)).map(({ name }) => name);
    report.add("MODEL_INPUTS", given.get(role)!.tree.at, `${op.name} feeds ${fed.join(", ") || "none of the inputs"} of ${id}, and nothing goes into ${unfed.map(tensorText).join(", ")}.`, {
      found: inputs.map(({ name }) => name).join(", "),
      expected: fed.length > 0 ? `no input but ${fed.join(", ")}` : "inputs that it knows",
      hint: `Give ${op.name} a model without ${unfed.length > 1 ? "these inputs" : "this input"}, or export the file with a constant in ${unfed.length > 1 ? "their" : "its"} place.`,
    });
    good = false;
  }
  return good ? chosen : null;
}

/** What nobody publishes cannot be pulled. */
const howToGet = ({ id, files }: ModelManifest): string =>
  files.every((file) => file.source !== null) ? `flow models pull ${id}` : `It is published nowhere as ONNX: \`flow models show ${id}\` says how to get it, \`flow models import DIR\` takes it in.`;

/** What `models:` says of the device of each role that the operator has. */
export function chooseDevices(draft: NodeDraft, op: OperatorDefinition, roles: ReadonlyMap<string, Role>): Record<string, DeviceOrder> {
  const wanted = Object.entries(op.models ?? {});
  const [only] = wanted.some(([, role]) => !role.optional) ? wanted.filter(([, role]) => !role.optional) : wanted;
  const devices: Record<string, DeviceOrder> = {};
  for (const [role] of wanted) {
    const written = draft.model?.kind === "map" ? draft.model.entries.get(role)?.value : role === only?.[0] ? draft.model : null;
    const device = written?.kind === "scalar" ? roles.get(String(written.value))?.device : null;
    if (device) devices[role] = device;
  }
  return devices;
}
