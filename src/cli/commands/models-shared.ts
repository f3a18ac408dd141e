/** What the subcommands of `flow models` share. */
import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { EXIT, FlowError, type ModelManifest } from "../../contracts/index.js";
import type { GraphOptions } from "../define.js";
import type { ModelFileDocument, ModelsListDocument } from "../json.js";
import { shellWord, size } from "../output.js";

type Catalogue = ReadonlyMap<string, ModelManifest>;

/** One subcommand, its help ends with examples. */
export function subcommand(name: string, summary: string, { description, examples }: { description?: string; examples: readonly (readonly [line: string, what: string])[] }): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  return new Command(name)
    .summary(summary)
    .description([summary, description].filter(Boolean).join("\n\n"))
    .addHelpText("after", ["", "Examples:", ...examples.map(([line, what]) => `  ${line.padEnd(width)}   ${what}`)].join("\n"))
    .helpOption("-h, --help", "show this help")
    .showHelpAfterError(false);
}

/** The model of that id. Throws MODEL_UNKNOWN with the nearest ids. */
export function requireModel(id: string, models: Catalogue): ModelManifest {
  const model = models.get(id);
  if (model) return model;
  const near = [...models.keys()].map((known) => ({ known, far: distance(id, known) })).sort((a, b) => a.far - b.far).slice(0, 3).map(({ known }) => known);
  throw new FlowError("MODEL_UNKNOWN", `There is no model ${id}.`, { hint: `Did you mean ${near.join(", ")}? \`flow models list\` shows all.`, exit: EXIT.badInput });
}

/** The model of that id, or of the manifest in that file, which need not lie where models are searched. Throws MODEL_UNKNOWN with the nearest ids. */
export async function modelOf(word: string, models: Catalogue): Promise<ModelManifest> {
  return models.has(word) || !/\.ya?ml$/.test(word) ? requireModel(word, models) : (await import("../open-graph.js")).readModel(word);
}

/** How a command names a model again: by its id where that is this one, else by its manifest. */
export const wordFor = ({ id, origin }: Pick<ModelManifest, "id" | "origin">, models: Catalogue): string => (models.has(id) && models.get(id)!.origin === origin ? id : shellWord(origin));

/** A graph says `flow:` at its top; what says neither is left to the graph's own errors. */
function isManifest(path: string): boolean {
  if (!/\.ya?ml$/.test(path) || !existsSync(path)) return false;
  const text = readFileSync(path, "utf8");
  return /^id:/m.test(text) && /^files:/m.test(text) && !/^flow:/m.test(text);
}

/** Levenshtein (1966), one row at a time; a contained word is near. */
function distance(a: string, b: string): number {
  if (b.includes(a)) return 0.5;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1]));
    row = next;
  }
  return row[b.length]!;
}

/** What of a graph is meant. */
export type GraphChoice = Pick<GraphOptions, "profile" | "param">;

export interface Named {
  models: ModelManifest[];
  /** Those that their graph does without when they are not installed. */
  optional: ReadonlySet<string>;
}

/** The models that the arguments name: ids, manifests, or graphs (with a profile), whose roles' models they are. Each once. */
export async function modelsOf(words: readonly string[], catalogue: Catalogue, graph: GraphChoice): Promise<Named> {
  const found = new Map<string, ModelManifest>();
  const optional = new Set<string>();
  for (const word of words) {
    if (!catalogue.has(word) && isManifest(word)) {
      const model = await modelOf(word, catalogue);
      found.set(model.id, model);
      continue;
    }
    const ids = catalogue.has(word) ? { all: [word], optional: [] } : await modelsOfGraph(word, catalogue, graph);
    for (const id of ids.all) found.set(id, catalogue.get(id)!);
    for (const id of ids.optional) optional.add(id);
  }
  for (const word of words) optional.delete(word);
  return { models: [...found.values()], optional };
}

/** Planned with stand-ins, so that every role has the model that it wants; planned as it is, to see what the graph can do without. */
async function modelsOfGraph(word: string, catalogue: Catalogue, { profile, param: params }: GraphChoice): Promise<{ all: string[]; optional: string[] }> {
  const { loadWithoutInput } = await import("../checked-graph.js");
  const { GraphError } = await import("../failure.js");
  let whole: Awaited<ReturnType<typeof loadWithoutInput>>;
  try {
    whole = await loadWithoutInput(word, { profile, params, mock: true });
  } catch (thrown) {
    // Neither a model nor a graph: a word that looks like no path was meant as an id.
    if (thrown instanceof FlowError && thrown.code === "GRAPH_NOT_FOUND" && !/[/.]/.test(word)) requireModel(word, catalogue);
    throw thrown;
  }
  if (!whole.plan) throw new GraphError(whole.file, whole.problems);
  const { problems } = await loadWithoutInput(word, { profile, params });
  const left = problems.filter((problem) => problem.code === "MODEL_LEFT_OUT" || problem.code === "MODEL_ELSE").map((problem) => problem.expected ?? "");
  return { all: whole.plan.nodes.flatMap((node) => Object.values(node.models).map((model) => model.id)), optional: left };
}

export type ModelState = ModelsListDocument["models"][number]["state"];

/** The files of a model as `--json` shows them, and what that makes of the model. */
export async function stateOf(model: ModelManifest): Promise<{ state: ModelState; files: ModelFileDocument[] }> {
  const [{ missingOf, pageOf, sourceText }, { infoOf }] = await Promise.all([import("../../models/store/index.js"), import("../../models/store/folders.js")]);
  const missing = new Set(await missingOf(model));
  const files = model.files.map((file) => ({
    ...{ path: file.path, at: file.at, present: !missing.has(file), damaged: missing.has(file) && infoOf(file.at)?.isFile() === true, sizeBytes: file.sizeBytes, sha256: file.sha256, lock: file.lock ?? null, licence: file.licence },
    source: file.source === null ? null : sourceText(file.source),
    page: file.source === null ? null : pageOf(file.source),
  }));
  return { state: missing.size === 0 ? "installed" : files.some((file) => file.damaged) ? "damaged" : missing.size < files.length ? "partial" : "missing", files };
}

/** "45.3 MB", "≥ 12 MB" when some sizes are not known yet, "?" when none is. */
export function modelSize(files: readonly Pick<ModelFileDocument, "sizeBytes">[]): string {
  const known = files.filter((file) => file.sizeBytes !== null);
  if (known.length === 0) return "?";
  const text = size(known.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0));
  return known.length < files.length ? `≥ ${text}` : text;
}
