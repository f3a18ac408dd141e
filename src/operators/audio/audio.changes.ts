import { z } from "zod";
import { duration } from "../../contracts/duration-field.js";
import type { Series, Span } from "../../contracts/items.js";
import { defineOperator, skip } from "../../contracts/operator.js";
import { Rows, Value } from "../../contracts/ports.js";
import { column, quantile, rounded } from "../series-rows.js";
import { LEVEL_ROW_US } from "./audio.levels.columns.js";

const FLOOR_DB = -70;

export interface SoundChange extends Span {
  label: "onset" | "loud" | "quiet" | "silence";
  /** 0..1: how far the change stands out, 24 dB and more being 1. */
  confidence: number;
  value: number;
  unit: "dB";
}

export interface ChangeOptions {
  top: number;
  min_length: number;
  change: number;
  silence_level: number;
}

/** Spans that are louder or quieter than the item's median level, silent ones, and sudden onsets; the strongest `top`, in time order. */
export function soundChanges(levels: Series, options: ChangeOptions): SoundChange[] {
  const db = column(levels, "rmsDb").map((level) => Math.max(FLOOR_DB, level));
  const { ptsUs } = levels;
  const audible = db.filter((level) => level >= options.silence_level);
  const usual = quantile(audible, 0.5);
  const found: SoundChange[] = [];
  const add = (label: SoundChange["label"], from: number, to: number, strength: number): void => {
    const endUs = ptsUs[to - 1]! + LEVEL_ROW_US;
    if (label === "onset" || endUs - ptsUs[from]! >= options.min_length) {
      found.push({ label, startUs: ptsUs[from]!, endUs, value: rounded(strength, 1), unit: "dB", confidence: rounded(Math.min(1, Math.abs(strength) / 24), 2) });
    }
  };
  const kind = (level: number): SoundChange["label"] | null =>
    level < options.silence_level ? "silence" : level >= usual + options.change ? "loud" : level <= usual - options.change ? "quiet" : null;
  for (let from = 0; from < db.length; ) {
    const label = kind(db[from]!);
    let to = from + 1;
    while (to < db.length && kind(db[to]!) === label) to++;
    if (label !== null) {
      const level = quantile(db.subarray(from, to), 0.5);
      add(label, from, to, level - (audible.length > 0 ? usual : level));
    }
    from = to;
  }
  for (let i = 2; i < db.length; i++) {
    const rise = db[i]! - Math.max(db[i - 1]!, db[i - 2]!);
    if (rise >= 2 * options.change && db[i]! >= options.silence_level + 10) add("onset", i, i + 1, rise);
  }
  return found
    .map((change, order) => ({ change, order }))
    .sort((a, b) => b.change.confidence - a.change.confidence || b.change.endUs - b.change.startUs - (a.change.endUs - a.change.startUs) || a.order - b.order)
    .slice(0, options.top)
    .map(({ change }) => change)
    .sort((a, b) => a.startUs - b.startUs || a.endUs - b.endUs);
}

export const audioChanges = defineOperator({
  name: "audio.changes",
  version: 1,
  summary: "Where the sound changes: onsets, loud, quiet and silent spans, the strongest of an item.",
  description: "Events measured from the level alone; it says that something is heard, not what. Level: the node's `over`.",
  module: import.meta.url,
  level: "inherit",
  inputs: { levels: Rows.with({ columns: ["rmsDb"] }) },
  outputs: { events: Value.at("scene") },
  config: z.strictObject({
    top: z.int().min(1).max(1000).default(5).describe("Events kept: the strongest."),
    min_length: duration().prefault("0.3s").describe("A shorter loud, quiet or silent span is no event."),
    change: z.number().positive().default(8).describe("dB from the item's median level that make a span loud or quiet; an onset is twice that within 0.2 s."),
    silence_level: z.number().max(0).default(-50).describe("RMS in dBFS below which it is silent."),
  }),
  run: {
    form: "each",
    thread: "main",
    each: ({ levels }, config: ChangeOptions) => {
      const series = levels as Series;
      return series.ptsUs.length === 0 ? skip("no sound here") : { events: soundChanges(series, config) };
    },
  },
  examples: [
    {
      title: "The five strongest changes of each scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nlevels: { op: audio.levels, in: media.audio }\n" +
        "scenes: { op: scene.cut, in: { scores: scores, levels: levels } }\nevents: { op: audio.changes, over: scene, in: { levels: levels }, when: media.info.hasAudio }",
    },
  ],
});
