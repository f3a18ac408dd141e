import assert from "node:assert/strict";
import test from "node:test";
import type { Detection, Label, Series } from "../../../src/contracts/index.js";
import { captionObjects } from "../../../src/operators/caption/caption.objects.js";
import { labelsPool } from "../../../src/operators/labels/labels.pool.js";
import { objectSummary, type SeenObject } from "../../../src/operators/object/object.summary.js";
import { runEach } from "../run-each.js";

const series = (values: unknown[]): Series => ({ ptsUs: Float64Array.from(values, (_, i) => i * 500_000), width: 0, values });
const seen = (label: string, score: number, x = 0): Detection => ({ label, score, box: [x, 1.26, 10, 20] });

test("objects of a scene: frames, share, how many at once, the best and when", async () => {
  const detections = series([[seen("dog", 0.5), seen("car", 0.9, 3)], [], [seen("dog", 0.8, 2), seen("dog", 0.6)], [seen("dog", 0.7)]]);
  const { objects, text } = await runEach(objectSummary, { detections });
  assert.deepEqual(objects, [
    { label: "dog", kind: "animal", frames: 3, share: 0.75, usual: 1, most: 2, score: 0.8, bestUs: 1_000_000, box: [2, 1.3, 10, 20] },
    { label: "car", kind: "vehicle", frames: 1, share: 0.25, usual: 1, most: 1, score: 0.9, bestUs: 0, box: [3, 1.3, 10, 20] },
  ] satisfies SeenObject[]);
  assert.equal(text, "dog, car, animal, vehicle");
  assert.deepEqual((await runEach(objectSummary, { detections }, { min_frames: 2 }))["text"], "dog, animal");
  assert.deepEqual((await runEach(objectSummary, { detections }, { min_score: 0.65 }))["objects"], [
    { label: "dog", kind: "animal", frames: 2, share: 0.5, usual: 1, most: 1, score: 0.8, bestUs: 1_000_000, box: [2, 1.3, 10, 20] },
    { label: "car", kind: "vehicle", frames: 1, share: 0.25, usual: 1, most: 1, score: 0.9, bestUs: 0, box: [3, 1.3, 10, 20] },
  ]);
  assert.deepEqual(await runEach(objectSummary, { detections: series([[], []]) }), { objects: [], text: "" });
  assert.deepEqual(await runEach(objectSummary, { detections: series([]) }), { objects: [], text: "" });
});

test("labels of a scene: the mean over all frames or the best of them", async () => {
  const label = (name: string, score: number): Label => ({ label: name, score });
  const labels = series([[label("orange", 0.9), label("lemon", 0.1)], [label("orange", 0.5)], [], [label("sea", 0.6)]]);
  const { labels: mean, text } = await runEach(labelsPool, { labels });
  assert.deepEqual(mean, [
    { label: "orange", score: 0.35, frames: 2, best: 0.9, bestUs: 0 },
    { label: "sea", score: 0.15, frames: 1, best: 0.6, bestUs: 1_500_000 },
  ]);
  assert.equal(text, "orange, sea");
  assert.equal((await runEach(labelsPool, { labels }, { by: "max" }))["text"], "orange, sea, lemon");
  assert.equal((await runEach(labelsPool, { labels }, { by: "max", top: 1 }))["text"], "orange");
});

const object = (label: string, score: number, share = 1, usual = 1, frames = 10, kind: string | null = null): SeenObject => ({ label, kind, score, share, usual, most: usual + 1, frames, bestUs: 0, box: [0, 0, 1, 1] });

test("a caption names what passes its bar, in words, and nothing else", async () => {
  const caption = async (inputs: Record<string, unknown>, config: object = {}): Promise<unknown> => {
    const { text, skipped } = await runEach(captionObjects, inputs, config);
    return text ?? skipped;
  };
  assert.equal(await caption({ objects: [object("person", 0.9, 1, 2), object("orange", 0.8), object("skis", 0.8), object("vase", 0.3)] }), "Shows two people, an orange and skis.");
  assert.equal(await caption({ objects: [object("dog", 0.9, 0.01, 1, 1)] }), "nothing passes its bar");
  assert.equal(await caption({ objects: [object("dog", 0.9, 1, 1, 1)] }), "Shows a dog.");
  const animal = (label: string, score: number): SeenObject => object(label, score, 1, 1, 10, "animal");
  assert.equal(await caption({ objects: [animal("horse", 0.77), object("person", 0.9), animal("cow", 0.6)] }), "Shows an animal (horse or cow) and a person.");
  assert.equal(await caption({ objects: [animal("horse", 0.9), animal("dog", 0.6)] }), "Shows a horse and a dog.");
  assert.equal(await caption({ objects: [animal("horse", 0.6)] }), "Shows a horse.");
  assert.equal(await caption({ faces: [object("face", 0.95, 1, 3)] }), "Shows three people.");
  assert.equal(await caption({ objects: [object("person", 0.9)], faces: [object("face", 0.95)] }), "Shows a person and a face to be seen.");
  assert.equal(await caption({ tags: [{ label: "library", score: 0.8 }, { label: "slot", score: 0.1 }], events: [{ label: "Music", score: 0.9 }, { label: "Piano", score: 0.5 }] }), "Looks like a library. Sounds: music and piano.");
  assert.equal(await caption({ objects: null, tags: undefined }), "nothing passes its bar");
  assert.equal(await caption({ attributes: [{ name: "brightness", value: 90, unit: "%", label: "bright", synonyms: [] }] }), "A bright picture.");
});
