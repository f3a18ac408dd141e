import type { Command } from "commander";
import { act, withJson, type JsonOptions } from "../define.js";
import { badArguments, noteError } from "../failure.js";
import type { ModelsListDocument, ModelsPartialDocument } from "../json.js";
import { installedModels, readable } from "../open-graph.js";
import { colours, plural, print, printJson, size, table } from "../output.js";
import { modelSize, stateOf, subcommand } from "./models-shared.js";

interface Options extends JsonOptions {
  installed?: boolean;
  missing?: boolean;
  partial?: boolean;
}

export function listCommand(): Command {
  const list = withJson(
    subcommand("list", "List the models: what they do, and whether their files are here.", {
      examples: [
        ["flow models", "the same"],
        ["flow models list face", "those whose name, task or summary contains a word"],
        ["flow models list --missing --json", "for a script"],
        ["flow models list --partial", "downloads that were not finished, and what they hold"],
      ],
    }).argument("[word]", "only models whose name, task, family or summary contains it"),
  )
    .option("--installed", "only models whose files are all there")
    .option("--missing", "only models that lack files")
    .option("--partial", "unfinished downloads instead: beginnings of files, and repositories whose `flow models add` lacks an answer");
  return act<Options>(list, async ([word], options) => {
    const wanted = String(word ?? "").toLowerCase();
    if (options.partial && (options.installed || options.missing)) throw badArguments("--partial lists downloads, not models.", "Leave out --installed and --missing.");
    const unfinished = (await unfinishedDownloads()).partial.filter(({ source }) => (source ?? "").toLowerCase().includes(wanted));
    const bytes = unfinished.reduce((sum, each) => sum + each.bytes, 0);
    if (options.partial) return options.json ? printJson({ partial: unfinished, bytes } satisfies ModelsPartialDocument) : reportUnfinished(unfinished, bytes);
    const rows: { row: ModelsListDocument["models"][number]; shown: string }[] = [];
    const unreadable: ModelsListDocument["unreadable"] = [];
    const models = readable(await installedModels(), (id, error) => {
      if (!id.toLowerCase().includes(wanted)) return;
      unreadable.push({ id, error: error.toJSON() });
      if (!options.json) noteError(error);
    });
    for (const model of models) {
      if (![model.id, model.task, model.family, model.summary].some((text) => text.toLowerCase().includes(wanted))) continue;
      const { state, files } = await stateOf(model);
      if ((options.installed && state !== "installed") || (options.missing && state === "installed")) continue;
      const { id, task, family, summary, runtime, licence, dir } = model;
      const sizeBytes = files.some((file) => file.sizeBytes === null) ? null : model.sizeBytes;
      rows.push({ row: { id, task, family, summary, runtime, licence, state, sizeBytes, dir, missing: files.filter((file) => !file.present).map((file) => file.path) }, shown: modelSize(files) });
    }
    // `flow models pul` comes here as well.
    if (rows.length === 0 && unreadable.length === 0 && wanted !== "") throw badArguments(`No model has "${String(word)}" in its name, task, family or summary.`, "`flow models list` shows all; `flow models --help` the subcommands.");
    if (options.json) return printJson({ models: rows.map(({ row }) => row), unreadable } satisfies ModelsListDocument);
    if (rows.length === 0) return print("none");
    const paint = { installed: colours.green, partial: colours.yellow, missing: colours.dim, damaged: colours.red };
    print(table(rows.map(({ row, shown }) => [colours.cyan(row.id), row.task, paint[row.state](row.state), shown, row.licence, row.summary]), { head: ["model", "task", "state", "size", "licence", "what it is"], right: [3] }));
    const missing = rows.filter(({ row }) => row.state !== "installed");
    print();
    print(`${plural(rows.length, "model")}, ${rows.length - missing.length} installed.${missing[0] ? ` ${colours.dim("next:")} flow models pull ${missing[0].row.id}` : ""}`);
    if (unfinished.length > 0) print(`${plural(unfinished.length, "unfinished download")}, ${size(bytes)}: flow models list --partial`);
  });
}

async function unfinishedDownloads(): Promise<Pick<ModelsPartialDocument, "partial">> {
  const { cacheFolder, partialFiles, pendingAdds } = await import("../../models/store/index.js");
  const cache = cacheFolder();
  const [adds, files] = await Promise.all([pendingAdds(cache), partialFiles(cache)]);
  return {
    partial: [
      ...adds.map(({ repo, bytes, files: paths }) => ({ source: `hf:${repo}`, bytes, totalBytes: null, paths, next: `flow models add hf:${repo}` })),
      ...files.map(({ source, bytes, totalBytes, path }) => ({ source, bytes, totalBytes, paths: [path], next: null })),
    ],
  };
}

function reportUnfinished(unfinished: ModelsPartialDocument["partial"], bytes: number): void {
  if (unfinished.length === 0) return print("none");
  print(table(unfinished.map(({ source, bytes: here, totalBytes, paths, next }) => [colours.cyan(source ?? "a copy"), totalBytes === null ? size(here) : `${size(here)} of ${size(totalBytes)}`, next ?? paths.join(", ")]), { head: ["what of", "size", "goes on with, or lies at"], right: [1] }));
  print();
  print(`${plural(unfinished.length, "unfinished download")}, ${size(bytes)}. The same \`flow models pull\` goes on. ${colours.dim("next:")} flow models rm --partial removes all of it`);
}
