import type { Command } from "commander";
import { EXIT, FlowError } from "../../contracts/errors.js";
import type { FlowRecord, ModelManifest } from "../../contracts/index.js";
import type { Store } from "../../store/index.js";
import { act, quantity, withStore as withStoreOption, type StoreOptions } from "../define.js";
import { badArguments } from "../failure.js";
import type { ModelsCalibrateDocument, ModelsCalibrateResetDocument } from "../json.js";
import { installedModels, readable } from "../open-graph.js";
import { withStore } from "../open-store.js";
import { colours, count, print, printJson, table } from "../output.js";
import { fillsItsSpace } from "../../models/space.js";
import { requireModel, subcommand } from "./models-shared.js";

interface Options extends StoreOptions {
  falsePositives: number;
  write?: boolean;
  reset?: boolean;
}

/** Beyond this many foreign pairs a deterministic sample is compared: the quantiles move by less than their own uncertainty. */
const MAX_PAIRS = 2_000_000;
const MIN_PAIRS = 100;

export function calibrateCommand(): Command {
  const calibrate = subcommand("calibrate", "Estimate a vector space's threshold and score calibration from your own store.", {
    description: [
      "Scenes of different media are taken for unrelated. foreignMedian is the median of their cosines: a search shows it as score 0. The threshold is the cosine that",
      "only --false-positives of these pairs reach. Media that repeat one another (the same trailer twice) push it up: leave copies out of the store.",
      "Nothing is changed without --write; the result then lies in the cache and goes before the manifest's numbers for this user.",
    ].join("\n"),
    examples: [
      ["flow models calibrate lite-image", "print what this store says"],
      ["flow models calibrate clip-vit-base-patch32 --store films/.flow --false-positives 0.01 --write", "keep it"],
      ["flow models calibrate lite-image --reset", "back to the manifest's"],
    ],
  })
    .argument("<space-or-id>", "a vector space, or the model that makes it")
    .option("--false-positives <share>", "share of unrelated pairs that may pass", quantity, 0.001)
    .option("--write", "keep the result for this user")
    .option("--reset", "forget what was kept");
  return act<Options>(withStoreOption(calibrate), async ([word], options) => {
    if (options.falsePositives >= 1) throw badArguments("--false-positives is a share below 1.", "For example 0.001: one unrelated pair in a thousand passes.");
    const [{ calibrationFile, estimate, writeCalibration }, { cacheFolder }] = await Promise.all([import("../../models/store/calibration.js"), import("../../models/store/folders.js")]);
    const model = spaceOf(String(word), await installedModels());
    const space = model.space!;
    const cache = cacheFolder();
    if (options.reset) {
      writeCalibration(cache, space.name, null);
      const manifest = spaceOf(model.id, await installedModels()).space!;
      const document: ModelsCalibrateResetDocument = { ...{ space: space.name, model: model.id }, before: numbersOf(space), now: numbersOf(manifest) };
      if (options.json) return printJson(document);
      return print(`${space.name}: the manifest's numbers hold again.`);
    }
    return withStore(options.store, async (store) => {
      if (store.standIns !== null) throw new FlowError("STORE_OF_STAND_INS", `${options.store} was filled with --mock-models: vectors of stand-ins say nothing about a space.`, { hint: "Name a store of real results with --store.", exit: EXIT.badInput });
      const vectors = readVectors(store, space.name);
      const media = new Set(vectors.map(({ record }) => record.media)).size;
      const cosines = foreignCosines(vectors);
      if (media < 2 || cosines.length < MIN_PAIRS) {
        throw new FlowError("MODEL_CALIBRATION_DATA", `${options.store} has ${vectors.length} records of ${media} media in the space ${space.name}: ${cosines.length} unrelated pairs, at least ${MIN_PAIRS} of 2 media are needed`, {
          hint: "Run the graph over more, different media first.",
          exit: EXIT.badInput,
        });
      }
      const { pairs, foreignMedian, threshold } = estimate(cosines, options.falsePositives);
      const neighbours = neighbourCosines(vectors).sort();
      const notes: string[] = [];
      const above = Math.floor(pairs * options.falsePositives);
      if (above < 10) notes.push(`${count(pairs)} pairs are few for a rate of ${options.falsePositives}: the threshold rests on the ${above <= 1 ? "highest" : `${above} highest`} of them`);
      if (media < 10) notes.push(`${media} media are few: pairs of the same two media are not independent of one another`);
      if (foreignMedian >= threshold) notes.push("unrelated pairs do not spread in this store: the threshold tells nothing apart");
      const document: ModelsCalibrateDocument = {
        ...{ space: space.name, model: model.id, records: vectors.length, media, pairs, foreignMedian: round(foreignMedian), threshold: Math.min(1, Math.ceil(threshold * 1e4) / 1e4), falsePositives: options.falsePositives },
        neighbours: { pairs: neighbours.length, median: neighbours.length === 0 ? null : round(neighbours[neighbours.length >> 1]!), passing: neighbours.length === 0 ? null : round(neighbours.filter((cosine) => cosine >= threshold).length / neighbours.length) },
        before: numbersOf(space),
        written: options.write ? calibrationFile(cache) : null,
        notes,
      };
      if (options.write) writeCalibration(cache, space.name, { threshold: document.threshold, foreignMedian: document.foreignMedian, falsePositives: options.falsePositives, pairs, media });
      if (options.json) return printJson(document);
      report(document);
    });
  });
}

