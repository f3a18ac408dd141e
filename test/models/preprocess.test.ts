import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { audioBatch, rmsDbfs, type AudioPreprocess } from "../../src/models/preprocess-audio.js";
import { imageBatch, type ImagePreprocess } from "../../src/models/preprocess-image.js";
import { textBatch } from "../../src/models/preprocess-text.js";
import { Scratch } from "../../src/models/scratch.js";
import { hashedNgrams } from "../../src/models/tokenizers/hashed-ngrams.js";
import { audioRing, frameRing } from "../inference/fixtures.js";

test("image: NCHW, (byte · scale − mean) / std, channels in the model's order", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 6 }),
      fc.constantFrom("rgb" as const, "bgr" as const),
      fc.integer(),
      (n, width, height, color, seed) => {
        const frames = frameRing(n, width, height, seed);
        const preprocess: ImagePreprocess = { kind: "image", size: [width, height], fit: "fill", pad: 0, anchor: "centre", resample: "bilinear", mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 2], color, scale: 1 / 255, layout: "nchw" };
        const batch = imageBatch(frames.map((f) => f.slot), preprocess);
        assert.ok(batch.buffer instanceof ArrayBuffer);
        for (const [i, { slot }] of frames.entries()) {
          const pixels = new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength);
          for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++) {
              for (let c = 0; c < 3; c++) {
                const byte = pixels[(y * width + x) * 3 + (color === "rgb" ? c : 2 - c)]!;
                const expected = Math.fround((byte / 255 - preprocess.mean[c]!) / preprocess.std[c]!);
                assert.ok(Math.abs(batch[((i * 3 + c) * height + y) * width + x]! - expected) < 1e-6);
              }
            }
          }
        }
      },
    ),
  );
});

test("audio: short windows repeat end to end or end in zeros, longer ones are cut", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 60 }), fc.constantFrom("repeat" as const, "zero" as const), (length, valid, pad) => {
      const preprocess: AudioPreprocess = { kind: "audio", sampleRate: length, windowSeconds: 1, pad, features: "waveform" };
      const held = Math.max(length, valid);
      // Memory of an earlier call, full of its samples.
      const scratch = new Scratch();
      scratch.take(4 * length).fill(7);
      const batch = audioBatch(audioRing([{ length: held, valid }, { length: held, valid: held }], (k, n) => (k + 1) * (n + 1)), preprocess, scratch);
      assert.equal(batch.buffer, scratch.take(1).buffer);
      const expected = Array.from({ length }, (_, n) => (n < valid ? n + 1 : pad === "repeat" && valid > 0 ? (n % valid) + 1 : 0));
      assert.deepEqual([...batch], [...expected, ...Array.from({ length }, (_, n) => 2 * (n + 1))]);
    }),
  );
});

test("RMS: a full-scale square wave is 0 dBFS, a sine −3.01, silence −∞", () => {
  assert.equal(rmsDbfs(Float32Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? 1 : -1))), 0);
  assert.ok(Math.abs(rmsDbfs(Float32Array.from({ length: 48_000 }, (_, n) => Math.sin((2 * Math.PI * 1000 * n) / 48_000))) + 3.0103) < 1e-3);
  assert.equal(rmsDbfs(new Float32Array(10)), Number.NEGATIVE_INFINITY);
  assert.equal(rmsDbfs(new Float32Array(0)), Number.NEGATIVE_INFINITY);
});

test("text: rows of the named tokenizer; an unknown one is an error that lists those there are", () => {
  const dims = hashedNgrams("a", 64).length;
  const batch = textBatch(["one sea", "two seas"], { kind: "text", tokenizer: "hashed-ngrams", dims, maxTokens: 512 });
  assert.deepEqual(batch.subarray(dims), hashedNgrams("two seas", dims));
  assert.throws(() => textBatch(["x"], { kind: "text", tokenizer: "bpe", dims: 4, maxTokens: 512 }), { code: "MODEL_TOKENIZER", message: /hashed-ngrams/ });
});
