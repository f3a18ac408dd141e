import type { VideoDemand } from "../contracts/index.js";
import type { Reporter } from "./problems.js";
import { describe, type At, type Tree } from "./tree.js";

/** One edge as written, before anything is known about its ends. */
export interface InputRef {
  /** Key under `in:`; null for the short form `in: scores`, whose port is chosen by kind. */
  into: string | null;
  /** Part of a list: the entry takes its name from its source. */
  listed: boolean;
  node: string;
  port: string | null;
  fps: { value: VideoDemand["fps"]; at: At } | null;
  size: { value: VideoDemand["size"]; at: At } | null;
  at: At;
  keyAt: At;
}

/** Names of nodes, inputs and parameters. No leading underscore: `__proto__` must not become a key of an object. */
export const NAME = /^[A-Za-z][\w-]*$/;
export const NAME_RULE = "letters, digits, _ and -, a letter first";

const OPTIONS = ["from", "fps", "size", "crop"];

/** Every form of `in:`. `levelKeys`: keys (by, over) that are options of the node, tolerated here. */
export function readInputs(tree: Tree, keyAt: At, levelKeys: ReadonlySet<string>, report: Reporter): InputRef[] {
  if (tree.kind !== "map") return readSource(tree, null, keyAt, report);
  if (tree.entries.has("from")) return readSource(tree, null, keyAt, report);
  const refs: InputRef[] = [];
  for (const [port, entry] of tree.entries) {
    if (!NAME.test(port)) report.add("WRONG_TYPE", entry.keyAt, `${JSON.stringify(port)} cannot name an input.`, { found: port, expected: NAME_RULE });
    else if (!levelKeys.has(port)) refs.push(...readSource(entry.value, port, entry.keyAt, report));
  }
  return refs;
}

function readSource(tree: Tree, into: string | null, keyAt: At, report: Reporter, listed = false): InputRef[] {
  if (tree.kind === "list") {
    if (listed) {
      report.add("NOT_A_MAP", tree.at, "A list of inputs cannot hold a list.", { found: "a list", expected: "a node or node.port" });
      return [];
    }
    return tree.items.flatMap((item) => readSource(item, into, item.at, report, true));
  }
  if (tree.kind === "map") {
    const from = tree.entries.get("from");
    for (const [key, entry] of tree.entries) if (!OPTIONS.includes(key)) report.add("UNKNOWN_KEY", entry.keyAt, `An input has no option ${key}.`, { found: key, among: OPTIONS });
    if (!from) {
      report.add("MISSING_KEY", keyAt, "The input does not say where it comes from.", { found: "no `from:`", expected: "from: NODE.PORT" });
      return [];
    }
    const crop = tree.entries.get("crop");
    if (crop) report.add("NOT_SUPPORTED", crop.keyAt, "Crops on an input are not pushed down yet.", { found: "crop", expected: "from, fps or size", hint: "Leave `crop` out: the operator sees the whole frame." });
    const refs = readSource(from.value, into, keyAt, report, listed);
    const fps = readFps(tree.entries.get("fps")?.value, report);
    const size = readSize(tree.entries.get("size")?.value, report);
    return refs.map((ref) => ({ ...ref, fps, size }));
  }
  if (tree.broken) return [];
  if (typeof tree.value !== "string" || !/^[^\s.]+(\.[^\s.]+)?$/.test(tree.value)) {
    report.add("WRONG_TYPE", tree.at, `An input names a node or a node's port, not ${describe(tree)}.`, { found: describe(tree), expected: "NODE or NODE.PORT" });
    return [];
  }
  const [node = "", port = null] = tree.value.split(".");
  return [{ into, listed, node, port, fps: null, size: null, at: tree.at, keyAt }];
}

function readFps(tree: Tree | undefined, report: Reporter): InputRef["fps"] {
  if (!tree || (tree.kind === "scalar" && tree.broken)) return null;
  if (tree.kind === "scalar" && (tree.value === "all" || (typeof tree.value === "number" && tree.value > 0 && tree.value <= 1000))) return { value: tree.value, at: tree.at };
  report.add("WRONG_TYPE", tree.at, `fps is frames a second, or "all", not ${describe(tree)}.`, { found: describe(tree), expected: "a number > 0 ≤ 1000 or all" });
  return null;
}

function readSize(tree: Tree | undefined, report: Reporter): InputRef["size"] {
  if (!tree || (tree.kind === "scalar" && tree.broken)) return null;
  const side = (part: Tree | undefined): number | null => (part?.kind === "scalar" && Number.isInteger(part.value) && Number(part.value) >= 16 && Number(part.value) <= 8192 ? Number(part.value) : null);
  if (tree.kind === "list" && tree.items.length === 2) {
    const [width, height] = tree.items.map(side);
    if (width != null && height != null) return { value: [width, height], at: tree.at };
  }
  // Of two sides one would only be ignored.
  if (tree.kind === "map" && tree.entries.size > 1) {
    for (const [key, { keyAt }] of [...tree.entries].slice(1)) report.add("UNKNOWN_KEY", keyAt, `A size with two keys: ${key} is one too many.`, { found: key, expected: "{ longest: side } or { shortest: side }" });
    return null;
  }
  const longest = side(tree.kind === "map" ? tree.entries.get("longest")?.value : tree);
  if (longest !== null) return { value: { longest }, at: tree.at };
  const shortest = side(tree.kind === "map" ? tree.entries.get("shortest")?.value : undefined);
  if (shortest !== null) return { value: { shortest }, at: tree.at };
  report.add("WRONG_TYPE", tree.at, `A size is [width, height], { longest: side } or { shortest: side }, not ${describe(tree)}.`, { found: describe(tree), expected: "[width, height], { longest: side } or { shortest: side }, sides from 16 to 8192" });
  return null;
}
