import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { ModelManifest } from "../../src/contracts/index.js";
import { iou, suppress, toSource, type Candidate } from "../../src/models/families/boxes.js";
import { activated, classify } from "../../src/models/families/classifier.js";
import { FACE_TEMPLATE, alignedFace, cropped, similarity, warp } from "../../src/models/families/crops.js";
import { boxOf, decodeMask, encodeMask, maskSize } from "../../src/models/families/masks.js";
import { yolox } from "../../src/models/families/yolox.js";
import { yunet } from "../../src/models/families/yunet.js";
import { manifestOf } from "../../src/models/manifest.js";
import { imageInput, rasterDemand, toSourceX, toSourceY, type ImagePreprocess } from "../../src/models/preprocess-image.js";
import { linear, type Raster } from "../../src/models/resample.js";

const manifest = (family: string, outputs: object[], settings: object): ModelManifest =>
  manifestOf({ id: "m", task: "t", family, summary: "s", licence: "MIT", files: [{ path: "m.onnx" }], inputs: [{ name: "x", dims: ["n"] }], outputs, settings, limits: [] }, "/nowhere/m.yaml");

const preprocess = (over: Partial<ImagePreprocess>): ImagePreprocess => ({ kind: "image", size: [8, 8], fit: "fill", pad: 0, anchor: "centre", resample: "linear", mean: [0, 0, 0], std: [1, 1, 1], color: "rgb", scale: 1, layout: "nchw", ...over });

/** Red is the column, green the row, blue 7. */
function ramp(width: number, height: number): Raster {
  const pixels = new Uint8Array(width * height * 3);
  for (let p = 0; p < width * height; p++) pixels.set([p % width, Math.floor(p / width), 7], p * 3);
  return { pixels, width, height };
}

test("suppression keeps the better of two that overlap, within a class or across; equal scores by order", () => {
  const box = (x: number, score: number, kind = 0): Candidate => ({ box: [x, 0, x + 10, 10], score, kind });
  const all = [box(0, 0.5), box(1, 0.9), box(2, 0.5, 1), box(30, 0.5), box(30, 0.5)];
  assert.deepEqual(suppress(all, 0.5).map((c) => all.indexOf(c)), [1, 2, 3]);
  assert.deepEqual(suppress(all, 0.5, true).map((c) => all.indexOf(c)), [1, 3]);
  assert.equal(suppress(all, 1).length, 5);
  assert.ok(Math.abs(iou([0, 0, 10, 10], [5, 0, 15, 10]) - 1 / 3) < 1e-12);
  assert.equal(iou([0, 0, 1, 1], [1, 1, 2, 2]), 0);
});

test("a point goes to the model's input and back, whatever the fit; boxes outside the source are clipped or gone", async () => {
  const sizes: [number, number][] = [[40, 30], [30, 40], [8, 8], [100, 20]];
  for (const [width, height] of sizes) {
    for (const fit of ["fill", "cover", "contain", "edges"] as const) {
      for (const anchor of ["centre", "top-left"] as const) {
        const source = { width: width * 3, height: height * 3 };
        const { placements, data, dims } = await imageInput([ramp(width, height)], preprocess({ fit, anchor, pad: 200, size: fit === "edges" ? [16, 8] : [8, 8] }), { sources: [source] });
        const [at] = placements;
        const [x, y] = [source.width / 2, source.height / 2];
        const [mx, my] = [x * at!.scaleX + at!.offsetX, y * at!.scaleY + at!.offsetY];
        assert.ok(Math.abs(toSourceX(at!, mx) - x) < 1e-9 && Math.abs(toSourceY(at!, my) - y) < 1e-9);
        // The middle of the picture has the column and row of the middle: what lies there says where it came from.
        const inside = Math.min(dims[2]! - 1, Math.floor(my)) * dims[3]! + Math.min(dims[3]! - 1, Math.floor(mx));
        assert.ok(Math.abs(data[inside]! - width / 2) <= width / 8 + 1, `${fit} ${anchor} ${width}×${height}: column ${data[inside]}`);
        assert.ok(Math.abs(data[dims[2]! * dims[3]! + inside]! - height / 2) <= height / 8 + 1, `${fit} ${anchor} ${width}×${height}: row`);
      }
    }
  }
  const { placements } = await imageInput([ramp(16, 8)], preprocess({ fit: "contain", anchor: "top-left" }), { sources: [{ width: 160, height: 80 }] });
  assert.deepEqual(toSource({ box: [-2, 1, 4, 9], score: 1, kind: 0 }, "x", placements[0]!), { label: "x", score: 1, box: [0, 20, 80, 80] });
  assert.equal(toSource({ box: [0, 5, 4, 7], score: 1, kind: 0 }, "x", placements[0]!), null);
});

