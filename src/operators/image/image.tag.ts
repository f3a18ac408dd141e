import { z } from "zod";
import { Frames, Labels, defineOperator, type BatchFunction } from "../../contracts/index.js";
import { classify } from "../../models/families/classifier.js";
import { imageInput, imagePreprocess, rasterDemand, rasterOf } from "../../models/preprocess-image.js";
import { runRows } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";

const config = z.strictObject({
  top: z.int().min(1).max(1000).default(5).describe("Labels per frame at most, best first."),
  min_score: z.number().min(0).max(1).default(0).describe("Probability from which a label counts, 0–1."),
});

const tags: BatchFunction = async (items, { top, min_score }: z.infer<typeof config>, { models }) => {
  const model = models["tagger"]!;
  const { manifest } = model;
  const { data, dims } = await imageInput(items.map((item) => rasterOf(item.slot)), imagePreprocess(manifest), { scratch });
  const outputs = await runRows(model, { [manifest.inputs[0]!.name]: { data, dims } });
  return items.map((_, i) => classify(outputs, i, items.length, manifest, { top, minScore: min_score }));
};

export const imageTag = defineOperator({
  name: "image.tag",
  version: 1,
  summary: "Names what a frame shows with a classifier: the best labels and their probabilities.",
  description: "A classifier always has an answer; a low probability says that it has none. labels.pool makes one list of a scene.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { labels: Labels },
  config,
  models: { tagger: { task: "image-classification" } },
  demand: ({ models }) => ({ frames: { video: { size: rasterDemand(imagePreprocess(models["tagger"]!)), fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch: tags,
  examples: [
    {
      title: "Three labels a second",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "tags: { op: image.tag, in: { frames: { from: media.frames, fps: 1 } }, model: mobilenet-v2-quant, with: { top: 3 } }",
    },
  ],
});
