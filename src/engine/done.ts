import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Interval, NodeCounts, Plan } from "../contracts/index.js";
import { digestValue, type MediumRow } from "../store/index.js";

/** What a finished medium leaves in the store, so that a rerun answers without looking at its blocks. */
export interface DoneMark {
  counts: Record<string, NodeCounts>;
  records: Record<string, number>;
  digest: string;
  digestNumbers: string;
  damage: string | null;
}

/** Everything beside the medium that decides a run's results: the plan, the scenes given with the input, the content of a file of scenes. */
export function doneKey(plan: Plan, given: Interval[] | null): string {
  const read = plan.nodes.flatMap((node) => {
    const file = node.op.run.form === "cut" ? (node.config as { file?: unknown } | null)?.file : null;
    return typeof file === "string" ? [contentOf(file)] : [];
  });
  return [plan.hash, ...(given ? [digestValue(given).slice(0, 12)] : []), ...read].join("-");
}

/** Whether this plan makes no record although its graph does: what an earlier run made of the medium then stays as it is. */
export const keepsStanding = (plan: Plan, row: MediumRow): boolean => plan.omitted.length > 0 && plan.outputs.length === 0 && !row.partial;

function contentOf(file: string): string {
  try {
    return createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 12);
  } catch {
    // The cutter says what is wrong with it, when it is its turn.
    return "unreadable";
  }
}
