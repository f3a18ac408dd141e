import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Interval } from "../../../src/contracts/items.js";
import { InferencePool } from "../../../src/inference/index.js";
import { diarizationError, parseRttm } from "../../../src/math/diarization-error.js";
import type { SpeakerSpan } from "../../../src/math/speaker-turns.js";
import { mockManifest } from "../../../src/models/mock.js";
import { speechDiarize, type SpeakerShare } from "../../../src/operators/speech/speech.diarize.js";
import { speechSpeakers } from "../../../src/operators/speech/speech.speakers.js";
import { mediaFile, openMedium } from "../../media/media-files.js";
import { segmentationStandIn, voiceStandIn, voices } from "../../models/stand-ins/speakers.js";
import { writeWav } from "../../models/stand-ins/wav.js";
import { eachInPool } from "../in-pool.js";
import { runEach } from "../run-each.js";

const dir = mkdtempSync(join(tmpdir(), "flow-diarize-"));
const pool = new InferencePool({ workers: 1 });
after(async () => {
  await pool.destroy();
  rmSync(dir, { recursive: true, force: true });
});
const models = { segmentation: segmentationStandIn().manifest, voice: voiceStandIn().manifest };

interface Found {
  turns: SpeakerSpan[];
  speakers: SpeakerShare[];
}
let files = 0;
async function diarize(turns: readonly SpeakerSpan[], seconds: number, config: object = {}, speech?: Interval[]): Promise<Found> {
  const path = join(dir, `${files++}.wav`);
  writeWav(path, voices(turns, seconds));
  const medium = await openMedium(path);
  const inputs = { clip: medium, ...(speech ? { speech } : {}) };
  return (await eachInPool(pool, speechDiarize, { inputs, medium, interval: { startUs: 0, endUs: seconds * 1e6 } }, models, config)) as unknown as Found;
}

const rttm = mediaFile("diarization/sample.rttm");
test("the reference's turns, spoken by two tones, are found again", { skip: rttm.skip }, async () => {
  const truth = parseRttm(readFileSync(rttm.path, "utf8"));
  for (const config of [{}, { speakers: 2 }, { hop: "1s" }]) {
    const found = await diarize(truth, 30, { min_pause: 0, ...config });
    assert.deepEqual(found.speakers.map((s) => s.speaker).sort(), ["speaker 1", "speaker 2"]);
    assert.equal(found.turns[0]!.speaker, "speaker 1");
    const error = diarizationError(truth, found.turns);
    assert.ok(error.rate < 0.1, `DER ${error.rate} ${JSON.stringify(error)}`);
    assert.equal(error.confusionUs < 200_000, true);
    assert.ok(diarizationError(truth, found.turns, 250_000).rate < 0.03, String(diarizationError(truth, found.turns, 250_000).rate));
  }
});

/** Three speakers who take turns for `seconds`. */
function conversation(seconds: number): SpeakerSpan[] {
  const turns: SpeakerSpan[] = [];
  for (let at = 1, n = 0; at < seconds - 4; n++) {
    const length = 1.2 + (n % 4) * 0.9;
    turns.push({ speaker: "abc"[(n * 2 + Math.floor(n / 5)) % 3]!, startUs: Math.round(at * 1e6), endUs: Math.round((at + length) * 1e6) });
    at += length + 0.3;
  }
  return turns;
}

test("three speakers over more than one window, numbered by their first word; a rerun is the same", async () => {
  const truth = conversation(75);
  const found = await diarize(truth, 75);
  assert.equal(found.speakers.length, 3);
  assert.ok(diarizationError(truth, found.turns).rate < 0.12, JSON.stringify(diarizationError(truth, found.turns)));
  assert.ok(Math.abs(found.speakers.reduce((sum, s) => sum + s.share, 0) - 1) < 1e-3);
  assert.deepEqual(await diarize(truth, 75), found);
});

test("with spans of speech only windows that hold some are looked at", async () => {
  const truth: SpeakerSpan[] = [{ speaker: "a", startUs: 2e6, endUs: 6e6 }, { speaker: "b", startUs: 50e6, endUs: 55e6 }];
  const before = pool.stats().inferences["segmentation-stand-in"] ?? 0;
  const whole = await diarize(truth, 60);
  const windows = (pool.stats().inferences["segmentation-stand-in"] ?? 0) - before;
  const found = await diarize(truth, 60, {}, truth);
  assert.ok((pool.stats().inferences["segmentation-stand-in"] ?? 0) - before - windows < windows / 2);
  assert.equal(whole.turns.length, 2);
  assert.ok(diarizationError(whole.turns, found.turns).rate < 0.02);
});

test("nobody speaks, a medium without sound, sound shorter than a window", async () => {
  assert.deepEqual(await diarize([], 12), { turns: [], speakers: [] });
  const short = await diarize([{ speaker: "a", startUs: 500_000, endUs: 2_500_000 }], 3);
  assert.equal(short.turns.length, 1);
  assert.ok(short.turns[0]!.endUs < 2_700_000);
  const medium = { ...(await openMedium(join(dir, "0.wav"))), audio: null };
  assert.deepEqual(await eachInPool(pool, speechDiarize, { inputs: { clip: medium }, medium, interval: { startUs: 0, endUs: 1 } }, models), { skipped: "no sound" });
});

test("stand-ins without files take turns", async () => {
  const medium = await openMedium(join(dir, "0.wav"));
  const mocks = { segmentation: mockManifest(models.segmentation), voice: mockManifest(models.voice) };
  const found = (await eachInPool(pool, speechDiarize, { inputs: { clip: medium, speech: [{ startUs: 0, endUs: 10 }, { startUs: 20, endUs: 30 }] }, medium, interval: { startUs: 0, endUs: 1 } }, mocks)) as unknown as Found;
  assert.deepEqual(found.turns.map((t) => t.speaker), ["speaker 1", "speaker 2"]);
});

test("speech.speakers: cues and words get the speaker who talks most while they last", async () => {
  const turns = [{ speaker: "speaker 1", startUs: 0, endUs: 4e6 }, { speaker: "speaker 2", startUs: 4e6, endUs: 12e6 }];
  const cues = [{ startUs: 1e6, endUs: 3e6, text: "Hello." }, { startUs: 3.8e6, endUs: 6e6, text: "Good day." }, { startUs: 6e6, endUs: 7e6, text: "How are you?" }];
  const found = await runEach(speechSpeakers, { turns, cues, words: [{ startUs: 1e6, endUs: 2e6, text: "Hello", probability: 1 }] }, {}, { startUs: 500_000, endUs: 10e6 });
  assert.deepEqual((found["cues"] as { speaker: string }[]).map((cue) => cue.speaker), ["speaker 1", "speaker 2", "speaker 2"]);
  assert.equal(found["text"], "speaker 1: Hello.\nspeaker 2: Good day. How are you?");
  assert.deepEqual(found["speakers"], ["speaker 1", "speaker 2"]);
  assert.deepEqual((found["turns"] as SpeakerSpan[])[0], { speaker: "speaker 1", startUs: 500_000, endUs: 4e6 });
  assert.equal((found["words"] as { speaker: string }[])[0]!.speaker, "speaker 1");
  assert.deepEqual(await runEach(speechSpeakers, {}), { turns: [], speakers: [], cues: [], words: [], text: "" });
});
