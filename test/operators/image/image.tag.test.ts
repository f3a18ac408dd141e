import assert from "node:assert/strict";
import test from "node:test";
import type { Label } from "../../../src/contracts/index.js";
import { imageTag } from "../../../src/operators/image/image.tag.js";
import { WAYS, framesFor, media, model, needs, runBatches } from "../vision/weights.js";

test("MobileNet names the orange and the husky, at batch 1, 3, 16 and in a process of its own", needs("mobilenet-v2-quant"), async (t) => {
  const models = { tagger: model("mobilenet-v2-quant") };
  const frames = await framesFor(imageTag, models, ["images/scenes/orange.png", "images/scenes/dog.jpg", "images/scenes/hightway.jpg", "images/scenes/classroom.jpg"].map(media));
  const first = await runBatches<Label[]>(imageTag, models, frames, { size: 1 });
  for (const list of first) t.diagnostic(list.map(({ label, score }) => `${label} ${score.toFixed(2)}`).join(", "));
  assert.equal(first[0]![0]!.label, "orange");
  assert.ok(/husky|malamute/i.test(first[1]![0]!.label), first[1]![0]!.label);
  for (const list of first) {
    assert.equal(list.length, 5);
    list.forEach(({ score }, i) => assert.ok(score >= 0 && score <= 1 && (i === 0 || score <= list[i - 1]!.score)));
  }
  for (const way of WAYS) assert.deepEqual(await runBatches(imageTag, models, frames, way), first, JSON.stringify(way));
  assert.deepEqual(await runBatches(imageTag, models, frames, { config: { top: 1, min_score: 0.999 } }), first.map((list) => list.slice(0, 1).filter(({ score }) => score >= 0.999)));
});
