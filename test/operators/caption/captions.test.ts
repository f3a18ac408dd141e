import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { InferencePool } from "../../../src/inference/index.js";
import { captionImage } from "../../../src/operators/caption/caption.image.js";
import { captionVideo } from "../../../src/operators/caption/caption.video.js";
import { florence2, needsBpe, qwen2Vl, smolVlm, vitGpt2 } from "../../models/stand-ins/generative-models.js";
import { eachInPool } from "../in-pool.js";
import { colouredClip } from "../video/coloured-clip.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());
const info = await colouredClip();
const scene = (startUs: number, endUs: number) => ({ startUs, endUs });

/** Vectors of the frames that a rate of 2 a second takes of 25: red, green and blue are at right angles. */
function vectors(startUs: number, endUs: number): object {
  const times = Array.from({ length: 12 }, (_, i) => Math.ceil(i * 12.5) * 40_000).filter((us) => us >= startUs && us < endUs);
  const data = new Float32Array(times.length * 3);
  times.forEach((us, i) => (data[i * 3 + Math.floor(us / 2_000_000)] = 1));
  return { ptsUs: Float64Array.from(times), width: 3, data };
}

describe("captioner1: keyframes one by one", needsBpe, () => {
  const { manifest } = vitGpt2();
  const caption = (startUs: number, endUs: number, config: object = {}, more: object = {}) =>
    eachInPool(pool, captionImage, { inputs: { scenes: scene(startUs, endUs), clip: info, vectors: vectors(startUs, endUs), ...more }, medium: info, interval: scene(startUs, endUs) }, { captioner: manifest }, config);

  test("at most five pictures, in time order, each said once", async () => {
    const before = pool.stats().inferences[manifest.id] ?? 0;
    const found = await caption(0, 6_000_000);
    assert.equal(found["text"], "A red picture. A green picture. A blue picture.");
    const captions = found["captions"] as { ptsUs: number; text: string }[];
    assert.equal(captions.length, 5);
    assert.deepEqual(captions.map(({ ptsUs }) => ptsUs), captions.map(({ ptsUs }) => ptsUs).sort((a, b) => a - b));
    assert.equal(pool.stats().inferences[manifest.id]! - before, 5);
    assert.equal((await caption(0, 6_000_000, { max_keyframes: 3 }))["text"], "A red picture. A green picture. A blue picture.");
    assert.equal((await caption(2_000_000, 4_000_000))["text"], "A green picture.");
  });

  test("Florence-2 in the same place", async () => {
    const other = florence2().manifest;
    const found = await eachInPool(pool, captionImage, { inputs: { scenes: scene(0, 2_000_000), clip: info, vectors: vectors(0, 2_000_000) }, medium: info, interval: scene(0, 2_000_000) }, { captioner: other });
    assert.equal(found["text"], "A red scene.");
  });

  test("nothing to look at is skipped", async () => {
    assert.deepEqual(await caption(5_900_000, 6_000_000), { skipped: "no sampled frame lies in the scene" });
    assert.deepEqual(await caption(0, 2_000_000, {}, { clip: { ...info, video: null } }), { skipped: "no picture" });
  });
});

describe("captioner2: a vision-language model on the scene's frames", needsBpe, () => {
  for (const { manifest } of [qwen2Vl(), smolVlm()]) {
    const caption = (startUs: number, endUs: number, config: object = {}) =>
      eachInPool(pool, captionVideo, { inputs: { scenes: scene(startUs, endUs), clip: info }, medium: info, interval: scene(startUs, endUs) }, { captioner: manifest }, config);

    test(`${manifest.id}: the default prompt, the scene's own frames`, async () => {
      assert.deepEqual(await caption(0, 2_000_000), { text: "A red scene." });
      assert.deepEqual(await caption(2_200_000, 3_900_000), { text: "A green scene." });
      assert.deepEqual(await caption(4_000_000, 6_000_000, { prompt: "What is this?" }), { text: "A blue picture." });
      assert.deepEqual(await caption(4_000_000, 6_000_000, { max_new_tokens: 3 }), { text: "A blue scene …" });
    });
  }

  test("the rate decides how many frames the model gets", async () => {
    const { manifest } = smolVlm();
    const counted = async (config: object): Promise<number> => {
      const before = pool.stats().inferences[manifest.id] ?? 0;
      await eachInPool(pool, captionVideo, { inputs: { scenes: scene(0, 6_000_000), clip: info }, medium: info, interval: scene(0, 6_000_000) }, { captioner: manifest }, config);
      return pool.stats().inferences[manifest.id]! - before;
    };
    assert.equal(await counted({}), 6);
    // The manifest's own bound.
    assert.equal(await counted({ fps: 4 }), 8);
    assert.equal(await counted({ fps: 4, max_frames: 2 }), 2);
  });
});
