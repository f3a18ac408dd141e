import { z } from "zod";
import type { Cue, Interval } from "../../contracts/items.js";
import { defineOperator } from "../../contracts/operator.js";
import { Scene, Spans, Text, Value } from "../../contracts/ports.js";
import { speakerDuring, type SpeakerSpan } from "../../math/speaker-turns.js";

/** A cue or a word with who says it; null where nobody was heard. */
export type Attributed<T extends Interval> = T & { speaker: string | null };

const attributed = <T extends Interval>(items: readonly T[], turns: readonly SpeakerSpan[]): Attributed<T>[] => items.map((item) => ({ ...item, speaker: speakerDuring(turns, item) }));

/** `speaker 1: … speaker 2: …`, a new line where the speaker changes. */
function dialogue(cues: readonly Attributed<Cue>[]): string {
  const lines: string[] = [];
  let last: string | null | undefined;
  for (const { speaker, text } of cues) {
    if (speaker === last && lines.length > 0) lines[lines.length - 1] += ` ${text}`;
    else lines.push(speaker === null ? text : `${speaker}: ${text}`);
    last = speaker;
  }
  return lines.join("\n");
}

export const speechSpeakers = defineOperator({
  name: "speech.speakers",
  version: 1,
  summary: "Who speaks in a scene, and who says which cue: turns of speech.diarize joined to a transcript by time.",
  description: "Each cue and each word belongs to the speaker who talks most while it lasts. Works with the cues of speech.transcribe and of speech.subtitles.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), turns: Spans.at("media", { nullable: true }), cues: Value.at("scene", { optional: true, nullable: true }), words: Value.at("scene", { optional: true, nullable: true }) },
  outputs: { turns: Spans.at("scene"), speakers: Value.at("scene"), cues: Value.at("scene"), words: Value.at("scene"), text: Text.at("scene") },
  config: z.strictObject({}),
  run: {
    form: "each",
    thread: "main",
    each: ({ turns, cues, words }, _config, { interval: { startUs, endUs } }) => {
      const all = ((turns as SpeakerSpan[] | undefined) ?? []).filter((turn) => turn.startUs < endUs && turn.endUs > startUs);
      const inside = all.map((turn) => ({ ...turn, startUs: Math.max(startUs, turn.startUs), endUs: Math.min(endUs, turn.endUs) }));
      const said = attributed((cues as Cue[] | undefined) ?? [], inside);
      return { turns: inside, speakers: [...new Set(inside.map((turn) => turn.speaker))], cues: said, words: attributed((words as Interval[] | undefined) ?? [], inside), text: dialogue(said) };
    },
  },
  examples: [
    {
      title: "Subtitles with speakers",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }\n" +
        "voices: { op: speech.diarize, in: { clip: media.clip }, model: { segmentation: pyannote-segmentation-3.0, voice: wespeaker-voxceleb-resnet34-lm }, when: media.info.hasAudio }\n" +
        "speakers: { op: speech.speakers, in: { scenes: scenes, turns: voices.turns, cues: speech.cues } }",
    },
  ],
});
