/**
 * Stand-ins of captioning checkpoints in the layouts that the hub publishes: same files, inputs, outputs, cache and processors, a real BPE vocabulary,
 * graphs small enough to read. They say "A red scene." after the colour that is strongest in the pictures; asked without the word "briefly" they say
 * "picture" instead of "scene". So what arrives (pixels, prompt, cache, order) decides what is said.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import { buildModel, type Built } from "./model-folder.js";

const TOKENIZER = join(process.env["FLOW_MODELS_DIR"] ?? "", "tokenizers/whisper-tiny/tokenizer.json");
export const needsBpe = existsSync(TOKENIZER) ? {} : { skip: "needs FLOW_MODELS_DIR with tokenizers/whisper-tiny" };

interface Bpe {
  model: { vocab: Record<string, number> };
  [field: string]: unknown;
}

/** Whisper's byte-level BPE without its own special tokens; `specials` come behind its 50257 words. */
function tokenizerOf(specials: string[]): { json: object; id: (token: string) => number; size: number } {
  const { model, normalizer, pre_tokenizer, decoder } = JSON.parse(readFileSync(TOKENIZER, "utf8")) as Bpe;
  const words = Object.fromEntries(Object.entries(model.vocab).filter(([, id]) => id < 50257));
  const first = 50257;
  const added = specials.map((content, i) => ({ id: first + i, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
  const ids = new Map<string, number>([...Object.entries(words), ...added.map(({ content, id }): [string, number] => [content, id])]);
  const id = (token: string): number => ids.get(token) ?? assertNever(token);
  return { json: { version: "1.0", truncation: null, padding: null, added_tokens: added, normalizer, pre_tokenizer, post_processor: null, decoder, model: { ...model, vocab: words } }, id, size: first + specials.length };
}

function assertNever(token: string): never {
  throw new Error(`the vocabulary has no ${token}`);
}

/** What the stand-ins say, as ids. */
interface Speech {
  a: number;
  colours: number[];
  scene: number;
  picture: number;
  stop: number;
  end: number;
  briefly: number;
  size: number;
}

function speech({ id, size }: ReturnType<typeof tokenizerOf>, end: string): Speech {
  return { a: id("A"), colours: ["Ġred", "Ġgreen", "Ġblue"].map(id), scene: id("Ġscene"), picture: id("Ġpicture"), stop: id("."), end: id(end), briefly: id("Ġbriefly"), size };
}

/** last: ids as floats [b, s]; colour: int64 [b, 1]; brief: bool [b, 1] → logits [b, s, vocabulary]. */
function say(graph: OnnxGraph, words: Speech, last: string, colour: string, brief: string): string {
  const is = (id: number): string => graph.op("Equal", [last, graph.scalar(id)]);
  const colourWord = graph.op("Gather", [graph.constant([3], Float32Array.from(words.colours)), colour]);
  const thing = graph.op("Where", [brief, graph.scalar(words.scene), graph.scalar(words.picture)]);
  let next = graph.scalar(words.a);
  next = graph.op("Where", [is(words.a), colourWord, next]);
  for (const word of words.colours) next = graph.op("Where", [is(word), thing, next]);
  for (const word of [words.scene, words.picture]) next = graph.op("Where", [is(word), graph.scalar(words.stop), next]);
  next = graph.op("Where", [is(words.stop), graph.scalar(words.end), next]);
  return graph.op("OneHot", [graph.op("Cast", [next], { to: 7 }), graph.scalarInt(words.size), graph.constant([2], Float32Array.of(0, 10))], { axis: -1 });
}

/** Where red, green or blue is strongest: rgb [b, …, 3] positive → [b, 1]. */
const strongest = (graph: OnnxGraph, rgb: string, axes: number[]): string => graph.op("ArgMax", [graph.op("ReduceMean", [rgb], { axes, keepdims: 0 })], { axis: 1, keepdims: 1 });

/** Tokens → [id, 0, 0, 0]: what an embedding carries here. Pictures → [−1, red, green, blue]. */
function embedTokens(): OnnxGraph {
  const graph = new OnnxGraph("embed_tokens", "tests");
  const ids = graph.op("Unsqueeze", [graph.op("Cast", [graph.input("input_ids", "int64", ["batch_size", "sequence_length"])], { to: 1 }), graph.ints(2)]);
  const zero = graph.op("Mul", [ids, graph.scalar(0)]);
  graph.output(graph.op("Concat", [ids, zero, zero, zero], { axis: 2 }), "inputs_embeds", "float32", ["batch_size", "sequence_length", 4]);
  return graph;
}

/** rgb [n, 3], normalised as the processor does → features [n, 4]. Exp: positive, in the same order. */
function asFeatures(graph: OnnxGraph, rgb: string): string {
  const positive = graph.op("Exp", [rgb]);
  const first = graph.op("Sub", [graph.op("Mul", [graph.op("Slice", [positive, graph.ints(0), graph.ints(1), graph.ints(1)]), graph.scalar(0)]), graph.scalar(1)]);
  return graph.op("Concat", [first, positive], { axis: 1 });
}

/** A decoder over embeddings with a cache: what it has seen lies in its keys. */
function embedsDecoder(words: Speech, positions: (string | number)[] | null): OnnxGraph {
  const graph = new OnnxGraph("decoder_model_merged", "tests");
  const embeds = graph.input("inputs_embeds", "float32", ["batch_size", "sequence_length", 4]);
  graph.input("attention_mask", "int64", ["batch_size", "total_sequence_length"]);
  if (positions) graph.input("position_ids", "int64", positions);
  const past = ["key", "value"].map((name) => graph.input(`past_key_values.0.${name}`, "float32", ["batch_size", 1, "past_sequence_length", 4]));
  const now = graph.op("Unsqueeze", [embeds, graph.ints(1)]);
  const [keys, values] = past.map((name) => graph.op("Concat", [name, now], { axis: 2 })) as [string, string];
  const rgb = graph.op("Slice", [keys, graph.ints(1), graph.ints(4), graph.ints(3)]);
  const ids = graph.op("Slice", [keys, graph.ints(0), graph.ints(1), graph.ints(3)]);
  const said = graph.op("ReduceMax", [graph.op("Cast", [graph.op("Equal", [ids, graph.scalar(words.briefly)])], { to: 1 })], { axes: [1, 2], keepdims: 0 });
  const last = graph.op("Squeeze", [graph.op("Slice", [embeds, graph.ints(0), graph.ints(1), graph.ints(2)]), graph.ints(2)]);
  const logits = say(graph, words, last, strongest(graph, rgb, [1, 2]), graph.op("Cast", [said], { to: 9 }));
  graph.output(logits, "logits", "float32", ["batch_size", "sequence_length", words.size]);
  graph.output(keys, "present.0.key", "float32", ["batch_size", 1, "total", 4]);
  graph.output(values, "present.0.value", "float32", ["batch_size", 1, "total", 4]);
  return graph;
}

const CLIP_MEAN = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
const HALF = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const USUAL = { do_convert_rgb: true, do_resize: true, do_rescale: true, do_normalize: true, rescale_factor: 1 / 255 };

const QWEN_TEMPLATE =
  "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n" +
  "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}<|vision_start|><|image_pad|><|vision_end|>" +
  "{% elif content['type'] == 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** onnx-community/Qwen2-VL-2B-Instruct: embed_tokens, vision_encoder, decoder_model_merged. `task`: the same files for another role. */
export function qwen2Vl(task = "image-text-to-text"): Built {
  const bpe = tokenizerOf(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]);
  const vision = new OnnxGraph("vision_encoder", "tests");
  const patches = vision.input("pixel_values", "float32", ["patches", 1176]);
  vision.input("grid_thw", "int64", ["images", 3]);
  // Four patches are merged into a token; a patch holds its channels one after another, two frames and 14×14 pixels each.
  const rgb = vision.op("ReduceMean", [vision.op("Reshape", [patches, vision.ints(-1, 4, 3, 392)])], { axes: [1, 3], keepdims: 0 });
  vision.output(asFeatures(vision, rgb), "image_features", "float32", ["tokens", 4]);
  const config = {
    model_type: "qwen2_vl",
    architectures: ["Qwen2VLForConditionalGeneration"],
    hidden_size: 4,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    vocab_size: bpe.size,
    bos_token_id: bpe.id("<|endoftext|>"),
    eos_token_id: bpe.id("<|im_end|>"),
    vision_start_token_id: bpe.id("<|vision_start|>"),
    vision_end_token_id: bpe.id("<|vision_end|>"),
    image_token_id: bpe.id("<|image_pad|>"),
    video_token_id: bpe.id("<|video_pad|>"),
    vision_config: { spatial_merge_size: 2, patch_size: 14, temporal_patch_size: 2 },
  };
  const fields = {
    task,
    family: "qwen2-vl",
    runtime: "transformers",
    settings: { minPixels: 256 * 28 * 28, maxPixels: 1280 * 28 * 28 },
    ...(task === "video-embedding" ? { output: { name: "image_features", dims: 4, normalised: "unit", pooling: "first" } } : {}),
  };
  return buildModel("qwen2-vl-stand-in", fields, {
    "onnx/embed_tokens.onnx": embedTokens(),
    "onnx/vision_encoder.onnx": vision,
    "onnx/decoder_model_merged.onnx": embedsDecoder(speech(bpe, "<|im_end|>"), [3, "batch_size", "sequence_length"]),
    "config.json": config,
    // The published one samples.
    "generation_config.json": { do_sample: true, temperature: 0.01, top_k: 1, eos_token_id: [bpe.id("<|im_end|>"), bpe.id("<|endoftext|>")], pad_token_id: bpe.id("<|endoftext|>") },
    "tokenizer.json": bpe.json,
    "tokenizer_config.json": { tokenizer_class: "Qwen2Tokenizer", model_max_length: 32768, eos_token: "<|im_end|>", pad_token: "<|endoftext|>", chat_template: QWEN_TEMPLATE },
    "preprocessor_config.json": { ...USUAL, ...CLIP_MEAN, min_pixels: 3136, max_pixels: 12845056, patch_size: 14, temporal_patch_size: 2, merge_size: 2, resample: 3, image_processor_type: "Qwen2VLImageProcessor", processor_class: "Qwen2VLProcessor" },
  });
}

const SMOLVLM_TEMPLATE =
  "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";

/** HuggingFaceTB/SmolVLM-256M-Instruct: pixels [1, pictures, 3, 512, 512], one token a picture here. */
export function smolVlm(): Built {
  const bpe = tokenizerOf(["<|im_start|>", "<|im_end|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>"]);
  const vision = new OnnxGraph("vision_encoder", "tests");
  const pixels = vision.input("pixel_values", "float32", ["batch_size", "num_images", 3, 512, 512]);
  vision.input("pixel_attention_mask", "bool", ["batch_size", "num_images", 512, 512]);
  const rgb = vision.op("Reshape", [vision.op("ReduceMean", [pixels], { axes: [3, 4], keepdims: 0 }), vision.ints(-1, 3)]);
  vision.output(vision.op("Unsqueeze", [asFeatures(vision, rgb), vision.ints(1)]), "image_features", "float32", ["images", 1, 4]);
  const text = { model_type: "llama", hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 1, num_key_value_heads: 1, head_dim: 4 };
  return buildModel(
    "smolvlm-stand-in",
    { task: "image-text-to-text", family: "smolvlm", runtime: "transformers", settings: { maxFrames: 8, longest: 512 } },
    {
      "onnx/embed_tokens.onnx": embedTokens(),
      "onnx/vision_encoder.onnx": vision,
      "onnx/decoder_model_merged.onnx": embedsDecoder(speech(bpe, "<end_of_utterance>"), ["batch_size", "sequence_length"]),
      "config.json": { model_type: "smolvlm", architectures: ["SmolVLMForConditionalGeneration"], image_token_id: bpe.id("<image>"), image_token_index: bpe.id("<image>"), text_config: text, vision_config: { model_type: "smolvlm_vision" }, eos_token_id: bpe.id("<end_of_utterance>") },
      "generation_config.json": { eos_token_id: bpe.id("<end_of_utterance>"), pad_token_id: bpe.id("<|im_end|>") },
      "tokenizer.json": bpe.json,
      "tokenizer_config.json": { tokenizer_class: "GPT2Tokenizer", model_max_length: 8192, eos_token: "<end_of_utterance>", pad_token: "<|im_end|>", chat_template: SMOLVLM_TEMPLATE },
      "processor_config.json": { image_seq_len: 1, processor_class: "SmolVLMProcessor" },
      "preprocessor_config.json": { ...USUAL, ...HALF, do_pad: true, do_image_splitting: true, max_image_size: { longest_edge: 512 }, size: { longest_edge: 2048 }, resample: 1, image_processor_type: "SmolVLMImageProcessor", processor_class: "SmolVLMProcessor" },
    },
  );
}

/** Xenova/vit-gpt2-image-captioning: encoder_model, decoder_model_merged with `use_cache_branch`. It is asked nothing, so it says "picture". */
export function vitGpt2(id = "vit-gpt2-stand-in", family = "vision-encoder-decoder", size = 224): Built {
  const bpe = tokenizerOf(["<|endoftext|>"]);
  const words = speech(bpe, "<|endoftext|>");
  const encoder = new OnnxGraph("encoder_model", "tests");
  const mean = encoder.op("ReduceMean", [encoder.input("pixel_values", "float32", ["batch_size", 3, "height", "width"])], { axes: [2, 3], keepdims: 0 });
  encoder.output(encoder.op("Unsqueeze", [encoder.op("Exp", [mean]), encoder.ints(1)]), "last_hidden_state", "float32", ["batch_size", "tokens", 3]);
  const decoder = new OnnxGraph("decoder_model_merged", "tests");
  const ids = decoder.input("input_ids", "int64", ["batch_size", "decoder_sequence_length"]);
  const hidden = decoder.input("encoder_hidden_states", "float32", ["batch_size", "encoder_sequence_length", 3]);
  const past = ["key", "value"].map((name) => decoder.input(`past_key_values.0.${name}`, "float32", ["batch_size", 1, "past_decoder_sequence_length", 1]));
  if (family !== "blip") decoder.input("use_cache_branch", "bool", [1]);
  const last = decoder.op("Cast", [ids], { to: 1 });
  const now = decoder.op("Unsqueeze", [last, decoder.ints(1, 3)]);
  const never = decoder.op("Greater", [decoder.op("ReduceMax", [hidden], { axes: [1, 2], keepdims: 0 }), decoder.scalar(1e9)]);
  const logits = say(decoder, words, last, strongest(decoder, hidden, [1]), decoder.op("Unsqueeze", [never, decoder.ints(1)]));
  decoder.output(logits, "logits", "float32", ["batch_size", "decoder_sequence_length", words.size]);
  ["key", "value"].forEach((name, i) => decoder.output(decoder.op("Concat", [past[i]!, now], { axis: 2 }), `present.0.${name}`, "float32", ["batch_size", 1, "total", 1]));
  const end = bpe.id("<|endoftext|>");
  return buildModel(
    id,
    { task: "image-to-text", family, runtime: "transformers" },
    {
      "onnx/encoder_model.onnx": encoder,
      "onnx/decoder_model_merged.onnx": decoder,
      "config.json": { model_type: "vision-encoder-decoder", architectures: ["VisionEncoderDecoderModel"], is_encoder_decoder: true, decoder: { model_type: "gpt2", n_head: 1, n_layer: 1, n_embd: 1 }, encoder: { model_type: "vit" }, decoder_start_token_id: end, eos_token_id: end, bos_token_id: end, pad_token_id: end },
      "generation_config.json": { decoder_start_token_id: end, eos_token_id: end, bos_token_id: end, pad_token_id: end },
      "tokenizer.json": bpe.json,
      "tokenizer_config.json": { tokenizer_class: "GPT2Tokenizer", model_max_length: 1024, eos_token: "<|endoftext|>", bos_token: "<|endoftext|>", unk_token: "<|endoftext|>" },
      "preprocessor_config.json": { ...USUAL, ...HALF, size: { height: size, width: size }, resample: 2, image_processor_type: "ViTImageProcessor" },
    },
  );
}

/** onnx-community/Florence-2-base-ft: vision_encoder, embed_tokens, encoder_model, decoder_model_merged; the task is a prompt of its own. */
export function florence2(): Built {
  const bpe = tokenizerOf(["<s>", "<pad>", "</s>", "<unk>"]);
  const words = speech(bpe, "</s>");
  const vision = new OnnxGraph("vision_encoder", "tests");
  const rgb = vision.op("ReduceMean", [vision.input("pixel_values", "float32", ["batch_size", 3, "height", "width"])], { axes: [2, 3], keepdims: 0 });
  vision.output(vision.op("Unsqueeze", [asFeatures(vision, rgb), vision.ints(1)]), "image_features", "float32", ["batch_size", 1, 4]);
  const encoder = new OnnxGraph("encoder_model", "tests");
  const embeds = encoder.input("inputs_embeds", "float32", ["batch_size", "encoder_sequence_length", 4]);
  encoder.input("attention_mask", "int64", ["batch_size", "encoder_sequence_length"]);
  encoder.output(embeds, "last_hidden_state", "float32", ["batch_size", "encoder_sequence_length", 4]);
  const decoder = new OnnxGraph("decoder_model_merged", "tests");
  const hidden = decoder.input("encoder_hidden_states", "float32", ["batch_size", "encoder_sequence_length", 4]);
  decoder.input("encoder_attention_mask", "int64", ["batch_size", "encoder_sequence_length"]);
  const now = decoder.input("inputs_embeds", "float32", ["batch_size", "decoder_sequence_length", 4]);
  const pasts = ["decoder.key", "decoder.value", "encoder.key", "encoder.value"].map((name) => [name, decoder.input(`past_key_values.0.${name}`, "float32", ["batch_size", 1, `past_${name.split(".")[0]!}_sequence_length`, 4])] as const);
  decoder.input("use_cache_branch", "bool", [1]);
  const ids = decoder.op("Slice", [hidden, decoder.ints(0), decoder.ints(1), decoder.ints(2)]);
  // The prompt of <CAPTION> ends in "describe?": here that is what "briefly" is elsewhere.
  const asked = decoder.op("ReduceMax", [decoder.op("Cast", [decoder.op("Equal", [ids, decoder.scalar(bpe.id("Ġdescribe"))])], { to: 1 })], { axes: [1], keepdims: 0 });
  const last = decoder.op("Squeeze", [decoder.op("Slice", [now, decoder.ints(0), decoder.ints(1), decoder.ints(2)]), decoder.ints(2)]);
  const seen = decoder.op("Slice", [hidden, decoder.ints(1), decoder.ints(4), decoder.ints(2)]);
  decoder.output(say(decoder, words, last, strongest(decoder, seen, [1]), decoder.op("Cast", [asked], { to: 9 })), "logits", "float32", ["batch_size", "decoder_sequence_length", words.size]);
  for (const [name, past] of pasts) decoder.output(decoder.op("Concat", [past, decoder.op("Unsqueeze", [now, decoder.ints(1)])], { axis: 2 }), `present.0.${name}`, "float32", ["batch_size", 1, "total", 4]);
  const language = { model_type: "florence2_language", d_model: 4, decoder_layers: 1, decoder_attention_heads: 1, encoder_layers: 1, encoder_attention_heads: 1 };
  const ends = { decoder_start_token_id: bpe.id("</s>"), eos_token_id: bpe.id("</s>"), bos_token_id: bpe.id("<s>"), pad_token_id: bpe.id("<pad>") };
  return buildModel(
    "florence2-stand-in",
    { task: "image-to-text", family: "florence2", runtime: "transformers" },
    {
      "onnx/vision_encoder.onnx": vision,
      "onnx/embed_tokens.onnx": embedTokens(),
      "onnx/encoder_model.onnx": encoder,
      "onnx/decoder_model_merged.onnx": decoder,
      "config.json": { model_type: "florence2", architectures: ["Florence2ForConditionalGeneration"], is_encoder_decoder: true, text_config: language, vision_config: { model_type: "davit" }, ...ends },
      "generation_config.json": { ...ends, num_beams: 3, no_repeat_ngram_size: 3 },
      "tokenizer.json": bpe.json,
      "tokenizer_config.json": { tokenizer_class: "BartTokenizer", model_max_length: 1024, eos_token: "</s>", bos_token: "<s>", pad_token: "<pad>", unk_token: "<unk>" },
      "preprocessor_config.json": {
        ...USUAL,
        image_mean: [0.485, 0.456, 0.406],
        image_std: [0.229, 0.224, 0.225],
        do_center_crop: false,
        size: { height: 768, width: 768 },
        resample: 3,
        image_seq_length: 577,
        image_processor_type: "CLIPImageProcessor",
        processor_class: "Florence2Processor",
        tasks_answer_post_processing_type: { "<CAPTION>": "pure_text", "<DETAILED_CAPTION>": "pure_text" },
        task_prompts_without_inputs: { "<CAPTION>": "What does the image describe?", "<DETAILED_CAPTION>": "Tell me in detail what is shown in the image." },
        task_prompts_with_input: {},
      },
    },
  );
}
