import assert from "node:assert/strict";
import test, { after } from "node:test";
import { InferencePool } from "../../../src/inference/index.js";
import { loadModels } from "../../../src/models/manifest.js";
import { fillTemplate, textEmbed } from "../../../src/operators/text/text.embed.js";
import { interval, medium, modelsDir } from "../../inference/fixtures.js";

const text = loadModels(modelsDir).get("lite-text")!;
const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());
const template = "Transcript: {transcript}. Visuals: {caption}";

async function embed(inputs: Record<string, unknown>[]): Promise<unknown[]> {
  const { module, name: operator } = textEmbed;
  const items = inputs.map((i) => ({ inputs: i, medium, interval }));
  const results = await pool.run({ kind: "eachBatch", module, operator, node: "text", config: { template }, models: { text }, items });
  return results.map((r) => (r.ok ? r.value : assert.fail(r.error.message)));
}

test("the template takes values as they are, nothing for null, and never embeds itself", () => {
  assert.equal(fillTemplate(template, { transcript: "hello $& {caption}", caption: "a beach" }), "Transcript: hello $& {caption}. Visuals: a beach");
  assert.equal(fillTemplate(template, { transcript: null, caption: "a beach" }), "Transcript: . Visuals: a beach");
  assert.equal(fillTemplate(template, { transcript: null }), null);
  assert.equal(fillTemplate(template, { transcript: " … " }), null);
  assert.equal(fillTemplate("fixed words", {}), "fixed words");
});

test("one call for many scenes: vectors and skips in their places, the same as alone", async () => {
  const all = [{ transcript: "the tide comes in", caption: "waves" }, { transcript: null, caption: undefined }, { transcript: null, caption: "night street" }];
  const results = (await embed(all)) as { vector?: Float32Array; skip?: string }[];
  assert.deepEqual(results[1], { skip: "no text" });
  for (const i of [0, 2]) {
    const vector = results[i]!.vector!;
    assert.equal(vector.length, 384);
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
    assert.deepEqual(await embed([all[i]!]), [{ vector }]);
  }
});
