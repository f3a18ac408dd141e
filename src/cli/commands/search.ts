import type { Command } from "commander";
import { EXIT, FlowError } from "../../contracts/errors.js";
import type { FlowRecord, ModelManifest } from "../../contracts/index.js";
import type { SearchOptions, SearchResult, Store, VectorQuery } from "../../store/index.js";
import { storeOption } from "../command-line.js";
import { act, define, names, timeUs, wholeNumber, withStore as withStoreOption, withSuperseded, type StoreOptions } from "../define.js";
import { installedModels, readable } from "../open-graph.js";
import { badArguments } from "../failure.js";
import type { SearchDocument } from "../json.js";
import { withStore } from "../open-store.js";
import { clock, colours, plural, print, printJson, table } from "../output.js";
import { fieldText, findMedia } from "../records.js";
import { whereFilter } from "../where.js";

/** The space of full-text search, beside those of vectors. */
export const WORDS = "words";

interface Options extends StoreOptions {
  image?: string;
  audio?: string;
  where?: string;
  in?: string;
  from?: number;
  to?: number;
  top: number;
  space?: string[];
  superseded?: boolean;
}

export function command(): Command {
  const search = define("search", {
    description:
      'Words are matched in the text fields and attribute labels (BM25; "phrases" are required, lamp* is a beginning); a picture or a sound is read by the model that made the vectors; ' +
      "rankings are fused by reciprocal ranks. The lite models know no meaning: a word that no record has finds nothing, and that is said.",
    examples: [
      ['flow search "red car"', "words in transcript, caption, labels"],
      ["flow search '\"quiet harbour\" light*'", "a required phrase, a beginning"],
      ["flow search --image photo.jpg", "scenes that look like a picture"],
      ["flow search --audio horn.wav --in talk.mp4", "scenes of one medium that sound like it"],
      ["flow search --where 'duration > 5.0 && \"night\" in labels'", "by condition (CEL)"],
      ["flow search lighthouse --from 0:50 --top 1 --json", "one hit, for a script"],
    ],
  })
    .argument("[words...]", "what to look for")
    .option("--image <file>", "a picture to look like")
    .option("--audio <file>", "a sound to sound like (or a video: its sound)")
    .option("--where <expr>", "only records for which this is true (CEL): start, end, duration, media, uri, kind, labels, every field and attribute")
    .option("--in <media>", "only one medium: the beginning of its name, URI or id")
    .option("--from <time>", "only what ends after this time (83.5, 1:23)", timeUs)
    .option("--to <time>", "only what begins before this time", timeUs)
    .option("--top <n>", "at most n hits", wholeNumber(1), 10)
    .option("--space <names>", `only these spaces: ${WORDS}, or names of vectors (a,b)`, names);
  return act<Options>(withStoreOption(withSuperseded(search)), ([words], options) =>
    withStore(options.store, async (store) => {
      const text = ((words ?? []) as string[]).join(" ");
      if (text.trim() === "" && !options.image && !options.audio && !options.where) throw badArguments("Nothing to search for.", 'Give words, --image, --audio or --where: flow search "red car".');
      const result = await find(store, text, options);
      const { hits, notUnderstood, reason } = result;
      if (options.json) return printJson({ hits, notUnderstood, ...(reason === undefined ? {} : { reason }) } satisfies SearchDocument);
      printHits(store, result, options.store);
    }),
  );
}

