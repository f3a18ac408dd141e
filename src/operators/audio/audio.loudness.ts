import { z } from "zod";
import { duration } from "../../contracts/duration-field.js";
import type { Series, Span } from "../../contracts/items.js";
import { defineOperator, skip } from "../../contracts/operator.js";
import { Rows, Spans, Value } from "../../contracts/ports.js";
import { integratedLoudness, loudnessRange, truePeak } from "../../math/loudness.js";
import { silenceSpans } from "../../math/silence.js";
import { column, mean, rounded } from "../series-rows.js";
import { LEVEL_COLUMNS, LEVEL_ROW_US } from "./audio.levels.columns.js";

export interface LoudnessSummary {
  /** null: silence, or less than 400 ms. */
  integratedLufs: number | null;
  /** null: silence, or less than 3 s. */
  rangeLu: number | null;
  truePeakDb: number;
  rmsDb: number;
  silent: boolean;
}

/** RMS in dBFS of rows of one length, from their own. */
const rmsOf = (rmsDb: Float32Array): number => 10 * Math.log10(Math.max(1e-12, mean(rmsDb.map((db) => 10 ** (db / 10)))));

export function summarise(levels: Series, silenceDb: number): LoudnessSummary {
  const rows = levels.data ?? new Float32Array(0);
  const rmsDb = column(levels, "rmsDb");
  const round = (value: number | null): number | null => (value === null ? null : rounded(value, 2));
  return {
    integratedLufs: round(integratedLoudness(rows)),
    rangeLu: round(loudnessRange(rows)),
    truePeakDb: rounded(truePeak(rows), 2),
    rmsDb: rounded(rmsOf(rmsDb), 2),
    silent: rmsDb.every((db) => db < silenceDb),
  };
}

export const audioLoudness = defineOperator({
  name: "audio.loudness",
  version: 1,
  summary: "Integrated loudness, range, true peak (EBU R128) and silent spans of a scene or a medium.",
  description: "Level: the node's `over`. Computed from the rows of audio.levels, so each scene costs next to nothing. A scene's blocks of 400 ms lie wholly inside it.",
  module: import.meta.url,
  level: "inherit",
  inputs: { levels: Rows.with({ columns: LEVEL_COLUMNS }) },
  outputs: { summary: Value.at("scene"), silence: Spans.at("scene") },
  config: z.strictObject({
    silence: duration().prefault("0.5s").describe("Shortest silent span."),
    silence_level: z.number().max(0).default(-50).describe("RMS in dBFS below which it is silent."),
  }),
  run: {
    form: "each",
    thread: "main",
    each: ({ levels }, config: { silence: number; silence_level: number }, { interval }) => {
      const series = levels as Series;
      const first = series.ptsUs[0];
      if (first === undefined) return skip("no sound here");
      const silence: Span[] = silenceSpans(column(series, "rmsDb"), {
        thresholdDb: config.silence_level,
        minUs: config.silence,
        rowUs: LEVEL_ROW_US,
        startUs: first,
        endUs: Math.min(interval.endUs, series.ptsUs.at(-1)! + LEVEL_ROW_US),
      });
      return { summary: summarise(series, config.silence_level), silence };
    },
  },
  examples: [
    {
      title: "Loudness of each scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nlevels: { op: audio.levels, in: media.audio }\n" +
        "scenes: { op: scene.cut, in: { scores: scores, levels: levels } }\nloudness: { op: audio.loudness, over: scene, in: { levels: levels }, when: media.info.hasAudio }",
    },
  ],
});
