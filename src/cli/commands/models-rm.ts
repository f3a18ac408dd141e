import { rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { act, withJson, type JsonOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ModelsRmDocument } from "../json.js";
import { installedModels } from "../open-graph.js";
import { colours, plural, print, printJson, size } from "../output.js";
import { requireModel, subcommand } from "./models-shared.js";

interface Options extends JsonOptions {
  unlock?: boolean;
  partial?: boolean;
}

export function rmCommand(): Command {
  const rm = subcommand("rm", "Take models out of the cache; what lies beside a manifest or in FLOW_MODELS_DIR stays.", {
    description: "Bytes that another model shares stay. A manifest that `flow models add` wrote goes with its model.",
    examples: [
      ["flow models rm yolox-nano", ""],
      ["flow models rm dinov2-small --unlock", "forget its hashes too: the next download is trusted anew"],
      ["flow models rm --partial", "unfinished downloads"],
    ],
  })
    .argument("[id...]", "models")
    .option("--unlock", "remove their entries from models.lock")
    .option("--partial", "remove unfinished downloads and copies");
  return act<Options>(withJson(rm), async ([ids], options) => {
    const wanted = (ids ?? []) as string[];
    if (wanted.length === 0 && !options.partial) throw badArguments("Nothing to remove.", "Name models, or --partial for unfinished downloads.");
    const [store, catalogue] = await Promise.all([import("../../models/store/index.js"), installedModels()]);
    const cache = store.cacheFolder();
    const lock = new store.ModelsLock(cache);
    const document: ModelsRmDocument = { removed: [], freedBytes: 0, kept: [] };
    for (const model of wanted.map((id) => requireModel(id, catalogue))) {
      const { files, freedBytes } = await store.remove(model, { cache, lock, unlock: options.unlock === true });
      const added = dirname(model.origin) === store.layout.manifests(cache);
      if (added) rmSync(model.origin, { force: true });
      document.removed.push(...[...files, ...(added ? [model.origin] : [])].map((path) => ({ model: model.id, path })));
      document.freedBytes += freedBytes;
      for (const file of model.files) if (!file.at.startsWith(`${cache}/`)) document.kept.push({ model: model.id, path: file.at });
    }
    if (options.partial) document.freedBytes += await store.removePartial(cache);
    if (options.json) return printJson(document);
    for (const { path } of document.kept) print(`${colours.dim("stays:")} ${path}`);
    print(`${plural(document.removed.length, "file")} removed, ${size(document.freedBytes)} freed.`);
  });
}
