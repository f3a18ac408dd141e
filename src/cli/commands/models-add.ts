import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { parse, stringify } from "yaml";
import { EXIT, FlowError } from "../../contracts/errors.js";
import type { Inference } from "../../models/infer.js";
import { act, names, withJson, type JsonOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ModelsAddDocument } from "../json.js";
import { colours, print, printJson } from "../output.js";
import { inspectOnnx } from "./models-inspect.js";
import { chooseHubFiles, fetchHub } from "./models-hub.js";
import { subcommand } from "./models-shared.js";

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
  id: string;
  summary: string;
  licence: string | null;
  files: Record<string, unknown>[];
  source: Record<string, unknown> | null;
  runtime: "onnx" | "transformers";
  inference: Inference;
  /** Takes local files into the cache; nothing for published ones. */
  install: (id: string) => Promise<void>;
}

export function addCommand(): Command {
  const add = subcommand("add", "Write the manifest of an ONNX file or a Hugging Face repository.", {
    description: [
      "Reads names, dimensions and types from the ONNX file, the rest from config.json and preprocessor_config.json beside it or in the repository.",
      "What none of them tells is asked on a terminal; elsewhere it is an error that lists the options to give (exit 2). The manifest goes to the cache's manifests/.",
    ].join("\n"),
    examples: [
      ["flow models add hf:Xenova/dinov2-small", "a repository, at the commit that main is now"],
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
    .option("--force", "replace a manifest of the same name");
  return act<AddOptions>(withJson(add), async ([word], options) => {
    const wanted = String(word);
    const candidate = wanted.startsWith("hf:") ? await hubCandidate(wanted.slice(3), options) : await fileCandidate(wanted, options);
    const document = await write(candidate, options);
    if (options.json) return printJson(document);
    for (const [field, from] of Object.entries(document.inferred)) print(`${colours.dim("from")} ${from}: ${field}`);
    print(`Written: ${document.manifest}`);
    print(`${colours.dim("next:")} flow models show ${document.id}`);
  });
}

async function fileCandidate(word: string, options: AddOptions): Promise<Candidate> {
  const path = resolve(word);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new FlowError("FILE_NOT_FOUND", `There is no file ${word}.`, { hint: "Name an .onnx file, or hf:ORG/NAME.", exit: EXIT.badInput });
  const [{ infer }, { hashFile }, { adopt }, { cacheFolder }] = await Promise.all([import("../../models/infer.js"), import("../../models/manifest.js"), import("../../models/store/install.js"), import("../../models/store/folders.js")]);
  const { inputs, outputs } = await inspectOnnx(path);
  const beside = besideFiles(path, options.with ?? []);
  const all = [{ name: basename(path), at: path }, ...beside];
  const json = (name: string): Record<string, unknown> | null => {
    const found = [join(dirname(path), name), join(dirname(path), "..", name)].find((at) => existsSync(at));
    return found === undefined ? null : (JSON.parse(readFileSync(found, "utf8")) as Record<string, unknown>);
  };
  const files = await Promise.all(all.map(async ({ name, at }) => ({ path: name, size: statSync(at).size, sha256: await hashFile(at) })));
  const inference = infer({ inputs, outputs, config: json("config.json"), preprocessor: json("preprocessor_config.json"), tokenizer: json("tokenizer_config.json"), files: files.map((file) => file.path) });
  const labels = all.find(({ name }) => /label|class.*\.(txt|csv)$/i.test(name));
  if (labels) inference.fields["labels"] = labels.name;
  return {
    ...{ id: basename(path).replace(/\.onnx$/i, ""), summary: `${basename(path)}, added by hand.`, licence: null, files, source: null, runtime: "onnx", inference },
    install: async (id) => {
      for (const [i, { name, at }] of all.entries()) await adopt(cacheFolder(), id, name, files[i]!.sha256, at, options.link ? "link" : "copy");
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
  if (!repo) throw badArguments(`hf:${word} names no repository.`, "As in hf:Xenova/dinov2-small or hf:Xenova/dinov2-small@main.");
  const [{ listHub }, { infer, taskOf }] = await Promise.all([import("../../models/store/hub-listing.js"), import("../../models/infer.js")]);
  const listing = await listHub(repo, revision);
  const chosen = chooseHubFiles(listing, options);
  const source = { huggingface: repo, revision: listing.commit };
  const files = chosen.files.map(({ path, size, sha256 }) => ({ path, ...(size === null ? {} : { size }), ...(sha256 === null ? {} : { sha256 }) }));
  const base = { id: basename(repo), summary: `${repo} of the Hugging Face hub.`, licence: listing.licence, files, source, runtime: chosen.runtime };
  const { at: here, install } = await fetchHub(repo, files, source, chosen.runtime === "onnx" ? chosen.files.map((file) => file.path) : chosen.files.map((file) => file.path).filter((path) => path.endsWith(".json")));
  const json = (name: string): Record<string, unknown> | null => (here.has(name) ? (JSON.parse(readFileSync(here.get(name)!, "utf8")) as Record<string, unknown>) : null);
  const config = json("config.json");
  if (chosen.runtime === "onnx") {
    const { inputs, outputs } = await inspectOnnx(here.get(chosen.main)!);
    return { ...base, install, inference: infer({ inputs, outputs, config, preprocessor: json("preprocessor_config.json"), tokenizer: json("tokenizer_config.json"), files: files.map((file) => file.path) }) };
  }
  const task = taskOf(config);
  const inference: Inference = { fields: { preprocess: { kind: "processor" }, settings: { dtype: chosen.dtype } }, from: { preprocess: "several ONNX files: run by @huggingface/transformers" }, open: [] };
  if (task === null) inference.open.push({ field: "task", option: "--task", question: "What does it do (captioning, speech-recognition, object-detection, segmentation, …)?" });
  else Object.assign(inference.fields, { task });
  return { ...base, install, inference };
}

/** Options before inference before questions; then the manifest, checked by its schema. */
async function write(candidate: Candidate, options: AddOptions): Promise<ModelsAddDocument> {
  const [{ manifestOf }, { IMAGE_PRESETS }, { cacheFolder, layout }] = await Promise.all([import("../../models/manifest.js"), import("../../models/infer.js"), import("../../models/store/folders.js")]);
  const { inference } = candidate;
  const id = options.id ?? candidate.id.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, "");
  const open = inference.open.filter(({ option }) => options[option.slice(2) as keyof AddOptions] === undefined);
  if (candidate.licence === null && options.licence === undefined) open.push({ field: "licence", option: "--licence", question: "What is its licence (MIT, Apache-2.0, …)?" });
  const answers = await ask(open, id);
  const answer = (option: string): string | undefined => (options[option as keyof AddOptions] as string | undefined) ?? answers.get(`--${option}`);
  const fields: Record<string, unknown> = { ...inference.fields };
  if (answer("task") !== undefined) fields["task"] = answer("task");
  const preset = answer("preprocess");
  if (preset !== undefined) fields["preprocess"] = IMAGE_PRESETS[preset] ? { ...(fields["preprocess"] as object), ...IMAGE_PRESETS[preset] } : (parse(preset) as unknown);
  vector(fields, answer("output"), answer("dims"));
  const value = {
    ...{ id, task: fields["task"], family: options.family ?? "generic", summary: options.summary ?? candidate.summary },
    ...(candidate.runtime === "onnx" ? {} : { runtime: candidate.runtime }),
    licence: options.licence ?? candidate.licence ?? answers.get("--licence"),
    ...(candidate.source ? { source: candidate.source } : {}),
    files: candidate.files,
    ...Object.fromEntries(["inputs", "outputs", "preprocess", "output", "labels", "settings"].filter((key) => fields[key] !== undefined).map((key) => [key, fields[key]])),
    limits: ["added by `flow models add`: what it cannot do has not been written down"],
  };
  const folder = options.out === undefined ? layout.manifests(cacheFolder()) : resolve(options.out);
  const manifest = join(folder, `${id}.yaml`);
  if (existsSync(manifest) && !options.force) throw badArguments(`${manifest} exists.`, "Give another --id, or --force to replace it.");
  manifestOf(value, manifest);
  const yaml = stringify(value, { lineWidth: 0, flowCollectionPadding: true });
  const { replaceFile } = await import("../../models/store/json-file.js");
  mkdirSync(folder, { recursive: true });
  await candidate.install(id);
  replaceFile(manifest, yaml);
  return { id, manifest, yaml, inferred: Object.fromEntries(Object.entries(inference.from).filter(([field]) => fields[field] !== undefined && options[field as keyof AddOptions] === undefined)) };
}

/** An embedding model names one output and its width; told by hand where the file does not say. */
function vector(fields: Record<string, unknown>, name: string | undefined, dims: string | undefined): void {
  if (name === undefined && dims === undefined) return;
  const before = (fields["output"] ?? {}) as { name?: string; dims?: number };
  const listed = (fields["outputs"] ?? []) as { name: string; dims: (number | string)[] }[];
  const chosen = name ?? before.name ?? listed[0]?.name;
  const last = listed.find((output) => output.name === chosen)?.dims.at(-1);
  fields["output"] = { normalised: "unit", ...before, name: chosen, dims: dims === undefined ? (before.dims ?? last) : Number(dims) };
  delete fields["outputs"];
}

async function ask(open: readonly Inference["open"][number][], id: string): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  if (open.length === 0) return answers;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new FlowError("MODEL_ADD_NEEDS", `${id}: ${open.map(({ field, question }) => `${field}: ${question}`).join(" ")}`, {
      hint: `Nothing tells this; give ${open.map(({ option }) => option).join(", ")}.`,
      exit: EXIT.badInput,
    });
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    for (const { option, question } of open) answers.set(option, (await lines.question(`${question} `)).trim());
  } finally {
    lines.close();
  }
  return answers;
}
