import { tensorText, type TensorInfo } from "../contracts/index.js";

/** What is known of a model that has no manifest yet. */
export interface Evidence {
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
  /** config.json, preprocessor_config.json, tokenizer_config.json, parsed; null where there is none. */
  config: Record<string, unknown> | null;
  preprocessor: Record<string, unknown> | null;
  tokenizer: Record<string, unknown> | null;
  /** Paths of the model's files. */
  files: readonly string[];
}

export interface Inference {
  /** Fields of a manifest, as far as they follow from the evidence. */
  fields: Record<string, unknown>;
  /** Field → what it was read from. */
  from: Record<string, string>;
  /** Fields that nothing tells: what to ask, and the option that answers. */
  open: { field: string; option: string; question: string }[];
}

/** Model class of `config.json` (architectures) → task and family. First match. */
const KNOWN: readonly [architecture: RegExp, task: string, family: string][] = [
  [/^CLIPText/i, "text-embedding", "clip"],
  [/^CLIP/i, "image-embedding", "clip"],
  [/^Dinov2/i, "image-embedding", "dinov2"],
  [/^(Siglip(Vision|Model)|DINOv3|ViTModel|ConvNextModel)/i, "image-embedding", "generic"],
  [/^(BertModel|MPNetModel|RobertaModel|XLMRobertaModel|NomicBert|DistilBertModel|ModernBertModel)/i, "text-embedding", "bert"],
  [/^ClapText/i, "text-embedding", "clap"],
  [/^Clap/i, "audio-embedding", "clap"],
  [/^ASTFor/i, "audio-events", "ast"],
  [/^Whisper/i, "speech-recognition", "whisper"],
  [/^GroundingDino/i, "object-detection", "grounding-dino"],
  [/^VisionEncoderDecoder/i, "image-to-text", "vision-encoder-decoder"],
  [/^Florence2/i, "image-to-text", "florence2"],
  [/^(Idefics3|SmolVLM)/i, "image-text-to-text", "smolvlm"],
  [/^Qwen2VL/i, "image-text-to-text", "qwen2-vl"],
  [/ForImageClassification$/i, "image-classification", "imagenet-classifier"],
];

const FLOATS = new Set(["float32", "float16"]);
const WHOLE = new Set(["uint8", "int32", "int64"]);

/** Names that exporters give to an embedding, best first. */
const EMBEDDINGS = ["image_embeds", "text_embeds", "audio_embeds", "sentence_embedding", "embeddings", "embedding", "pooler_output", "last_hidden_state"];

