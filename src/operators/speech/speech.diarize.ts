import { createHash } from "node:crypto";
import { z } from "zod";
import { duration } from "../../contracts/duration-field.js";
import type { Interval } from "../../contracts/items.js";
import type { MediumInfo } from "../../contracts/media.js";
import { defineOperator, skip, type ModelHandle, type OutputValues } from "../../contracts/operator.js";
import { Clip, Spans, Value } from "../../contracts/ports.js";
import { decodePowerset } from "../../math/powerset.js";
import { speakerTurns, type SpeakerSpan } from "../../math/speaker-turns.js";
import { readAudio, wholeMedium } from "../../media/read-clip.js";
import { embedVoice, segment, segmentationLayout } from "../../models/families/speakers.js";
import { rounded } from "../series-rows.js";
import { DiarizationWindows } from "./diarize-windows.js";

const config = z.strictObject({
  speakers: z.int().min(1).max(100).optional().describe("How many there are, where that is known; else as many as the threshold tells apart."),
  threshold: z.number().min(-1).max(1).optional().describe("Mean cosine of two voices from which they are one speaker's; the model's own unless given."),
  hop: duration().prefault("2.5s").describe("From the start of one window to the next; pyannote's own is a tenth of the window, four times the work."),
  min_pause: duration().prefault("0.25s").describe("A shorter pause does not end a turn."),
  min_turn: duration().prefault("0.1s").describe("A shorter turn is none."),
});
type Config = z.infer<typeof config>;

export interface SpeakerShare {
  speaker: string;
  seconds: number;
  /** Of all speech, 0..1. */
  share: number;
}

/** Every window of the sound that holds speech, one at a time, padded with zeros at the end: [first sample, samples, valid]. */
async function* windowsOf(info: MediumInfo, sampleRate: number, length: number, hop: number, speech: readonly Interval[] | null): AsyncGenerator<[number, Float32Array, number], void, void> {
  const held = new Float32Array(length);
  let start = 0;
  let filled = 0;
  const wanted = (valid: number): boolean => speech === null || speech.some((span) => (span.startUs * sampleRate) / 1e6 < start + valid && (span.endUs * sampleRate) / 1e6 > start);
  let end = 0;
  for await (const part of readAudio(info, wholeMedium, { sampleRate })) {
    for (let at = 0; at < part.length; ) {
      const taken = part.subarray(at, at + length - filled);
      held.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < length) continue;
      if (wanted(length)) yield [start, held.slice(), length];
      end = start + length;
      held.copyWithin(0, hop);
      filled -= hop;
      start += hop;
    }
  }
  // What no window has seen to its end.
  if (start + filled > end && filled > 0 && wanted(filled)) yield [start, held.fill(0, filled).slice(), filled];
}

async function diarize(info: MediumInfo, speech: readonly Interval[] | null, config: Config, segmentation: ModelHandle, voice: ModelHandle): Promise<SpeakerSpan[]> {
  const layout = segmentationLayout(segmentation);
  const { sampleRate, windowSamples, stepSamples, leadSamples, sets } = layout;
  const found = new DiarizationWindows(layout, (sound) => embedVoice(voice, sound));
  const hop = Math.min(windowSamples, Math.max(1, Math.round((config.hop * sampleRate) / 1e6)));
  for await (const [start, samples, valid] of windowsOf(info, sampleRate, windowSamples, hop, speech)) {
    await found.add(start, samples, valid, decodePowerset(await segment(segmentation, samples, sets.length), sets, layout.speakers));
  }
  const { windows, clusters } = found.named(config.speakers === undefined ? { threshold: config.threshold ?? voice.manifest.space?.threshold ?? 0.5 } : { clusters: config.speakers });
  const framesOf = (us: number): number => (us * sampleRate) / 1e6 / stepSamples;
  const turns = speakerTurns(windows, clusters, { pauseFrames: framesOf(config.min_pause), leastFrames: framesOf(config.min_turn) });
  const timeUs = (frame: number): number => Math.round(((leadSamples + frame * stepSamples) * 1e6) / sampleRate);
  return named(turns.map(({ speaker, start, end }) => ({ speaker: String(speaker), startUs: timeUs(start), endUs: timeUs(end) })));
}

/** Speakers by the order in which they first talk: speaker 1, speaker 2, … */
function named(turns: readonly SpeakerSpan[]): SpeakerSpan[] {
  const names = new Map<string, string>();
  return turns.map((turn) => {
    if (!names.has(turn.speaker)) names.set(turn.speaker, `speaker ${names.size + 1}`);
    return { ...turn, speaker: names.get(turn.speaker)! };
  });
}

/** Two stand-in speakers take turns. */
function standIn(info: MediumInfo, speech: readonly Interval[] | null, models: readonly ModelHandle[]): SpeakerSpan[] {
  for (const model of models) model.count(1);
  const spans = speech ?? [{ startUs: 0, endUs: info.durationUs ?? 10_000_000 }];
  const parity = createHash("sha256").update(info.id).digest()[0]! & 1;
  return named(spans.map(({ startUs, endUs }, i) => ({ speaker: String((i + parity) % 2), startUs, endUs })));
}

function summary(turns: readonly SpeakerSpan[]): SpeakerShare[] {
  const seconds = new Map<string, number>();
  for (const { speaker, startUs, endUs } of turns) seconds.set(speaker, (seconds.get(speaker) ?? 0) + (endUs - startUs) / 1e6);
  const all = [...seconds.values()].reduce((sum, x) => sum + x, 0);
  return [...seconds].map(([speaker, spoken]) => ({ speaker, seconds: rounded(spoken, 3), share: rounded(spoken / all, 4) }));
}

export const speechDiarize = defineOperator({
  name: "speech.diarize",
  version: 1,
  summary: "Who speaks when in a medium: turns of speaker 1, speaker 2, … (segmentation, voice vectors, clustering).",
  description:
    "As pyannote.audio does it: a segmentation tells speakers apart within overlapping windows of 10 s, a vector per voice and window is clustered over the whole medium " +
    "(average linkage by cosine), and the windows vote. Speakers are numbered by their first word; the numbers mean nothing in another medium. " +
    "With `speech` (spans of speech.vad) windows without speech are left out. speech.speakers puts the names onto cues.",
  module: import.meta.url,
  level: "media",
  inputs: { clip: Clip, speech: Spans.at("media", { optional: true, nullable: true }) },
  outputs: { turns: Spans.at("media"), speakers: Value.at("media") },
  config,
  models: { segmentation: { task: "speaker-segmentation" }, voice: { task: "speaker-embedding" } },
  run: {
    form: "each",
    thread: "pool",
    each: async ({ clip, speech }, config: Config, { models }): Promise<OutputValues | ReturnType<typeof skip>> => {
      const info = clip as MediumInfo;
      if (!info.audio) return skip("no sound");
      const { segmentation, voice } = models as { segmentation: ModelHandle; voice: ModelHandle };
      const spans = (speech as Interval[] | undefined) ?? null;
      const turns = segmentation.mock || voice.mock ? standIn(info, spans, [segmentation, voice]) : await diarize(info, spans, config, segmentation, voice);
      return { turns, speakers: summary(turns) };
    },
  },
  examples: [
    {
      title: "Who speaks when, and who says what",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }\n" +
        "voices: { op: speech.diarize, in: { clip: media.clip }, model: { segmentation: pyannote-segmentation-3.0, voice: wespeaker-voxceleb-resnet34-lm }, when: media.info.hasAudio }\n" +
        "speakers: { op: speech.speakers, in: { scenes: scenes, turns: voices.turns, cues: speech.cues } }",
    },
  ],
});
