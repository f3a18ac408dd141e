import { z } from "zod";
import type { ModelManifest } from "../../contracts/index.js";
import { suppress, type Candidate } from "./boxes.js";
import { rowOf, settingsOf, type Outputs } from "./outputs.js";
import type { DetectorOptions } from "./detector.js";

const settings = z.object({ scoreThreshold: z.number().default(0.7), nmsThreshold: z.number().default(0.3) });

/** Ultra-Light-Fast-Generic-Face-Detector: its file decodes the anchors; `boxes` are corners from 0 to 1, `scores` background and face. */
export function ultraLightFace(outputs: Outputs, i: number, items: number, input: { width: number; height: number }, manifest: ModelManifest, options: DetectorOptions): Candidate[] {
  const { scoreThreshold, nmsThreshold } = settingsOf(manifest, settings);
  const least = options.minScore ?? scoreThreshold;
  const scores = rowOf(outputs, "scores", i, items, 2, manifest);
  const boxes = rowOf(outputs, "boxes", i, items, 4, manifest);
  const candidates: Candidate[] = [];
  for (let n = 0; n < scores.length / 2; n++) {
    const score = scores[2 * n + 1]!;
    if (!(score >= least)) continue;
    const [left, top, right, bottom] = boxes.subarray(4 * n, 4 * n + 4);
    candidates.push({ box: [left! * input.width, top! * input.height, right! * input.width, bottom! * input.height], score, kind: 0 });
  }
  return suppress(candidates, options.nms ?? nmsThreshold);
}
