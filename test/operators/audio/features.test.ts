/** Models whose features their own extractor makes: what goes in is what @huggingface/transformers makes of the same window, in batches of any size. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { GridItem, Label, ModelHandle, ModelManifest, OperatorDefinition } from "../../../src/contracts/index.js";
import { InferencePool } from "../../../src/inference/index.js";
import { audioFeeds } from "../../../src/models/audio-feeds.js";
import { mockManifest } from "../../../src/models/mock.js";
import { Scratch } from "../../../src/models/scratch.js";
import { openFeatureExtractor } from "../../../src/models/transformers.js";
import { collectAudio, wholeMedium } from "../../../src/media/read-clip.js";
import { audioEmbed } from "../../../src/operators/audio/audio.embed.js";
import { audioEvents } from "../../../src/operators/audio/audio.events.js";
import { mediaFile, openMedium } from "../../media/media-files.js";
import { astStandIn, clapStandIn } from "../../models/stand-ins/audio-models.js";
import { whisperSkip, whisperStandIn } from "../../models/stand-ins/whisper.js";
import { realModel } from "../in-pool.js";
import { inBatches, soundItems } from "./sound-items.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());
const jfk = mediaFile("speech/jfk.wav");
const handle = (manifest: ModelManifest): ModelHandle => ({ manifest, mock: false, device: "cpu", count: () => undefined, run: () => Promise.reject(new Error("not run here")) });

async function run<T>(op: OperatorDefinition<any>, role: string, manifest: ModelManifest, items: GridItem[], config: object = {}): Promise<T[]> {
  const results = await pool.run({ kind: "batch", module: op.module, operator: op.name, node: "node", config: op.config.parse(config), models: { [role]: manifest }, items });
  return results.map((r) => (r.ok ? (r.value as T) : assert.fail(r.error.message)));
}
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

for (const [name, built, sampleRate, windowSeconds, hop, dims] of [
  ["CLAP", clapStandIn(), 48_000, 10, 2.5, [1, 1001, 64]],
  ["AST", astStandIn(), 16_000, 10.24, 5.12, [1024, 128]],
] as const) {
  test(`${name}: the features of each window are the library's`, { skip: jfk.skip }, async () => {
    const items = await soundItems(jfk.path, sampleRate, windowSeconds, hop);
    assert.ok(items.length >= 3 && items.at(-1)!.samples < windowSeconds * sampleRate, "the last one is short");
    const input = built.manifest.inputs[0]!.name;
    const feeds = (await audioFeeds(items, handle(built.manifest), new Scratch()))[input]!;
    assert.deepEqual(feeds.dims, [items.length, ...dims]);
    const sound = await collectAudio(await openMedium(jfk.path), wholeMedium, { sampleRate });
    const extract = (await openFeatureExtractor(built.manifest)) as unknown as (sound: Float32Array) => Promise<Record<string, { data: Float32Array }>>;
    const width = feeds.data.length / items.length;
    for (const [i, item] of items.entries()) {
      const start = Math.round(i * hop * sampleRate);
      const own = (await extract(sound.slice(start, start + item.samples)))[input]!;
      assert.equal(difference(own.data, (feeds.data as Float32Array).subarray(i * width, (i + 1) * width)), 0, `window ${i}`);
    }
  });
}

test("CLAP: unit vectors of 512 numbers, the same in batches of 1, 3 and 16; silence is zero", { skip: jfk.skip }, async () => {
  const { manifest } = clapStandIn();
  const items = [...(await soundItems(jfk.path, 48_000, 10, 2.5)), ...(await soundItems(mediaFile("video/chaplin.mp4").path, 48_000, 10, 2.5))];
  const all = await run<Float32Array>(audioEmbed, "audio", manifest, items);
  assert.ok(all.every((v) => v.length === 512 && Math.abs(Math.hypot(...v) - 1) < 1e-5));
  // ONNX Runtime multiplies one row by another kernel than many: the last bits may differ.
  for (const size of [1, 3]) (await inBatches(items, size, (part) => run<Float32Array>(audioEmbed, "audio", manifest, part))).forEach((v, i) => assert.ok(difference(v, all[i]!) < 1e-5));
  const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  assert.ok(cosine(all[0]!, all[1]!) > cosine(all[0]!, all[5]!), "speech is nearer to speech than to music");
  assert.equal((await run<Float32Array>(audioEmbed, "audio", mockManifest(manifest), items)).length, items.length);
});

test("AST: labels of config.json by their own probabilities, the same in batches of 1, 3 and 16", { skip: jfk.skip }, async () => {
  const { manifest } = astStandIn();
  const items = await soundItems(jfk.path, 16_000, 10.24, 2.56);
  const all = await run<Label[]>(audioEvents, "events", manifest, items, { top: 5 });
  assert.ok(all.every((labels) => labels.length === 5 && labels.every(({ label, score }) => /^(Speech|sound \d+)$/.test(label) && score > 0 && score <= 1)));
  for (const size of [1, 3]) {
    const again = await inBatches(items, size, (part) => run<Label[]>(audioEvents, "events", manifest, part, { top: 5 }));
    assert.deepEqual(again.map((labels) => labels.map(({ label }) => label)), all.map((labels) => labels.map(({ label }) => label)));
    assert.ok(difference(again.flat().map(({ score }) => score), all.flat().map(({ score }) => score)) < 1e-5);
  }
});

const yamnet = realModel("yamnet-embedding");
test("YAMNet's vectors: 1024 numbers of length 1, like sounds nearer, the same in batches of 1, 3 and 16", { skip: yamnet.skip || jfk.skip }, async () => {
  const speech = await soundItems(jfk.path, 16_000, 0.975, 0.975);
  const music = await soundItems(mediaFile("video/chaplin.mp4").path, 16_000, 0.975, 0.975);
  const items = [...speech.slice(0, 9), ...music.slice(0, 9)];
  const all = await inBatches(items, 16, (part) => run<Float32Array>(audioEmbed, "audio", yamnet.manifest, part));
  assert.ok(all.every((v) => v.length === 1024 && Math.abs(Math.hypot(...v) - 1) < 1e-5));
  for (const size of [1, 3]) assert.deepEqual(await inBatches(items, size, (part) => run(audioEmbed, "audio", yamnet.manifest, part)), all);
  const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const mean = (list: number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length;
  const pairs = (from: Float32Array[], to: Float32Array[]): number => mean(from.flatMap((a) => to.filter((b) => b !== a).map((b) => cosine(a, b))));
  const [words, notes] = [all.slice(0, 9), all.slice(9)];
  assert.ok(pairs(words, words) > pairs(words, notes) + 0.2 && pairs(notes, notes) > pairs(words, notes) + 0.2);
});

test("Whisper: 80 bands of 3000 frames, of the same sound the same", { skip: whisperSkip || jfk.skip }, async () => {
  const extract = (await openFeatureExtractor(whisperStandIn().manifest)) as unknown as (sound: Float32Array) => Promise<{ input_features: { data: Float32Array; dims: number[] } }>;
  const info = await openMedium(jfk.path);
  const whole = await extract(await collectAudio(info, wholeMedium, { sampleRate: 16_000 }));
  assert.deepEqual(whole.input_features.dims, [1, 80, 3000]);
  const again = await extract(await collectAudio(info, { startUs: 0, endUs: info.durationUs! }, { sampleRate: 16_000 }));
  assert.equal(difference(whole.input_features.data, again.input_features.data), 0);
});
