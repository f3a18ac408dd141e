import { z } from "zod";
import { Scene, Spans, Value, defineOperator, type Interval, type Span } from "../../contracts/index.js";

/** The parts of `spans` inside the interval, in order. */
export function spansInside(spans: readonly Span[], { startUs, endUs }: Interval): Span[] {
  return spans.filter((span) => span.startUs < endUs && span.endUs > startUs).map((span) => ({ ...span, startUs: Math.max(startUs, span.startUs), endUs: Math.min(endUs, span.endUs) }));
}

export const speechActivity = defineOperator({
  name: "speech.activity",
  version: 1,
  summary: "When somebody speaks in each scene, and how much of it.",
  description: "Cuts the spans of speech.vad at the scene's bounds. `summary` is { seconds, share } for `--where` (`voice.share > 0.5`).",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene, spans: Spans.at("media") },
  outputs: { spans: Spans, summary: Value },
  config: z.strictObject({}),
  run: {
    form: "each",
    thread: "main",
    each: ({ scenes, spans }) => {
      const scene = scenes as Interval;
      const inside = spansInside(spans as Span[], scene);
      const spokenUs = inside.reduce((sum, span) => sum + span.endUs - span.startUs, 0);
      const round = (value: number): number => Math.round(value * 1000) / 1000;
      return { spans: inside, summary: { seconds: round(spokenUs / 1e6), share: round(spokenUs / Math.max(1, scene.endUs - scene.startUs)) } };
    },
  },
  examples: [
    {
      title: "Share of speech by scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "scores: { op: scene.scores, in: media.frames }\n" +
        "scenes: { op: scene.cut, in: { scores: scores } }\n" +
        "voice: { op: speech.vad, in: media.clip, model: silero-vad, when: media.info.hasAudio }\n" +
        "talk: { op: speech.activity, in: { scenes: scenes, spans: voice.spans } }",
    },
  ],
});