/** PIL's numbers, as preprocessor_config.json writes them. */
const RESAMPLE: Record<number, string> = { 0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic" };

/**
 * Reads a manifest's fields out of an ONNX file's signature and the configuration beside it. Guesses nothing: what does not follow is in `open`.
 * `given`: the task, where somebody has said it.
 */
export function infer(evidence: Evidence, given: string | null = null): Inference {
  const result: Inference = { fields: {}, from: {}, open: [] };
  const set = (field: string, value: unknown, from: string): void => {
    result.fields[field] = value;
    result.from[field] = from;
  };
  set("inputs", evidence.inputs.map((input) => tensor(input, evidence.inputs[0]!.dims[0])), "the ONNX file");
  const known = knownClass(evidence.config);
  const task = given ?? known?.task ?? null;
  if (known) set("family", known.family, "config.json: architectures");
  if (given !== null) result.fields["task"] = given;
  else if (task !== null) set("task", task, "config.json: architectures");
  else result.open.push({ field: "task", option: "--task", question: "What does it do (image-embedding, text-embedding, audio-embedding, object-detection, face-detection, image-classification, segmentation, audio-events, …)?" });
  preprocess(evidence, set, result);
  outputs(evidence, task, set, result);
  const labels = classes(evidence.config);
  if (labels !== null) set("settings", { classes: labels }, "config.json: id2label");
  return result;
}

type Set = (field: string, value: unknown, from: string) => void;

/** `batch`: the first dimension of what carries rows. */
function tensor({ name, type, dims }: TensorInfo, batch = dims[0]): Record<string, unknown> {
  return { name, ...(type === "float32" ? {} : { type }), dims: named(dims, batch) };
}

/** Files leave symbolic dimensions unnamed, or fix the batch at 1, which the sessions loop over. An input of another fixed size than the first one's has no rows. */
function named(dims: readonly (number | string)[], batch: number | string | undefined): (number | string)[] {
  return dims.map((dim, i) => (i === 0 && !(typeof dim === "number" && dim > 0 && dim !== batch) ? "n" : typeof dim === "number" && dim > 0 ? dim : dim === "" || typeof dim === "number" ? `d${i}` : dim));
}

/** Task and family of the first known model class. */
export function knownClass(config: Record<string, unknown> | null): { task: string; family: string } | null {
  const architectures = [config?.["architectures"]].flat().filter((name): name is string => typeof name === "string");
  for (const name of architectures) for (const [pattern, task, family] of KNOWN) if (pattern.test(name)) return { task, family };
  return null;
}

function preprocess({ inputs, config, preprocessor, tokenizer, files }: Evidence, set: Set, result: Inference): void {
  const image = inputs.find((input) => input.dims.length === 4 && (input.dims[1] === 3 || input.dims[3] === 3));
  if (inputs.some((input) => input.name === "input_ids") && !image) {
    const most = [tokenizer?.["model_max_length"], config?.["max_position_embeddings"]].filter((n): n is number => typeof n === "number" && n < 1e6);
    if (files.includes("tokenizer.json")) set("preprocess", { kind: "text", tokenizer: "hf", maxTokens: most.length > 0 ? Math.min(...most) : 512 }, most.length > 0 ? "tokenizer_config.json" : "tokenizer.json");
    else result.open.push({ field: "files", option: "--with", question: "Where is tokenizer.json of this text model?" });
    return;
  }
  if (image) return imagePreprocess(image, preprocessor, set, result);
  const rate = preprocessor?.["sampling_rate"];
  // Whole numbers of two dimensions can be anything, unless somebody speaks of a sampling rate.
  const wave = inputs.find((input) => input.dims.length === 2 && (FLOATS.has(input.type) || (typeof rate === "number" && WHOLE.has(input.type))));
  if (wave) {
    const samples = wave.dims[1];
    if (WHOLE.has(wave.type)) result.open.push({ field: "preprocess", option: "--preprocess", question: `Sample rate, window and scale of the ${wave.type} sound input ${wave.name} (YAML: {kind: audio, sampleRate: ${rate}, windowSeconds: 1, scale: 32768} for samples of 16 bits)?` });
    else if (typeof rate === "number" && typeof samples === "number") set("preprocess", { kind: "audio", sampleRate: rate, windowSeconds: samples / rate }, "preprocessor_config.json and the ONNX file");
    else result.open.push({ field: "preprocess", option: "--preprocess", question: `Sample rate and window of the sound input ${wave.name} (YAML: {kind: audio, sampleRate: 16000, windowSeconds: 1})?` });
  } else if (preprocessor !== null) {
    set("preprocess", { kind: "processor" }, "preprocessor_config.json");
  } else {
    const flat = inputs.find(({ dims }) => dims.length === 4);
    const other = flat ? ` Pictures have 3 channels here, so ${tensorText(flat)} takes none.` : "";
    result.open.push({ field: "preprocess", option: "--preprocess", question: `How are its inputs made (${inputs.map((input) => input.name).join(", ")}; a YAML map as in the manifests)?${other}` });
  }
}

function imagePreprocess(input: TensorInfo, preprocessor: Record<string, unknown> | null, set: Set, result: Inference): void {
  const layout = input.dims[1] === 3 ? "nchw" : "nhwc";
  const [height, width] = layout === "nchw" ? [input.dims[2], input.dims[3]] : [input.dims[1], input.dims[2]];
  const fixed = typeof width === "number" && typeof height === "number" && width > 0 && height > 0 ? [width, height] : null;
  const mean = triple(preprocessor?.["image_mean"]);
  const std = triple(preprocessor?.["image_std"]);
  const stated = sizeOf(preprocessor);
  const size = fixed ?? stated?.size ?? null;
  const resample = RESAMPLE[Number(preprocessor?.["resample"] ?? 2)] ?? "bilinear";
  if (WHOLE.has(input.type)) {
    // Whole numbers are the bytes themselves: what is left of the normalisation is inside the graph, whatever the configuration of its float32 sister says.
    const whole = { kind: "image", ...(size === null ? {} : { size }), fit: stated?.fit ?? "fill", ...(stated?.resize === undefined ? {} : { resize: stated.resize }), resample, scale: 1, ...(layout === "nhwc" ? { layout } : {}) };
    if (size !== null) return set("preprocess", whole, `the ONNX file${preprocessor === null ? "" : " and preprocessor_config.json"}: ${input.type} pixels are 0..255`);
    result.open.push({ field: "preprocess", option: "--preprocess", question: `How large are the ${input.type} pictures of ${input.name} (YAML: {kind: image, size: [224, 224], scale: 1${layout === "nhwc" ? ", layout: nhwc" : ""}})?` });
    result.fields["preprocess"] = whole;
    return;
  }
  if (preprocessor === null || mean === null || std === null || size === null) {
    const presets = `How do pictures go in (imagenet, clip, 0..1, -1..1, 0..255, 0..255-bgr, or a YAML map, size ${size?.join("×")})?`;
    // A preset has no size.
    const map = `How large are the pictures of ${input.name}, which takes any, and how do they go in (YAML: {kind: image, size: [224, 224], mean: [0, 0, 0], std: [1, 1, 1]${layout === "nhwc" ? ", layout: nhwc" : ""}})?`;
    result.open.push({ field: "preprocess", option: "--preprocess", question: size === null ? map : presets });
    result.fields["preprocess"] = { kind: "image", ...(size === null ? {} : { size }), layout };
    return;
  }
  const scale = preprocessor["do_rescale"] === false ? 1 : (preprocessor["rescale_factor"] ?? 1 / 255);
  const normalise = preprocessor["do_normalize"] !== false;
  set(
    "preprocess",
    {
      ...{ kind: "image", size, fit: stated?.fit ?? "fill", ...(stated?.resize === undefined ? {} : { resize: stated.resize }), resample },
      ...(normalise ? { mean, std } : {}),
      ...(Math.abs(Number(scale) - 1 / 255) < 1e-9 ? {} : { scale }),
      ...(layout === "nhwc" ? { layout } : {}),
    },
    "preprocessor_config.json",
  );
}

/** `size` and `crop_size` in the forms that transformers has written over the years. */
function sizeOf(preprocessor: Record<string, unknown> | null): { size: [number, number]; fit: string; resize?: number } | null {
  const crop = preprocessor?.["do_center_crop"] === true ? box(preprocessor["crop_size"]) : null;
  const stated = preprocessor?.["size"];
  const shortest = typeof stated === "number" ? stated : (stated as { shortest_edge?: unknown } | undefined)?.shortest_edge;
  if (crop) return { size: crop, fit: "cover", ...(typeof shortest === "number" && shortest !== Math.min(...crop) ? { resize: shortest } : {}) };
  const whole = box(preprocessor?.["size"]);
  return whole ? { size: whole, fit: "fill" } : null;
}

function box(value: unknown): [number, number] | null {
  if (typeof value === "number") return [value, value];
  const { width, height } = (value ?? {}) as { width?: unknown; height?: unknown };
  return typeof width === "number" && typeof height === "number" ? [width, height] : null;
}

function triple(value: unknown): number[] | null {
  return Array.isArray(value) && value.length === 3 && value.every((n) => typeof n === "number") ? (value as number[]) : null;
}

function outputs({ outputs: all, config }: Evidence, task: string | null, set: Set, result: Inference): void {
  const listed = all.map((output) => tensor(output));
  if (task !== null && !task.endsWith("-embedding")) return set("outputs", listed, "the ONNX file");
  const flat = all.filter((output) => FLOATS.has(output.type) && (output.dims.length === 2 || output.dims.length === 3));
  const chosen = EMBEDDINGS.map((name) => flat.find((output) => output.name === name)).find((output) => output !== undefined) ?? (flat.length === 1 ? flat[0] : undefined);
  if (!chosen || task === null) {
    set("outputs", listed, "the ONNX file");
    if (task !== null) result.open.push({ field: "output", option: "--output", question: flat.length > 0 ? `Which output is the vector (${flat.map((output) => output.name).join(", ")})?` : `Which output is the vector? None is float32 or float16 of two or three dimensions: ${all.map(tensorText).join(", ")}.` });
    return;
  }
  const last = chosen.dims.at(-1);
  const width = typeof last === "number" && last > 0 ? last : [config?.["projection_dim"], config?.["hidden_size"]].find((n): n is number => typeof n === "number");
  if (width === undefined) return void result.open.push({ field: "output", option: "--dims", question: `How many numbers has its vector (${chosen.name})?` });
  // Sentence models average their tokens, vision transformers keep the first one (the class token).
  const pooling = chosen.dims.length === 2 ? "none" : task === "text-embedding" ? "mean" : "first";
  set("output", { name: chosen.name, dims: width, normalised: "unit", ...(pooling === "none" ? {} : { pooling }) }, "the ONNX file");
}

function classes(config: Record<string, unknown> | null): string[] | null {
  const table = config?.["id2label"];
  if (typeof table !== "object" || table === null) return null;
  const entries = Object.entries(table as Record<string, unknown>).sort(([a], [b]) => Number(a) - Number(b));
  const right = entries.length > 0 && entries.every(([index, label], i) => Number(index) === i && typeof label === "string" && !/^LABEL_\d+$/.test(label));
  return right ? entries.map(([, label]) => String(label)) : null;
}

/** Names for common ways to normalise a picture's bytes; mean and std count after `scale`. */
export const IMAGE_PRESETS: Record<string, Record<string, unknown>> = {
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  clip: { fit: "cover", resample: "bicubic", mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  "0..1": {},
  "-1..1": { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  "0..255": { scale: 1 },
  "0..255-bgr": { scale: 1, color: "bgr" },
};
