import type { Command } from "commander";
import { EXIT, FlowError } from "../../contracts/errors.js";
import { act, define, withLog, withStore as withStoreOption, type LogOptions, type StoreOptions } from "../define.js";
import type { RunDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { print, printJson } from "../output.js";

export function command(): Command {
  const retry = define("retry", {
    description: "Repeats the last run with its options; what is done stays done, failed items are tried again.",
    examples: [
      ["flow retry", "repeat the last run of ./.flow for what failed"],
      ["flow retry --store /data/flow --json", "another store, for a script"],
    ],
  });
  return act<StoreOptions & LogOptions>(withLog(withStoreOption(retry)), async (_args, options) => {
    const { last, failures } = await withStore(options.store, (store) => ({ last: store.runs().next().value, failures: [...store.failures()].length }));
    if (!last) throw new FlowError("NO_RUN", `The store ${options.store} has no run to repeat.`, { hint: "Start one with `flow run GRAPH INPUT`.", exit: EXIT.badInput });
    if (failures === 0 && last.status === "done") {
      if (options.json) return printJson(last.summary as RunDocument);
      return print("nothing failed: there is nothing to try again");
    }
    const run = (await import("./run.js")).command();
    const mine = ["--store", options.store, "--log", options.log, ...(options.json ? ["--json"] : []), ...(options.quiet ? ["--quiet"] : [])];
    await run.parseAsync([...last.args, ...mine], { from: "user" });
    return Number(process.exitCode ?? 0);
  });
}
