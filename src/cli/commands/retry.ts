import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { EXIT, FlowError } from "../../contracts/errors.js";
import { act, define, withLog, withStore as withStoreOption, type LogOptions, type StoreOptions } from "../define.js";
import type { RunDocument } from "../json.js";
import { Log } from "../log.js";
import { withStore } from "../open-store.js";
import { print, printJson } from "../output.js";

export function command(): Command {
  const retry = define("retry", {
    description: "Repeats the last run that left something undone, with its options; what is done stays done, failed items are tried again.",
    examples: [
      ["flow retry", "run what failed in ./.flow again"],
      ["flow retry --store /data/flow --json", "another store, for a script"],
    ],
  });
  return act<StoreOptions & LogOptions>(withLog(withStoreOption(retry)), async (_args, options) => {
    const { last, failures } = await withStore(options.store, (store) => {
      const failed = [...store.failures()];
      const runs = [...store.runs()];
      // The newest run may be of other inputs and have gone well; a run that went well since when it was repeated left nothing behind.
      const well = new Set<string>();
      const behind = runs.find((run) => (run.status === "done" ? void well.add(JSON.stringify(run.args)) : failed.length > 0 && !well.has(JSON.stringify(run.args))));
      return { last: behind ?? runs[0], failures: failed.length };
    });
    if (!last) throw new FlowError("NO_RUN", `The store ${options.store} has no run to repeat.`, { hint: "Start one with `flow run GRAPH INPUT`.", exit: EXIT.badInput });
    if (failures === 0 && last.status === "done") {
      if (options.json) return printJson(last.summary as RunDocument);
      const log = new Log(options.quiet ? "off" : options.log);
      log.event("end", { ...(last.summary as RunDocument) }, null);
      if (log.format === "text") print("nothing failed: there is nothing to try again");
      return;
    }
    const store = enter(last.cwd, options.store);
    const run = (await import("./run.js")).command();
    const mine = ["--store", store, "--log", options.log, ...(options.json ? ["--json"] : []), ...(options.quiet ? ["--quiet"] : [])];
    await run.parseAsync([...last.args, ...mine], { from: "user" });
    return Number(process.exitCode ?? 0);
  });
}

/** Goes to the folder that the run was started in, from which its relative paths go; gives the store as it is named there. */
function enter(cwd: string | undefined, store: string): string {
  if (cwd === undefined || cwd === process.cwd() || !existsSync(cwd)) return store;
  const path = resolve(store);
  process.chdir(cwd);
  return path;
}
