import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Detection } from "../../../src/contracts/index.js";
import { iou } from "../../../src/models/families/boxes.js";
import { objectDetect } from "../../../src/operators/object/object.detect.js";
import { MEDIA, WAYS, frameOf, framesFor, media, model, needs, runBatches } from "../vision/weights.js";

interface Reference {
  class: number;
  score: number;
  xywh: [number, number, number, number];
}

const NAMES = ["scenes/dog.jpg", "scenes/classroom.jpg", "scenes/hightway.jpg"];

/** Overlap with the nearest detection of the same class. */
const overlapWith = ({ class: kind, xywh: [x, y, w, h] }: Reference, classes: readonly string[], found: readonly Detection[]): number =>
  Math.max(0, ...found.filter((d) => d.label === classes[kind]).map((d) => iou(d.box, [x, y, x + w, y + h])));

test("YOLOX-nano finds OpenCV's objects in the reference pictures: same classes, IoU ≥ 0.95, at batch 1, 3, 16 and in a process of its own", needs("yolox-nano"), async (t) => {
  const reference = JSON.parse(readFileSync(join(MEDIA!, "../reference/objects_yolox_nano_opencv46.json"), "utf8")) as Record<string, Reference[]>;
  const models = { detector: model("yolox-nano") };
  const classes = models.detector.settings["classes"] as string[];
  // The pictures in their own size, which the worker scales as OpenCV does.
  const frames = await Promise.all(NAMES.map((name, i) => frameOf(media(`images/${name}`), { size: { longest: 10_000 } }, i)));
  const first = await runBatches<Detection[]>(objectDetect, models, frames, { size: 1 });
  for (const [i, name] of NAMES.entries()) {
    const wanted = reference[name]!;
    const worst = Math.min(...wanted.map((r) => overlapWith(r, classes, first[i]!)));
    const score = Math.max(...wanted.map((r, n) => Math.abs(r.score - first[i]![n]!.score)));
    t.diagnostic(`${name}: ${first[i]!.length} of ${wanted.length} objects, worst IoU ${worst.toFixed(3)}, scores within ${score.toFixed(4)}`);
    assert.ok(worst >= 0.95, `${name}: worst IoU ${worst}`);
    assert.equal(first[i]!.length, wanted.length, name);
  }
  // Scaled by the decoder, with its own filter: the same things, boxes within a pixel or two of a small one.
  const decoded = await runBatches<Detection[]>(objectDetect, models, await framesFor(objectDetect, models, NAMES.map((name) => media(`images/${name}`))));
  for (const [i, name] of NAMES.entries()) for (const wanted of reference[name]!) assert.ok(overlapWith(wanted, classes, decoded[i]!) >= 0.9, name);
  for (const way of WAYS) assert.deepEqual(await runBatches(objectDetect, models, frames, way), first, JSON.stringify(way));
});
