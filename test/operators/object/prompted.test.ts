import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Detection, GridItem, Label, ModelManifest } from "../../../src/contracts/index.js";
import { promptNames, promptOf, tokenise } from "../../../src/models/families/grounding-dino.js";
import { openTokenizer } from "../../../src/models/transformers.js";
import { objectDetect } from "../../../src/operators/object/object.detect.js";
import { boxOfToken, greyFrame, groundingDino, logitOfWord } from "../vision/stand-ins.js";
import { MODELS, WAYS, runBatches } from "../vision/weights.js";

const tokenizers = MODELS && existsSync(join(MODELS, "tokenizers/all-MiniLM-L6-v2/tokenizer.json"));
const skip = !MODELS ? { skip: "FLOW_MODELS_DIR is not set" } : tokenizers ? {} : { skip: "FLOW_MODELS_DIR has no tokenizers/all-MiniLM-L6-v2" };

const named = (...labels: string[]): { names: Label[] } => ({ names: labels.map((label) => ({ label, score: 1 })) });

/** What the stand-in must say of a frame: a box for each word, labelled with the name that the word is of, best first (here all alike: by position). */
async function expected(frame: GridItem, names: readonly string[], brightness: number): Promise<Detection[]> {
  const tokenizer = await openTokenizer(groundingDino());
  const { width, height } = frame.source!;
  const score = 1 / (1 + Math.exp(-logitOfWord(brightness)));
  return promptNames(names).flatMap((label) =>
    tokenizer.encode(label, { add_special_tokens: false }).map((id): Detection => {
      const [cx, cy, w, h] = boxOfToken(id);
      return { label, score, box: [(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height] };
    }),
  );
}

function close(found: readonly Detection[], wanted: readonly Detection[], message: string): void {
  assert.deepEqual(found.map(({ label }) => label), wanted.map(({ label }) => label), message);
  found.forEach(({ box, score }, i) => {
    // The affine filter darkens the outermost pixels of a picture that it enlarges, in the library too; the next frame is 0.014 away.
    assert.ok(Math.abs(score - wanted[i]!.score) < 2e-3, `${message}: score ${score} instead of ${wanted[i]!.score}`);
    box.forEach((x, n) => assert.ok(Math.abs(x - wanted[i]!.box[n]!) < 0.01, `${message}: ${box.join()} instead of ${wanted[i]!.box.join()}`));
  });
}

test("the prompt is lower-case, joined by \". \", with a full stop at the end", () => {
  assert.equal(promptOf(promptNames(["Dog", " Traffic  Light", "dog", "St. Bernard", ""])), "dog. traffic light. st bernard.");
  assert.equal(promptOf([]), "");
});

test("ids of a prompt are those of the whole text; spans say which name a token belongs to; what does not fit is left out", skip, async () => {
  const tokenizer = await openTokenizer(groundingDino());
  const names = ["frying pan", "person", "hartebeest", "3d printer"];
  const { ids, spans } = tokenise(names, tokenizer, 256);
  assert.deepEqual(ids, tokenizer.encode(promptOf(names)));
  assert.deepEqual(spans.map(([from, to]) => tokenizer.decode(ids.slice(from, to))), names);
  const two = tokenizer.encode(promptOf(names.slice(0, 2)));
  for (const room of [two.length, two.length + 1]) assert.deepEqual(tokenise(names, tokenizer, room).ids, two);
  assert.deepEqual(tokenise(names, tokenizer, two.length - 1).names, ["frying pan"]);
});

test("Grounding DINO: boxes come from the words of each frame's own prompt; 0, 1 and many names, frames of two shapes, at batch 1, 3, 16 and in a process of its own", skip, async () => {
  const models = { detector: groundingDino() };
  const lists = [[], ["dog"], ["frying pan", "person", "hartebeest"], ["zebra"], [], ["Dog", "cat", "traffic light", "teddy bear", "wine glass", "fire hydrant", "tennis racket"], ["person"], ["orange", "lemon"]];
  const frames = lists.map((names, i) => greyFrame(i % 3 === 0 ? 96 : 48, i % 3 === 0 ? 54 : 36, 20 * i, named(...names), i % 2 === 0 ? { width: 1280, height: 720 } : { width: 640, height: 481 }));
  const first = await runBatches<Detection[]>(objectDetect, models, frames, { size: 1 });
  for (const [i, names] of lists.entries()) close(first[i]!, await expected(frames[i]!, names, (20 * i) / 255), `frame ${i}`);
  assert.deepEqual(first[0], []);
  for (const way of WAYS) assert.deepEqual(await runBatches(objectDetect, models, frames, way), first, JSON.stringify(way));
});

test("prompts of the node go before the names of a frame; thresholds and classes cut; nothing to look for is an error", skip, async () => {
  const models = { detector: groundingDino() };
  const frame = greyFrame(96, 64, 100, named("cat"));
  const both = ["dog", "cat"];
  close((await runBatches<Detection[]>(objectDetect, models, [frame], { config: { prompts: ["Dog"] } }))[0]!, await expected(frame, both, 100 / 255), "both");
  close((await runBatches<Detection[]>(objectDetect, models, [frame], { config: { prompts: ["Dog"], classes: ["cat"] } }))[0]!, (await expected(frame, both, 100 / 255)).slice(1), "cat");
  const score = 1 / (1 + Math.exp(-logitOfWord(100 / 255)));
  assert.deepEqual(await runBatches(objectDetect, models, [frame], { config: { prompts: ["dog"], min_score: score + 0.01 } }), [[]]);
  assert.deepEqual(await runBatches(objectDetect, models, [frame], { config: { prompts: ["dog"], text_score: score + 0.01 } }), [[]]);
  await assert.rejects(runBatches(objectDetect, models, [{ ...frame, inputs: {} }]), { code: "PROMPTS_MISSING" });
});

test("lint refuses words for a model that reads none, and nothing for one that needs them", skip, () => {
  const outputs = (detector: ModelManifest, prompts: string[]): unknown => typeof objectDetect.outputs === "function" && objectDetect.outputs({ config: objectDetect.config.parse({ prompts }), models: { detector }, inputs: {} });
  const words = groundingDino();
  assert.throws(() => outputs(words, []), { code: "PROMPTS_MISSING" });
  assert.throws(() => outputs({ ...words, family: "yolox" }, ["dog"]), { code: "PROMPTS_UNUSED" });
  assert.ok(outputs(words, ["dog"]) && outputs({ ...words, family: "yolox" }, []));
});
