import type { Command } from "commander";
import type { RunSummary } from "../../engine/index.js";
import type { FailureRow, Store } from "../../store/index.js";
import { storeOption } from "../command-line.js";
import { act, define, withStore as withStoreOption, type StoreOptions } from "../define.js";
import type { ErrorsDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { clock, colours, plural, print, printJson } from "../output.js";

export function command(): Command {
  const errors = define("errors", {
    description: "A rerun tries them again, unless they are permanent (a corrupt file stays corrupt).",
    examples: [
      ["flow errors", "what failed in ./.flow"],
      ["flow errors --node caption --json", "of one node, for a script"],
    ],
  }).option("--node <name>", "only of this node");
  return act<StoreOptions & { node?: string }>(withStoreOption(errors), (_, options) =>
    withStore(options.store, (store) => {
      const rows = [...store.failures(), ...unopened(store)].filter((row) => options.node === undefined || row.node === options.node);
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
      print(`${plural(rows.length, "failed item")}. ${colours.dim("next:")} flow retry${storeOption(options.store)}`);
    }),
  );
}

/** Media of the last run that could not even be opened: they have no content id, so the store keeps them with the run. */
function unopened(store: Store): FailureRow[] {
  const [last] = store.runs();
  const known = new Set([...store.failures()].map((row) => row.uri));
  const failures = (last?.summary as Partial<RunSummary> | undefined)?.failures ?? [];
  return failures.filter(({ uri }) => !known.has(uri)).map(({ uri, code, message, hint }) => ({ node: "media", operator: "media.open", medium: "", uri, startUs: 0, endUs: 0, error: { code, message, hint }, permanent: false, atMs: last!.startedMs }));
}

/** Names an item: medium, node and start. */
const failureId = (row: Pick<FailureRow, "medium" | "uri" | "node" | "startUs">): string => `${row.medium.slice(0, 12) || row.uri}/${row.node}/${row.startUs}`;
