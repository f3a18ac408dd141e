import { z } from "zod";
import type { ModelManifest } from "../../contracts/index.js";
import { suppress, type Candidate } from "./boxes.js";
import { rowOf, settingsOf, type Outputs } from "./outputs.js";
import type { DetectorOptions } from "./detector.js";

const settings = z.object({ strides: z.array(z.number().positive()).min(1).default([8, 16, 32]), scoreThreshold: z.number().default(0.5), nmsThreshold: z.number().default(0.5), nmsAcrossClasses: z.boolean().default(false) });

/**
 * YOLOX (Ge et al., 2021): rows [centre x, centre y, log width, log height, objectness, class scores…] of an anchor-free grid, cell by cell and
 * stride after stride; the score is objectness × best class. `nmsAcrossClasses`: one thing has one name, the best (OpenCV's NMSBoxes); else each class is suppressed by itself.
 */
export function yolox(outputs: Outputs, i: number, items: number, input: { width: number; height: number }, manifest: ModelManifest, options: DetectorOptions): Candidate[] {
  const { strides, scoreThreshold, nmsThreshold, nmsAcrossClasses } = settingsOf(manifest, settings);
  const least = options.minScore ?? scoreThreshold;
  const { name, dims } = manifest.outputs[0]!;
  const width = Number(dims.at(-1));
  const rows = rowOf(outputs, name, i, items, width, manifest);
  const candidates: Candidate[] = [];
  let at = 0;
  for (const stride of strides) {
    const [columns, lines] = [Math.floor(input.width / stride), Math.floor(input.height / stride)];
    for (let y = 0; y < lines; y++) {
      for (let x = 0; x < columns; x++, at += width) {
        let kind = 0;
        for (let c = 1; c < width - 5; c++) if (rows[at + 5 + c]! > rows[at + 5 + kind]!) kind = c;
        const score = rows[at + 4]! * rows[at + 5 + kind]!;
        if (!(score >= least)) continue;
        const [cx, cy] = [(rows[at]! + x) * stride, (rows[at + 1]! + y) * stride];
        const [w, h] = [Math.exp(rows[at + 2]!) * stride, Math.exp(rows[at + 3]!) * stride];
        candidates.push({ box: [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], score, kind });
      }
    }
  }
  return suppress(candidates, options.nms ?? nmsThreshold, nmsAcrossClasses);
}
