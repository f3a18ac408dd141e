import { existsSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { FlowError, type ModelManifest } from "../../contracts/index.js";
import type { PendingAdd } from "../../models/store/pending.js";
import { act, withJson, type JsonOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ModelsRmDocument } from "../json.js";
import { installedModels } from "../open-graph.js";
import { colours, plural, print, printJson, size } from "../output.js";
import { modelOf, subcommand } from "./models-shared.js";

interface Options extends JsonOptions {
  unlock?: boolean;
  partial?: boolean;
}

export function rmCommand(): Command {
  const rm = subcommand("rm", "Take models out of the cache; what lies beside a manifest or in FLOW_MODELS_DIR stays.", {
    description: [
      "Bytes that another model shares stay. A manifest that `flow models add` wrote into the cache goes with its model; one that it wrote elsewhere (--out) stays,",
      "and naming it takes the model's files out of the cache. One in the cache goes even if it cannot be read.",
    ].join("\n"),
    examples: [
      ["flow models rm yolox-nano", ""],
      ["flow models rm dinov2-small --unlock", "forget its hashes too: the next download is trusted anew"],
      ["flow models rm ./birds.yaml", "the files of a manifest of your own"],
      ["flow models rm --partial", "unfinished downloads"],
      ["flow models rm hf:Xenova/clip-vit-base-patch16", "what an unfinished `flow models add` downloaded"],
    ],
  })
    .argument("[id...]", "models, manifests, or hf:ORG/NAME of an unfinished add")
    .option("--unlock", "remove their entries from models.lock")
    .option("--partial", "remove unfinished downloads and copies");
  return act<Options>(withJson(rm), async ([ids], options) => {
    const wanted = (ids ?? []) as string[];
    if (wanted.length === 0 && !options.partial) throw badArguments("Nothing to remove.", "Name models, or --partial for unfinished downloads.");
    const [store, { onDisk }, catalogue] = await Promise.all([import("../../models/store/index.js"), import("../../models/store/disk.js"), installedModels()]);
    const cache = store.cacheFolder();
    const lock = new store.ModelsLock(cache);
    const document: ModelsRmDocument = { removed: [], freedBytes: 0, kept: [] };
    const pending = await store.pendingAdds(cache);
    const adds = wanted.filter((word) => word.startsWith("hf:")).map((word) => requirePending(word, pending));
    const models: ModelManifest[] = [];
    const broken: string[] = [];
    for (const word of wanted.filter((each) => !each.startsWith("hf:"))) {
      try {
        models.push(await modelOf(word, catalogue));
      } catch (thrown) {
        const manifest = addedManifest(word, store.layout.manifests(cache));
        if (!(thrown instanceof FlowError) || thrown.code !== "MODEL_MANIFEST" || manifest === null) throw thrown;
        broken.push(manifest);
      }
    }
    for (const { repo, files } of adds) {
      document.freedBytes += await onDisk(store.layout.partial(cache), () => store.removePending(cache, repo));
      document.removed.push(...files.map((path) => ({ model: `hf:${repo}`, path })));
    }
    for (const manifest of broken) {
      const id = basename(manifest).replace(/\.ya?ml$/, "");
      const { files, freedBytes } = await onDisk(manifest, () => store.removeFolder(id, cache));
      await onDisk(manifest, () => rmSync(manifest, { recursive: true, force: true }));
      document.removed.push(...[...files, manifest].map((path) => ({ model: id, path })));
      document.freedBytes += freedBytes;
    }
    for (const model of models) {
      // Looked for while they are there: afterwards each has the place where it would lie.
      const outside = model.files.map(({ at }) => at).filter((at) => !at.startsWith(`${cache}/`) && existsSync(at));
      const { files, freedBytes } = await onDisk(store.layout.model(cache, model.id), () => store.remove(model, { cache, lock, unlock: options.unlock === true }));
      const added = dirname(model.origin) === store.layout.manifests(cache);
      if (added) await onDisk(model.origin, () => rmSync(model.origin, { force: true }));
      document.removed.push(...[...files, ...(added ? [model.origin] : [])].map((path) => ({ model: model.id, path })));
      document.freedBytes += freedBytes;
      const own = !added && catalogue.get(model.id)?.origin !== model.origin;
      document.kept.push(...[...outside, ...(own ? [model.origin] : [])].map((path) => ({ model: model.id, path })));
    }
    if (options.partial) document.freedBytes += await onDisk(store.layout.partial(cache), () => store.removePartial(cache));
    if (options.json) return printJson(document);
    for (const { path } of document.kept) print(`${colours.dim("stays:")} ${path}`);
    print(`${plural(document.removed.length, "file")} removed, ${size(document.freedBytes)} freed.`);
  });
}

/** The manifest that `word` names, by id or path, where it lies among those that `flow models add` wrote; null elsewhere. It need not be readable. */
function addedManifest(word: string, folder: string): string | null {
  const paths = /\.ya?ml$/.test(word) ? [resolve(word)] : [".yaml", ".yml"].map((ending) => join(folder, word + ending));
  return paths.find((path) => dirname(path) === folder && existsSync(path)) ?? null;
}

function requirePending(word: string, pending: readonly PendingAdd[]): PendingAdd {
  const found = pending.find(({ repo }) => `hf:${repo}` === word);
  if (found) return found;
  const hint = pending.length > 0 ? `There is ${pending.map(({ repo }) => `hf:${repo}`).join(", ")}.` : "A model that was added goes by its id: `flow models list`.";
  throw badArguments(`There is no unfinished add of ${word}.`, hint);
}
