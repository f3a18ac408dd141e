import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { ModelManifest } from "../../../src/contracts/model.js";
import { InferencePool } from "../../../src/inference/index.js";
import { textEmbed } from "../../../src/operators/text/text.embed.js";
import { interval, medium } from "../../inference/fixtures.js";
import { needsClipVocabulary } from "../../models/stand-ins/clip-tokenizer.js";
import { clip, miniLm, needsMiniLmTokenizer } from "../../models/stand-ins/text-models.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());

async function embed(text: ModelManifest, words: (string | null)[]): Promise<(Float32Array | null)[]> {
  const results = await pool.run({ kind: "eachBatch", module: textEmbed.module, operator: textEmbed.name, node: "text", config: { template: "{words}" }, models: { text }, items: words.map((value) => ({ inputs: { words: value }, medium, interval })) });
  return results.map((r) => (r.ok ? ((r.value as { vector?: Float32Array }).vector ?? null) : assert.fail(r.error.message)));
}

const WORDS = ["a red kite", null, "the tide comes in over the flat sand, and the boats turn with it until they all face the town", "night", "The children of the harbour town count lanterns. ".repeat(30)];

describe("text.embed with the model's own tokenizer", () => {
  test("mean over attended tokens, unit length; a row is the same in any company", needsMiniLmTokenizer, async () => {
    const { manifest } = miniLm();
    const together = await embed(manifest, WORDS);
    assert.equal(together[1], null);
    for (const [i, vector] of together.entries()) {
      if (vector === null) continue;
      assert.equal(vector.length, 384);
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6);
      // Padding holds 1000 in every place: pooled over, all vectors would be near (1, 1, …)/√384.
      assert.ok(Math.abs(vector.reduce((sum, value) => sum + value, 0)) / Math.sqrt(384) < 0.5);
      assert.deepEqual(await embed(manifest, [WORDS[i]!]), [vector], "alone");
    }
    const reversed = (await embed(manifest, [...WORDS].reverse())).reverse();
    assert.deepEqual(reversed, together);
  });

  test("a bucket of padding changes a vector by rounding only", needsMiniLmTokenizer, async () => {
    const padded = await embed(miniLm().manifest, WORDS);
    const bare = await embed(miniLm("onnx/model_quantized.onnx").manifest, WORDS);
    for (const [i, vector] of padded.entries()) if (vector) vector.forEach((value, d) => assert.ok(Math.abs(value - bare[i]![d]!) < 1e-5));
  });

  test("CLIP: the end token's vector, whatever padding with the same id comes behind it", needsClipVocabulary, async () => {
    const { text } = clip();
    const [red, blue, both] = await embed(text.manifest, ["a red car", "the blue sea by the harbour wall where some boats are lying in the sun today", "red and blue"]);
    assert.ok(red![0]! > 0.99 && blue![2]! > 0.99);
    assert.ok(Math.abs(both![0]! - Math.SQRT1_2) < 0.02 && Math.abs(both![2]! - Math.SQRT1_2) < 0.02);
  });
});
