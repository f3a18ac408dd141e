import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanCaption, combineCaptions } from "../../src/models/clean-caption.js";

test("a caption is one clean line", () => {
  assert.equal(cleanCaption("<|im_start|>assistant: A dog\n on  the\tbeach .<|im_end|>"), "A dog on the beach.");
  assert.equal(cleanCaption("Assistant: “Two people talk.”<end_of_utterance>"), "Two people talk.");
  assert.equal(cleanCaption("</s><s>a cat, 3 < 4 and 5 > 2</s>"), "a cat, 3 < 4 and 5 > 2");
  assert.equal(cleanCaption("Une rue ; la nuit !"), "Une rue; la nuit!");
  assert.equal(cleanCaption(" <pad> … "), "");
});

test("a text that was cut ends with its last whole sentence", () => {
  assert.equal(cleanCaption("A man walks. He carries a la", true), "A man walks.");
  assert.equal(cleanCaption("A man who is walking with a", true), "A man who is walking with a …");
  assert.equal(cleanCaption("A man walks.", true), "A man walks.");
  assert.equal(cleanCaption("3.5 metres. Then it", true), "3.5 metres.");
  assert.equal(cleanCaption("A man walks. He carries a la"), "A man walks. He carries a la");
});

test("captions of keyframes: each once, in order, a sentence each", () => {
  assert.equal(combineCaptions(["a dog on a beach", "A dog on a beach.", "two people, talking", "", "…", "a dog on a beach"]), "A dog on a beach. Two people, talking.");
  assert.equal(combineCaptions([]), "");
});
