import type { Detection } from "../../contracts/index.js";
import { contours, fillRings, ringArea } from "../../math/contours.js";
import { boxOf, decodeMask, encodeMask } from "../../models/families/masks.js";

/**
 * A detection whose mask is its largest part, filled: holes and specks vanish. `mask.polygon` is its outline in pixels of the source. `boxFromMask`: the
 * box is drawn anew around it. An empty mask stays as it is.
 */
export function refined(detection: Detection, source: { width: number; height: number }, boxFromMask: boolean): Detection {
  const { mask } = detection;
  if (!mask || mask.area === 0) return detection;
  const { width, height } = mask;
  const rings = contours(decodeMask(mask), width, height);
  // Of equal ones the first.
  const outline = rings.reduce((best, ring) => (ringArea(ring) > ringArea(best) ? ring : best));
  const bitmap = fillRings([outline], width, height);
  const [sx, sy] = [source.width / width, source.height / height];
  const polygon = Array.from({ length: outline.length / 2 }, (_, i): [number, number] => [outline[2 * i]! * sx, outline[2 * i + 1]! * sy]);
  return { ...detection, ...(boxFromMask ? { box: boxOf(bitmap, mask, source)! } : {}), mask: { ...encodeMask(bitmap, width, height, mask.iou), polygon } };
}