async function find(store: Store, text: string, options: Options): Promise<SearchResult> {
  const { searchStore } = await import("../../store/index.js");
  const where = options.where === undefined ? undefined : await whereFilter(options.where, store);
  const media = options.in === undefined ? undefined : findMedia(store, options.in, options);
  const filters: SearchOptions = { top: options.top, superseded: options.superseded === true };
  if (where) filters.where = where;
  if (media) filters.media = media;
  if (options.from !== undefined) filters.fromUs = options.from;
  if (options.to !== undefined) filters.toUs = options.to;
  if (text.trim() === "" && !options.image && !options.audio) return listed(store, filters, options.where!);

  const spaces = vectorSpaces(store);
  const unknown = (options.space ?? []).filter((name) => name !== WORDS && !spaces.has(name));
  if (unknown.length > 0) throw badArguments(`The store has no space ${unknown.join(", ")}.`, `Spaces: ${[WORDS, ...spaces.keys()].join(", ")}.`);
  if (options.space) filters.space = options.space;
  const { fulltext, weights } = searchedOutputs(store);
  if (text.trim() !== "") filters.text = text;
  if (fulltext.length > 0) filters.fulltext = fulltext;
  const { vectors, wordsRead } = await queryVectors(text, options, spaces);
  for (const [name, queries] of Object.entries(vectors)) for (const query of queries) query.weight = weights.get(name) ?? 1;
  filters.vectors = vectors;
  const result = searchStore(store, filters);
  return wordsRead ? { ...result, notUnderstood: [] } : result;
}

/** What the plans behind the records say is searched, and with which weight; the first medium that names a vector decides. */
function searchedOutputs(store: Store): { fulltext: string[]; weights: Map<string, number> } {
  const fulltext = new Set<string>();
  const weights = new Map<string, number>();
  for (const { outputs } of store.mediaRows()) {
    for (const output of outputs ?? []) {
      for (const field of output.fulltext) fulltext.add(field);
      for (const [name, { weight }] of Object.entries(output.vectors)) if (!weights.has(name)) weights.set(name, weight);
    }
  }
  return { fulltext: [...fulltext], weights };
}

/** Only a condition: every scene for which it holds, in the order of time; nothing is ranked. */
function listed(store: Store, { where, media, fromUs, toUs, superseded = media !== undefined, top = 10 }: SearchOptions, source: string): SearchResult {
  const hits: SearchResult["hits"] = [];
  for (const record of store.records({ superseded, ...(fromUs === undefined ? {} : { fromUs }), ...(toUs === undefined ? {} : { toUs }) })) {
    if (record.kind === "media" || (media && !media.includes(record.media)) || !where!(record)) continue;
    const { id, kind, startUs, endUs, mocked } = record;
    if (hits.length < top) hits.push({ id, kind, media: record.media, uri: store.getMedium(record.media)?.info.uri ?? "", startUs, endUs, score: 1, spaces: [], why: source, ...(mocked && { mocked }) });
  }
  return hits.length > 0 ? { hits, notUnderstood: [] } : { hits, notUnderstood: [], reason: `${source} is true of no record${media || fromUs !== undefined || toUs !== undefined ? " that the other filters let through" : ""}.` };
}

/** Vector name → kind of its records and the space it lies in. */
function vectorSpaces(store: Store): Map<string, { kind: FlowRecord["kind"]; space: string }> {
  const spaces = new Map<string, { kind: FlowRecord["kind"]; space: string }>();
  for (const record of store.records()) {
    if (record.kind === "media") continue;
    for (const [name, { space }] of Object.entries(record.vectors)) if (!spaces.has(name)) spaces.set(name, { kind: record.kind, space });
  }
  return spaces;
}

/** A model of the lite set measures spelling, not meaning: its space answers every query with something, so it is asked only by name. */
const knowsMeaning = (manifest: ModelManifest): boolean => !manifest.id.startsWith("lite-");

/**
 * The model that brings pictures, sounds or words into a space: the one that made its vectors, or its other half (CLIP and CLAP have a text model
 * beside the one that made the vectors). Of several, one that is installed.
 */
export function readerOf(models: readonly ModelManifest[], space: string, reads: "image" | "audio" | "text"): ModelManifest | undefined {
  const readers = models.filter((model) => model.space?.name === space && model.preprocess.kind === reads && model.space.reads.includes(reads) && model.output !== null);
  return readers.find((model) => model.installed) ?? readers[0];
}

interface Reader {
  /** What a space must read to be asked. */
  reads: "image" | "audio" | "text";
  encode: (manifest: ModelManifest) => Promise<Float32Array | null>;
}

interface QueryVectors {
  vectors: Record<string, VectorQuery[]>;
  /** A model that knows what words mean read them: none of them is left unread. */
  wordsRead: boolean;
}

