import type { Command } from "commander";
import { act, define, withJson, type JsonOptions } from "../define.js";
import type { ListDocument } from "../json.js";
import { linkEnvironment, readable } from "../open-graph.js";
import { colours, plural, print, printJson, table } from "../output.js";

export function command(): Command {
  const list = define("list", {
    examples: [
      ["flow list", "all operators by family, and the models found"],
      ["flow list scene", "those whose name or summary contains a word"],
      ["flow list --json | jq -r '.operators[].name'", "names for a script"],
    ],
  }).argument("[word]", "only names and summaries that contain it");
  return act<JsonOptions>(withJson(list), async ([word], options) => {
    const { catalogue: operators, models } = await linkEnvironment();
    const wanted = String(word ?? "").toLowerCase();
    const has = (text: string): boolean => text.toLowerCase().includes(wanted);
    const document: ListDocument = {
      operators: [...operators.values()]
        .filter((op) => has(op.name) || has(op.summary))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((op) => ({ name: op.name, version: op.version, family: op.name.split(".")[0] ?? op.name, level: op.level, summary: op.summary, form: op.run.form })),
      models: readable(models)
        .filter((model) => has(model.id) || has(model.summary))
        .map((model) => ({ id: model.id, task: model.task, summary: model.summary, dims: model.output?.dims ?? null, space: model.space?.name ?? null, file: model.file })),
    };
    if (options.json) return printJson(document);
    if (document.operators.length + document.models.length === 0) {
      print(`No operator and no model mentions ${JSON.stringify(word)}. ${colours.dim("next:")} flow list`);
      return;
    }
    if (document.operators.length > 0) print(table(document.operators.map((op) => [colours.cyan(op.name), op.level, op.summary]), { head: ["operator", "level", "what it does"] }));
    if (document.models.length > 0) {
      if (document.operators.length > 0) print();
      print(table(document.models.map((model) => [colours.cyan(model.id), model.task, model.dims === null ? "" : `${model.dims}-d`, model.summary]), { head: ["model", "task", "gives", "what it is"], right: [2] }));
    }
    print();
    print(`${plural(document.operators.length, "operator")}, ${plural(document.models.length, "model")}. ${colours.dim("next:")} ${document.operators[0] ? `flow explain ${document.operators[0].name}` : `flow models show ${document.models[0]?.id}`}`);
  });
}
