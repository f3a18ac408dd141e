import type { Command } from "commander";
import { act, withJson, type JsonOptions } from "../define.js";
import type { ModelDocument } from "../json.js";
import { installedModels } from "../open-graph.js";
import { colours, print, printJson, size, table } from "../output.js";
import { modelOf, stateOf, subcommand, wordFor } from "./models-shared.js";

export function showCommand(): Command {
  const show = subcommand("show", "Show one model: files and their sources, inputs, outputs, what it cannot do.", {
    examples: [
      ["flow models show yolox-nano", ""],
      ["flow models show ./birds.yaml", "a manifest, wherever it lies"],
      ["flow models show yunet --json | jq .files", "files with size, SHA-256, source and place"],
    ],
  }).argument("<id>", "a model of `flow models list`, or a manifest (.yaml)");
  return act<JsonOptions>(withJson(show), async ([id], options) => {
    const catalogue = await installedModels();
    const model = await modelOf(String(id), catalogue);
    const word = wordFor(model, catalogue);
    const { state, files } = await stateOf(model);
    const { task, family, summary, runtime, licence, origin, dir, inputs, outputs, output, preprocess, space, labels, precisions, settings } = model;
    const document: ModelDocument = { ...{ id: model.id, task, family, summary, runtime, licence, state, origin, dir, files, inputs, outputs }, ...{ output, preprocess, space, labels, precisions, settings, limits: model.limits.split("; ").filter((limit) => limit !== "") } };
    if (options.json) return printJson(document);
    const changed = files.filter((file) => file.damaged);
    // What a lock file has was right once, and may be a newer file; what a manifest states is a fact.
    const wordOf = (file: (typeof files)[number]): string => (file.lock === null ? "damaged" : "changed");
    print(`${colours.bold(model.id)}  ${summary}`);
    print(table([
      ["task", `${task} (family ${family}, ${runtime})`],
      ["licence", licence],
      ["state", `${changed[0] ? wordOf(changed[0]) : state}, ${dir}`],
      ["manifest", origin],
    ]));
    print(`\n${colours.bold("files")}`);
    print(table(files.map((file) => [file.present ? colours.green("here") : colours.yellow(file.damaged ? wordOf(file) : "missing"), file.path, file.sizeBytes === null ? "?" : size(file.sizeBytes), file.sha256?.slice(0, 12) ?? "not locked yet", file.source ?? "no public source"]), { right: [2] }));
    for (const file of changed) print(`${colours.yellow("note:")} ${file.at} is not what ${file.lock ?? "the manifest"} says: flow models verify ${word}`);
    const tensor = (t: { name: string; type: string; dims: readonly (number | string)[] }): string => `${t.name}: ${t.type}[${t.dims.join(", ")}]`;
    if (inputs.length > 0) print(`\n${colours.bold("inputs")}   ${inputs.map(tensor).join("  ")}`);
    if (outputs.length > 0) print(`${colours.bold("outputs")}  ${outputs.map(tensor).join("  ")}`);
    if (output) print(`${colours.bold("vector")}   ${output.name}, ${output.dims}-d${space ? `, space ${space.name}: same from cosine ${space.threshold} on, median of unrelated pairs ${space.calibration.foreignMedian}` : ""}`);
    print(`${colours.bold("before")}   ${JSON.stringify(preprocess)}`);
    print(`\n${colours.bold("what it cannot do")}`);
    for (const limit of document.limits) print(`  - ${limit}`);
    if (state !== "installed") print(`\n${colours.dim("next:")} flow models pull ${word}`);
  });
}