/** The model that fills the space of that name, or the one that `word` names, its own or that of another. */
function spaceOf(word: string, models: ReadonlyMap<string, ModelManifest>): ModelManifest {
  const named = models.has(word) ? requireModel(word, models) : null;
  if (named && fillsItsSpace(named)) return named;
  const all = readable(models);
  const filling = all.find((model) => model.space?.name === (named ? named.space?.name : word) && fillsItsSpace(model));
  if (filling) return filling;
  const model = requireModel(word, models);
  throw badArguments(`${model.id} has no vector space of its own.`, `Models that have one: ${all.filter(fillsItsSpace).map((each) => each.id).join(", ")}.`);
}

const numbersOf = ({ calibration, threshold }: NonNullable<ModelManifest["space"]>): ModelsCalibrateResetDocument["now"] => ({ foreignMedian: calibration.foreignMedian, threshold });

interface Vector {
  record: FlowRecord;
  values: Float32Array;
}

/** One vector per scene, normalised; a zero vector (silence) has no direction and is left out. */
function readVectors(store: Store, space: string): Vector[] {
  const found: Vector[] = [];
  for (const record of store.records({ kind: "scene" })) {
    const names = Object.entries(record.vectors).filter(([, vector]) => vector.space === space);
    for (const [name] of names.slice(0, 1)) {
      const values = store.vector(record, name);
      const length = values ? Math.hypot(...values) : 0;
      if (values && length > 0) found.push({ record, values: values.map((value) => value / length) });
    }
  }
  return found;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Every pair of different media, or every k-th where there are too many. */
function foreignCosines(vectors: readonly Vector[]): Float64Array {
  const all = (vectors.length * (vectors.length - 1)) / 2;
  const step = Math.max(1, Math.ceil(all / MAX_PAIRS));
  const cosines: number[] = [];
  let at = 0;
  for (let i = 0; i < vectors.length; i++) {
    for (let j = i + 1; j < vectors.length; j++) {
      if (vectors[i]!.record.media === vectors[j]!.record.media || at++ % step !== 0) continue;
      cosines.push(cosine(vectors[i]!.values, vectors[j]!.values));
    }
  }
  return Float64Array.from(cosines);
}

function neighbourCosines(vectors: readonly Vector[]): Float64Array {
  const ordered = [...vectors].sort((a, b) => (a.record.media < b.record.media ? -1 : a.record.media > b.record.media ? 1 : a.record.startUs - b.record.startUs));
  return Float64Array.from(ordered.slice(1).flatMap((vector, i) => (vector.record.media === ordered[i]!.record.media ? [cosine(vector.values, ordered[i]!.values)] : [])));
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

function report({ space, records, media, pairs, foreignMedian, threshold, falsePositives, neighbours, before, written, notes }: ModelsCalibrateDocument): void {
  print(`${colours.bold(space)}: ${count(records)} scenes of ${media} media, ${count(pairs)} unrelated pairs`);
  print(
    table(
      [
        ["foreignMedian", String(foreignMedian), String(before.foreignMedian)],
        [`threshold (${falsePositives * 100} % of unrelated pairs pass)`, String(threshold), String(before.threshold)],
      ],
      { head: ["", "here", "until now"], right: [1, 2] },
    ),
  );
  if (neighbours.pairs > 0) print(`Of ${count(neighbours.pairs)} scenes that follow one another ${Math.round((neighbours.passing ?? 0) * 100)} % pass (median ${neighbours.median}); a cut lies between them, so this is no measure of what is missed.`);
  for (const text of notes) print(`${colours.yellow("note:")} ${text}`);
  print(written ? `Kept in ${written}.` : `${colours.dim("next:")} the same with --write to keep it`);
}
