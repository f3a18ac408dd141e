import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Cue, Interval } from "../../../src/contracts/items.js";
import type { MediumInfo } from "../../../src/contracts/media.js";
import type { ModelManifest } from "../../../src/contracts/model.js";
import { InferencePool } from "../../../src/inference/index.js";
import { mockManifest } from "../../../src/models/mock.js";
import { speechTranscribe } from "../../../src/operators/speech/speech.transcribe.js";
import type { Word } from "../../../src/operators/speech/transcript.js";
import { openMedium } from "../../media/media-files.js";
import { writeWav } from "../../models/stand-ins/wav.js";
import { HIGH, WORDS, speak, whisperSkip, whisperStandIn } from "../../models/stand-ins/whisper.js";
import { eachInPool } from "../in-pool.js";

const dir = mkdtempSync(join(tmpdir(), "flow-whisper-"));
const pool = new InferencePool({ workers: 1 });
after(async () => {
  await pool.destroy();
  rmSync(dir, { recursive: true, force: true });
});
const skip = whisperSkip;
const model: ModelManifest | null = skip ? null : whisperStandIn().manifest;

interface Transcript {
  text: string;
  cues: Cue[];
  words: Word[];
  language: string | null;
}
let files = 0;
async function said(words: readonly (number | null)[]): Promise<MediumInfo> {
  const path = join(dir, `${files++}.wav`);
  writeWav(path, speak(words));
  return openMedium(path);
}
async function heard(medium: MediumInfo, config: object = {}, more: { interval?: Interval; speech?: Interval[]; model?: ModelManifest } = {}): Promise<Transcript> {
  const interval = more.interval ?? { startUs: 0, endUs: medium.durationUs! };
  const inputs = { clip: medium, scenes: interval, ...(more.speech ? { speech: more.speech } : {}) };
  return (await eachInPool(pool, speechTranscribe, { inputs, medium, interval }, { speech: more.model ?? model! }, config)) as unknown as Transcript;
}
const runs = (): number => pool.stats().inferences["whisper-stand-in"] ?? 0;
const text = (words: readonly (number | null)[], table: readonly string[] = WORDS.en): string => words.filter((w) => w !== null).map((w) => table[w]).join(" ");

const TEN = [0, null, 1, 2, null, 3, null, 4, 5, null];

test("text and cues with their times", { skip }, async () => {
  const found = await heard(await said(TEN));
  assert.equal(found.text, text(TEN));
  assert.equal(found.language, "en");
  const seconds = TEN.flatMap((word, second) => (word === null ? [] : [second]));
  assert.deepEqual(found.cues.map((cue) => cue.text), seconds.map((second) => WORDS.en[TEN[second]!]));
  found.cues.forEach((cue, i) => {
    assert.ok(near(cue.startUs, seconds[i]! + 0.1), `${cue.text} from ${cue.startUs}`);
    assert.ok(near(cue.endUs, seconds[i]! + 0.9), `${cue.text} to ${cue.endUs}`);
  });
  assert.deepEqual(found.words, []);
});
const near = (us: number, seconds: number): boolean => Math.abs(us / 1e6 - seconds) <= 0.04;

test("the language is asked of the model, or given; a task chooses the words", { skip }, async () => {
  const german = [HIGH, 0, 1, null, 6];
  const medium = await said(german);
  const auto = await heard(medium);
  assert.deepEqual([auto.language, auto.text], ["de", text(german, WORDS.de)]);
  const given = await heard(medium, { language: "en" });
  assert.deepEqual([given.language, given.text], ["en", text(german, WORDS.en)]);
  assert.equal((await heard(medium, { task: "translate" })).text, text(german, WORDS.translate));
  assert.equal((await heard(await said(TEN), { language: "de" })).text, text(TEN, WORDS.de));
});

test("sound of more than half a minute goes in window by window: every word once, at its time", { skip }, async () => {
  const long = Array.from({ length: 74 }, (_, second) => (second % 5 === 3 ? null : (second * 5 + Math.floor(second / 7)) % 7));
  const medium = await said(long);
  const before = runs();
  const found = await heard(medium, { language: "en" });
  assert.ok(runs() - before >= 3 && runs() - before <= 4, `${runs() - before} windows`);
  assert.equal(found.text, text(long));
  const times = found.cues.map((cue) => ({ start: Math.round(cue.startUs / 1e5) / 10, text: cue.text }));
  for (const { start, text: word } of times.slice(1)) assert.equal(word, WORDS.en[long[Math.floor(start)]!], `at ${start}`);
  assert.ok(found.cues.every((cue, i) => cue.startUs <= cue.endUs && (i === 0 || cue.startUs >= found.cues[i - 1]!.startUs)));
});

