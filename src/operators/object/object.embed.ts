import { z } from "zod";
import { Detections, Frames, defineOperator, type BatchFunction } from "../../contracts/index.js";
import { cropped } from "../../models/families/crops.js";
import { rasterOf } from "../../models/preprocess-image.js";
import { embeddingOf } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";
import { embedCrops } from "./embed-crops.js";

const config = z.strictObject({
  crop: z.enum(["mask", "box"]).default("mask").describe("`mask`: what lies outside the object's mask is black, and without a pixel of mask there is no vector; `box`: the box as it is."),
  padding: z.number().min(0).max(2).default(0).describe("How far the crop reaches beyond the box, in shares of its width and height."),
  longest: z.int().min(64).max(8192).default(1280).describe("Longer side of the frames that crops are cut from, in pixels; never more than the source's."),
});

const embed: BatchFunction = (items, { crop, padding }: z.infer<typeof config>, { models }) =>
  embedCrops(items, "detections", models["image"]!, (detection, { slot }, source) => cropped(rasterOf(slot), detection, source, { padding, masked: crop === "mask" }), scratch);

export const objectEmbed = defineOperator({
  name: "object.embed",
  version: 2,
  summary: "Gives each detection the vector of its crop, with any image embedding model.",
  description: "All crops of a batch of frames go through the model as one flat batch. `crop: mask` needs detections from object.segment; a detection without a mask, or with an empty one, gets no vector and says so (`noVector`).",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames, detections: Detections },
  outputs: ({ models }) => {
    embeddingOf(models["image"]!);
    return { objects: Detections };
  },
  config,
  models: { image: { task: "image-embedding" } },
  demand: ({ config: { longest } }) => ({ frames: { video: { size: { longest }, fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch: embed,
  examples: [
    {
      title: "A vector per object",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "objects: { op: object.detect, in: { frames: { from: media.frames, fps: 1 } }, model: yolox-nano }\n" +
        "vectors: { op: object.embed, in: { frames: { from: media.frames, fps: 1 }, detections: objects }, model: lite-image, with: { crop: box } }",
    },
  ],
});
