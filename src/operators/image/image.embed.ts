import { z } from "zod";
import { Frames, defineOperator, type GridItem } from "../../contracts/index.js";
import { imageBatch, imageInput, imagePreprocess, rasterDemand, rasterOf, type ImagePreprocess } from "../../models/preprocess-image.js";
import { runRows, splitRows, vectorPort } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";

/** The decoder has delivered the model's size: one pass over the pixels. */
function exact(items: readonly GridItem[], preprocess: ImagePreprocess): { data: Float32Array; dims: number[] } {
  const [width, height] = preprocess.size;
  return { data: imageBatch(items.map(({ slot }) => slot), preprocess, scratch), dims: [items.length, 3, height, width] };
}

export const imageEmbed = defineOperator({
  name: "image.embed",
  version: 1,
  summary: "Embeds sampled frames with an image model: one vector per frame.",
  description:
    "The decoder delivers frames in the model's size at `fps` (2 a second unless the input says otherwise; `fps: all` costs a model run per frame).",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: ({ models }) => ({ vectors: vectorPort(models["image"]!, "frame") }),
  config: z.strictObject({}),
  models: { image: { task: "image-embedding" } },
  demand: ({ models }) => ({ frames: { video: { size: rasterDemand(imagePreprocess(models["image"]!)), fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "vector", input: "frames" },
  batch: async (items, _config, { models }) => {
    const model = models["image"]!;
    const preprocess = imagePreprocess(model.manifest);
    // `size` on the input asks for other frames than the model's own.
    const fits = items.every(({ slot }) => slot.width === preprocess.size[0] && slot.height === preprocess.size[1]);
    const input = fits && preprocess.fit === "fill" && preprocess.layout === "nchw" ? exact(items, preprocess) : await imageInput(items.map(({ slot }) => rasterOf(slot)), preprocess, { scratch });
    const outputs = await runRows(model, { [model.manifest.inputs[0]!.name]: { data: input.data, dims: input.dims } });
    return splitRows(outputs, model.manifest, items.length);
  },
  examples: [
    {
      title: "Two vectors a second",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: lite-image, batch: { size: 16 } }",
    },
  ],
});
