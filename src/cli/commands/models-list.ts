import type { Command } from "commander";
import { act, withJson, type JsonOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ModelsListDocument } from "../json.js";
import { installedModels } from "../open-graph.js";
import { colours, plural, print, printJson, table } from "../output.js";
import { modelSize, stateOf, subcommand } from "./models-shared.js";

interface Options extends JsonOptions {
  installed?: boolean;
  missing?: boolean;
}

export function listCommand(): Command {
  const list = withJson(
    subcommand("list", "List the models: what they do, and whether their files are here.", {
      examples: [
        ["flow models", "the same"],
        ["flow models list face", "those whose name, task or summary contains a word"],
        ["flow models list --missing --json", "for a script"],
      ],
    }).argument("[word]", "only models whose name, task, family or summary contains it"),
  )
    .option("--installed", "only models whose files are all there")
    .option("--missing", "only models that lack files");
  return act<Options>(list, async ([word], options) => {
    const wanted = String(word ?? "").toLowerCase();
    const rows: { row: ModelsListDocument["models"][number]; size: string }[] = [];
    for (const model of (await installedModels()).values()) {
      if (![model.id, model.task, model.family, model.summary].some((text) => text.toLowerCase().includes(wanted))) continue;
      const { state, files } = await stateOf(model);
      if ((options.installed && state !== "installed") || (options.missing && state === "installed")) continue;
      const { id, task, family, summary, runtime, licence, dir } = model;
      const sizeBytes = files.some((file) => file.sizeBytes === null) ? null : model.sizeBytes;
      rows.push({ row: { id, task, family, summary, runtime, licence, state, sizeBytes, dir, missing: files.filter((file) => !file.present).map((file) => file.path) }, size: modelSize(files) });
    }
    // `flow models pul` comes here as well.
    if (rows.length === 0 && wanted !== "") throw badArguments(`No model has "${String(word)}" in its name, task, family or summary.`, "`flow models list` shows all; `flow models --help` the subcommands.");
    if (options.json) return printJson({ models: rows.map(({ row }) => row) } satisfies ModelsListDocument);
    if (rows.length === 0) return print("none");
    const paint = { installed: colours.green, partial: colours.yellow, missing: colours.dim };
    print(table(rows.map(({ row, size }) => [colours.cyan(row.id), row.task, paint[row.state](row.state), size, row.licence, row.summary]), { head: ["model", "task", "state", "size", "licence", "what it is"], right: [3] }));
    const missing = rows.filter(({ row }) => row.state !== "installed");
    print();
    print(`${plural(rows.length, "model")}, ${rows.length - missing.length} installed.${missing[0] ? ` ${colours.dim("next:")} flow models pull ${missing[0].row.id}` : ""}`);
  });
}
