import { z } from "zod";

const triple = z.tuple([z.number(), z.number(), z.number()]);

const preprocessSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("image"),
    size: z.tuple([z.int().positive(), z.int().positive()]).describe("[width, height] of the input in pixels; `fit: edges`: [longest, shortest] side."),
    fit: z
      .enum(["fill", "cover", "contain", "edges"])
      .default("fill")
      .describe("What happens to another aspect ratio: `fill` stretches, `cover` scales the shorter side and crops the centre, `contain` scales the longer side and pads, `edges` keeps the picture's shape, whose sides are then free."),
    resize: z.int().positive().optional().describe("cover: what the shorter side is scaled to before the crop, where that is not the input's shorter side (256 before a crop of 224)."),
    pad: z.union([z.number().min(0).max(255), z.literal("mean")]).default(0).describe("contain: byte value of the padding; `mean`: zeros after normalisation."),
    anchor: z.enum(["centre", "top-left"]).default("centre").describe("contain: where the picture goes."),
    resample: z.enum(["linear", "bilinear", "bicubic", "lanczos", "nearest"]).default("bilinear").describe("Filter where a picture has to be scaled: `linear` is OpenCV's, the others are those of @huggingface/transformers."),
    mean: triple.default([0, 0, 0]).describe("Subtracted per channel (in the order of `color`) after scaling."),
    std: triple.default([1, 1, 1]).describe("Divides per channel after the mean is subtracted."),
    color: z.enum(["rgb", "bgr"]).default("rgb").describe("Order of the channels."),
    scale: z.number().positive().default(1 / 255).describe("Multiplies the byte values first; 1 for an input of whole numbers (uint8, int32, int64)."),
    layout: z.enum(["nchw", "nhwc"]).default("nchw").describe("Order of the input's dimensions."),
  }),
  z.strictObject({
    kind: z.literal("audio"),
    sampleRate: z.int().positive().describe("Hz, mono."),
    windowSeconds: z.number().positive().describe("Length of one window."),
    pad: z.enum(["repeat", "zero"]).default("zero").describe("How a short window is filled."),
    scale: z.number().positive().optional().describe("waveform: multiplies the samples, which are −1..1; 32768 for a model of 16-bit sound."),
    features: z.enum(["waveform", "processor"]).default("waveform").describe("`waveform`: samples go in as they are; `processor`: through the feature extractor of preprocessor_config.json."),
  }),
  z.strictObject({
    kind: z.literal("text"),
    tokenizer: z.string().min(1).describe("`hf`: tokenizer.json of the model's files; else the name of a tokenizer in src/models/tokenizers."),
    dims: z.int().positive().default(1).describe("Width of what a tokenizer of flow's own makes."),
    maxTokens: z.int().positive().default(512).describe("Longer texts are cut."),
  }),
  z.strictObject({ kind: z.literal("processor") }).describe("The model's own processor (preprocessor_config.json), run by @huggingface/transformers."),
]);

const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/(?!\.{1,2}$)[\w.-]+$/;
const SHA1 = /^[0-9a-f]{40}$/;

/** A path that cannot leave the folder it is joined to. */
export const isContainedPath = (path: string): boolean => !path.includes("\\") && !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");

const containedPath = z.string().min(1).refine(isContainedPath, "a relative path without `..`");

export const sourceSchema = z.union([
  z.strictObject({ huggingface: z.string().regex(REPOSITORY, "ORGANISATION/NAME"), revision: z.string().regex(/^(?!\.{1,2}$)[\w.-]+$/).default("main"), path: containedPath.optional().describe("Path in the repository; the file's own path unless given.") }),
  z.strictObject({ github: z.string().regex(REPOSITORY, "OWNER/NAME"), commit: z.string().regex(SHA1, "40 hex digits"), path: containedPath }),
  z.strictObject({ url: z.url({ protocol: /^https?$/ }) }),
]);

const fileSchema = z.strictObject({
  path: containedPath.describe("Inside the model's folder. Without a source it is looked for beside the manifest."),
  size: z.int().positive().optional().describe("Bytes."),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits").optional().describe("Without it the first download is trusted and its hash written into the lock file."),
  licence: z.string().min(1).optional().describe("Of this file, where it is not the model's."),
  source: sourceSchema.optional().describe("Where it is published; the model's own source unless given."),
});

const tensorSchema = z.strictObject({
  name: z.string().min(1),
  dims: z.array(z.union([z.int().positive(), z.string().min(1)])).describe("A number is fixed, a name takes any size."),
  type: z.enum(["float32", "float16", "int64", "int32", "uint8", "bool"]).default("float32"),
});

/** `models/<id>.yaml`. */
export const manifestSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "lower-case letters, digits, . _ -"),
  task: z.string().min(1).describe("What it does, as operators ask for it (`flow explain OP`)."),
  family: z.string().min(1).default("generic").describe("Which pre- and post-processing it needs."),
  summary: z.string().min(1),
  runtime: z.enum(["onnx", "transformers"]).default("onnx").describe("`transformers`: the files are a checkpoint in the layout of the Hugging Face hub, run by @huggingface/transformers."),
  licence: z.string().min(1).optional(),
  source: sourceSchema.optional().describe("Where files without a source of their own are published."),
  files: z.array(fileSchema).min(1),
  precisions: z.record(z.string(), containedPath).default({}).describe("Device → path of the ONNX file that runs there, where it is not the first one."),
  inputs: z.array(tensorSchema).default([]),
  outputs: z.array(tensorSchema).default([]).describe("Outputs that are read; an embedding model states `output` instead."),
  preprocess: preprocessSchema.default({ kind: "processor" }),
  output: z
    .strictObject({
      name: z.string().min(1),
      dims: z.int().positive(),
      normalised: z.enum(["unit", "none"]),
      pooling: z.enum(["none", "mean", "first"]).default("none").describe("What is done with [n, tokens, dims]: the mean over attended tokens, or the first token."),
    })
    .nullable()
    .default(null)
    .describe("The vector of an embedding model. `normalised: unit` is made sure of after the run."),
  space: z
    .strictObject({
      name: z.string().min(1),
      version: z.int().positive().default(1),
      threshold: z.number().describe("Cosine from which two items are taken for the same scene or subject."),
      duplicate: z.number().optional().describe("Cosine from which two items are taken for copies."),
      calibration: z
        .strictObject({ foreignMedian: z.number(), identical: z.number() })
        .refine(({ foreignMedian, identical }) => foreignMedian < identical && identical <= 1, "foreignMedian < identical ≤ 1")
        .describe("Cosines of what has nothing to do with each other (median) and of what is the same; `identical` below 1: the model only reads queries into a space that another fills."),
      reads: z.array(z.string()),
    })
    .nullable()
    .default(null),
  labels: containedPath.nullable().default(null).describe("File of the model that names its classes, one a line, or AudioSet's CSV."),
  settings: z.record(z.string(), z.unknown()).default({}).describe("What the family's post-processing reads."),
  limits: z.array(z.string().min(1)).describe("What the model cannot do, a sentence each."),
});
