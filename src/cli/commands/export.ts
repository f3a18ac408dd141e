import { Option, type Command } from "commander";
import type { FlowRecord } from "../../contracts/index.js";
import type { ExportFormat, ExportOptions, Store } from "../../store/index.js";
import { act, define, names, withStore as withStoreOption, withSuperseded, type StoreOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ExportDocument } from "../json.js";
import { standInsText, withStore } from "../open-store.js";
import { colours, plural, print, printJson, size, table } from "../output.js";
import { checkOutput } from "../output-file.js";
import { findMedia, kindOption } from "../records.js";
import { whereFilter } from "../where.js";

/** Format → file that is written when -o names none. */
const DEFAULT_FILES: Record<ExportFormat, string> = { jsonl: "records.jsonl", npz: "vectors.npz", parquet: "records.parquet", safetensors: "vectors.safetensors", webvtt: "transcript.vtt" };

/** Lines of Python that read the file. */
const PYTHON: Record<ExportFormat, (file: string) => string[]> = {
  jsonl: (file) => ["import json", `records = [json.loads(line) for line in open(${JSON.stringify(file)})]`],
  npz: (file) => ["import numpy as np", `data = np.load(${JSON.stringify(file)})`, "print({name: data[name].shape for name in data.files})"],
  parquet: (file) => ["import pandas as pd", `records = pd.read_parquet(${JSON.stringify(file)})`],
  safetensors: (file) => ["from safetensors.numpy import load_file", `vectors = load_file(${JSON.stringify(file)})`],
  webvtt: (file) => ["import webvtt", `captions = list(webvtt.read(${JSON.stringify(file)}))`],
};

interface Options extends StoreOptions {
  format: ExportFormat;
  out?: string;
  kind?: FlowRecord["kind"];
  in?: string;
  where?: string;
  vectors?: string[];
  text?: string;
  superseded?: boolean;
}

export function command(): Command {
  const exporting = define("export", {
    description: "jsonl holds whole records (vectors only when named); npz and safetensors hold vectors with their ids and times; parquet holds both; webvtt holds a text field as captions. A file appears whole or not at all.",
    examples: [
      ["flow export --format jsonl -o records.jsonl", "one record a line"],
      ["flow export --format npz -o vectors.npz", "vectors for numpy"],
      ["flow export --format parquet --in talk.mp4", "one medium as a table"],
      ["flow export --format webvtt --text caption -o captions.vtt", "captions for a player"],
      ["flow export --format safetensors --vectors video,text", "only some vectors"],
    ],
  })
    .addOption(new Option("--format <format>", "what to write").choices(Object.keys(DEFAULT_FILES)).makeOptionMandatory())
    .option("-o, --out <file>", "file to write (default: by format, in the working folder)")
    .addOption(kindOption("records of one kind (default: all in jsonl, else scene)"))
    .option("--in <media>", "only one medium: the beginning of its name, URI or id")
    .option("--where <expr>", "only records for which this is true (CEL), as in flow search")
    .option("--vectors <names>", "only these vectors (a,b)", names)
    .option("--text <field>", "webvtt: the field to show (default: transcript)");
  return act<Options>(withStoreOption(withSuperseded(exporting)), (_, options) =>
    withStore(options.store, async (store) => {
      const { exportStore } = await import("../../store/index.js");
      const { format } = options;
      const request: ExportOptions = { format, out: options.out ?? DEFAULT_FILES[format], kind: options.kind, text: options.text, vectors: options.vectors };
      checkOutput(request.out, store);
      if (options.superseded) request.superseded = true;
      if (options.in !== undefined) request.media = findMedia(store, options.in, options);
      if (options.where !== undefined) request.where = await whereFilter(options.where, store);
      if (options.vectors) knownVectors(options.vectors, store);
      const result: ExportDocument = await exportStore(store, request);
      if (options.json) return printJson(result);
      print(table(result.files.map(({ path, bytes }) => [path, size(bytes)]), { right: [1], indent: 0 }));
      if (result.mocked) print(colours.red(standInsText(result.mocked)));
      print(`${plural(result.records, "record")}. Python:`);
      for (const line of PYTHON[format](result.files[0]?.path ?? request.out)) print(`  ${line}`);
    }),
  );
}

/** A mistyped name would leave its vectors out without a word. */
function knownVectors(typed: readonly string[], store: Store): void {
  const names = new Set([...store.records({ superseded: true })].flatMap((record) => Object.keys(record.vectors)));
  const unknown = typed.filter((name) => !names.has(name));
  if (unknown.length > 0) throw badArguments(`The store has no vectors ${unknown.join(", ")}.`, `Vectors: ${[...names].join(", ") || "none"}.`);
}
