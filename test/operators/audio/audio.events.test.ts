import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { GridItem, Label, ModelManifest } from "../../../src/contracts/index.js";
import { InferencePool } from "../../../src/inference/index.js";
import { labelsOf } from "../../../src/models/families/labels.js";
import { mockManifest } from "../../../src/models/mock.js";
import { audioEvents } from "../../../src/operators/audio/audio.events.js";
import { mediaFile } from "../../media/media-files.js";
import { realModel } from "../in-pool.js";
import { inBatches, soundItems } from "./sound-items.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());
const yamnet = realModel("yamnet");

async function events(items: GridItem[], manifest: ModelManifest, config: object = {}): Promise<Label[][]> {
  const { module, name: operator } = audioEvents;
  const results = await pool.run({ kind: "batch", module, operator, node: "sounds", config: audioEvents.config.parse(config), models: { events: manifest }, items });
  return results.map((r) => (r.ok ? (r.value as Label[]) : assert.fail(r.error.message)));
}

/** Mean score per label over the whole windows: what the reference values are. */
function means(windows: Label[][]): [string, number][] {
  const sums = new Map<string, number>();
  for (const { label, score } of windows.flat()) sums.set(label, (sums.get(label) ?? 0) + score / windows.length);
  return [...sums].sort((a, b) => b[1] - a[1]);
}

for (const [path, label, score] of [
  ["speech/jfk.wav", "Speech", 0.976],
  ["speech/crunching.mp3", "Crunch", 0.759],
  ["video/chaplin.mp4", "Music", 0.998],
] as const) {
  const file = mediaFile(path);
  test(`${path}: ${label}, the same in batches of 1, 3 and 16`, { skip: yamnet.skip || file.skip }, async () => {
    const items = await soundItems(file.path, 16_000, 0.975, 0.975);
    const whole = items.filter((item) => item.samples === 15_600);
    const [first] = means(await events(whole, yamnet.manifest, { top: 521, min_score: 0 }));
    assert.equal(first![0], label);
    assert.ok(Math.abs(first![1] - score) < 0.005, `${label} ${first![1]}`);
    const windows = await inBatches(items, 16, (part) => events(part, yamnet.manifest));
    for (const size of [1, 3]) assert.deepEqual(await inBatches(items, size, (part) => events(part, yamnet.manifest)), windows);
    assert.ok(windows.every((labels) => labels.length <= 10 && labels.every((l, i) => l.score >= 0.05 && (i === 0 || l.score <= labels[i - 1]!.score))));
  });
}

test("names come from AudioSet's list, quoted ones too", { skip: yamnet.skip }, () => {
  const labels = labelsOf(yamnet.manifest);
  assert.equal(labels.length, 521);
  assert.deepEqual([labels[0], labels[3]], ["Speech", "Narration, monologue"]);
});

test("demand: the model's window and half of it as hop, or the configured one", () => {
  const demand = (config: object) => audioEvents.demand?.({ config: audioEvents.config.parse(config), models: { events: yamnet.manifest }, inputs: {} });
  assert.deepEqual(demand({}), { audio: { audio: { sampleRate: 16_000, channels: 1, windowUs: 975_000, hopUs: 487_500 } } });
  assert.deepEqual(demand({ hop: 2 })?.["audio"]?.audio?.hopUs, 2_000_000);
});

test("a stand-in answers without the model's files, the same at every batch size", { skip: mediaFile("speech/jfk.wav").skip }, async () => {
  const items = await soundItems(mediaFile("speech/jfk.wav").path, 16_000, 0.975, 0.975);
  const mock = mockManifest(yamnet.manifest);
  const all = await events(items, mock, { min_score: 0 });
  assert.ok(all.every((labels) => labels.length === 10 && /^(class|mock) /.test(labels[0]!.label)));
  assert.deepEqual(await inBatches(items, 3, (part) => events(part, mock, { min_score: 0 })), all);
});
