import { z } from "zod";
import { Detections, FlowError, Frames, defineOperator, type BatchFunction, type Detection, type GridItem, type ModelManifest } from "../../contracts/index.js";
import { deeplab } from "../../models/families/deeplab.js";
import { decoderInputs, sam } from "../../models/families/sam.js";
import { imageInput, imagePreprocess, rasterDemand, rasterOf } from "../../models/preprocess-image.js";
import { runRows } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";
import { refined } from "./refine-mask.js";

const config = z.strictObject({
  mask_longest: z.int().min(16).max(4096).default(512).describe("Longer side of the raster that masks are drawn on, in pixels; never more than the source's."),
  refine: z.enum(["none", "polygon"]).default("none").describe("polygon: each mask is its largest part without holes, and carries that part's outline in pixels of the source."),
  min_share: z.number().min(0).max(1).optional().describe("Without boxes: least share of the picture that a class must cover, 0–1; the model's own unless given."),
});

/** The graph that sees the picture. */
const seeing = (models: Record<string, ModelManifest>): ModelManifest => {
  const model = models["segmenter"] ?? models["encoder"];
  if (!model || !!models["segmenter"] === !!models["encoder"] || !!models["encoder"] !== !!models["decoder"]) {
    throw new FlowError("MODEL_TASK", "object.segment needs either one model that segments by itself, or an encoder and a decoder that segment boxes", { hint: "model: NAME, or model: { encoder: NAME, decoder: NAME }" });
  }
  return model;
};

const segments: BatchFunction = async (items, options: z.infer<typeof config>, context) => {
  const found = await masksOf(items, options, context);
  if (options.refine === "none") return found;
  const boxFromMask = context.models["segmenter"] !== undefined;
  return found.map((detections, i) => detections.map((detection) => refined(detection, items[i]!.source ?? items[i]!.slot, boxFromMask)));
};

async function masksOf(items: readonly GridItem[], { mask_longest: maskLongest, min_share: minShare }: z.infer<typeof config>, { models, node }: Parameters<BatchFunction>[2]): Promise<Detection[][]> {
  const rasters = items.map(({ slot }) => rasterOf(slot));
  const { segmenter, encoder, decoder } = models;
  if (encoder && decoder) {
    const frames = items.map(({ source, inputs }, i) => ({ raster: rasters[i]!, source, detections: detectionsOf(inputs, node) }));
    return sam(frames, encoder, decoder, { maskLongest }, scratch);
  }
  const { manifest } = segmenter!;
  const { data, dims, placements } = await imageInput(rasters, imagePreprocess(manifest), { sources: items.map(({ source }) => source), scratch });
  const outputs = await runRows(segmenter!, { [manifest.inputs[0]!.name]: { data, dims } });
  return placements.map((at, i) => deeplab(outputs, i, items.length, at, manifest, { maskLongest, minShare }));
}

function detectionsOf(inputs: Record<string, unknown> | undefined, node: string): readonly Detection[] {
  const detections = inputs?.["detections"] as Detection[] | undefined;
  if (detections) return detections;
  throw boxesMissing(node);
}

const boxesMissing = (who: string): FlowError =>
  new FlowError("BOXES_MISSING", `${who}: a segmenter with an encoder and a decoder segments boxes, and none are given`, { hint: "in: { frames: …, detections: NODE } with a node of object.detect at the same fps.", permanent: true });

export const objectSegment = defineOperator({
  name: "object.segment",
  version: 1,
  summary: "Gives each detection its mask (SAM), or finds the classes of a picture pixel by pixel (DeepLab).",
  description:
    "With `model: { encoder, decoder }` and `detections` of the same frames: the same detections, each with its own mask, the mask's area and the model's estimate of its IoU; the picture is encoded once " +
    "for all its boxes, and not at all without one. With one model and no detections: a detection per class that is seen, with box, mask and mean probability. Masks are COCO run lengths; " +
    "`refine: polygon` leaves the largest part of each, filled, and adds its outline.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames, detections: Detections.with({ optional: true }) },
  outputs: ({ models, inputs }) => {
    seeing(models);
    if (models["encoder"] && !inputs["detections"]) throw boxesMissing("object.segment");
    if (models["segmenter"] && inputs["detections"]) {
      throw new FlowError("BOXES_UNUSED", `model ${models["segmenter"].id} finds its classes by itself and reads no boxes`, { hint: "Leave `detections` out, or give a model of an encoder and a decoder." });
    }
    return { objects: Detections };
  },
  config,
  models: { segmenter: { task: "segmentation", optional: true }, encoder: { task: "mask-encoder", optional: true }, decoder: { task: "mask-decoder", optional: true, feeds: ({ encoder, decoder }) => (encoder ? decoderInputs(encoder, decoder!) : null) } },
  demand: ({ models }) => ({ frames: { video: { size: rasterDemand(imagePreprocess(seeing(models))), fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "value", input: "frames" },
  batch: segments,
  examples: [
    {
      title: "Classes of the picture, once a second",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "areas: { op: object.segment, in: { frames: { from: media.frames, fps: 1 } }, model: deeplabv3, with: { mask_longest: 128 } }",
    },
    {
      title: "A mask for each box",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "objects: { op: object.detect, in: { frames: { from: media.frames, fps: 0.5 } }, model: yolox-nano }\n" +
        "masks: { op: object.segment, in: { frames: { from: media.frames, fps: 0.5 }, detections: objects }, model: { encoder: slimsam-encoder, decoder: slimsam-decoder } }",
    },
  ],
});
