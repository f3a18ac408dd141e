import assert from "node:assert/strict";
import test from "node:test";
import { Detections, type Detection, type GridItem, type ModelManifest, type PortType } from "../../../src/contracts/index.js";
import { iou, type Box } from "../../../src/models/families/boxes.js";
import { boxOf, decodeMask } from "../../../src/models/families/masks.js";
import { objectSegment } from "../../../src/operators/object/object.segment.js";
import { MASK_MARGIN, MASK_SQUARES, greyFrame, iouOf, sam } from "../vision/stand-ins.js";
import { WAYS, runBatches } from "../vision/weights.js";

const COUNTS = [0, 1, 5, 0, 2, 40, 1, 0, 3];

/** Frames of two shapes, each with its own number of boxes, which are all different. */
function frames(counts: readonly number[]): GridItem[] {
  return counts.map((count, i) => {
    const source = i % 2 === 0 ? { width: 1280, height: 720 } : { width: 480, height: 640 };
    const scale = 256 / Math.max(source.width, source.height);
    const detections = Array.from({ length: count }, (_, n): Detection => {
      const [left, top] = [((n * 37) % 50) / 100, ((n * 53 + i * 11) % 50) / 100];
      const [w, h] = [0.25 + ((n * 7) % 25) / 100, 0.25 + ((n * 13 + i) % 25) / 100];
      return { label: `frame ${i} box ${n}`, score: 1 - n / 100, box: [left * source.width, top * source.height, (left + w) * source.width, (top + h) * source.height] };
    });
    return greyFrame(Math.round(source.width * scale), Math.round(source.height * scale), 10 + 20 * i, { detections }, source);
  });
}

/** The input's mean: the picture's grey on its part of the square, zeros on the rest. */
const brightness = (item: GridItem, i: number): number => (((10 + 20 * i) / 255) * item.slot.width * item.slot.height) / 256 ** 2;

for (const prompt of ["corners", "boxes"] as const) {
  test(`SAM with ${prompt}: each mask on its own detection, 0, 1 and many per frame, frames of two shapes, at batch 1, 3, 16`, async () => {
    const models = sam(prompt);
    const items = frames(COUNTS);
    const first = await runBatches<Detection[]>(objectSegment, models, items, { size: 1 });
    for (const [i, item] of items.entries()) {
      const given = item.inputs!["detections"] as Detection[];
      assert.deepEqual(first[i]!.map(({ mask: _, ...rest }) => rest), given, `frame ${i}`);
      const { width, height } = item.source!;
      const margin = (MASK_MARGIN * Math.max(width, height)) / 256;
      for (const { mask, box, label } of first[i]!) {
        // The better of the masks is the box less a margin.
        const wanted: Box = [box[0] + margin, box[1] + margin, box[2] - margin, box[3] - margin];
        const bitmap = decodeMask(mask!);
        const found = boxOf(bitmap, mask!, item.source!)!;
        assert.ok(iou(found, wanted) > 0.93, `${label}: ${found.join()} instead of ${wanted.join()}`);
        assert.equal(mask!.area, bitmap.reduce((sum, bit) => sum + bit, 0));
        assert.ok(Math.abs(mask!.area / (((found[2] - found[0]) * (found[3] - found[1]) * mask!.width * mask!.height) / (width * height)) - 1) < 0.01, `${label} is a full rectangle`);
        assert.ok(Math.abs(mask!.iou! - iouOf(brightness(item, i))) < 1e-5, `${label}: IoU ${mask!.iou} of another frame, expected ${iouOf(brightness(item, i))}`);
        assert.deepEqual([mask!.width, mask!.height], width > height ? [512, 288] : [384, 512]);
      }
    }
    for (const way of WAYS) assert.deepEqual(await runBatches(objectSegment, models, items, way), first, JSON.stringify(way));
  });
}

test("SAM with a point only: of three masks the one that fills the box best", async () => {
  const models = sam("centre");
  const source = { width: 256, height: 256 };
  const detections = MASK_SQUARES.map((half, n): Detection => ({ label: `square ${n}`, score: 1, box: [128 - half - 2, 128 - half - 2, 128 + half + 2, 128 + half + 2] }));
  const [found] = await runBatches<Detection[]>(objectSegment, models, [greyFrame(256, 256, 50, { detections }, source)], { config: { mask_longest: 256 } });
  found!.forEach(({ mask }, n) => {
    const [left, , right] = boxOf(decodeMask(mask!), mask!, source)!;
    assert.ok(Math.abs((right - left) / 2 - MASK_SQUARES[n]!) <= 2, `${(right - left) / 2} instead of ${MASK_SQUARES[n]}`);
  });
});

test("SAM in its published size, 1024 and 256", async () => {
  const models = sam("corners", 1024);
  const detections: Detection[] = [{ label: "left", score: 1, box: [100, 100, 700, 500] }, { label: "right", score: 1, box: [900, 300, 1800, 1000] }];
  const [found] = await runBatches<Detection[]>(objectSegment, models, [greyFrame(1024, 576, 128, { detections }, { width: 1920, height: 1080 })]);
  for (const { box, mask } of found!) assert.ok(iou(boxOf(decodeMask(mask!), mask!, { width: 1920, height: 1080 })!, box) > 0.9);
});

test("no boxes given is an error, and so is half a model", async () => {
  await assert.rejects(runBatches(objectSegment, sam("corners"), [greyFrame(256, 144, 0, {})]), { code: "BOXES_MISSING" });
  const { encoder, decoder } = sam("corners");
  const outputs = (models: Record<string, ModelManifest>, inputs: Record<string, PortType>): unknown => typeof objectSegment.outputs === "function" && objectSegment.outputs({ config: objectSegment.config.parse({}), models, inputs });
  assert.throws(() => outputs({ encoder }, {}), { code: "MODEL_TASK" });
  assert.throws(() => outputs({ encoder, decoder, segmenter: encoder }, {}), { code: "MODEL_TASK" });
  assert.throws(() => outputs({ encoder, decoder }, {}), { code: "BOXES_MISSING" });
  assert.throws(() => outputs({ segmenter: encoder }, { detections: Detections }), { code: "BOXES_UNUSED" });
  assert.ok(outputs({ encoder, decoder }, { detections: Detections }) && outputs({ segmenter: encoder }, {}));
});
