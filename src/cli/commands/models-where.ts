import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { act, withJson, type JsonOptions } from "../define.js";
import { modelFolders } from "../environment.js";
import type { ModelsWhereDocument } from "../json.js";
import { installedModels } from "../open-graph.js";
import { print, printJson, table } from "../output.js";
import { modelOf, subcommand } from "./models-shared.js";

export function whereCommand(): Command {
  const where = subcommand("where", "Print where models lie: the cache, the folders, or one model's.", {
    examples: [
      ["flow models where", "cache, lock files, folders"],
      ['ls "$(flow models where yunet)"', "one model's folder"],
    ],
  }).argument("[id]", "a model of `flow models list`, or a manifest (.yaml)");
  return act<JsonOptions>(withJson(where), async ([id], options) => {
    const { cacheFolder, givenFolders, layout } = await import("../../models/store/index.js");
    if (typeof id === "string") {
      const model = await modelOf(id, await installedModels());
      if (options.json) return printJson({ id: model.id, dir: model.dir, files: model.files.map(({ path, at }) => ({ path, at })) } satisfies ModelsWhereDocument);
      return print(model.dir);
    }
    const cache = cacheFolder();
    const document: ModelsWhereDocument = { cache, locks: [join(process.cwd(), "models.lock"), layout.lock(cache)].filter((path) => existsSync(path)), folders: givenFolders(), manifests: modelFolders() };
    if (options.json) return printJson(document);
    print(
      table([
        ["cache", document.cache],
        ["locks", document.locks.join(", ") || "none yet"],
        ["FLOW_MODELS_DIR", document.folders.join(", ") || "not set"],
        ["manifests", document.manifests.join(", ")],
      ], { fit: false }),
    );
  });
}