test("words have times and probabilities, and cues are made of them", { skip }, async () => {
  const found = await heard(await said(TEN), { words: true });
  assert.equal(found.text, text(TEN));
  assert.deepEqual(found.words.map((word) => word.text), text(TEN).split(" "));
  const seconds = TEN.flatMap((word, second) => (word === null ? [] : [second]));
  found.words.forEach((word, i) => {
    assert.ok(Math.abs(word.startUs / 1e6 - seconds[i]! - 0.3) < 0.15, `${word.text} at ${word.startUs}`);
    assert.ok(word.endUs > word.startUs && word.endUs <= (seconds[i]! + 1) * 1e6);
    assert.ok(word.probability !== null && word.probability > 0.99 && word.probability < 1, String(word.probability));
  });
  assert.equal(found.cues.map((cue) => cue.text).join(" "), text(TEN));
  const long = Array.from({ length: 50 }, (_, second) => (second * 3 + Math.floor(second / 7)) % 7);
  const merged = await heard(await said(long), { words: true, language: "en" });
  assert.deepEqual(merged.words.map((word) => word.text), text(long).split(" "));
  assert.ok(merged.words.every((word) => word.probability !== null));
});

test("a scene is its interval, at any place of the medium", { skip }, async () => {
  const all = Array.from({ length: 40 }, (_, second) => (second % 3 === 0 ? (second / 3) % 7 : null));
  const medium = await said(all);
  const scene = { startUs: 21_000_000, endUs: 31_000_000 };
  const found = await heard(medium, {}, { interval: scene });
  assert.equal(found.text, text(all.slice(21, 31)));
  assert.ok(found.cues.every((cue) => cue.startUs >= scene.startUs && cue.endUs <= scene.endUs));
  assert.ok(near(found.cues.at(-1)!.endUs, 30.9));
});

test("with spans of speech only they are decoded; without any no model runs", { skip }, async () => {
  const all = Array.from({ length: 40 }, (_, second) => second % 7);
  const medium = await said(all);
  const spans = [{ startUs: 3_000_000, endUs: 5_000_000 }, { startUs: 20_000_000, endUs: 23_000_000 }];
  const found = await heard(medium, { language: "en" }, { speech: spans });
  assert.equal(found.text, text([...all.slice(3, 5), ...all.slice(20, 23)]));
  assert.ok(found.cues.every((cue) => spans.some((span) => cue.startUs >= span.startUs && cue.endUs <= span.endUs)));
  // A scene that begins inside a span hears its own part.
  const part = await heard(medium, { language: "en" }, { speech: spans, interval: { startUs: 21_000_000, endUs: 30_000_000 } });
  assert.equal(part.text, text(all.slice(21, 23)));
  const before = runs();
  const none = await heard(medium, {}, { speech: spans, interval: { startUs: 30_000_000, endUs: 40_000_000 } });
  assert.deepEqual(none, { text: "", cues: [], words: [], language: null });
  assert.deepEqual(await heard(medium, {}, { speech: [] }), none);
  assert.equal(runs(), before);
});

test("silence and a medium without sound say nothing and cost nothing", { skip }, async () => {
  const medium = await said([null, null, null]);
  const before = runs();
  assert.equal((await heard(medium)).text, "");
  assert.equal((await heard({ ...medium, audio: null })).text, "");
  assert.equal(runs(), before);
});

test("what a checkpoint cannot do is said with its name", { skip }, async () => {
  const medium = await said(TEN);
  await assert.rejects(heard(medium, { words: true }, { model: whisperStandIn({ alignment: false }).manifest }), { code: "MODEL_TASK", message: /alignment_heads/ });
  const english = whisperStandIn({ multilingual: false }).manifest;
  await assert.rejects(heard(medium, { task: "translate" }, { model: english }), { code: "MODEL_TASK", message: /English only/ });
});

test("a pool that stops is not kept waiting by a long scene", { skip }, async () => {
  const stopping = new InferencePool({ workers: 1 });
  try {
    const medium = await said(Array.from({ length: 240 }, (_, second) => second % 7));
    const interval = { startUs: 0, endUs: medium.durationUs! };
    const running = eachInPool(stopping, speechTranscribe, { inputs: { clip: medium }, medium, interval }, { speech: model! });
    const refused = assert.rejects(running, { code: "CANCELLED" });
    // The pool is at work once the checkpoint is open; however early this comes, nothing but CANCELLED may come of it.
    await eachInPool(pool, speechTranscribe, { inputs: { clip: medium }, medium, interval: { startUs: 0, endUs: 10_000_000 } }, { speech: model! });
    stopping.stop();
    await refused;
  } finally {
    await stopping.destroy();
  }
});

test("a stand-in without files speaks too, the same every time", { skip }, async () => {
  const medium = await said(TEN);
  const mock = mockManifest(model!);
  const found = await heard(medium, {}, { model: mock });
  assert.match(found.text, /^mock whisper-stand-in: /);
  assert.deepEqual(await heard(medium, {}, { model: mock }), found);
  assert.equal((await heard(medium, {}, { model: mock, speech: [] })).text, "");
});
