import type { Command } from "commander";
import { EXIT, FlowError } from "../../contracts/errors.js";
import { act, wholeNumber, withGraph, withLog, type GraphOptions, type LogOptions } from "../define.js";
import { badArguments } from "../failure.js";
import { Interrupts } from "../interrupt.js";
import type { ModelsPullDocument } from "../json.js";
import { Log, logLine } from "../log.js";
import { installedModels } from "../open-graph.js";
import { coloursFor, elapsed, note, plural, print, printJson, shellWord, size } from "../output.js";
import { PullProgress } from "./models-progress.js";
import { modelsOf, subcommand } from "./models-shared.js";

interface Options extends GraphOptions, LogOptions {
  parallel: number;
  lock?: boolean;
}

export function pullCommand(): Command {
  const pull = subcommand("pull", "Download what graphs or models lack; stopped, it goes on where it was.", {
    description: [
      "Every file is checked by size and SHA-256 before it is installed. Where a manifest states no hash, the first download is trusted and recorded in models.lock:",
      "the one in the working folder if there is one (commit it with your graphs; --lock makes it), and the one in the cache. What comes later has to be the same.",
      "Gated models: accept the terms on their page, then set HF_TOKEN.",
    ].join("\n"),
    examples: [
      ["flow models pull graphs/ego.yaml --profile small", "what a graph needs with a profile"],
      ["flow models pull graphs/ego.yaml --profile full -p captioner=captioner1", "and with other parameters"],
      ["flow models pull yolox-nano silero-vad", "models by name"],
      ["HF_ENDPOINT=https://hf-mirror.com flow models pull all-minilm-l6-v2", "from a mirror"],
    ],
  })
    .argument("<graph-or-id...>", "graphs, models of `flow models list`, or manifests (.yaml)")
    .option("--parallel <n>", "files at a time", wholeNumber(1), 4)
    .option("--lock", "keep a models.lock in the working folder");
  return act<Options>(withLog(withGraph(pull)), async ([words], options) => {
    const wanted = (words ?? []) as string[];
    const started = performance.now();
    const [store, catalogue] = await Promise.all([import("../../models/store/index.js"), installedModels()]);
    const { models, optional } = await modelsOf(wanted, catalogue, options);
    if (models.length === 0) throw badArguments(`${wanted.join(", ")}: no models are needed.`, "Name a profile with --profile, or models: `flow models list`.");
    const lock = new store.ModelsLock(store.cacheFolder());
    if (options.lock) lock.start();
    const progress = new PullProgress(process.stderr, options.quiet ? "off" : options.log);
    const log = new Log(options.quiet ? "off" : options.log);
    using interrupts = new Interrupts({ log, before: () => progress.clear() });
    const result = await store.pull(models, { lock, parallel: options.parallel, signal: interrupts.signal, onProgress: (files) => progress.update(files) }).finally(() => progress.clear());
    const bytes = result.pulled.reduce((sum, file) => sum + file.size, 0);
    // What nobody publishes and the graph does without is no failure of a download.
    const left = result.failed.filter(({ model, error }) => error.code === "MODEL_UNPUBLISHED" && optional.has(model));
    const failed = result.failed.filter((file) => !left.includes(file));
    const [first] = failed;
    const document: ModelsPullDocument = {
      models: models.map((model) => model.id),
      pulled: result.pulled,
      present: result.present,
      failed: failed.map(({ model, path, error }) => ({ model, path, error: error.toJSON() })),
      bytes,
      durationMs: Math.round(performance.now() - started),
      notes: [
        ...(options.lock && models.every((model) => model.files.every((file) => file.sha256 !== null && file.lock === undefined)) ? ["The manifests state every hash themselves: models.lock needs none of them."] : []),
        ...left.map(({ error }) => `${error.message}; the graph does without it. ${error.hint}`),
        ...result.damaged.filter(({ model, path }) => result.pulled.some((file) => file.model === model && file.path === path)).map(({ at, lock }) => `${at} is not what ${lock ?? "its manifest"} says; it was left there, and the right file in the cache is used instead.`),
      ],
      ...(first ? { error: first.error.toJSON() } : {}),
    };
    if (options.json) printJson(document);
    else if (options.log === "json") for (const { model, path, error } of document.failed) logLine("not-pulled", { model, path, error });
    else report(document, failed, options.quiet === true);
    log.event("pull-end", { ...document }, null);
    if (interrupts.signal.aborted) {
      const command = ["flow", "models", "pull", ...wanted, ...Object.entries(options.param ?? {}).flatMap(([name, value]) => ["-p", `${name}=${value}`]), ...(options.profile ? ["--profile", options.profile] : [])].map((word) => shellWord(word)).join(" ");
      log.event("resume", { command }, `${coloursFor(process.stderr).dim("resume:")} ${command}`);
      return EXIT.interrupted;
    }
    return first ? EXIT.environment : EXIT.ok;
  });
}

function report({ models, pulled, present, bytes, durationMs, notes }: ModelsPullDocument, failed: readonly { model: string; path: string; error: FlowError }[], quiet: boolean): void {
  const c = coloursFor(process.stderr);
  // One cause is told once, however many files it kept.
  const causes = new Map<string, { error: FlowError; files: string[] }>();
  for (const { model, path, error } of failed) {
    const same = causes.get(error.message);
    if (same) same.files.push(`${model}/${path}`);
    else causes.set(error.message, { error, files: [`${model}/${path}`] });
  }
  for (const { error, files } of causes.values()) {
    if (error.code === "INTERRUPTED") continue;
    note(`${c.red("error")} ${c.dim(error.code)} ${error.message} ${c.dim(`(${files.join(", ")})`)}`);
    note(`${c.dim("hint:")} ${error.hint}`);
  }
  if (quiet) return;
  for (const text of notes) note(`${c.yellow("note:")} ${text}`);
  if (failed.length > 0) return print(`${plural(pulled.length, "file")} pulled, ${plural(failed.length, "file")} failed.`);
  if (pulled.length === 0) return print(`${models.join(", ")}: all ${plural(present, "file")} there.`);
  print(`${models.join(", ")}: ${plural(pulled.length, "file")} pulled, ${size(bytes)} in ${elapsed(durationMs)}${present > 0 ? `; ${present} were there` : ""}.`);
}
