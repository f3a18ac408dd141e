import { z } from "zod";
import { Detections, Frames, defineOperator, type BatchFunction } from "../../contracts/index.js";
import { detect } from "../../models/families/detector.js";
import { imagePreprocess, rasterDemand, rasterOf } from "../../models/preprocess-image.js";
import { scratch } from "../../models/scratch.js";

const config = z.strictObject({
  min_score: z.number().min(0).max(1).optional().describe("Confidence from which a face counts, 0–1; the model's own unless given."),
  nms: z.number().min(0).max(1).optional().describe("Overlap (IoU, 0–1) above which the weaker of two faces is dropped; the model's own unless given."),
  min_size: z.number().min(0).default(0).describe("Shorter side of the smallest face to keep, in pixels of the source."),
  max: z.int().min(1).max(1000).default(100).describe("Faces to keep per frame, best first."),
});

const faces: BatchFunction = async (items, { min_score, nms, min_size, max }: z.infer<typeof config>, { models }) => {
  const frames = items.map(({ slot, source }) => ({ raster: rasterOf(slot), source }));
  const found = await detect(frames, models["detector"]!, ["face"], { minScore: min_score, nms }, scratch);
  return found.map((list) => list.filter(({ box }) => Math.min(box[2] - box[0], box[3] - box[1]) >= min_size).slice(0, max));
};

export const faceDetect = defineOperator({
  name: "face.detect",
  version: 1,
  summary: "Finds faces in sampled frames: boxes, scores and, where the model gives them, five landmarks.",
  description: "It says where faces are, not whose. face.embed adds a vector to each, which needs landmarks to be of use.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { faces: Detections },
  config,
  models: { detector: { task: "face-detection" } },
  demand: ({ models }) => ({ frames: { video: { size: rasterDemand(imagePreprocess(models["detector"]!)), fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch: faces,
  examples: [
    {
      title: "Faces of at least 25 pixels, once a second",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "faces: { op: face.detect, in: { frames: { from: media.frames, fps: 1 } }, model: yunet-dynamic, with: { min_size: 25 } }",
    },
  ],
});
