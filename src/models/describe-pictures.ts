/**
 * Pictures → words, by the checkpoints that @huggingface/transformers runs: its own processors, its own generation, greedy, so that the same pictures
 * give the same words.
 */
import { FlowError, type ModelHandle, type ModelManifest } from "../contracts/index.js";
import { cleanCaption } from "./clean-caption.js";
import { mockText } from "./mock.js";
import { loadTransformers, openModel, openProcessor, openTokenizer, runTransformers, type Model, type Processor, type Transformers } from "./transformers.js";

/** rgb24, width × height × 3. */
export interface Picture {
  pixels: Uint8Array<ArrayBuffer>;
  width: number;
  height: number;
}

export interface Generation {
  prompt: string;
  maxNewTokens: number;
}

type Image = InstanceType<Transformers["RawImage"]>;
type Tensor = InstanceType<Transformers["Tensor"]>;
type Inputs = Record<string, Tensor>;

/** What the library's processors and tokenizers are to us; their types say less than they do. */
interface Speaking {
  (...args: unknown[]): Promise<Inputs>;
  apply_chat_template(messages: unknown, options: object): string;
  batch_decode(tokens: Tensor, options: object): string[];
}

/** How a family of checkpoints is asked. */
interface Family {
  /** One run for all pictures together, or one picture a run. */
  reads: "one" | "several";
  describe(handle: ModelHandle, images: Image[], generation: Generation): Promise<string>;
}

/** A picture goes in, words come out, nothing is asked: vit-gpt2, BLIP as models/export/blip.py writes it. */
const encoderDecoder: Family = {
  reads: "one",
  async describe(handle, [image], { maxNewTokens }) {
    const { manifest } = handle;
    const model = await openModel(handle, "AutoModelForVision2Seq");
    const processor = (await openProcessor(manifest)) as unknown as Speaking;
    const tokenizer = (await openTokenizer(manifest)) as unknown as Speaking;
    const { pixel_values } = await processor(image);
    const tokens = await generate(handle, model, { pixel_values: pixel_values! }, maxNewTokens);
    return cleanCaption(tokenizer.batch_decode(tokens, { skip_special_tokens: true })[0] ?? "", isCut(model, tokens, 1, maxNewTokens));
  },
};

/** The task is a token of its own: `settings.task`, <CAPTION> unless given. */
const florence: Family = {
  reads: "one",
  async describe(handle, [image], { maxNewTokens }) {
    const { manifest } = handle;
    const task = String(manifest.settings["task"] ?? "<CAPTION>");
    const model = await openModel(handle, "AutoModelForImageTextToText");
    const processor = (await openProcessor(manifest)) as unknown as Speaking & { construct_prompts(task: string): string[]; post_process_generation(text: string, task: string, size: [number, number]): Record<string, unknown> };
    const inputs = await processor(image, processor.construct_prompts(task));
    const tokens = await generate(handle, model, inputs, maxNewTokens);
    const text = processor.batch_decode(tokens, { skip_special_tokens: false })[0] ?? "";
    return cleanCaption(String(processor.post_process_generation(text, task, [image!.height, image!.width])[task] ?? ""), isCut(model, tokens, 1, maxNewTokens));
  },
};

/** A chat about pictures. `pictures`: how they stand in the message; `options`: of the processor. */
function chat(reads: "one" | "several", pictures: (count: number) => number, options: (manifest: ModelManifest) => object = () => ({})): Family {
  return {
    reads,
    async describe(handle, images, { prompt, maxNewTokens }) {
      const { manifest } = handle;
      const model = await openModel(handle, "AutoModelForImageTextToText");
      const processor = (await openProcessor(manifest)) as unknown as Speaking;
      tuneProcessor(processor as unknown as Processor, manifest);
      const content = [...Array.from({ length: pictures(images.length) }, () => ({ type: "image" })), { type: "text", text: prompt }];
      const text = processor.apply_chat_template([{ role: "user", content }], { add_generation_prompt: true, tokenize: false });
      const inputs = await processor(text, images, options(manifest));
      const tokens = await generate(handle, model, inputs, maxNewTokens);
      const asked = inputs["input_ids"]!.dims.at(-1)!;
      const answer = tokens.slice(null, [asked, null] as never);
      return cleanCaption(processor.batch_decode(answer, { skip_special_tokens: true })[0] ?? "", isCut(model, tokens, asked, maxNewTokens));
    },
  };
}

/**
 * Qwen2-VL takes a video as one picture with time: frames of one size, two of which make a step (temporal_patch_size), under one placeholder.
 * The processor's limits of a frame's area are the manifest's `settings.minPixels` and `maxPixels`. SmolVLM's first scales every picture to a longer
 * side of 2048 pixels to cut it into tiles; one that is not cut needs a tile's size only.
 */