test("padding is a byte value or zero after normalisation; NHWC and BGR put the channels where they belong", async () => {
  const raster = ramp(4, 2);
  const base = { fit: "contain", anchor: "top-left", size: [4, 4] as [number, number], mean: [1, 2, 3] as [number, number, number], std: [2, 2, 2] as [number, number, number] } as const;
  const padded = (await imageInput([raster], preprocess({ ...base, pad: 9 }))).data;
  assert.deepEqual([padded[3], padded[12], padded[16 + 12], padded[32 + 12]], [(3 - 1) / 2, 4, 3.5, 3]);
  const mean = (await imageInput([raster], preprocess({ ...base, pad: "mean" }))).data;
  assert.deepEqual([mean[3], mean[12], mean[32 + 15]], [1, 0, 0]);
  const { data, dims } = await imageInput([raster, raster], preprocess({ ...base, layout: "nhwc", color: "bgr", pad: 9 }));
  assert.deepEqual(dims, [2, 4, 4, 3]);
  assert.deepEqual([...data.subarray(48 + 9, 48 + 12)], [(7 - 1) / 2, (0 - 2) / 2, (3 - 3) / 2]);
});

test("what the decoder is asked for fits each way to scale", () => {
  assert.deepEqual(rasterDemand(preprocess({ size: [9, 5] })), [9, 5]);
  assert.deepEqual(rasterDemand(preprocess({ fit: "cover" })), { shortest: 8 });
  assert.deepEqual(rasterDemand(preprocess({ fit: "cover", resize: 10 })), { shortest: 10 });
  assert.deepEqual(rasterDemand(preprocess({ fit: "contain", size: [9, 5] })), { longest: 9 });
});

test("OpenCV's bilinear filter: half-pixel centres, the same size is the same picture, an even ramp stays one", () => {
  assert.deepEqual(linear(ramp(7, 5), 7, 5).pixels, ramp(7, 5).pixels);
  const half = linear(ramp(8, 8), 4, 4);
  assert.deepEqual([...half.pixels.subarray(0, 6)], [1, 1, 7, 3, 1, 7]);
});

test("YOLOX: one cell with an object is one box around its centre", () => {
  // 64×64 at strides 32 and 64: 4 + 1 cells, 2 classes. Cell 2 of stride 32 is column 0, row 1.
  const rows = new Float32Array(5 * 7);
  rows.set([0.5, 0.25, Math.log(0.5), Math.log(1), 0.9, 0.1, 0.8], 2 * 7);
  const model = manifest("yolox", [{ name: "output", dims: ["n", 5, 7] }], { strides: [32, 64], scoreThreshold: 0.5 });
  const [found, ...others] = yolox({ output: { data: rows, dims: [1, 5, 7] } }, 0, 1, { width: 64, height: 64 }, model, {});
  assert.deepEqual(others, []);
  assert.deepEqual(found!.box.map(Math.round), [8, 24, 24, 56]);
  assert.equal(found!.kind, 1);
  assert.ok(Math.abs(found!.score - 0.72) < 1e-6);
  assert.throws(() => yolox({ other: { data: rows, dims: [1, 5, 7] } }, 0, 1, { width: 64, height: 64 }, model, {}), { code: "MODEL_OUTPUT", message: /found other, expected output/ });
  assert.throws(() => yolox({}, 0, 1, { width: 64, height: 64 }, manifest("yolox", [{ name: "output", dims: ["n", 5, 7] }], { strides: "8" }), {}), { code: "MODEL_MANIFEST", message: /settings\.strides/ });
});

test("YuNet: √(class · object), centre and size in cells, five landmarks", () => {
  const outputs = { cls_32: [0, 0.81, 0, 0], obj_32: [0, 1, 0, 0], bbox_32: new Array(16).fill(0), kps_32: new Array(40).fill(0) } as Record<string, number[]>;
  outputs["kps_32"]!.splice(10, 2, 0.5, 0.25);
  const wrapped = Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, { data: Float32Array.from(values), dims: [1, 4, values.length / 4] }]));
  const [face] = yunet(wrapped, 0, 1, { width: 64, height: 64 }, manifest("yunet", [{ name: "cls_32", dims: ["n", 4, 1] }], { strides: [32] }), {});
  assert.ok(Math.abs(face!.score - 0.9) < 1e-6);
  assert.deepEqual(face!.box, [16, -16, 48, 16]);
  assert.deepEqual(face!.landmarks!.slice(0, 2), [[48, 8], [32, 0]]);
});

