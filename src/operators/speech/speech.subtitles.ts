import { z } from "zod";
import type { Cue, Interval } from "../../contracts/items.js";
import { defineOperator } from "../../contracts/operator.js";
import { Scene, Subtitles, Text, Value } from "../../contracts/ports.js";

/**
 * Cues whose middle lies in the scene: with scenes that touch, each cue belongs to exactly one of them, the one that holds the larger
 * part of it (of a cue over three scenes, the middle one). A cue that runs past the medium's end counts up to there.
 */
export function cuesOfScene(cues: readonly Cue[], scene: Interval, mediumEndUs: number | null): Cue[] {
  return cues.filter((cue) => {
    const startUs = Math.max(0, cue.startUs);
    const endUs = mediumEndUs === null ? cue.endUs : Math.min(cue.endUs, Math.max(mediumEndUs, startUs));
    const middleUs = Math.floor((startUs + endUs) / 2);
    return middleUs >= scene.startUs && middleUs < scene.endUs;
  });
}

/** Markup of SRT, ASS and WebVTT off, white space to single spaces. */
export function plainText(text: string): string {
  return text
    .replace(/\{\\[^}]*\}/g, " ")
    .replace(/\\[Nnh]/g, " ")
    .replace(/<\/?[a-z][^>]*>/gi, "")
    .replace(/\s+/g, " ")
    .trim();
}

export const speechSubtitles = defineOperator({
  name: "speech.subtitles",
  version: 1,
  summary: "The scene's transcript from the medium's own subtitles; empty text without them.",
  description: "A cue over a scene boundary goes to the scene that holds its middle, so that each is told exactly once.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), subtitles: Subtitles.at("media", { nullable: true }) },
  outputs: { text: Text.at("scene"), cues: Value.at("scene") },
  config: z.strictObject({}),
  run: {
    form: "each",
    thread: "main",
    each: ({ subtitles }, _config, { interval, medium }) => {
      const cues = cuesOfScene((subtitles as Cue[] | undefined) ?? [], interval, medium.durationUs)
        .map((cue) => ({ ...cue, text: plainText(cue.text) }))
        .filter((cue) => cue.text !== "");
      return { text: cues.map((cue) => cue.text).join(" "), cues };
    },
  },
  examples: [
    {
      title: "Transcript per scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }",
    },
  ],
});
