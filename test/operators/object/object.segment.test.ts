import assert from "node:assert/strict";
import test from "node:test";
import type { Detection } from "../../../src/contracts/index.js";
import { ringArea } from "../../../src/math/contours.js";
import { decodeMask, encodeMask } from "../../../src/models/families/masks.js";
import { objectDetect } from "../../../src/operators/object/object.detect.js";
import { objectSegment } from "../../../src/operators/object/object.segment.js";
import { refined } from "../../../src/operators/object/refine-mask.js";
import { WAYS, framesFor, media, model, needs, runBatches } from "../vision/weights.js";

test("DeepLab sees the dog and the bicycle, at batch 1, 3, 16; the dog's mask lies in YOLOX's box", needs("deeplabv3", "yolox-nano"), async (t) => {
  const models = { segmenter: model("deeplabv3") };
  const paths = ["images/scenes/dog.jpg", "images/scenes/hightway.jpg", "images/scenes/orange.png"].map(media);
  const frames = await framesFor(objectSegment, models, paths);
  const first = await runBatches<Detection[]>(objectSegment, models, frames, { size: 1 });
  const dog = first[0]!;
  t.diagnostic(first.map((list) => list.map(({ label, score, mask }) => `${label} ${score.toFixed(2)} ${((100 * mask!.area) / (mask!.width * mask!.height)).toFixed(1)} %`).join(", ") || "nothing").join(" | "));
  for (const label of ["dog", "bicycle"]) assert.ok(dog.some((d) => d.label === label), label);
  const detector = { detector: model("yolox-nano") };
  const [boxes] = await runBatches<Detection[]>(objectDetect, detector, await framesFor(objectDetect, detector, paths.slice(0, 1)));
  const [left, top, right, bottom] = boxes!.find((d) => d.label === "dog")!.box;
  const mask = dog.find((d) => d.label === "dog")!.mask!;
  const bitmap = decodeMask(mask);
  const { width, height } = frames[0]!.source!;
  const inside = bitmap.reduce((sum, bit, p) => {
    const [x, y] = [((p % mask.width) + 0.5) * (width / mask.width), (Math.floor(p / mask.width) + 0.5) * (height / mask.height)];
    return sum + (bit === 1 && x > left && x < right && y > top && y < bottom ? 1 : 0);
  }, 0);
  t.diagnostic(`${((100 * inside) / mask.area).toFixed(1)} % of the dog's mask lie in YOLOX's box`);
  assert.ok(inside >= 0.98 * mask.area);
  for (const { mask } of first.flat()) {
    const bitmap = decodeMask(mask!);
    assert.equal(bitmap.reduce((sum, bit) => sum + bit, 0), mask!.area);
    assert.equal(mask!.counts.reduce((sum, run) => sum + run, 0), mask!.width * mask!.height);
  }
  for (const way of WAYS) assert.deepEqual(await runBatches(objectSegment, models, frames, way), first, JSON.stringify(way));
});

test("refined: the largest part, filled; its outline in pixels of the source; the box drawn anew only where it came from the mask", () => {
  const rows = ["#.......", "..####..", "..#.##..", "..####..", "........"];
  const bits = (lines: string[]): Uint8Array => Uint8Array.from(lines.join(""), (c) => (c === "#" ? 1 : 0));
  const detection: Detection = { label: "ring", score: 0.5, box: [0, 0, 16, 8], mask: encodeMask(bits(rows), 8, 5, 0.9) };
  const source = { width: 16, height: 10 };
  const { mask, box } = refined(detection, source, true);
  assert.deepEqual(decodeMask(mask!), bits(["........", "..####..", "..####..", "..####..", "........"]));
  assert.deepEqual([mask!.area, mask!.iou, box], [12, 0.9, [4, 2, 12, 8]]);
  assert.deepEqual(mask!.polygon, [[4, 2], [12, 2], [12, 8], [4, 8]]);
  assert.deepEqual(refined(detection, source, false).box, [0, 0, 16, 8]);
  const empty: Detection = { ...detection, mask: encodeMask(new Uint8Array(40), 8, 5) };
  assert.equal(refined(empty, source, true), empty);
});

test("DeepLab with refine: polygon: each outline encloses its mask's pixels", needs("deeplabv3"), async () => {
  const models = { segmenter: model("deeplabv3") };
  const frames = await framesFor(objectSegment, models, [media("images/scenes/dog.jpg")]);
  const [plain] = await runBatches<Detection[]>(objectSegment, models, frames);
  const [found] = await runBatches<Detection[]>(objectSegment, models, frames, { config: { refine: "polygon" } });
  const { width, height } = frames[0]!.source!;
  assert.deepEqual(found!.map(({ label }) => label), plain!.map(({ label }) => label));
  for (const { mask } of found!) {
    const [sx, sy] = [width / mask!.width, height / mask!.height];
    assert.ok(Math.abs(ringArea(mask!.polygon!.flatMap(([x, y]) => [x / sx, y / sy])) - mask!.area) < 1e-6);
  }
});