/** The query as each space that can read it reads it, by the model that made the space. */
async function queryVectors(text: string, options: Options, spaces: ReturnType<typeof vectorSpaces>): Promise<QueryVectors> {
  const asked = [...spaces].filter(([name]) => !options.space || options.space.includes(name));
  const models = readable(await installedModels());
  // Workers and decoders are loaded when a model is asked.
  const encoders = () => import("../query-vector.js");
  const readers: Reader[] = [];
  if (options.image !== undefined) readers.push({ reads: "image", encode: async (manifest) => (await encoders()).encodeImage(options.image!, manifest) });
  if (options.audio !== undefined) readers.push({ reads: "audio", encode: async (manifest) => (await encoders()).encodeAudio(options.audio!, manifest) });
  if (text.trim() !== "") readers.push({ reads: "text", encode: async (manifest) => (await encoders()).encodeText(text, manifest) });

  const read: QueryVectors = { vectors: {}, wordsRead: false };
  for (const { reads, encode } of readers) {
    const encoded = new Map<string, Promise<Float32Array | null>>();
    const missing = new Set<string>();
    let asking = 0;
    for (const [name, { kind, space }] of asked) {
      const manifest = readerOf(models, space, reads);
      if (!manifest?.space) continue;
      // Words are searched without it too.
      if (reads === "text" && !options.space && !(knowsMeaning(manifest) && manifest.installed)) continue;
      if (!manifest.installed) {
        missing.add(manifest.id);
        continue;
      }
      asking += 1;
      if (!encoded.has(manifest.id)) encoded.set(manifest.id, encode(manifest));
      const query = await encoded.get(manifest.id);
      // A silent sound has no direction: the search says so.
      (read.vectors[name] ??= []).push({ query: query ?? new Float32Array(manifest.output?.dims ?? 0), kind, calibration: manifest.space.calibration });
      if (reads === "text" && query && knowsMeaning(manifest)) read.wordsRead = true;
    }
    if (asking === 0 && missing.size > 0) {
      const ids = [...missing].join(" ");
      throw new FlowError("MODEL_MISSING", `The query cannot be read without the model that made the space: ${ids} is not installed.`, { hint: `flow models pull ${ids}`, exit: EXIT.environment });
    }
    if (asking === 0 && reads !== "text") {
      throw badArguments(`No vectors of the store can be asked by ${reads === "image" ? "a picture" : "a sound"}.`, `Spaces of the store: ${[...spaces].map(([name, { space }]) => `${name} (${space})`).join(", ") || "none"}.`);
    }
  }
  return read;
}

function printHits(store: Store, { hits, notUnderstood, reason }: SearchResult, dir: string): void {
  const several = new Set(hits.map((hit) => hit.media)).size > 1;
  const rows = hits.map((hit, i) => {
    const record = store.getRecord(hit.id);
    const text = (hit.mocked ? `${colours.red("stand-ins")} ` : "") + (hit.why || fieldText(record?.fields["caption"]));
    return [String(i + 1), colours.cyan(hit.id.slice(0, 8)), `${clock(hit.startUs)} – ${clock(hit.endUs)}`, ...(several ? [store.getMedium(hit.media)?.info.name ?? ""] : []), hit.score.toFixed(4), text];
  });
  if (rows.length > 0) print(table(rows, { right: [0], head: ["#", "id", "time", ...(several ? ["medium"] : []), "score", "why"] }));
  if (notUnderstood.length > 0) print(`${colours.yellow("not understood:")} ${notUnderstood.join(", ")} ${colours.dim("(no record has it; lite models know words as they are written, not things)")}`);
  if (hits.length === 0) return print(`no hits: ${reason ?? "no evidence"}`);
  const at = storeOption(dir);
  const medium = several ? "" : ` in ${hits[0]!.uri}`;
  // A picture cannot be cut.
  const lasting = hits.find((hit) => store.getMedium(hit.media)?.info.kind !== "image");
  const next = lasting ? ` ${colours.dim("next:")} flow clip ${lasting.id.slice(0, 8)} -o hit.mp4${at}` : "";
  print(`${plural(hits.length, "hit")}${medium}.${next}`);
}
