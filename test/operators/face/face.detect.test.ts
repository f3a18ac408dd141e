import assert from "node:assert/strict";
import test from "node:test";
import type { Detection } from "../../../src/contracts/index.js";
import { iou } from "../../../src/models/families/boxes.js";
import { faceDetect } from "../../../src/operators/face/face.detect.js";
import { WAYS, framesFor, media, model, needs, runBatches } from "../vision/weights.js";

const PICTURES = ["images/faces/bbt1.jpg", "images/faces/many_face.png", "images/scenes/dog.jpg"];

async function find(id: string, config: object = {}): Promise<Detection[][]> {
  const models = { detector: model(id) };
  const frames = await framesFor(faceDetect, models, PICTURES.map(media));
  const first = await runBatches<Detection[]>(faceDetect, models, frames, { size: 1, config });
  for (const way of WAYS) assert.deepEqual(await runBatches(faceDetect, models, frames, { ...way, config }), first, `${id} ${JSON.stringify(way)}`);
  for (const [i, list] of first.entries()) {
    const { width, height } = frames[i]!.source!;
    for (const { box: [left, top, right, bottom] } of list) assert.ok(0 <= left && left < right && right <= width && 0 <= top && top < bottom && bottom <= height, PICTURES[i]);
  }
  return first;
}

for (const id of ["yunet", "yunet-dynamic", "ultra-light-face"]) {
  test(`${id} finds the faces of the group pictures and none on the dog, at batch 1, 3, 16`, needs(id), async (t) => {
    const [group, many, dog] = await find(id);
    t.diagnostic(`bbt1.jpg ${group!.length} faces (${group!.map((f) => f.score.toFixed(2)).join(" ")}), many_face.png ${many!.length} (best ${many![0]?.score.toFixed(2)}), dog.jpg ${dog!.length}`);
    assert.ok(group!.length >= 4 && group![0]!.score > 0.9);
    assert.ok(many!.length >= 4 && many![0]!.score > 0.9);
    assert.deepEqual(dog, []);
  });
}

test("YuNet's landmarks lie in their faces, right eye left of left eye, eyes above mouth; the two files agree; Ultra-Light finds the same faces", needs("yunet", "ultra-light-face"), async () => {
  const [fixed, dynamic, light] = [(await find("yunet"))[0]!, (await find("yunet-dynamic"))[0]!, (await find("ultra-light-face"))[0]!];
  assert.equal(dynamic.length, fixed.length);
  for (const [n, { box, landmarks }] of fixed.entries()) {
    assert.equal(landmarks?.length, 5);
    const [right, left, nose, mouthRight, mouthLeft] = landmarks!;
    for (const [x, y] of landmarks!) assert.ok(x > box[0] && x < box[2] && y > box[1] && y < box[3]);
    assert.ok(right![0] < left![0] && mouthRight![0] < mouthLeft![0] && Math.max(right![1], left![1]) < nose![1] && nose![1] < Math.min(mouthRight![1], mouthLeft![1]));
    assert.ok(iou(box, dynamic[n]!.box) > 0.99);
  }
  const both = fixed.filter(({ box, score }) => score > 0.9 && light.some((other) => iou(other.box, box) > 0.4));
  assert.ok(both.length >= fixed.filter(({ score }) => score > 0.9).length * 0.8, `${both.length} of ${fixed.length}`);
});

test("min_size, min_score and max thin the list", needs("yunet-dynamic"), async () => {
  const all = (await find("yunet-dynamic"))[1]!;
  const sizes = all.map(({ box }) => Math.min(box[2] - box[0], box[3] - box[1])).sort((a, b) => a - b);
  const median = sizes[sizes.length >> 1]!;
  assert.equal((await find("yunet-dynamic", { min_size: median }))[1]!.length, sizes.filter((size) => size >= median).length);
  assert.deepEqual((await find("yunet-dynamic", { max: 1 }))[1], all.slice(0, 1));
  assert.ok((await find("yunet-dynamic", { min_score: 0.9 }))[1]!.every(({ score }) => score >= 0.9));
});
