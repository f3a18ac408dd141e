import type { Command } from "commander";
import type { FailureRow, RunRow, Store } from "../../store/index.js";
import { repeatCommand, storeOption } from "../command-line.js";
import type { RunSummary } from "../../engine/index.js";
import { act, define, withStore as withStoreOption, type StoreOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ErrorsDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { clock, colours, plural, print, printJson } from "../output.js";

export function command(): Command {
  const errors = define("errors", {
    description: "A rerun tries them again, unless they are permanent: the same bytes give the same error. A file that could not be opened stays listed until a run opens it, or until it is gone and `flow gc` has run.",
    examples: [
      ["flow errors", "what failed in ./.flow"],
      ["flow errors --node caption --json", "of one node, for a script"],
    ],
  }).option("--node <name>", "only of this node");
  return act<StoreOptions & { node?: string }>(withStoreOption(errors), (_, options) =>
    withStore(options.store, async (store) => {
      if (options.node !== undefined) await knownNode(options.node, store);
      const rows = [...store.failures()].filter((row) => options.node === undefined || row.node === options.node);
      if (options.json) {
        return printJson({ failures: rows.map(({ atMs, ...row }) => ({ id: failureId(row), ...row, at: new Date(atMs).toISOString() })) } satisfies ErrorsDocument);
      }
      if (rows.length === 0) return print("no failed items");
      for (const row of rows) {
        const when = row.endUs > row.startUs ? ` ${clock(row.startUs)} – ${clock(row.endUs)}` : "";
        print(`${colours.red(row.error.code)} ${colours.cyan(row.node)} ${row.uri}${when}${row.permanent ? colours.dim(" permanent") : ""}`);
        print(`  ${row.error.message}`);
        if (row.error.hint) print(`  ${colours.dim("hint:")} ${row.error.hint}`);
      }
      print(`${plural(rows.length, "failed item")}.`);
      for (const line of advice(rows, store, options.store)) print(`${colours.dim("next:")} ${line}`);
    }),
  );
}

/** What can help, by what is at fault: chance, a file's bytes, or what a node makes of them. */
function advice(rows: readonly FailureRow[], store: Store, dir: string): string[] {
  const lasting = rows.filter((row) => row.permanent);
  const ofMedia = lasting.filter((row) => row.operator === MEDIA_OPEN);
  const nodes = [...new Set(lasting.filter((row) => row.operator !== MEDIA_OPEN).map((row) => row.node))];
  const retry = `flow retry${storeOption(dir)}`;
  const lines: string[] = [];
  const now = lasting.length < rows.length;
  const repaired = `once ${ofMedia.length === 1 ? "the file has" : "the files have"} been repaired or replaced: the same bytes fail again`;
  if (now || ofMedia.length > 0) lines.push(ofMedia.length === 0 ? retry : `${retry}  ${now ? "now, and again " : ""}${repaired}`);
  if (nodes.length > 0) lines.push(`${repeatCommand(runOf(nodes, store)?.args ?? [], dir, { more: ["--force", nodes.join(",")] })}  once what the hint names has been put right; flow retry leaves permanent failures as they are`);
  return lines;
}

const MEDIA_OPEN = "media.open";

const nodesOf = (run: RunRow): string[] => Object.keys((run.summary as Partial<RunSummary> | undefined)?.nodes ?? {});

/** The newest run that had all these nodes. */
const runOf = (nodes: readonly string[], store: Store): RunRow | undefined => [...store.runs()].find((run) => nodes.every((node) => nodesOf(run).includes(node)));

/** Throws BAD_ARGUMENTS for a node of which neither a run nor a failure knows. */
async function knownNode(typed: string, store: Store): Promise<void> {
  const known = new Set([...[...store.runs()].flatMap(nodesOf), ...[...store.failures()].map(({ node }) => node)]);
  if (known.has(typed)) return;
  const { nearestName } = await import("../../graph/problems.js");
  const near = nearestName(typed, known);
  throw badArguments(`No run of this store had a node ${typed}.`, [near === null ? "" : `Did you mean ${near}?`, known.size === 0 ? "It has no runs." : `Nodes: ${[...known].join(", ")}.`].filter(Boolean).join(" "));
}

/** Names an item: medium, node and start. */
const failureId = (row: Pick<FailureRow, "medium" | "uri" | "node" | "startUs">): string => `${row.medium.slice(0, 12) || row.uri}/${row.node}/${row.startUs}`;
