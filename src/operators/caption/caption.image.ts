import { z } from "zod";
import type { MediumInfo } from "../../contracts/media.js";
import type { Series } from "../../contracts/items.js";
import { defineOperator, skip, type OperatorContext } from "../../contracts/operator.js";
import { Clip, Scene, Text, Value, Vector } from "../../contracts/ports.js";
import { nearestToCentroids } from "../../math/kmeans.js";
import { combineCaptions } from "../../models/clean-caption.js";
import { describePictures } from "../../models/describe-pictures.js";
import { frameSize, framesAt } from "../video/scene-frames.js";

const config = z.strictObject({
  max_keyframes: z.int().min(1).max(32).default(5).describe("Pictures that are captioned at most: those nearest the centroids of the scene's frame vectors."),
  prompt: z.string().default("").describe("What a model that takes instructions is asked; captioners of pictures take none."),
  max_new_tokens: z.int().min(1).max(1024).default(64).describe("Tokens of one picture's caption at most."),
});

async function caption(inputs: Record<string, unknown>, options: z.infer<typeof config>, { interval, models }: OperatorContext) {
  const { ptsUs, data, width } = inputs["vectors"] as Series;
  const info = inputs["clip"] as MediumInfo;
  if (!info.video) return skip("no picture");
  if (ptsUs.length === 0 || !data) return skip("no sampled frame lies in the scene");
  const model = models["captioner"]!;
  const chosen = nearestToCentroids(data, ptsUs.length, width, options.max_keyframes).map((row) => ptsUs[row]!);
  const captions: { ptsUs: number; text: string }[] = [];
  for (const frame of await framesAt(info, interval, chosen, frameSize(info, model.manifest))) {
    const text = await describePictures(model, [frame], { prompt: options.prompt, maxNewTokens: options.max_new_tokens });
    if (text !== "") captions.push({ ptsUs: frame.ptsUs, text });
  }
  const text = combineCaptions(captions.map((entry) => entry.text));
  return text === "" ? skip("the model said nothing") : { text, captions };
}

export const captionImage = defineOperator({
  name: "caption.image",
  version: 1,
  summary: "Captions a scene's keyframes one by one and combines what was said (captioner1).",
  description: "The keyframes are chosen by k-means over the scene's frame vectors and decoded again in full. What is said twice is kept once.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), clip: Clip, vectors: Vector.at("frame") },
  outputs: { text: Text.at("scene"), captions: Value.at("scene") },
  config,
  models: { captioner: { task: "image-to-text" } },
  run: { form: "each", thread: "pool", each: caption },
  examples: [
    {
      title: "At most five captions a scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: lite-image }\n" +
        "caption: { op: caption.image, in: { scenes: scenes, clip: media.clip, vectors: frames }, model: vit-gpt2-image-captioning, with: { max_keyframes: 5 } }",
    },
  ],
});
