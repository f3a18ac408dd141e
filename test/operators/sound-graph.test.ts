/** Whole runs over sound: voice activity → events → scenes → records with the real weights; transcripts and speakers with stand-ins of the published layout. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Cue } from "../../src/contracts/items.js";
import { Store, runGraph, type RunSummary } from "../../src/index.js";
import type { SpeakerSpan } from "../../src/math/speaker-turns.js";
import { BUNDLED } from "../clips.js";
import { inTemporaryFolder } from "../e2e/flow.js";
import { mediaFile } from "../media/media-files.js";
import { segmentationStandIn, voiceStandIn, voices } from "../models/stand-ins/speakers.js";
import { writeWav } from "../models/stand-ins/wav.js";
import { WORDS, speak, whisperSkip, whisperStandIn } from "../models/stand-ins/whisper.js";
import { realModel } from "./in-pool.js";

const sounds = (batch: number): string => `flow: 1
name: sounds
params: { input: { type: media, default: "", positional: true } }
models: { vad: silero-vad, events: yamnet, sound: yamnet-embedding }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  levels: { op: audio.levels, in: media.audio }
  scenes: { op: scene.cut, in: { scores: scores, levels: levels } }
  voice:  { op: speech.vad, in: media.clip, model: vad, when: media.info.hasAudio }
  talk:   { op: speech.activity, in: { scenes: scenes, spans: voice.spans } }
  sounds: { op: audio.events, in: media.audio, model: events, batch: { size: ${batch} } }
  heard:  { op: labels.pool, over: scene, in: { labels: sounds }, with: { top: 5 }, when: media.info.hasAudio }
  windows: { op: audio.embed, in: media.audio, model: sound, batch: { size: ${batch} } }
  sound:  { op: vectors.mean, over: scene, in: { vectors: windows }, when: media.info.hasAudio }
  scene:  { op: join, by: scene, in: { voice: talk.summary, events: heard.labels, sound: sound } }
  medium: { op: join, by: media, in: { speech: voice.summary } }
outputs: { scene: { from: scene, vectors: { sound: {} } }, media: { from: medium } }
`;

const CLIPS = ["speech/jfk.wav", "speech/silero_test.wav", "video/big_buck_bunny_0_30.webm", "video/chaplin.mp4"].map((path) => mediaFile(path));
const skip = [...CLIPS.map((file) => file.skip), ...["silero-vad", "yamnet", "yamnet-embedding"].map((id) => realModel(id).skip)].find((reason) => reason !== false) ?? false;

interface SceneFields {
  voice: { share: number };
  events: { label: string; score: number }[];
}

test("who speaks, what is heard: real weights, batches of 1, 3 and 16, and a rerun that computes nothing", { skip }, () =>
  inTemporaryFolder(async (dir) => {
    const file = join(dir, "sounds.yaml");
    const inputs = CLIPS.map(({ path }) => path);
    const run = async (batch: number, store: string, some: string[]): Promise<RunSummary> => {
      await writeFile(file, sounds(batch));
      const summary = await runGraph(file, { store: join(dir, store), inputs: some });
      assert.equal(summary.status, "done", JSON.stringify(summary.failures));
      return summary;
    };
    const digests = new Set<string>();
    for (const batch of [1, 3, 16]) {
      const { digest, digestNumbers } = await run(batch, `store-${batch}`, [inputs[0]!, inputs[3]!]);
      digests.add(`${digest} ${digestNumbers}`);
    }
    assert.equal(digests.size, 1, "the same records at every batch size");
    await run(16, "store-16", inputs);
    const again = await run(16, "store-16", inputs);
    assert.deepEqual([again.inferences, again.framesDecoded], [0, 0]);
    for (const [node, counts] of Object.entries(again.nodes)) assert.equal(counts.done, 0, node);
    await using store = await Store.open(join(dir, "store-16"), { readOnly: true });
    const names = new Map([...store.records({ kind: "media" })].map((record) => [record.media, record.fields as { name: string; speech: { speechWindows: number } }]));
    const speech = Object.fromEntries([...names.values()].map(({ name, speech }) => [name, speech.speechWindows]));
    assert.deepEqual([speech["jfk.wav"], speech["silero_test.wav"]], [233, 1452]);
    assert.ok(speech["big_buck_bunny_0_30.webm"]! < 10 && speech["chaplin.mp4"]! < 10, JSON.stringify(speech));
    for (const record of store.records({ kind: "scene" })) {
      const { name } = names.get(record.media)!;
      const { voice, events } = record.fields as unknown as SceneFields;
      assert.equal(events[0]!.label, name.endsWith(".wav") ? "Speech" : "Music", name);
      assert.ok(events.length <= 5);
      assert.equal(voice.share > 0.3, name.endsWith(".wav"), `${name}: ${voice.share}`);
    }
  }));

const said = `flow: 1
name: said
params: { input: { type: media, default: "", positional: true } }
models: { asr: whisper-stand-in, segmentation: segmentation-stand-in, voice: voice-stand-in }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  levels: { op: audio.levels, in: media.audio }
  scenes: { op: scene.cut, in: { levels: levels }, with: { detector: windows, audio: windows, window: 8s } }
  voices: { op: speech.diarize, in: { clip: media.clip }, model: { segmentation: segmentation, voice: voice } }
  speech: { op: speech.transcribe, in: { scenes: scenes, clip: media.clip }, model: asr, with: { language: en, words: true } }
  who:    { op: speech.speakers, in: { scenes: scenes, turns: voices.turns, cues: speech.cues, words: speech.words } }
  scene:  { op: join, by: scene, in: { transcript: speech.text, cues: who.cues, words: who.words, speakers: who.turns, language: speech.language } }
  medium: { op: join, by: media, in: { speakers: voices.speakers } }
outputs: { scene: { from: scene, fulltext: [transcript] }, media: { from: medium } }
`;

test("transcripts and speakers by scene", { skip: whisperSkip }, () =>
  inTemporaryFolder(async (dir) => {
    const words = Array.from({ length: 32 }, (_, second) => (second % 4 === 3 ? null : (second * 3) % 7));
    // Two voices behind the words, a second of one and three of the other.
    const turns: SpeakerSpan[] = Array.from({ length: 8 }, (_, n) => ({ speaker: n % 2 === 0 ? "a" : "b", startUs: n * 4e6 + 50_000, endUs: n * 4e6 + 3_900_000 }));
    const quiet = voices(turns, 32);
    const sound = speak(words).map((x, i) => x + quiet[i]! * 0.12);
    const path = join(dir, "talk.wav");
    writeWav(path, sound);
    const file = join(dir, "said.yaml");
    await writeFile(file, said);
    const models = [whisperStandIn(), segmentationStandIn(), voiceStandIn()].map((built) => built.dir);
    const run = (): Promise<RunSummary> => runGraph(file, { store: join(dir, "store"), inputs: [path], models });
    const first = await run();
    assert.equal(first.status, "done", JSON.stringify(first));
    assert.ok([1, 2].includes(first.loads["whisper-stand-in"]!), `each of two workers opens it once at most: ${first.loads["whisper-stand-in"]}`);
    const again = await run();
    assert.deepEqual([again.inferences, again.digest], [0, first.digest]);
    await using store = await Store.open(join(dir, "store"), { readOnly: true });
    const scenes = [...store.records({ kind: "scene" })].sort((a, b) => a.startUs - b.startUs);
    assert.equal(scenes.length, 4);
    const text = scenes.map((scene) => scene.fields["transcript"]).join(" ");
    assert.equal(text, words.filter((w) => w !== null).map((w) => WORDS.en[w]).join(" "));
    for (const scene of scenes) {
      assert.equal(scene.fields["language"], "en");
      const cues = scene.fields["cues"] as (Cue & { speaker: string | null })[];
      assert.ok(cues.length > 0 && cues.every((cue) => cue.startUs >= scene.startUs && cue.endUs <= scene.endUs));
      assert.ok(cues.every((cue) => cue.speaker !== null));
      for (const turn of scene.fields["speakers"] as SpeakerSpan[]) assert.ok(turn.startUs >= scene.startUs && turn.endUs <= scene.endUs);
    }
    const [medium] = [...store.records({ kind: "media" })];
    assert.ok((medium!.fields["speakers"] as unknown[]).length >= 1);
  }));

const published = `flow: 1
name: published
params: { input: { type: media, default: "", positional: true } }
models: { vad: silero-vad, asr: whisper-base, segmentation: pyannote-segmentation-3.0, voice: wespeaker-voxceleb-resnet34-lm, sound: clap-htsat-unfused, events: ast-audioset }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
  vad:    { op: speech.vad, in: media.clip, model: vad }
  speech: { op: speech.transcribe, in: { scenes: scenes, clip: media.clip, speech: vad.spans }, model: asr }
  voices: { op: speech.diarize, in: { clip: media.clip, speech: vad.spans }, model: { segmentation: segmentation, voice: voice } }
  who:    { op: speech.speakers, in: { scenes: scenes, turns: voices.turns, cues: speech.cues } }
  windows: { op: audio.embed, in: media.audio, model: sound }
  sound:  { op: vectors.mean, over: scene, in: { vectors: windows } }
  labels: { op: audio.events, in: media.audio, model: events, with: { hop: 2 } }
  heard:  { op: labels.pool, over: scene, in: { labels: labels } }
  scene:  { op: join, by: scene, in: { transcript: speech.text, cues: who.cues, sound: sound, events: heard.labels } }
outputs: { scene: { from: scene, vectors: { sound: {} } } }
`;

test("every operator of sound runs with stand-ins for the published models, the same twice", () =>
  inTemporaryFolder(async (dir) => {
    const file = join(dir, "published.yaml");
    await writeFile(file, published);
    const run = (store: string): Promise<RunSummary> => runGraph(file, { store: join(dir, store), inputs: [BUNDLED], mockModels: true });
    const first = await run("a");
    assert.equal(first.status, "done", JSON.stringify(first));
    for (const [node, counts] of Object.entries(first.nodes)) assert.ok(counts.done > 0 && counts.failed === 0, `${node} ${JSON.stringify(counts)}`);
    const second = await run("b");
    assert.equal(second.digest, first.digest);
  }));
