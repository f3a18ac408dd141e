import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { ModelManifest } from "../../../src/contracts/model.js";
import { InferencePool } from "../../../src/inference/index.js";
import { frameSize, patchedSize, sampleCount } from "../../../src/operators/video/scene-frames.js";
import { videoEmbed } from "../../../src/operators/video/video.embed.js";
import { needsBpe, qwen2Vl } from "../../models/stand-ins/generative-models.js";
import { xclip } from "../../models/stand-ins/video-models.js";
import { eachInPool, models } from "../in-pool.js";
import { colouredClip } from "./coloured-clip.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());

const info = await colouredClip();
const whole = { startUs: 0, endUs: 6_000_000 };
const embed = async (model: ModelManifest, inputs: Record<string, unknown>, interval = whole, config: object = {}): Promise<Record<string, unknown>> => eachInPool(pool, videoEmbed, { inputs: { scenes: interval, clip: info, ...inputs }, medium: info, interval }, { video: model }, config);
const at = (...seconds: number[]): { keyframes: { ptsUs: number }[] } => ({ keyframes: seconds.map((s) => ({ ptsUs: Math.round(s * 1e6) })) });

describe("X-CLIP", () => {
  const published = models.get("xclip-base-patch16")!;
  const { manifest } = xclip(published);

  test("the exported file's contract: names, dims and types of the manifest", async () => {
    assert.deepEqual(await pool.verify([manifest]), []);
    assert.deepEqual([published.inputs[0]!.name, published.inputs[0]!.dims, published.output!.name, published.output!.dims], ["pixel_values", ["n", 8, 3, 224, 224], "video_embeds", 512]);
  });

  test("eight keyframes in the order of time, whoever orders them how; filled up with the last", async () => {
    const { vector } = (await embed(manifest, at(0.4, 2.4, 4.4))) as { vector: Float32Array };
    assert.equal(vector.length, 512);
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
    assert.deepEqual(await embed(manifest, at(4.4, 0.4, 2.4)), { vector });
    assert.deepEqual(await embed(manifest, at(0.4, 2.4, 4.4, 4.44, 4.48, 4.52, 4.56, 4.6)), { vector }, "frames of one colour are one picture: padded is what eight would be");
    assert.notDeepEqual(await embed(manifest, at(0.4, 0.8, 4.4)), { vector });
    assert.deepEqual(await embed(manifest, at(0.4, 2.4, 4.4), { startUs: 0, endUs: 5_000_000 }), { vector }, "the keyframes decide, not the scene's bounds");
  });

  test("of more keyframes than it reads, some of the whole scene: not the first eight", async () => {
    const sixteen = Array.from({ length: 16 }, (_, i) => 0.2 + i * 0.3);
    const all = await embed(manifest, at(...sixteen));
    assert.deepEqual(all, await embed(manifest, at(...sixteen.filter((_, i) => i % 2 === 1))));
    assert.notDeepEqual(all, await embed(manifest, at(...sixteen.slice(0, 8))));
  });

  test("a scene without keyframes is skipped, a graph without them is told", async () => {
    assert.deepEqual(await embed(manifest, at()), { skipped: "the scene has no keyframe" });
    await assert.rejects(embed(manifest, {}), { code: "INPUT_MISSING" });
    assert.deepEqual(await embed(manifest, { ...at(0.4), clip: { ...info, video: null } }), { skipped: "no picture" });
  });
});

describe("Qwen2-VL's vision tower", needsBpe, () => {
  test("its first token, not pooled: of the first frames alone; no clip is written", async () => {
    const { manifest } = qwen2Vl("video-embedding");
    const vectors = [];
    for (const interval of [whole, { startUs: 0, endUs: 2_000_000 }, { startUs: 4_000_000, endUs: 6_000_000 }]) vectors.push(((await embed(manifest, {}, interval)) as { vector: Float32Array }).vector);
    const [all, red, blue] = vectors as [Float32Array, Float32Array, Float32Array];
    assert.deepEqual(all, red);
    assert.ok(Math.abs(Math.hypot(...all) - 1) < 1e-5);
    // [−1, red, green, blue] of a red and of a blue picture.
    assert.ok(red[1]! > red[3]! && blue[3]! > blue[1]!);
  });
});

test("how many frames: the rate, its bounds, whole pairs", () => {
  const qwen = { fps: 1, min: 4, max: 1024, step: 2 };
  assert.deepEqual([0, 1, 5, 9.9, 60, 1023, 5000].map((seconds) => sampleCount(seconds * 1e6, qwen)), [4, 4, 4, 8, 60, 1022, 1024]);
  assert.equal(sampleCount(30e6, { fps: 0.1, min: 1, max: 8, step: 1 }), 3);
});

test("frames are decoded in the size that the processor wants", () => {
  const of = (id: string) => frameSize(info, models.get(id)!);
  // 320×180: 448×252 by qwen_vl_utils, then at least 256·28·28 pixels by the processor.
  assert.deepEqual(of("qwen2-vl-2b-instruct"), patchedSize(448, 252, 28, 256 * 28 * 28, 1280 * 28 * 28));
  assert.deepEqual(of("qwen2-vl-2b-vision"), [616, 336]);
  assert.deepEqual(of("florence-2-base-ft"), [768, 768]);
  assert.deepEqual(of("smolvlm-256m-instruct"), { longest: 512 });
});

test("a frame's size in whole patches, as Qwen's smart_resize rounds it", () => {
  // qwen_vl_utils.smart_resize(height, width, 28, 128·28·28, 360·420), worked out by hand.
  assert.deepEqual(patchedSize(1920, 1080, 28, 100352, 151200), [504, 280]);
  assert.deepEqual(patchedSize(640, 360, 28, 100352, 151200), [504, 280]);
  assert.deepEqual(patchedSize(320, 180, 28, 100352, 151200), [448, 252]);
  assert.deepEqual(patchedSize(364, 364, 28, 100352, 151200), [364, 364]);
});
