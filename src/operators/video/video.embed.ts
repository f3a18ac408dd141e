import { z } from "zod";
import type { MediumInfo } from "../../contracts/media.js";
import type { KeyframeRef } from "../../contracts/items.js";
import { FlowError, defineOperator, skip, type ModelHandle, type OperatorContext } from "../../contracts/index.js";
import { Clip, Keyframes, Scene } from "../../contracts/ports.js";
import { firstVisionToken } from "../../models/describe-pictures.js";
import { mockVector } from "../../models/mock.js";
import { imageInput, imagePreprocess, rasterDemand } from "../../models/preprocess-image.js";
import { splitRows, unitRow, vectorPort } from "../../models/rows.js";
import { frameSize, framesAt, sceneFrames } from "./scene-frames.js";

const config = z.strictObject({
  frames: z.int().min(1).max(64).default(8).describe("xclip: frames that the model reads; fewer keyframes are filled up with the last one, of more every so-manyth is taken."),
  fps: z.number().min(0.1).max(30).default(1).describe("qwen2-vl: frames a second."),
  max_frames: z.int().min(2).max(1024).default(1024).describe("qwen2-vl: frames at most; a longer scene is sampled more thinly."),
});
type Config = z.infer<typeof config>;

async function embed(inputs: Record<string, unknown>, options: Config, context: OperatorContext) {
  const info = inputs["clip"] as MediumInfo;
  if (!info.video) return skip("no picture");
  const model = context.models["video"]!;
  switch (model.manifest.family) {
    case "xclip":
      return xclip(model, info, inputs["keyframes"] as KeyframeRef[] | undefined, options, context);
    case "qwen2-vl":
      return qwen(model, info, options, context);
    default:
      throw new FlowError("MODEL_TASK", `model ${model.manifest.id}: found family ${model.manifest.family}, expected xclip or qwen2-vl`, { hint: "Give the role another model, or pool frame vectors with video.pool.", permanent: true });
  }
}

/** The keyframes in the order of time, padded with the last one, through X-CLIP's vision tower and its transformer over frames (S1.2). */
async function xclip(model: ModelHandle, info: MediumInfo, keyframes: KeyframeRef[] | undefined, { frames: count }: Config, { interval }: OperatorContext) {
  if (!keyframes) throw new FlowError("INPUT_MISSING", "video.embed needs `keyframes` for a model of family xclip", { hint: "in: { keyframes: scene.keyframes }", permanent: true });
  const preprocess = imagePreprocess(model.manifest);
  // In time order whoever chose them. Of more than it reads, those at even distances in the list: the first ones would be the beginning of the scene.
  const all = keyframes.map(({ ptsUs }) => ptsUs).sort((a, b) => a - b);
  const at = all.length <= count ? all : Array.from({ length: count }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)]!);
  const frames = await framesAt(info, interval, at, rasterDemand(preprocess));
  const last = frames.at(-1);
  if (!last) return skip("the scene has no keyframe");
  while (frames.length < count) frames.push(last);
  const { data, dims } = await imageInput(frames, preprocess);
  const outputs = await model.run({ [model.manifest.inputs[0]!.name]: { data, dims: [1, ...dims] } });
  return { vector: splitRows(outputs, model.manifest, 1)[0]! };
}

/** Frames at `fps` (4 to `max_frames`, in pairs) through Qwen2-VL's vision tower: its first token, not pooled (S1.3). */
async function qwen(model: ModelHandle, info: MediumInfo, { fps, max_frames: max }: Config, { interval }: OperatorContext) {
  const { manifest } = model;
  const frames = await sceneFrames(info, interval, { fps, min: Math.min(4, max), max, step: 2 }, frameSize(info, manifest));
  if (frames.length === 0) return skip("no frame lies in the scene");
  if (model.mock) {
    model.count(frames.length);
    return { vector: mockVector(model, frames.map(({ pixels }) => pixels)) };
  }
  const vector = await firstVisionToken(model, frames);
  const dims = manifest.output?.dims;
  if (vector.length !== dims) throw new FlowError("MODEL_OUTPUT", `model ${manifest.id}: found a token of ${vector.length}, expected ${dims}`, { hint: `Correct output.dims in ${manifest.origin}.`, permanent: true });
  return { vector: manifest.output?.normalised === "unit" ? unitRow(vector) : vector };
}

export const videoEmbed = defineOperator({
  name: "video.embed",
  version: 2,
  summary: "One vector per scene by a video model: X-CLIP over its keyframes, or the first token of Qwen2-VL's vision tower over its frames.",
  description: "Frames are decoded again at the model's size; no clip is written to disk. X-CLIP reads the frames that scene.keyframes chose, in the order of time.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), clip: Clip, keyframes: Keyframes.at("scene", { optional: true }) },
  outputs: ({ models }) => ({ vector: vectorPort(models["video"]!, "scene") }),
  config,
  models: { video: { task: "video-embedding" } },
  narrow: ({ models }) => (models["video"]?.family === "xclip" ? { keyframes: { optional: false, hint: "in: { keyframes: NODE }, a node of scene.keyframes: X-CLIP reads those frames." } } : {}),
  run: { form: "each", thread: "pool", each: embed },
  examples: [
    {
      title: "X-CLIP over eight keyframes",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: lite-image }\nkeyframes: { op: scene.keyframes, in: { scenes: scenes, vectors: frames }, with: { k: 8 } }\n" +
        "video: { op: video.embed, in: { scenes: scenes, clip: media.clip, keyframes: keyframes }, model: xclip-base-patch16 }",
    },
  ],
});
