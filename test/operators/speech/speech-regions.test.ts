import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { collectAudio, wholeMedium } from "../../../src/media/read-clip.js";
import { soundBlocks, speechRegions, type SoundBlock } from "../../../src/operators/speech/speech-regions.js";
import { cuesOfWords, timed } from "../../../src/operators/speech/transcript.js";
import { openMedium } from "../../media/media-files.js";
import { writeWav } from "../../models/stand-ins/wav.js";

const dir = mkdtempSync(join(tmpdir(), "flow-regions-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const s = (seconds: number): number => Math.round(seconds * 1e6);
const span = (from: number, to: number): { startUs: number; endUs: number } => ({ startUs: s(from), endUs: s(to) });

test("spans are cut to the scene and joined over short pauses, up to a window of the model", () => {
  const options = { joinUs: s(1), longestUs: s(30) };
  const spans = [span(0, 5), span(5.5, 9), span(11, 12), span(12.2, 35), span(60, 61)];
  assert.deepEqual(speechRegions(spans, span(2, 50), options), [span(2, 9), span(11, 35)]);
  assert.deepEqual(speechRegions(spans, span(2, 50), { ...options, longestUs: s(20) }), [span(2, 9), span(11, 12), span(12.2, 35)]);
  assert.deepEqual(speechRegions(spans, span(36, 59), options), []);
  assert.deepEqual(speechRegions([], span(0, 10), options), []);
});

test("long sound comes in blocks cut at quiet places; nothing is lost", async () => {
  const path = join(dir, "long.wav");
  // A second of tone every 1.2 s.
  const samples = Float32Array.from({ length: 40 * 16_000 }, (_, n) => ((n / 16_000) % 1.2 < 1 ? 0.5 * Math.sin(n / 5) : 0));
  writeWav(path, samples);
  const info = await openMedium(path);
  const interval = span(3, 39);
  const blocks: SoundBlock[] = [];
  for await (const block of soundBlocks(info, interval, 16_000, 15)) blocks.push(block);
  assert.ok(blocks.length >= 3);
  const whole = await collectAudio(info, interval, { sampleRate: 16_000 });
  assert.deepEqual(Float32Array.from(blocks.flatMap((block) => [...block.samples])), whole);
  let at = interval.startUs;
  for (const block of blocks) {
    assert.equal(block.startUs, at);
    at += Math.round((block.samples.length * 1e6) / 16_000);
    assert.ok(block.samples.length <= 15 * 16_000);
  }
  for (const block of blocks.slice(1)) assert.ok((block.startUs / 1e6) % 1.2 >= 1, `cut inside the tone at ${block.startUs}`);
  assert.equal((await collectAudio(info, wholeMedium, { sampleRate: 16_000 })).length, samples.length);
});

test("pieces get times inside their block that never run backwards", () => {
  const words = timed([{ text: " a", timestamp: [1, 2] }, { text: " ", timestamp: [2, 3] }, { text: "b", timestamp: [0.5, null], probability: 0.5 }], span(10, 20));
  assert.deepEqual(words, [{ ...span(11, 12), text: "a", probability: null }, { ...span(12, 20), text: "b", probability: 0.5 }]);
});

test("words become cues at ends of sentences, pauses and seven seconds", () => {
  const word = (text: string, from: number, to: number) => ({ ...span(from, to), text, probability: null });
  const cues = cuesOfWords([word("One", 0, 1), word("two.", 1, 2), word("Three", 2, 3), word("four", 4.5, 5), word("five", 5, 11), word("six", 11, 13)], "en");
  assert.deepEqual(cues, [{ ...span(0, 2), text: "One two." }, { ...span(2, 3), text: "Three" }, { ...span(4.5, 11), text: "four five" }, { ...span(11, 13), text: "six" }]);
  assert.equal(cuesOfWords([word("你", 0, 1), word("好", 1, 2)], "zh")[0]!.text, "你好");
});
