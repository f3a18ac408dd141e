import { z } from "zod";
import { defineOperator, skip } from "../../contracts/operator.js";
import { Text } from "../../contracts/ports.js";

/** The first sentences that fit into `maxWords`; at least one sentence, cut at a word if it alone is too long. */
export function firstSentences(text: string, maxWords: number): string {
  const sentences = text.match(/[^.!?…]+[.!?…]*["'”’)]*\s*/g) ?? [];
  let taken = "";
  let words = 0;
  for (const sentence of sentences) {
    const length = sentence.trim().split(/\s+/).length;
    if (words > 0 && words + length > maxWords) break;
    taken += sentence;
    words += length;
  }
  const list = taken.trim().split(/\s+/);
  return list.length > maxWords ? `${list.slice(0, maxWords).join(" ")} …` : list.join(" ");
}

export const captionSubtitles = defineOperator({
  name: "caption.subtitles",
  version: 1,
  summary: "Captions a scene with the first sentences that are spoken in it.",
  description: "For narrated material, where the words say what is seen. A scene without words has no caption.",
  module: import.meta.url,
  level: "scene",
  inputs: { transcript: Text.at("scene") },
  outputs: { text: Text.at("scene") },
  config: z.strictObject({ max_words: z.int().min(1).default(30).describe("Words to keep at most; whole sentences where they fit.") }),
  run: {
    form: "each",
    thread: "main",
    each: ({ transcript }, config: { max_words: number }) => {
      const text = firstSentences(String(transcript ?? ""), config.max_words);
      return text === "" ? skip("no words in this scene") : { text };
    },
  },
  examples: [
    {
      title: "Narration as caption",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }\ncaption: { op: caption.subtitles, in: { transcript: speech.text } }",
    },
  ],
});
