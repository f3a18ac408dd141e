import { z } from "zod";
import { Audio, Clip, Frames, Info, Subtitles } from "../../contracts/ports.js";
import { defineOperator } from "../../contracts/operator.js";

/**
 * Opens media and decodes each of them exactly once: what the nodes behind `frames` and `audio` ask for (size, rate, sample
 * rate) is collected by the plan and pushed down into one ffmpeg process per medium.
 */
export const mediaOpen = defineOperator({
  name: "media.open",
  version: 1,
  summary: "Opens files, folders, globs, lists and URLs, and decodes each medium once for all nodes behind it.",
  description:
    "`frames` and `audio` are borrows of the one decode: a node gets exactly the size and rate that it asks for. `subtitles` holds the cues of the first text " +
    "subtitle stream, empty without one. `info` says what the medium is: `info.hasAudio`, `info.hasVideo`, `info.durationUs`, … can be asked by `when:`. `clip` is the medium " +
    "itself, for operators that decode a scene or the whole again by themselves.",
  module: import.meta.url,
  level: "media",
  inputs: {},
  outputs: { frames: Frames.with({ color: "rgb24" }), audio: Audio.at("frame"), subtitles: Subtitles.at("media"), info: Info.at("media"), clip: Clip.at("media") },
  config: z.strictObject({
    uri: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
      .describe("File, folder, glob, JSON list ([{path, name?, scenes?, narration?}]) or http(s) URL, or a list of them."),
  }),
  run: { form: "source" },
  examples: [
    {
      title: "Scene cuts of one file",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }",
    },
  ],
});
