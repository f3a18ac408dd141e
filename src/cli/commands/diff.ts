import type { Command } from "commander";
import { EXIT } from "../../contracts/errors.js";
import { act, define, quantity, withJson, type JsonOptions } from "../define.js";
import type { DiffDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { colours, count, cut, plural, print, printJson, table } from "../output.js";

const SHOWN = 15;
const VALUE_WIDTH = 48;

export function command(): Command {
  const diff = define("diff", {
    description: "Records are compared by id; vectors by their largest difference after normalising. Paths, clocks and durations do not count. Exit 1 when they differ.",
    examples: [
      ["flow diff .flow /tmp/other", "are two runs the same?"],
      ["flow diff a b --tolerance 0", "to the last bit"],
      ["flow diff a b --json", "what differs, for a script"],
    ],
  })
    .argument("<store_a>", "folder of a store")
    .argument("<store_b>", "folder of the other")
    .option("--tolerance <delta>", "largest difference of a vector's component that counts as equal", quantity, 1e-5);
  return act<JsonOptions & { tolerance: number }>(withJson(diff), async ([a, b], options) => {
    const { diffStores } = await import("../../store/index.js");
    const result: DiffDocument = await withStore(String(a), (storeA) => withStore(String(b), (storeB) => diffStores(storeA, storeB, { tolerance: options.tolerance })));
    if (options.json) printJson(result);
    else {
      for (const [name, ids] of [[String(a), result.onlyA], [String(b), result.onlyB]] as const) if (ids.length > 0) print(`only in ${name}: ${plural(ids.length, "record")}: ${ids.slice(0, 8).join(" ")}${ids.length > 8 ? " …" : ""}`);
      const shown = result.differing.slice(0, SHOWN);
      if (shown.length > 0) print(table(shown.map(({ id, field, a: left, b: right, delta }) => [colours.dim(id.slice(0, 8)), colours.cyan(field), value(left), "→", value(right), delta === undefined ? "" : `Δ ${delta.toExponential(1)}`])));
      if (result.differingCount > shown.length) print(colours.dim(`  … and ${count(result.differingCount - shown.length)} more (--json lists them)`));
      const onlyCount = result.onlyA.length + result.onlyB.length;
      const verdict = result.equal ? colours.green("equal") : colours.red([onlyCount > 0 ? `${plural(onlyCount, "record")} in one store only` : "", result.differingCount > 0 ? plural(result.differingCount, "difference") : ""].filter(Boolean).join(", ") || "not equal");
      print(`${verdict}, largest difference of a normalised vector ${result.maxDelta.toExponential(1)} (tolerance ${options.tolerance})`);
    }
    return result.equal ? EXIT.ok : EXIT.failedItems;
  });
}

const value = (of: unknown): string => (of === undefined ? colours.dim("–") : cut(JSON.stringify(of), VALUE_WIDTH));