test("classifier: probabilities sum to one, best first, the first of equals first", () => {
  const model = manifest("imagenet-classifier", [{ name: "y", dims: ["n", 3] }], { classes: ["a", "b", "c"] });
  const outputs = { y: { data: Float32Array.of(0, 0, 0, 1, 3, 1), dims: [2, 3] } };
  assert.deepEqual(classify(outputs, 0, 2, model, { top: 2, minScore: 0 }).map(({ label }) => label), ["a", "b"]);
  const second = classify(outputs, 1, 2, model, { top: 9, minScore: 0 });
  assert.deepEqual(second.map(({ label }) => label), ["b", "a", "c"]);
  assert.ok(Math.abs(second.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-12);
  const endless = { y: { data: Float32Array.of(1, Infinity, 3), dims: [1, 3] } };
  assert.throws(() => classify(endless, 0, 1, model, { top: 3, minScore: 0.1 }), { code: "MODEL_OUTPUT", message: /y is Infinity at number 1 of an item/ });
  assert.deepEqual([...activated(Float32Array.of(1000, 1001), "softmax")].map((x) => x.toFixed(3)), ["0.269", "0.731"]);
});

test("masks: run lengths there and back; sizes keep the aspect and never enlarge", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.infiniteStream(fc.boolean()), (width, height, bits) => {
      const bitmap = Uint8Array.from({ length: width * height }, () => (bits.next().value ? 1 : 0));
      const mask = encodeMask(bitmap, width, height);
      assert.deepEqual(decodeMask(mask), bitmap);
      assert.equal(mask.counts.reduce((sum, run) => sum + run, 0), width * height);
      assert.equal(mask.area, bitmap.reduce((sum, bit) => sum + bit, 0));
    }),
  );
  // COCO: column by column, zeros first.
  assert.deepEqual(encodeMask(Uint8Array.of(1, 0, 1, 1), 2, 2).counts, [0, 2, 1, 1]);
  assert.deepEqual(boxOf(Uint8Array.of(0, 0, 0, 1), { width: 2, height: 2 }, { width: 20, height: 10 }), [10, 5, 20, 10]);
  assert.deepEqual(maskSize({ width: 1920, height: 1080 }, 512), { width: 512, height: 288 });
  assert.deepEqual(maskSize({ width: 100, height: 50 }, 512), { width: 100, height: 50 });
});

test("alignment: the similarity is found again, and a face is turned onto the template", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.2, max: 4, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true }), fc.integer({ min: -200, max: 200 }), fc.integer({ min: -200, max: 200 }), (scale, turn, tx, ty) => {
      const [a, b] = [scale * Math.cos(turn), scale * Math.sin(turn)];
      const moved = FACE_TEMPLATE.map(([x, y]): [number, number] => [a * x - b * y + tx, b * x + a * y + ty]);
      similarity(FACE_TEMPLATE, moved).forEach((value, i) => assert.ok(Math.abs(value - [a, b, tx, ty][i]!) < 1e-6));
    }),
  );
  assert.deepEqual(warp(ramp(6, 4), [1, 0, 0, 0], 4).pixels.subarray(0, 12), ramp(6, 4).pixels.subarray(0, 12));
  // A picture upside down, with the landmarks of one: its red dot at an eye comes to lie at the template's eye.
  const raster: Raster = { pixels: new Uint8Array(112 * 112 * 3), width: 112, height: 112 };
  const landmarks = FACE_TEMPLATE.map(([x, y]): [number, number] => [111 - x, 111 - y]);
  const [ex, ey] = landmarks[0]!.map(Math.round) as [number, number];
  for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) raster.pixels[((ey + dy) * 112 + ex + dx) * 3] = 255;
  const face = alignedFace(raster, { label: "face", score: 1, box: [0, 0, 112, 112], landmarks }, raster, 112) as Raster;
  const at = FACE_TEMPLATE[0]!.map(Math.round) as [number, number];
  assert.ok(face.pixels[(at[1] * 112 + at[0]) * 3]! > 200);
  assert.equal(alignedFace(raster, { label: "face", score: 1, box: [0, 0, 1, 1] }, raster, 112), "no landmarks");
});

test("crops: clipped to the raster, grown by padding, black outside the mask; nothing left is no crop", () => {
  const raster = ramp(20, 10);
  const source = { width: 200, height: 100 };
  const crop = cropped(raster, { label: "x", score: 1, box: [100, 50, 260, 120] }, source) as Raster;
  assert.deepEqual([crop.width, crop.height, ...crop.pixels.subarray(0, 3)], [10, 5, 10, 5, 7]);
  assert.deepEqual([(cropped(raster, { label: "x", score: 1, box: [50, 20, 90, 60] }, source, { padding: 0.5 }) as Raster).width], [8]);
  assert.equal(cropped(raster, { label: "x", score: 1, box: [201, 0, 300, 50] }, source), "outside of the picture");
  const mask = encodeMask(Uint8Array.from({ length: 200 }, (_, p) => (p % 20 < 12 ? 1 : 0)), 20, 10);
  const masked = cropped(raster, { label: "x", score: 1, box: [100, 50, 200, 100], mask }, source, { masked: true }) as Raster;
  assert.deepEqual([...masked.pixels.subarray(0, 9)], [10, 5, 7, 11, 5, 7, 0, 0, 0]);
  assert.equal(cropped(raster, { label: "x", score: 1, box: [150, 50, 200, 100], mask }, source, { masked: true }), "empty mask");
  assert.equal(cropped(raster, { label: "x", score: 1, box: [0, 0, 200, 100] }, source, { masked: true }), "no mask");
});