function tuneProcessor(processor: Processor, { settings }: ModelManifest): void {
  const image = (processor as unknown as { image_processor?: { min_pixels?: number; max_pixels?: number; size?: { longest_edge?: number }; max_image_size?: { longest_edge: number } } }).image_processor;
  if (image?.min_pixels !== undefined) {
    if (typeof settings["minPixels"] === "number") image.min_pixels = settings["minPixels"];
    if (typeof settings["maxPixels"] === "number") image.max_pixels = settings["maxPixels"];
  }
  if (image?.max_image_size && image.size?.longest_edge !== undefined && settings["tiles"] !== true) image.size.longest_edge = image.max_image_size.longest_edge;
}

const FAMILIES: Record<string, Family> = {
  "vision-encoder-decoder": encoderDecoder,
  blip: encoderDecoder,
  florence2: florence,
  "qwen2-vl": chat("several", () => 1),
  // A frame is small: it is not cut into tiles unless the manifest says so.
  smolvlm: chat("several", (count) => count, ({ settings }) => ({ do_image_splitting: settings["tiles"] === true })),
  "image-text-to-text": chat("one", () => 1),
};

/** Names of the families that {@link describePictures} knows. */
export const describingFamilies: readonly string[] = Object.keys(FAMILIES);

function familyOf(manifest: ModelManifest): Family {
  const family = FAMILIES[manifest.family];
  if (family && manifest.runtime === "transformers") return family;
  throw new FlowError("MODEL_TASK", `model ${manifest.id} (${manifest.runtime}, ${manifest.family}) writes no captions`, {
    hint: `Give the role a model with \`runtime: transformers\` and one of the families ${describingFamilies.join(", ")}.`,
    permanent: true,
  });
}

/** Whether one run of the model reads several pictures. */
export const readsSeveral = (manifest: ModelManifest): boolean => familyOf(manifest).reads === "several";

/** One clean caption for the pictures together ("several") or for the only one. @throws FlowError MODEL_MISSING, MODEL_CORRUPT, MODEL_TASK, MODEL_RUN */
export async function describePictures(model: ModelHandle, pictures: readonly Picture[], generation: Generation): Promise<string> {
  const { manifest } = model;
  if (model.mock) {
    model.count(pictures.length);
    return mockText(model, [generation.prompt, ...pictures.map(({ pixels }) => pixels)]);
  }
  const family = familyOf(manifest);
  const images = await asImages(pictures);
  return runTransformers(model, pictures.length, () => family.describe(model, images, generation));
}

/**
 * The first token of a Qwen2-VL vision tower over frames of one size (S1.3: no pooling): [hidden]. The prompt plays no part, the tower has not seen it
 * yet. @throws FlowError as above
 */
export async function firstVisionToken(model: ModelHandle, pictures: readonly Picture[]): Promise<Float32Array<ArrayBuffer>> {
  const { manifest } = model;
  const images = await asImages(pictures);
  return runTransformers(model, pictures.length, async () => {
    const opened = await openModel(model, "AutoModelForImageTextToText");
    const processor = await openProcessor(manifest);
    tuneProcessor(processor, manifest);
    const read = processor as unknown as { image_processor(images: Image[]): Promise<Inputs> };
    const { pixel_values, image_grid_thw } = await read.image_processor(images);
    const features = (await opened.encode_image({ pixel_values, image_grid_thw })) as Tensor;
    const hidden = features.dims.at(-1)!;
    return Float32Array.from((features.data as Float32Array).subarray(0, hidden));
  });
}

async function asImages(pictures: readonly Picture[]): Promise<Image[]> {
  const { RawImage } = await loadTransformers();
  return pictures.map(({ pixels, width, height }) => new RawImage(new Uint8ClampedArray(pixels.buffer, pixels.byteOffset, pixels.length), width, height, 3));
}

/** Greedy, whatever generation_config.json says: Qwen2-VL's own samples. Ends between two tokens when the pool is stopping. */
async function generate(handle: ModelHandle, model: Model, inputs: Inputs, maxNewTokens: number): Promise<Tensor> {
  const goOn = (sequences: unknown[]): boolean[] => {
    handle.checkStop?.();
    return sequences.map(() => false);
  };
  return (await model.generate({ ...inputs, max_new_tokens: maxNewTokens, do_sample: false, num_beams: 1, stopping_criteria: [goOn] } as never)) as Tensor;
}

/** Whether the token limit ended it, and not the model. */
function isCut(model: Model, tokens: Tensor, asked: number, maxNewTokens: number): boolean {
  const { eos_token_id: general, decoder } = model.config as unknown as { eos_token_id?: number | number[]; decoder?: { eos_token_id?: number } };
  const ends = [(model.generation_config as { eos_token_id?: number | number[] } | null)?.eos_token_id ?? general ?? decoder?.eos_token_id ?? []].flat();
  return tokens.dims.at(-1)! - asked >= maxNewTokens && !ends.includes(Number((tokens.data as BigInt64Array).at(-1)));
}
