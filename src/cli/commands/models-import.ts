import type { Command } from "commander";
import { EXIT } from "../../contracts/errors.js";
import { act, names, withGraph, type GraphOptions } from "../define.js";
import type { ModelsImportDocument } from "../json.js";
import { installedModels, readable } from "../open-graph.js";
import { colours, plural, print, printJson, size, table } from "../output.js";
import { modelsOf, subcommand } from "./models-shared.js";

interface Options extends GraphOptions {
  model?: string[];
  link?: boolean;
}

function nothing(dir: string, missing: number, present: number): string {
  if (missing === 0) return `Nothing imported: no file is missing, ${present} were there before.`;
  return `Nothing in ${dir} was wanted: it holds no missing file (${missing} missing${present > 0 ? `, ${present} were there before` : ""}).`;
}

export function importCommand(): Command {
  const command = subcommand("import", "Take model files from a folder, found by size and SHA-256 under any name.", {
    description: [
      "For machines without a network. A file whose manifest states no hash must lie under its path in a folder named after the model or its repository",
      "(a download of huggingface-cli does). FLOW_MODELS_DIR uses such a folder in place instead.",
    ].join("\n"),
    examples: [
      ["flow models import /media/stick", "whatever known models it holds"],
      ["flow models import ~/Downloads --model yamnet,yolox-nano", "only these; exit 3 if a file is not among them"],
      ["flow models import /data/models --model graphs/ego.yaml --profile small", "what a graph needs"],
    ],
  })
    .argument("<dir>", "a folder, in any layout")
    .option("--model <ids>", "only these models or manifests, or the models of these graphs (a,b)", names)
    .option("--link", "hard links instead of copies, where both are on one disk");
  return act<Options>(withGraph(command), async ([dir], options) => {
    const [{ importFolder }, catalogue] = await Promise.all([import("../../models/store/index.js"), installedModels()]);
    const named = options.model !== undefined;
    const models = named ? (await modelsOf(options.model!, catalogue, options)).models : readable(catalogue);
    const { imported, missing, present } = await importFolder(String(dir), models, { how: options.link ? "link" : "copy" });
    // Of models nobody asked for only those count of which a part was there.
    const touched = new Set(imported.map((file) => file.model));
    const document: ModelsImportDocument = { imported, missing: missing.filter((file) => named || touched.has(file.model)), present };
    if (options.json) printJson(document);
    else {
      if (imported.length > 0) print(table(imported.map((file) => [colours.cyan(file.model), file.path, size(file.size), file.from]), { head: ["model", "file", "size", "from"], right: [2] }));
      for (const file of document.missing) print(`${colours.yellow("not there:")} ${file.model}/${file.path}${file.sha256 ? colours.dim(` sha256 ${file.sha256}`) : ""}`);
      print(imported.length > 0 ? `${plural(imported.length, "file")} imported${present > 0 ? `, ${present} were there` : ""}.` : nothing(String(dir), missing.length, present));
    }
    return named && document.missing.length > 0 ? EXIT.environment : EXIT.ok;
  });
}
