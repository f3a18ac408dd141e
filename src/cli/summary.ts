import { redactUri, type NodeCounts, type Plan } from "../contracts/index.js";
import type { RunSummary } from "../engine/index.js";
import { storeOption } from "./command-line.js";
import { colours, count, elapsed, plural, print, table } from "./output.js";

const COLUMNS = ["in", "done", "cached", "skipped", "dropped", "failed"] as const;

/** The funnel per node, the records, the speed, what failed and what to do next. */
export function printSummary(summary: RunSummary, plan: Plan, { store, sourceUs, retryable }: { store: string; sourceUs: number; retryable: boolean }): void {
  if (Object.values(summary.nodes).some((counts) => counts.in > 0)) {
    printFunnel(summary.nodes, plan.nodes.map((node) => node.name));
    print();
  }
  const mark = { done: colours.green("done"), "failed-items": colours.red("finished with failed items"), interrupted: colours.yellow("interrupted") }[summary.status];
  const records = Object.entries(summary.records).map(([kind, n]) => (kind === "media" ? plural(n, "medium", "media") : plural(n, kind)));
  const speed = sourceUs > 0 && summary.framesDecoded > 0 && summary.durationMs > 0 ? `, ${(sourceUs / 1000 / summary.durationMs).toFixed(1)}× real time` : "";
  const cached = allCached(summary, plan) && summary.status === "done";
  print(`${mark} in ${elapsed(summary.durationMs)}${speed}: ${records.join(", ") || "no records"}`);
  print(cached ? "cached 100 %, 0 frames decoded, 0 rows inferred" : `${plural(summary.framesDecoded, "frame")} decoded, ${plural(summary.inferences, "row")} inferred`);
  if (summary.passes > 1) print(`${summary.passes} passes, ${plural(Object.values(summary.loads).reduce((sum, n) => sum + n, 0), "load")} of models`);
  if (summary.mocked.length > 0) print(colours.red(colours.bold(`STAND-INS instead of ${plural(summary.mocked.length, "model")}: nothing that they say is real`)));
  for (const failure of summary.failures) print(`${colours.red("failed")} ${failureText(failure)}${failure.hint ? colours.dim(` (${failure.hint})`) : ""}`);
  for (const text of summary.notes) print(`${colours.dim("note:")} ${text}`);
  const at = storeOption(store);
  const next = summary.status === "failed-items" ? [`flow errors${at}`, ...(retryable ? [`flow retry${at}`] : [])] : [`flow show${at}`, `flow search "words"${at}`, `flow report${at}`];
  if (summary.status !== "interrupted") print(`${colours.dim("next:")} ${next.join("   ")}`);
}

/** Everything was there: a run opened media and at most put records together. */
export function allCached({ framesDecoded, inferences, nodes }: RunSummary, plan: Plan): boolean {
  const counts = plan.nodes.flatMap(({ name, op }) => (["source", "join"].includes(op.run.form) ? [] : (nodes[name] ?? [])));
  return framesDecoded === 0 && inferences === 0 && counts.some(({ cached }) => cached > 0) && counts.every(({ done }) => done === 0);
}

/** The medium and what is wrong with it; many messages name it themselves. */
export const failureText = ({ uri, message }: Pick<RunSummary["failures"][number], "uri" | "message">): string => (message.includes(redactUri(uri)) ? message : `${uri}: ${message}`);

export function printFunnel(nodes: Readonly<Record<string, NodeCounts>>, order: readonly string[]): void {
  const cell = (n: number, column: (typeof COLUMNS)[number]): string => (n === 0 ? colours.dim("·") : column === "failed" || column === "dropped" ? colours.red(count(n)) : count(n));
  const open = Object.values(nodes).some((counts) => counts.inFlight > 0);
  const rows = order.flatMap((name) => {
    const counts = nodes[name];
    if (!counts) return [];
    return [[colours.cyan(name), ...COLUMNS.map((column) => cell(counts[column], column)), ...(open ? [count(counts.inFlight)] : [])]];
  });
  print(table(rows, { head: ["node", ...COLUMNS, ...(open ? ["in flight"] : [])], right: [1, 2, 3, 4, 5, 6, 7] }));
}

