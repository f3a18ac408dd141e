import { existsSync, mkdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { parseDocument, stringify } from "yaml";
import { EXIT, FlowError } from "../../contracts/errors.js";
import type { ModelManifest } from "../../contracts/index.js";
import type { Inference } from "../../models/infer.js";
import { cacheFolder } from "../../models/store/folders.js";
import { act, names, withJson, type JsonOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ModelsAddDocument } from "../json.js";
import { installedModels } from "../open-graph.js";
import { colours, print, printJson, shellWord, size } from "../output.js";
import { placeOf, requireFit, requireLabels, requireOnnx, requirePreprocess, type Place, type Signature } from "./models-add-checks.js";
import { jsonObject, unreadable } from "./models-config.js";
import { inspectOnnx } from "./models-inspect.js";
import { chooseHubFiles, fetchHub } from "./models-hub.js";
import { subcommand, wordFor } from "./models-shared.js";

export interface AddOptions extends JsonOptions {
  id?: string;
  task?: string;
  family?: string;
  summary?: string;
  licence?: string;
  preprocess?: string;
  output?: string;
  dims?: string;
  with?: string[];
  file?: string;
  dtype?: string;
  link?: boolean;
  out?: string;
  force?: boolean;
}

/** Where a model's fields come from before the questions: its files, and what its ONNX file and configuration say. */
export interface Candidate {
  place: Place;
  summary: string;
  licence: string | null;
  files: Record<string, unknown>[];
  source: Record<string, unknown> | null;
  runtime: "onnx" | "transformers";
  /** Of the ONNX file; null: a checkpoint of several. */
  signature: Signature | null;
  /** Where the file of labels is. */
  labels: string | null;
  /** What its files tell; more of it once the task is known. */
  infer: (task: string | null) => Inference;
  /** Gives the model its files in the cache. */
  install: (id: string) => Promise<void>;
  /** Once the manifest is there: takes away what waited for it. */
  settle?: () => Promise<void>;
}

export function addCommand(): Command {
  const add = subcommand("add", "Write the manifest of an ONNX file or a Hugging Face repository.", {
    description: [
      "Reads names, dimensions and types from the ONNX file, the rest from config.json and preprocessor_config.json beside it or in the repository.",
      "What none of them tells is asked on a terminal; elsewhere it is an error that lists the options to give (exit 2); what was downloaded is kept for the next try.",
      "The manifest goes to the cache's manifests/; graphs find one in another folder (--out) when FLOW_MODELS_DIR names that folder.",
    ].join("\n"),
    examples: [
      ["flow models add hf:Xenova/clip-vit-base-patch16", "a repository, at the commit that main is now"],
      ["flow models add hf:onnx-community/dinov2-base@main --dtype fp16", "another precision"],
      ["flow models add birds.onnx --task image-classification --preprocess imagenet --licence MIT --with labels.txt", "a file"],
    ],
  })
    .argument("<file-or-repo>", "an .onnx file, or hf:ORG/NAME[@REVISION]")
    .option("--id <id>", "name of the model; made from the file's or repository's otherwise")
    .option("--task <task>", "what it does, as operators ask for it")
    .option("--family <family>", "which pre- and post-processing it needs (see the operator's `flow explain`)")
    .option("--summary <text>", "one sentence about it")
    .option("--licence <name>", "its licence")
    .option("--preprocess <preset-or-yaml>", "imagenet, clip, 0..1, -1..1, 0..255, 0..255-bgr, or a YAML map as in the manifests")
    .option("--output <name>", "which output is the vector of an embedding model")
    .option("--dims <n>", "how many numbers the vector has")
    .option("--with <paths>", "further files of a local model: labels, tokenizer.json (a,b)", names)
    .option("--file <path>", "which ONNX file of a repository")
    .option("--dtype <dtype>", "precision of a repository's files: fp32, fp16, q8, q4, …")
    .option("--link", "hard-link a local file into the cache instead of copying it")
    .option("--out <dir>", "write the manifest into this folder")
    .option("--force", "replace a manifest of the same name, or go before a model of that id from another folder");
  return act<AddOptions>(withJson(add), async ([word], options) => {
    const wanted = String(word);
    const ignored: string[] = [];
    const document = await addOne(wanted, options, ignored).catch(async (thrown: unknown) => {
      throw thrown instanceof FlowError ? withHints(thrown, [...ignored, ...(await keptOf(wanted))]) : thrown;
    });
    if (options.json) return printJson(document);
    for (const [field, from] of Object.entries(document.inferred)) print(`${colours.dim("from")} ${from}: ${field}`);
    print(`Written: ${document.manifest}`);
    for (const text of document.notes) print(`${colours.yellow("note:")} ${text}`);
    print(`${colours.dim("next:")} ${document.next}`);
  });
}

async function addOne(wanted: string, options: AddOptions, ignored: string[]): Promise<ModelsAddDocument> {
  const candidate = wanted.startsWith("hf:") ? await hubCandidate(wanted.slice(3), options) : await fileCandidate(wanted, options, ignored);
  const { notes, ...written } = await write(candidate, options);
  const word = wordFor({ id: written.id, origin: written.manifest }, await installedModels());
  return { ...written, notes: [...ignored, ...notes, ...(word === written.id ? [] : [await outOfSight(written)])], next: `flow models show ${word}` };
}

/** Of a manifest that its id does not lead to: how graphs find it, and what takes its files away again. */
async function outOfSight({ id, manifest }: Pick<ModelsAddDocument, "id" | "manifest">): Promise<string> {
  const folder = dirname(manifest);
  const other = (await installedModels()).get(id)?.origin;
  const found = other === undefined ? `Graphs find ${id} once FLOW_MODELS_DIR names ${folder}` : `Graphs mean ${other} by ${id}, unless FLOW_MODELS_DIR names ${folder} last`;
  return `${found}. Its files are in the cache: \`flow models rm ${shellWord(manifest)}\` takes them out.`;
}

/** What an add that failed has downloaded. */
async function keptOf(wanted: string): Promise<string[]> {
  const { pendingAdds } = await import("../../models/store/index.js");
  const kept = (await pendingAdds(cacheFolder())).find(({ repo }) => wanted.replace(/@[\w.-]+$/, "") === `hf:${repo}`);
  return kept ? [`${size(kept.bytes)} of it are downloaded and wait for the next \`flow models add ${wanted}\`; \`flow models rm hf:${kept.repo}\` removes them.`] : [];
}

function withHints(error: FlowError, more: readonly string[]): FlowError {
  if (more.length === 0) return error;
  return new FlowError(error.code, error.message, { hint: [error.hint, ...more].join(" "), exit: error.exit, permanent: error.permanent, cause: error.cause });
}

async function fileCandidate(word: string, options: AddOptions, ignored: string[]): Promise<Candidate> {
  const path = requireOnnx(word);
  const place = placeOf(basename(path).replace(/\.onnx$/i, ""), options);
  const [{ infer }, { hashFile }, { keepBytes, linkModel }, { cacheFolder }] = await Promise.all([import("../../models/infer.js"), import("../../models/verify-model.js"), import("../../models/store/install.js"), import("../../models/store/folders.js")]);
  const { inputs, outputs } = await inspectOnnx(path);
  const beside = besideFiles(path, options.with ?? []);
  const all = [{ name: basename(path), at: path }, ...beside];
  const [folder, above] = [dirname(path), dirname(dirname(path))];
  const json = (name: string): Record<string, unknown> | null => {
    const named = all.find((file) => file.name === name)?.at;
    const found = named ?? [join(folder, name), join(above, name)].find((at) => existsSync(at));
    if (found === undefined) return null;
    const read = jsonObject(found);
    if (typeof read !== "string") return read;
    // One folder above lies a repository's configuration where its graphs are in onnx/; elsewhere anybody's.
    const own = named !== undefined || dirname(found) !== above || basename(folder) === "onnx";
    if (own) throw unreadable(found, read, `It is read as the model's. Correct it; or, if it belongs to something else, put ${basename(path)} into a folder of its own.`);
    ignored.push(`${found} is not read: ${read}.`);
    return null;
  };
  const files = await Promise.all(all.map(async ({ name, at }) => ({ path: name, size: statSync(at).size, sha256: await hashFile(at) })));
  const evidence = { inputs, outputs, config: json("config.json"), preprocessor: json("preprocessor_config.json"), tokenizer: json("tokenizer_config.json"), files: files.map((file) => file.path) };
  const labels = all.find(({ name }) => /(label|class).*\.(txt|csv)$/i.test(name));
  return {
    ...{ place, summary: `${basename(path)}, added by hand.`, licence: null, files, source: null, runtime: "onnx", signature: { inputs, outputs }, labels: labels?.at ?? null },
    infer: (task) => {
      const inference = infer(evidence, task);
      if (labels) inference.fields["labels"] = labels.name;
      return inference;
    },
    install: async (id) => {
      // What needs room comes before what shows: of a model that is replaced (--force) no link moves until the new bytes are there.
      for (const [i, { at }] of all.entries()) await keepBytes(cacheFolder(), files[i]!.sha256, at, options.link ? "link" : "copy");
      for (const [i, { name }] of all.entries()) linkModel(cacheFolder(), id, name, files[i]!.sha256);
    },
  };
}

/** External weights lie beside the graph under its name; the rest has to be named. */
function besideFiles(path: string, more: readonly string[]): { name: string; at: string }[] {
  const external = [`${path}_data`, `${path}.data`].filter((at) => existsSync(at));
  return [...external, ...more.map((at) => resolve(at))].map((at) => {
    if (!existsSync(at)) throw new FlowError("FILE_NOT_FOUND", `There is no file ${at}.`, { hint: "Check --with.", exit: EXIT.badInput });
    return { name: basename(at), at };
  });
}

async function hubCandidate(word: string, options: AddOptions): Promise<Candidate> {
  const [, repo, revision = "main"] = /^([\w.-]+\/[\w.-]+)(?:@([\w.-]+))?$/.exec(word) ?? [];
  if (!repo) throw badArguments(`hf:${word} names no repository.`, "As in hf:Xenova/clip-vit-base-patch16 or hf:Xenova/clip-vit-base-patch16@main.");
  const place = placeOf(basename(repo), options);
  const [{ listHub }, { infer, knownClass }] = await Promise.all([import("../../models/store/hub-listing.js"), import("../../models/infer.js")]);
  const listing = await listHub(repo, revision);
  const chosen = chooseHubFiles(listing, options);
  const source = { huggingface: repo, revision: listing.commit };
  const files = chosen.files.map(({ path, size, sha256 }) => ({ path, ...(size === null ? {} : { size }), ...(sha256 === null ? {} : { sha256 }) }));
  const base = { place, summary: `${repo} of the Hugging Face hub.`, licence: listing.licence, files, source, runtime: chosen.runtime, signature: null, labels: null };
  const { at: here, install, settle } = await fetchHub(repo, files, source, chosen.runtime === "onnx" ? chosen.files.map((file) => file.path) : chosen.files.map((file) => file.path).filter((path) => path.endsWith(".json")));
  const json = (name: string): Record<string, unknown> | null => {
    const at = here.get(name);
    const read = at === undefined ? null : jsonObject(at);
    if (typeof read === "string") throw unreadable(`${name} of ${repo} at ${listing.commit}`, read, `It is so in the repository: try another revision (hf:${repo}@REVISION), or download the ONNX file alone and add that.`);
    return read;
  };
  const config = json("config.json");
  if (chosen.runtime === "onnx") {
    const { inputs, outputs } = await inspectOnnx(here.get(chosen.main)!);
    const evidence = { inputs, outputs, config, preprocessor: json("preprocessor_config.json"), tokenizer: json("tokenizer_config.json"), files: files.map((file) => file.path) };
    return { ...base, signature: { inputs, outputs }, install, settle, infer: (task) => infer(evidence, task) };
  }
  return { ...base, install, settle, infer: (task) => checkpoint(task, knownClass(config)) };
}

/** Several ONNX files: the library knows what goes in and comes out; the precision stands in the files' names. */
function checkpoint(given: string | null, known: { task: string; family: string } | null): Inference {
  const from = "config.json: architectures";
  const inference: Inference = { fields: { preprocess: { kind: "processor" } }, from: { preprocess: "several ONNX files, which @huggingface/transformers runs" }, open: [] };
  if (known) Object.assign(inference.fields, known);
  if (known) Object.assign(inference.from, { task: from, family: from });
  if (given !== null) inference.fields["task"] = given;
  if (given === null && !known) inference.open.push({ field: "task", option: "--task", question: "What does it do (image-to-text, image-text-to-text, speech-recognition, video-embedding, …)?" });
  return inference;
}

/** Options before inference before questions; then the manifest, checked by its schema. */
async function write(candidate: Candidate, options: AddOptions): Promise<Pick<ModelsAddDocument, "id" | "manifest" | "yaml" | "inferred" | "notes">> {
  const [{ manifestOf }, { IMAGE_PRESETS }] = await Promise.all([import("../../models/manifest.js"), import("../../models/infer.js")]);
  const { id, manifest } = candidate.place;
  await using questions = new Questions(id);
  const given = (option: string): string | undefined => options[option.slice(2) as keyof AddOptions] as string | undefined;
  const unanswered = ({ open }: Inference): Inference["open"] => open.filter(({ option }) => given(option) === undefined);
  const licence: Inference["open"] = candidate.licence === null && options.licence === undefined ? [{ field: "licence", option: "--licence", question: "What is its licence (MIT, Apache-2.0, …)?" }] : [];
  // The task decides what else there is to ask.
  const first = candidate.infer(options.task ?? null);
  const answers = await questions.ask(unanswered(first).filter(({ field }) => field === "task"), [...unanswered(first), ...licence]);
  const inference = candidate.infer(options.task ?? answers.get("--task") ?? null);
  for (const [option, answer] of await questions.ask([...unanswered(inference), ...licence])) answers.set(option, answer);
  const answer = (option: string): string | undefined => given(`--${option}`) ?? answers.get(`--${option}`);
  const fields: Record<string, unknown> = { ...inference.fields };
  const preset = answer("preprocess");
  if (preset !== undefined) {
    const known = fields["preprocess"] as Record<string, unknown> | undefined;
    const made = IMAGE_PRESETS[preset] ? { ...shapeOf(known), ...IMAGE_PRESETS[preset] } : yamlMap(preset, Object.keys(IMAGE_PRESETS));
    requirePreprocess(preset, IMAGE_PRESETS[preset], known, made, candidate.signature?.inputs ?? []);
    fields["preprocess"] = made;
  }
  vector(fields, answer("output"), answer("dims"));
  const value = {
    ...{ id, task: fields["task"], family: options.family ?? fields["family"] ?? "generic", summary: options.summary ?? candidate.summary },
    ...(candidate.runtime === "onnx" ? {} : { runtime: candidate.runtime }),
    licence: options.licence ?? candidate.licence ?? answers.get("--licence"),
    ...(candidate.source ? { source: candidate.source } : {}),
    files: candidate.files,
    ...Object.fromEntries(["inputs", "outputs", "preprocess", "output", "labels", "settings"].filter((key) => fields[key] !== undefined).map((key) => [key, fields[key]])),
    limits: ["added by `flow models add`: what it cannot do has not been written down"],
  };
  let model: ModelManifest;
  try {
    model = manifestOf(value, manifest);
  } catch (thrown) {
    if (!(thrown instanceof FlowError)) throw thrown;
    throw new FlowError(thrown.code, thrown.message, { hint: "Nothing was written: correct the options, `flow models add --help` has them; models/README.md describes the fields.", exit: EXIT.badInput });
  }
  if (candidate.signature) await requireFit(model, candidate.signature);
  const notes = [...candidate.place.notes, ...(await requireLabels(model, candidate.labels))];
  const yaml = stringify(value, { lineWidth: 0, flowCollectionPadding: true });
  await putInPlace(candidate, id, manifest, yaml);
  return { id, manifest, yaml, notes, inferred: Object.fromEntries(Object.entries(inference.from).filter(([field]) => fields[field] !== undefined && options[field as keyof AddOptions] === undefined)) };
}

/** Files and manifest, or neither. A folder that --out names is no part of the cache, and is told as the command line's. */
async function putInPlace({ install, settle }: Candidate, id: string, manifest: string, yaml: string): Promise<void> {
  const [{ onDisk }, { cacheFolder, layout }, { replaceFile }, { sweep }] = await Promise.all([import("../../models/store/disk.js"), import("../../models/store/folders.js"), import("../../models/store/json-file.js"), import("../../models/store/remove.js")]);
  const cache = cacheFolder();
  const folder = layout.model(cache, id);
  const before = existsSync(folder);
  const inCache = dirname(manifest) === layout.manifests(cache);
  const toManifest = (work: () => void): Promise<void> => (inCache ? onDisk(manifest, work) : outside(manifest, work));
  await toManifest(() => mkdirSync(dirname(manifest), { recursive: true }));
  try {
    await onDisk(folder, () => install(id));
    await toManifest(() => replaceFile(manifest, yaml));
  } catch (thrown) {
    if (!before) {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      await sweep(cache).catch(() => undefined);
    }
    throw thrown;
  }
  await onDisk(cache, () => settle?.());
}

async function outside(manifest: string, work: () => void): Promise<void> {
  try {
    work();
  } catch (cause) {
    throw new FlowError("OUTPUT_UNWRITABLE", `${manifest} cannot be written: ${(cause as Error).message}`, { hint: "Name another folder with --out, or correct its permissions.", exit: EXIT.environment, cause });
  }
}

/** What is known of a picture but for its normalisation, which a preset says whole. */
function shapeOf(preprocess: Record<string, unknown> | undefined): Record<string, unknown> {
  const { mean: _mean, std: _std, scale: _scale, color: _color, ...shape } = preprocess ?? {};
  return shape;
}

function yamlMap(text: string, presets: readonly string[]): Record<string, unknown> {
  const value = parseDocument(text).toJS() as unknown;
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw badArguments(`--preprocess ${text} is neither a preset nor a YAML map.`, `One of ${presets.join(", ")}, or a map as in the manifests: "{ kind: image, size: [224, 224] }".`);
}

/** An embedding model names one output and its width; told by hand where the file does not say. */
function vector(fields: Record<string, unknown>, name: string | undefined, dims: string | undefined): void {
  if (name === undefined && dims === undefined) return;
  if (dims !== undefined && !/^[1-9]\d*$/.test(dims)) throw badArguments(`--dims ${dims} is no number of numbers.`, "Give the length of the vector, as in --dims 512.");
  const before = (fields["output"] ?? {}) as { name?: string; dims?: number };
  const listed = (fields["outputs"] ?? []) as { name: string; dims: (number | string)[] }[];
  const chosen = name ?? before.name ?? listed[0]?.name;
  const last = listed.find((output) => output.name === chosen)?.dims.at(-1);
  fields["output"] = { normalised: "unit", ...before, name: chosen, dims: dims === undefined ? (before.dims ?? last) : Number(dims) };
  delete fields["outputs"];
}

/** Questions on a terminal, one line each; elsewhere what is open is an error that names the options. */
class Questions implements AsyncDisposable {
  private lines: Interface | null = null;
  private typed: AsyncIterator<string> | null = null;

  constructor(private readonly id: string) {}

  /** Option → answer. `all`: what is named where nobody can be asked. Throws MODEL_ADD_NEEDS. */
  async ask(open: Inference["open"], all: Inference["open"] = open): Promise<Map<string, string>> {
    const answers = new Map<string, string>();
    if (open.length === 0) return answers;
    if (!process.stdin.isTTY || !process.stderr.isTTY) throw this.needs(all);
    this.lines ??= createInterface({ input: process.stdin, output: process.stderr });
    // The iterator keeps lines that were typed or pasted ahead; `question` would lose them.
    this.typed ??= this.lines[Symbol.asyncIterator]();
    for (const { option, question } of open) {
      process.stderr.write(`${question} `);
      const { value, done } = await this.typed.next();
      if (done || String(value).trim() === "") throw this.needs(all);
      answers.set(option, String(value).trim());
    }
    return answers;
  }

  private needs(open: Inference["open"]): FlowError {
    return new FlowError("MODEL_ADD_NEEDS", `${this.id}: ${open.map(({ field, question }) => `${field}: ${question}`).join(" ")}`, {
      hint: `Nothing tells this; give ${open.map(({ option }) => option).join(", ")}.`,
      exit: EXIT.badInput,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lines?.close();
  }
}
