import type { FrameTapFactory } from "../../contracts/media.js";
import { FRAME_SCORE_COLUMNS, FRAME_SCORE_INDEX, FrameScorer } from "../../math/frame-scores.js";
import { NOT_MEASURED, SCORE_COLUMNS } from "./scene.scores.columns.js";

/** Runs in the media worker: pixels in, a row of numbers out. Imports nothing heavy, the worker loads it beside the decoder. */
export const sceneScoresTap: FrameTapFactory = (config, { width, height }) => {
  const { hash, edges } = config as { hash: boolean; edges: boolean };
  const scorer = new FrameScorer(width, height, { hash, edges });
  const full = new Float32Array(FRAME_SCORE_COLUMNS.length);
  const hashAt = SCORE_COLUMNS.indexOf("hashDistance");
  const from = SCORE_COLUMNS.map((name) => FRAME_SCORE_INDEX[name]);
  return {
    columns: SCORE_COLUMNS,
    push(pixels, _ptsUs, row) {
      scorer.score(pixels, full);
      for (let i = 0; i < from.length; i++) row[i] = full[from[i]!]!;
      // A row that is stored holds finite numbers only.
      if (!hash) row[hashAt] = NOT_MEASURED;
    },
  };
};
