import { z } from "zod";
import { Detections, Frames, defineOperator, type BatchFunction } from "../../contracts/index.js";
import { alignedFace, cropped } from "../../models/families/crops.js";
import { imagePreprocess, rasterOf } from "../../models/preprocess-image.js";
import { embeddingOf } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";
import { embedCrops } from "../object/embed-crops.js";

const config = z.strictObject({
  align: z.enum(["landmarks", "box"]).default("landmarks").describe("`landmarks`: the face is turned and scaled to its place in the model's template, and one without five landmarks gets no vector; `box`: the box as it is."),
  padding: z.number().min(0).max(2).default(0).describe("align: box: how far the crop reaches beyond the box, in shares of its width and height."),
  longest: z.int().min(64).max(8192).default(1280).describe("Longer side of the frames that faces are cut from, in pixels; never more than the source's."),
});

const embed: BatchFunction = (items, { align, padding }: z.infer<typeof config>, { models }) => {
  const model = models["embedder"]!;
  const [size] = imagePreprocess(model.manifest).size;
  return embedCrops(items, "faces", model, (face, { slot }, source) => (align === "box" ? cropped(rasterOf(slot), face, source, { padding }) : alignedFace(rasterOf(slot), face, source, size)), scratch);
};

export const faceEmbed = defineOperator({
  name: "face.embed",
  version: 2,
  summary: "Gives each face the vector of its aligned crop: faces of one person are near one another.",
  description: "Takes the faces of face.detect on the same frames (same fps). All faces of a batch of frames go through the model as one flat batch.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames, faces: Detections },
  outputs: ({ models }) => {
    embeddingOf(models["embedder"]!);
    return { faces: Detections };
  },
  config,
  models: { embedder: { task: "face-embedding" } },
  demand: ({ config: { longest } }) => ({ frames: { video: { size: { longest }, fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch: embed,
  examples: [
    {
      title: "Faces with vectors, twice a second",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "faces: { op: face.detect, in: { frames: { from: media.frames, fps: 2 } }, model: yunet-dynamic }\n" +
        "people: { op: face.embed, in: { frames: { from: media.frames, fps: 2 }, faces: faces }, model: sface }",
    },
  ],
});
