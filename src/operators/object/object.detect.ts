import { z } from "zod";
import { Detections, FlowError, Frames, Labels, defineOperator, type BatchFunction, type Detection, type Label, type ModelManifest } from "../../contracts/index.js";
import { detect, type SourcedRaster } from "../../models/families/detector.js";
import { GROUNDING_INPUTS, ground, promptNames } from "../../models/families/grounding-dino.js";
import { labelsOf } from "../../models/families/labels.js";
import { imagePreprocess, rasterDemand, rasterOf } from "../../models/preprocess-image.js";
import { scratch } from "../../models/scratch.js";

const config = z.strictObject({
  prompts: z.array(z.string().min(1)).max(200).default([]).describe("Grounding DINO: what to look for, in words; the `names` of a frame come on top."),
  min_score: z.number().min(0).max(1).optional().describe("Confidence from which an object counts, 0–1; the model's own unless given."),
  text_score: z.number().min(0).max(1).optional().describe("Grounding DINO: probability from which a word of the prompt counts for a box, 0–1; the model's own unless given."),
  nms: z.number().min(0).max(1).optional().describe("Overlap (IoU, 0–1) above which the weaker of two objects of a class is dropped; the model's own unless given."),
  classes: z.array(z.string().min(1)).default([]).describe("Keep only objects with these labels; all unless given."),
  max: z.int().min(1).max(1000).default(100).describe("Objects to keep per frame, best first."),
});

const objects: BatchFunction = async (items, options: z.infer<typeof config>, { models, node }) => {
  const model = models["detector"]!;
  const { manifest } = model;
  const { min_score: minScore, text_score: textScore, nms, classes, max } = options;
  const frames = items.map(({ slot, source }): SourcedRaster => ({ raster: rasterOf(slot), source }));
  let found: Detection[][];
  if (manifest.family === "grounding-dino") {
    const names = items.map(({ inputs }) => promptNames([...options.prompts, ...((inputs?.["names"] as Label[] | undefined) ?? []).map(({ label }) => label)]));
    if (options.prompts.length === 0 && items.every(({ inputs }) => inputs?.["names"] === undefined)) throw promptsMissing(node, manifest);
    found = await ground(frames, names, model, { minScore, nms, textScore }, scratch);
  } else found = await detect(frames, model, labelsOf(manifest), { minScore, nms }, scratch);
  return found.map((list) => list.filter(({ label }) => classes.length === 0 || classes.includes(label)).slice(0, max));
};

const promptsMissing = (who: string, { id }: ModelManifest): FlowError =>
  new FlowError("PROMPTS_MISSING", `${who}: model ${id} finds what it is asked for, and nothing is asked`, { hint: "Give `with: { prompts: [person, dog] }`, or the input `names` the labels of image.tag.", permanent: true });

export const objectDetect = defineOperator({
  name: "object.detect",
  version: 1,
  summary: "Finds objects in sampled frames: boxes in pixels of the source, labels and scores.",
  description:
    "YOLOX knows the 80 classes of COCO. Grounding DINO finds what `prompts`, or the labels of the same frame at `names`, say in words; it needs one of them, and is far slower.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames, names: Labels.with({ optional: true }) },
  outputs: ({ config: { prompts }, models, inputs }) => {
    const manifest = models["detector"]!;
    const asked = prompts.length > 0 || inputs["names"] !== undefined;
    if (manifest.family === "grounding-dino" && !asked) throw promptsMissing("object.detect", manifest);
    if (manifest.family !== "grounding-dino" && asked) throw new FlowError("PROMPTS_UNUSED", `model ${manifest.id} knows its own classes and reads no words`, { hint: "Use `classes` to keep some of them, or a model of the family grounding-dino." });
    return { objects: Detections };
  },
  config,
  models: { detector: { task: "object-detection", feeds: ({ detector }) => (detector!.family === "grounding-dino" ? GROUNDING_INPUTS : detector!.inputs.slice(0, 1).map(({ name }) => name)) } },
  demand: ({ models }) => ({ frames: { video: { size: rasterDemand(imagePreprocess(models["detector"]!)), fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch: objects,
  examples: [
    {
      title: "People and dogs, once a second",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "objects: { op: object.detect, in: { frames: { from: media.frames, fps: 1 } }, model: yolox-nano, with: { classes: [person, dog] } }",
    },
    {
      title: "What is asked for in words",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "objects: { op: object.detect, in: { frames: { from: media.frames, fps: 0.5 } }, model: grounding-dino-tiny, with: { prompts: [frying pan, person] } }",
    },
    {
      title: "Boxes for what a classifier named",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "tags: { op: image.tag, in: { frames: { from: media.frames, fps: 0.5 } }, model: mobilenet-v2-quant, with: { min_score: 0.2 } }\n" +
        "objects: { op: object.detect, in: { frames: { from: media.frames, fps: 0.5 }, names: tags }, model: grounding-dino-tiny }",
    },
  ],
});
