import { z } from "zod";
import { duration } from "../../contracts/duration-field.js";
import type { Interval, Series } from "../../contracts/items.js";
import { MISSING_END_US, type MediumInfo } from "../../contracts/media.js";
import { defineOperator } from "../../contracts/operator.js";
import { Info, Rows, Value } from "../../contracts/ports.js";
import { LEVEL_ROW_US } from "../audio/audio.levels.columns.js";
import { silenceSpans } from "../../math/silence.js";
import { spansWhere } from "../../math/spans.js";
import { blackFrames } from "../scene/frame-flags.js";
import { COMMON_COLUMNS } from "../scene/scene.scores.columns.js";
import { column } from "../series-rows.js";
import { borders, frameTiming, freezes } from "./picture-checks.js";

export interface QualityOptions {
  black: number;
  freeze: number;
  silence: number;
  silence_level: number;
}

export interface QualityReport {
  black: Interval[];
  freeze: Interval[];
  silence: Interval[];
  /** Black bars of the whole medium, shares of the coded raster; null without. */
  borders: { kind: "letterbox" | "pillarbox" | "windowbox"; top: number; bottom: number; left: number; right: number } | null;
  timing: { frames: number; variable: boolean; medianIntervalUs: number; minIntervalUs: number; maxIntervalUs: number; gaps: Interval[] } | null;
  /** > 0: the sound starts (ends) later than the picture. */
  audioOffsetUs: number | null;
  audioEndOffsetUs: number | null;
  /** What the container promises and decoding did not give; null when it is all there. */
  missingEnd: Interval | null;
  /** One line for each thing that a person should look at. */
  findings: string[];
}

export function qualityReport(info: MediumInfo, scores: Series | undefined, levels: Series | undefined, endUs: number, options: QualityOptions): QualityReport {
  const frames = scores && scores.ptsUs.length > 0 ? scores : undefined;
  const sound = levels && levels.ptsUs.length > 0 ? levels : undefined;
  const timing = frames && info.kind === "video" ? frameTiming(frames.ptsUs) : null;
  const videoEndUs = frames && timing ? frames.ptsUs.at(-1)! + timing.medianIntervalUs : null;
  // The last row may be short: sound does not go on behind the medium.
  const audioEndUs = sound ? Math.min(sound.ptsUs.at(-1)! + LEVEL_ROW_US, Math.max(endUs, sound.ptsUs.at(-1)!)) : null;
  const report: QualityReport = {
    black: frames ? spansWhere(frames.ptsUs, blackFrames(frames), videoEndUs ?? endUs, options.black) : [],
    freeze: frames && timing ? freezes(frames, videoEndUs ?? endUs, options.freeze) : [],
    silence: sound ? silenceSpans(column(sound, "rmsDb"), { thresholdDb: options.silence_level, minUs: options.silence, rowUs: LEVEL_ROW_US, startUs: sound.ptsUs[0]! }) : [],
    borders: frames ? borders(frames) : null,
    timing,
    audioOffsetUs: info.audio && info.video ? info.audio.startUs - info.video.startUs : null,
    // A level row is 100 ms long: a smaller difference cannot be told.
    audioEndOffsetUs: audioEndUs !== null && videoEndUs !== null ? (Math.abs(audioEndUs - videoEndUs) <= LEVEL_ROW_US ? 0 : audioEndUs - videoEndUs) : null,
    missingEnd: info.durationUs !== null && info.durationUs - endUs >= MISSING_END_US ? { startUs: endUs, endUs: info.durationUs } : null,
    findings: [],
  };
  report.findings = findings(report);
  return report;
}

const at = (us: number): string => `${(us / 1e6).toFixed(1)} s`;
const spans = (what: string, list: readonly Interval[]): string[] => list.map(({ startUs, endUs }) => `${what} from ${at(startUs)} to ${at(endUs)}`);

function findings(report: QualityReport): string[] {
  const { timing, borders: bars, audioOffsetUs: offset, audioEndOffsetUs: end } = report;
  const lines = [...spans("black", report.black), ...spans("frozen picture", report.freeze), ...spans("silence", report.silence)];
  if (bars) lines.push(`${bars.kind}: ${Math.round(100 * (bars.top + bars.bottom))} % of the height, ${Math.round(100 * (bars.left + bars.right))} % of the width are black bars`);
  if (timing?.variable) lines.push(`variable frame rate: frames ${(timing.minIntervalUs / 1e3).toFixed(1)} to ${(timing.maxIntervalUs / 1e3).toFixed(1)} ms apart`);
  if (timing) lines.push(...spans("no frames", timing.gaps));
  if (offset !== null && Math.abs(offset) >= 40_000) lines.push(`the sound starts ${at(Math.abs(offset))} ${offset > 0 ? "after" : "before"} the picture`);
  if (end !== null && Math.abs(end) >= 500_000) lines.push(`the sound ends ${at(Math.abs(end))} ${end > 0 ? "after" : "before"} the picture`);
  if (report.missingEnd) lines.push(...spans("missing", [report.missingEnd]));
  return lines;
}

export const qualityReportOperator = defineOperator({
  name: "quality.report",
  version: 2,
  summary: "Checks a medium: black, freeze, silence, black bars, frame timing, A/V offset, a missing end, with times.",
  description: "What the decoder complains about goes into the medium's `health` beside this report: its words depend on where decoding began, so no result depends on them.",
  module: import.meta.url,
  level: "media",
  inputs: {
    info: Info.at("media"),
    scores: Rows.with({ columns: COMMON_COLUMNS, optional: true, nullable: true }),
    levels: Rows.with({ columns: ["rmsDb"], optional: true, nullable: true }),
  },
  outputs: { report: Value.at("media") },
  config: z.strictObject({
    black: duration().prefault("0.5s").describe("Shortest black span to report."),
    freeze: duration().prefault("2s").describe("Shortest frozen span to report."),
    silence: duration().prefault("1s").describe("Shortest silent span to report."),
    silence_level: z.number().max(0).default(-50).describe("RMS in dBFS below which it is silent."),
  }),
  run: {
    form: "each",
    thread: "main",
    each: ({ info, scores, levels }, config: QualityOptions, { interval }) => ({
      report: qualityReport(info as MediumInfo, scores as Series | undefined, levels as Series | undefined, interval.endUs, config),
    }),
  },
  examples: [
    {
      title: "Quality of picture and sound",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nlevels: { op: audio.levels, in: media.audio }\n" +
        "quality: { op: quality.report, in: { info: media.info, scores: scores, levels: levels } }",
    },
  ],
});
