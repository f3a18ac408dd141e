import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Span } from "../../../src/contracts/items.js";
import { InferencePool } from "../../../src/inference/index.js";
import { mockManifest } from "../../../src/models/mock.js";
import { speechVad, type VadProbabilities, type VadSummary } from "../../../src/operators/speech/speech.vad.js";
import { mediaFile, openMedium } from "../../media/media-files.js";
import { eachInPool, realModel } from "../in-pool.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());
const { manifest, skip } = realModel("silero-vad");

async function vad(path: string, config: object = {}): Promise<{ spans: Span[]; summary: VadSummary }> {
  const medium = await openMedium(path);
  const interval = { startUs: 0, endUs: medium.durationUs! };
  return (await eachInPool(pool, speechVad, { inputs: { clip: medium }, medium, interval }, { vad: manifest }, config)) as never;
}

for (const [path, windows, speech] of [
  ["speech/jfk.wav", 343, 233],
  ["speech/silero_test.wav", 1875, 1452],
] as const) {
  const file = mediaFile(path);
  test(`${path}: ${speech} windows of speech, as with the reference`, { skip: skip || file.skip }, async () => {
    const found = await vad(file.path);
    assert.equal(found.summary.windows, windows);
    assert.equal(found.summary.speechWindows, speech);
    assert.ok(found.spans.length > 3);
    for (const [i, span] of found.spans.entries()) {
      assert.ok(span.endUs - span.startUs > 250_000, "shorter speech does not count");
      if (i > 0) assert.ok(span.startUs >= found.spans[i - 1]!.endUs, "in order, apart");
    }
    assert.ok(found.spans.at(-1)!.endUs <= (await openMedium(file.path)).durationUs!);
  });
}

test("probabilities: one per window, the last part included, that say what the counts say", { skip: skip || mediaFile("speech/jfk.wav").skip }, async () => {
  const { path } = mediaFile("speech/jfk.wav");
  const { probabilities, ...rest } = (await vad(path, { probabilities: true })) as Awaited<ReturnType<typeof vad>> & { probabilities: VadProbabilities };
  assert.deepEqual(rest, await vad(path));
  assert.equal(probabilities.windowUs, 32_000);
  // 11 s: 343 whole windows and three quarters of one.
  assert.equal(probabilities.values.length, 344);
  assert.equal(probabilities.values.slice(0, 343).filter((p) => p > 0.5).length, 233);
  assert.ok(probabilities.values.every((p) => p >= 0 && p <= 1));
  const outputs = (config: object): string[] => Object.keys((speechVad.outputs as Extract<typeof speechVad.outputs, (...given: never[]) => unknown>)({ config: speechVad.config.parse(config), models: {}, inputs: {} } as never));
  assert.deepEqual([outputs({}), outputs({ probabilities: true })], [["spans", "summary"], ["spans", "summary", "probabilities"]]);
});

test("music without words has next to no speech; a raised bar leaves less", { skip: skip || mediaFile("video/chaplin.mp4").skip }, async () => {
  const music = await vad(mediaFile("video/chaplin.mp4").path);
  assert.ok(music.summary.share < 0.1, `share ${music.summary.share}`);
  const usual = await vad(mediaFile("speech/jfk.wav").path);
  const strict = await vad(mediaFile("speech/jfk.wav").path, { threshold: 0.95, min_speech: "1s" });
  assert.ok(strict.summary.speechUs < usual.summary.speechUs);
  assert.ok(strict.spans.every((span) => span.endUs - span.startUs > 1_000_000));
});

const quiet = mediaFile("video/intel_one-by-one-person-detection.mp4");
test("a medium without sound is skipped, and a stand-in for the model gives spans too", { skip: skip || quiet.skip }, async () => {
  assert.deepEqual(await vad(quiet.path), { skipped: "no sound" });
  const medium = await openMedium(mediaFile("speech/jfk.wav").path);
  const item = { inputs: { clip: medium }, medium, interval: { startUs: 0, endUs: 1 } };
  const mocked = await eachInPool(pool, speechVad, item, { vad: mockManifest(manifest) });
  assert.equal((mocked["summary"] as VadSummary).windows, 343);
  assert.deepEqual(await eachInPool(pool, speechVad, item, { vad: mockManifest(manifest) }), mocked);
});

test("a model of another family is refused by name", { skip: mediaFile("speech/jfk.wav").skip }, async () => {
  const medium = await openMedium(mediaFile("speech/jfk.wav").path);
  await assert.rejects(eachInPool(pool, speechVad, { inputs: { clip: medium }, medium, interval: { startUs: 0, endUs: 1 } }, { vad: mockManifest({ ...manifest, family: "other", id: "other" }) }), /other/);
});
