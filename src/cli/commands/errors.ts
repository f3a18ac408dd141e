import type { Command } from "commander";
import type { FailureRow } from "../../store/index.js";
import { storeOption } from "../command-line.js";
import { act, define, withStore as withStoreOption, type StoreOptions } from "../define.js";
import type { ErrorsDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { clock, colours, plural, print, printJson } from "../output.js";

export function command(): Command {
  const errors = define("errors", {
    description: "A rerun tries them again, unless they are permanent (a corrupt file stays corrupt). A file that could not be opened stays listed until a run opens it, or until it is gone and `flow gc` has run.",
    examples: [
      ["flow errors", "what failed in ./.flow"],
      ["flow errors --node caption --json", "of one node, for a script"],
    ],
  }).option("--node <name>", "only of this node");
  return act<StoreOptions & { node?: string }>(withStoreOption(errors), (_, options) =>
    withStore(options.store, (store) => {
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
      print(`${plural(rows.length, "failed item")}. ${colours.dim("next:")} flow retry${storeOption(options.store)}`);
    }),
  );
}

/** Names an item: medium, node and start. */
const failureId = (row: Pick<FailureRow, "medium" | "uri" | "node" | "startUs">): string => `${row.medium.slice(0, 12) || row.uri}/${row.node}/${row.startUs}`;
