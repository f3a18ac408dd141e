import { z } from "zod";
import { duration } from "../../contracts/duration-field.js";
import { EXIT, FlowError } from "../../contracts/errors.js";
import { defineOperator } from "../../contracts/operator.js";
import { Rows, Scene } from "../../contracts/ports.js";
import { openCutFold } from "./cut-folds.js";
import { checkScenesFile } from "./given-scenes.js";
import { COMMON_COLUMNS, DETECTORS, SCORE_COLUMNS, type Detector } from "./scene.scores.columns.js";

/** Each detector's own default, PySceneDetect's: HSV difference, ratio, share of hash bits, 1 − correlation, mean of RGB. */
export const DEFAULT_THRESHOLDS: Partial<Record<Detector, number>> = { content: 27, adaptive: 3, hash: 0.35, histogram: 0.2, threshold: 12 };
const CONTENT_DEFAULT = 27;

const config = z
  .strictObject({
    detector: z.enum(DETECTORS).default("content").describe("What ends a scene: a detector, fixed `windows`, or the scenes given in a `file`."),
    threshold: z
      .number()
      .positive()
      .default(CONTENT_DEFAULT)
      .describe("In the detector's own scale. 27, the default of `content`, stands for the default of whichever detector runs: adaptive 3, hash 0.35, histogram 0.2, threshold 12."),
    min_content: z.number().min(0).default(15).describe("adaptive: no cut where the content value is below this."),
    min_scene: duration().prefault("0.6s").describe("Shortest scene that a detector makes."),
    max_length: duration().prefault("300s").describe("A longer scene is split here: bounds the memory of everything behind."),
    window: duration().prefault("30s").describe("windows: length of each; audio without picture: length at which a scene ends at its longest pause."),
    keep_last: duration().prefault("0.3s").describe("windows: a last window that is not longer than this is dropped."),
    audio: z.enum(["silence", "windows"]).default("silence").describe("How audio without picture is cut: in the middle of pauses, or in windows."),
    silence: duration().prefault("1s").describe("audio: a pause of this length ends a scene."),
    silence_level: z.number().max(0).default(-50).describe("audio: RMS in dBFS below which it is silent."),
    file: z.string().optional().describe('JSON for `detector: file`: [{start, end}], {"NAME": [{start, end}]} or [{path, scenes}]; seconds or "hh:mm:ss.sss".'),
  })
  .refine((c) => c.detector !== "file" || (c.file ?? "") !== "", { path: ["file"], message: "detector `file` needs a `file`" })
  .refine((c) => c.max_length > 0 && c.window > 0, { path: ["max_length"], message: "max_length and window must be longer than 0" })
  .transform((c) => ({
    ...c,
    file: c.file || null,
    threshold: c.threshold === CONTENT_DEFAULT ? (DEFAULT_THRESHOLDS[c.detector] ?? CONTENT_DEFAULT) : c.threshold,
  }));
export type SceneCutConfig = z.output<typeof config>;

export const sceneCut = defineOperator<SceneCutConfig>({
  name: "scene.cut",
  version: 1,
  summary: "Cuts a medium into scenes: five detectors, fixed windows, given scenes; pauses for audio alone.",
  description:
    "A pure fold over stored rows: moving a threshold cuts again and decodes nothing. Scenes are half-open, touch each other and reach from 0 to the medium's end " +
    "(given ones may leave gaps); frame numbers count decoded frames, the end frame exclusive, and are null without a picture. Each scene is given as soon as no later row can change it.",
  module: import.meta.url,
  level: "scene",
  inputs: { scores: Rows.with({ columns: COMMON_COLUMNS, optional: true, nullable: true }), levels: Rows.with({ columns: ["rmsDb"], optional: true, nullable: true }) },
  outputs: { scenes: Scene.at("scene") },
  config,
  narrow: ({ config: { detector } }) => (detector === "hash" ? { scores: { columns: SCORE_COLUMNS, hint: "Give scene.scores the same detector: `with: { detector: hash }`." } } : {}),
  run: { form: "cut" },
  requires: ({ detector, file }) => {
    if (detector === "file" && file !== null) checkScenesFile(file);
  },
  open: (resolved, medium) => {
    if (resolved.detector === "file" && resolved.file === null) {
      throw new FlowError("SCENES_FILE", "scene.cut: detector `file` without a file", { hint: "Give scene.cut a `file`.", exit: EXIT.badInput });
    }
    return openCutFold(resolved, medium);
  },
  examples: [
    {
      title: "Windows of 30 s",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores }, with: { detector: windows, window: 30s } }",
    },
    {
      title: "A stricter content detector",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores }, with: { threshold: 31, min_scene: 1s } }",
    },
  ],
});
