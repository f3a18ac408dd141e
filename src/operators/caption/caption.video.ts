import { z } from "zod";
import type { MediumInfo } from "../../contracts/media.js";
import { defineOperator, skip, type OperatorContext } from "../../contracts/operator.js";
import { Clip, Scene, Text } from "../../contracts/ports.js";
import { describePictures, readsSeveral } from "../../models/describe-pictures.js";
import { frameSize, sceneFrames } from "../video/scene-frames.js";

const config = z.strictObject({
  prompt: z.string().min(1).default("Describe this scene briefly.").describe("What the model is asked about the scene."),
  max_new_tokens: z.int().min(1).max(4096).default(64).describe("Tokens of the answer at most; one that is cut there ends with its last whole sentence."),
  fps: z.number().positive().max(30).default(1).describe("Frames a second that the model sees."),
  max_frames: z.int().min(1).max(1024).default(1024).describe("Frames at most; a longer scene is sampled more thinly. The manifest's `settings.maxFrames` is a bound too."),
});

async function caption(inputs: Record<string, unknown>, options: z.infer<typeof config>, { interval, models }: OperatorContext) {
  const info = inputs["clip"] as MediumInfo;
  if (!info.video) return skip("no picture");
  const model = models["captioner"]!;
  const { manifest } = model;
  const several = model.mock || readsSeveral(manifest);
  const bound = typeof manifest.settings["maxFrames"] === "number" ? manifest.settings["maxFrames"] : Infinity;
  const paired = manifest.family === "qwen2-vl";
  const sampling = { fps: options.fps, min: paired ? 4 : 1, max: several ? Math.min(options.max_frames, bound) : 1, step: paired ? 2 : 1 };
  const frames = await sceneFrames(info, interval, sampling, frameSize(info, manifest));
  if (frames.length === 0) return skip("no frame lies in the scene");
  const text = await describePictures(model, frames, { prompt: options.prompt, maxNewTokens: options.max_new_tokens });
  return text === "" ? skip("the model said nothing") : { text };
}

export const captionVideo = defineOperator({
  name: "caption.video",
  version: 1,
  summary: "Asks a vision-language model about a scene's frames (captioner2).",
  description: "The scene is decoded again at `fps`: no clip is written to disk. Generation is greedy, so that the same scene gives the same words.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), clip: Clip },
  outputs: { text: Text.at("scene") },
  config,
  models: { captioner: { task: "image-text-to-text" } },
  run: { form: "each", thread: "pool", each: caption },
  examples: [
    {
      title: "One sentence about each scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        'caption: { op: caption.video, in: { scenes: scenes, clip: media.clip }, model: smolvlm-256m-instruct, with: { prompt: "Describe this scene briefly.", max_new_tokens: 64 } }',
    },
  ],
});
