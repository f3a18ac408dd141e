import { EXIT, FlowError } from "../../contracts/errors.js";
import { FRAME_SCORE_COLUMNS, FRAME_SCORE_INDEX } from "../../math/frame-scores.js";
import { adaptiveDetector, contentDetector, hashDetector, histogramDetector, thresholdDetector, type SceneDetector } from "../../math/scene-detectors.js";
import type { SceneCutConfig } from "./scene.cut.js";
import { SCORE_COLUMNS } from "./scene.scores.columns.js";

export interface FrameCutter {
  /** The stored score row (SCORE_COLUMNS) that begins at `at`, frames in order; gives the times of the cuts that became certain. */
  push(ptsUs: number, rows: Float32Array, at: number): number[];
  end(endUs: number): number[];
  /** No cut will be announced before this. */
  readonly settledUs: number;
}

function detectorOf(config: SceneCutConfig): SceneDetector {
  const { threshold, min_scene: minSceneUs } = config;
  switch (config.detector) {
    case "adaptive":
      return adaptiveDetector({ threshold, minSceneUs, minContent: config.min_content });
    case "hash":
      return hashDetector({ threshold, minSceneUs });
    case "histogram":
      return histogramDetector({ threshold, minSceneUs });
    case "threshold":
      return thresholdDetector({ threshold, minSceneUs });
    default:
      return contentDetector({ threshold, minSceneUs });
  }
}

const NONE: number[] = [];

export function openDetector(config: SceneCutConfig): FrameCutter {
  const detector = detectorOf(config);
  const full = new Float32Array(FRAME_SCORE_COLUMNS.length).fill(Number.NaN);
  const to = SCORE_COLUMNS.map((name) => FRAME_SCORE_INDEX[name]);
  const hashAt = SCORE_COLUMNS.indexOf("hashDistance");
  let frame = 0;
  return {
    push(ptsUs, rows, at) {
      if (config.detector === "hash" && rows[at + hashAt]! < 0) {
        throw new FlowError("SCORES_LACK_HASH", "scene.cut: detector `hash` reads a column that these scores were made without", {
          hint: "Give scene.scores the same detector: `with: { detector: hash }`.",
          exit: EXIT.badInput,
        });
      }
      for (let i = 0; i < to.length; i++) full[to[i]!] = rows[at + i]!;
      const cuts = detector.push(ptsUs, frame++, full);
      return cuts.length === 0 ? NONE : cuts.map((cut) => cut.ptsUs);
    },
    end: (endUs) => detector.end(endUs).map((cut) => cut.ptsUs),
    get settledUs() {
      return detector.settledUs;
    },
  };
}
