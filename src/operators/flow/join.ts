import { z } from "zod";
import { defineOperator } from "../../contracts/operator.js";
import { Record_ } from "../../contracts/ports.js";

/** Collects what its inputs said about one item into one record. The engine commits it in one transaction. */
export const join = defineOperator({
  name: "join",
  version: 1,
  summary: "Collects the results of one scene or medium into one record; completes whatever its inputs did.",
  description: "An input that was skipped or failed becomes `missing` (null) in the record; the reason stays with the node that gave it. Level: the node's `by`.",
  module: import.meta.url,
  level: "inherit",
  inputs: "map",
  outputs: { record: Record_.at("scene") },
  config: z.strictObject({}),
  run: { form: "join" },
  examples: [
    {
      title: "A record per scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }\nscene: { op: join, by: scene, in: { transcript: speech.text }, missing: null }",
    },
  ],
});
