import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FlowError } from "../../src/contracts/errors.js";
import type { ModelHandle } from "../../src/contracts/operator.js";
import type { ModelManifest } from "../../src/contracts/model.js";
import { describePictures, firstVisionToken, readsSeveral, type Picture } from "../../src/models/describe-pictures.js";
import { florence2, needsBpe, qwen2Vl, smolVlm, vitGpt2 } from "./stand-ins/generative-models.js";

const RED = [200, 30, 40];
const GREEN = [40, 190, 30];
const BLUE = [10, 40, 180];

function picture([r, g, b]: number[], width = 336, height = 224): Picture {
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < pixels.length; i += 3) pixels.set([r!, g!, b!], i);
  return { pixels, width, height };
}

function handleOf(manifest: ModelManifest): ModelHandle & { rows: number } {
  const handle = { manifest, mock: false, device: "cpu", rows: 0, count: (rows: number) => void (handle.rows += rows), run: () => assert.fail("the library runs it") };
  return handle as unknown as ModelHandle & { rows: number };
}

const BRIEFLY = { prompt: "Describe this scene briefly.", maxNewTokens: 64 };

describe("pictures in words, by checkpoints of the published layouts", needsBpe, () => {
  test("Qwen2-VL: all frames under one placeholder, the prompt in its chat template, greedy", async () => {
    const handle = handleOf(qwen2Vl().manifest);
    assert.ok(readsSeveral(handle.manifest));
    const frames = [RED, RED, GREEN, RED].map((colour) => picture(colour));
    assert.equal(await describePictures(handle, frames, BRIEFLY), "A red scene.");
    assert.equal(handle.rows, 4);
    assert.equal(await describePictures(handle, [GREEN, GREEN].map((colour) => picture(colour)), { ...BRIEFLY, prompt: "What is this?" }), "A green picture.");
    // The first token: of the corner of the first two frames, [−1, exp of the normalised means]. The library scales up with dim edges: 2 %.
    const first = await firstVisionToken(handle, [BLUE, BLUE, RED, RED].map((colour) => picture(colour)));
    const expected = BLUE.map((value, c) => Math.exp((value / 255 - [0.48145466, 0.4578275, 0.40821073][c]!) / [0.26862954, 0.26130258, 0.27577711][c]!));
    assert.equal(first.length, 4);
    [-1, ...expected].forEach((value, i) => assert.ok(Math.abs(first[i]! - value) < 0.02 * Math.abs(value), `${i}: ${first[i]!} ≠ ${value}`));
  });

  test("SmolVLM: a picture each, not cut into tiles", async () => {
    const handle = handleOf(smolVlm().manifest);
    assert.equal(await describePictures(handle, [BLUE, RED, BLUE].map((colour) => picture(colour)), BRIEFLY), "A blue scene.");
    assert.equal(await describePictures(handle, [picture(RED, 90, 160)], { ...BRIEFLY, prompt: "What is this?" }), "A red picture.");
  });

  test("vit-gpt2 and BLIP: an encoder and a decoder with a cache, no prompt", async () => {
    for (const built of [vitGpt2(), vitGpt2("blip-stand-in", "blip", 384)]) {
      const handle = handleOf(built.manifest);
      assert.ok(!readsSeveral(handle.manifest));
      assert.equal(await describePictures(handle, [picture(GREEN)], BRIEFLY), "A green picture.");
      assert.equal(await describePictures(handle, [picture(BLUE)], BRIEFLY), "A blue picture.");
      // Cut at two tokens: there is no whole sentence to go back to.
      assert.equal(await describePictures(handle, [picture(BLUE)], { ...BRIEFLY, maxNewTokens: 2 }), "A blue …");
    }
  });

  test("Florence-2: the task's own prompt, its beams switched off", async () => {
    const handle = handleOf(florence2().manifest);
    assert.equal(await describePictures(handle, [picture(RED)], BRIEFLY), "A red scene.");
    const detailed = handleOf({ ...handle.manifest, dir: handle.manifest.dir, files: handle.manifest.files, sha256: handle.manifest.sha256, settings: { task: "<DETAILED_CAPTION>" } });
    assert.equal(await describePictures(detailed, [picture(RED)], BRIEFLY), "A red picture.");
  });

  test("a generation ends between two tokens when the pool is stopping", async () => {
    let asked = 0;
    const stop = new FlowError("CANCELLED", "the pool is stopping", { hint: "Run it again." });
    const handle = Object.assign(handleOf(qwen2Vl().manifest), {
      checkStop: () => {
        if (++asked === 3) throw stop;
      },
    });
    await assert.rejects(describePictures(handle, [picture(RED), picture(RED)], BRIEFLY), { code: "CANCELLED" });
    assert.equal(asked, 3);
    assert.equal(handle.rows, 0);
    // The model is as good as before.
    assert.equal(await describePictures(handle, [picture(RED), picture(RED)], BRIEFLY), "A red scene.");
  });

  test("a stand-in of --mock-models answers without files, by what it is given", async () => {
    const handle = Object.assign(handleOf(qwen2Vl().manifest), { mock: true });
    const [a, b, c] = [await describePictures(handle, [picture(RED)], BRIEFLY), await describePictures(handle, [picture(RED)], BRIEFLY), await describePictures(handle, [picture(BLUE)], BRIEFLY)];
    assert.equal(a, b);
    assert.notEqual(a, c);
    assert.match(a, /^mock qwen2-vl-stand-in/);
  });

  test("a model that writes nothing is named", async () => {
    const { manifest } = vitGpt2();
    const other = { ...manifest, dir: manifest.dir, files: manifest.files, sha256: manifest.sha256, family: "yolox" };
    await assert.rejects(describePictures(handleOf(other), [picture(RED)], BRIEFLY), { code: "MODEL_TASK", message: /vit-gpt2-stand-in.*yolox/ });
  });
});
