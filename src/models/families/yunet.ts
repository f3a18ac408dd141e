import { z } from "zod";
import type { ModelManifest } from "../../contracts/index.js";
import { suppress, type Candidate } from "./boxes.js";
import { rowOf, settingsOf, type Outputs } from "./outputs.js";
import type { DetectorOptions } from "./detector.js";

const settings = z.object({ strides: z.array(z.number().positive()).min(1).default([8, 16, 32]), scoreThreshold: z.number().default(0.6), nmsThreshold: z.number().default(0.3) });

/**
 * YuNet (Wu et al., 2023), without anchors: for each stride cls_S, obj_S, bbox_S and kps_S over the cells of its grid. The score is √(cls · obj); boxes are
 * centre offsets and log sizes in cells, landmarks are offsets in cells, as OpenCV's FaceDetectorYN reads them.
 */
export function yunet(outputs: Outputs, i: number, items: number, input: { width: number; height: number }, manifest: ModelManifest, options: DetectorOptions): Candidate[] {
  const { strides, scoreThreshold, nmsThreshold } = settingsOf(manifest, settings);
  const least = options.minScore ?? scoreThreshold;
  const unit = (value: number): number => Math.min(1, Math.max(0, value));
  const candidates: Candidate[] = [];
  for (const stride of strides) {
    const [cls, obj, bbox, kps] = [rowOf(outputs, `cls_${stride}`, i, items, 1, manifest), rowOf(outputs, `obj_${stride}`, i, items, 1, manifest), rowOf(outputs, `bbox_${stride}`, i, items, 4, manifest), rowOf(outputs, `kps_${stride}`, i, items, 10, manifest)];
    const columns = Math.floor(input.width / stride);
    for (let cell = 0; cell < cls.length; cell++) {
      const score = Math.sqrt(unit(cls[cell]!) * unit(obj[cell]!));
      if (!(score >= least)) continue;
      const [x, y] = [cell % columns, Math.floor(cell / columns)];
      const [cx, cy] = [(x + bbox[cell * 4]!) * stride, (y + bbox[cell * 4 + 1]!) * stride];
      const [w, h] = [Math.exp(bbox[cell * 4 + 2]!) * stride, Math.exp(bbox[cell * 4 + 3]!) * stride];
      const landmarks = Array.from({ length: 5 }, (_, n): [number, number] => [(kps[cell * 10 + 2 * n]! + x) * stride, (kps[cell * 10 + 2 * n + 1]! + y) * stride]);
      candidates.push({ box: [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], score, kind: 0, landmarks });
    }
  }
  return suppress(candidates, options.nms ?? nmsThreshold);
}
