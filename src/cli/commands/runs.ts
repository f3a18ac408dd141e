import { basename } from "node:path";
import type { Command } from "commander";
import type { RunSummary } from "../../engine/index.js";
import { act, define, wholeNumber, withStore as withStoreOption, type StoreOptions } from "../define.js";
import type { RunsDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { colours, count, elapsed, print, printJson, table } from "../output.js";

export function command(): Command {
  const runs = define("runs", {
    examples: [
      ["flow runs", "newest first"],
      ["flow runs --limit 1 --json", "the last run"],
    ],
  }).option("--limit <n>", "at most n runs", wholeNumber(1));
  return act<StoreOptions & { limit?: number }>(withStoreOption(runs), (_, options) =>
    withStore(options.store, (store) => {
      const rows = [...store.runs()].slice(0, options.limit);
      const document: RunsDocument = {
        runs: rows.map((row) => {
          const { media = 0, digest = "", inferences = 0, framesDecoded = 0, mocked = [] } = (row.summary ?? {}) as Partial<RunSummary>;
          return { id: row.id, at: new Date(row.startedMs).toISOString(), graph: row.graph, args: row.args, cwd: row.cwd ?? null, status: row.status, durationMs: row.durationMs, media, digest, inferences, framesDecoded, mocked };
        }),
      };
      if (options.json) return printJson(document);
      if (rows.length === 0) return print("no runs yet");
      const status = { done: colours.green, "failed-items": colours.red, interrupted: colours.yellow } as Record<string, (text: string) => string>;
      print(
        table(
          document.runs.map((run) => [colours.dim(run.id), run.at.slice(0, 19).replace("T", " "), (status[run.status] ?? String)(run.status), elapsed(run.durationMs), count(run.media), count(run.framesDecoded), count(run.inferences), run.digest.slice(0, 8), basename(run.graph) + (run.mocked.length > 0 ? colours.red(" (stand-ins)") : "")]),
          { head: ["run", "started (UTC)", "status", "took", "media", "frames", "rows", "digest", "graph"], right: [3, 4, 5, 6] },
        ),
      );
    }),
  );
}
