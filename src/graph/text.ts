import type { Reporter } from "./problems.js";
import { describe, type Tree } from "./tree.js";

/** `name:` and `description:`; a number is a text as well. */
export function checkText(tree: Tree | null, key: string, report: Reporter): void {
  if (!tree || (tree.kind === "scalar" && (typeof tree.value === "string" || typeof tree.value === "number"))) return;
  report.add("WRONG_TYPE", tree.at, `\`${key}:\` is a text, not ${describe(tree)}.`, { found: describe(tree), expected: "a text" });
}
