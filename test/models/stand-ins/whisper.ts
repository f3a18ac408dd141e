/**
 * A stand-in of the published Whisper layout (encoder_model.onnx, decoder_model_merged.onnx with past_key_values and cross_attentions) with the
 * real tokenizer. Its "speech" are tones of 0.7 s with silence around: where one begins a word begins, and its mel band says which.
 * It speaks timestamps like the real one: <|start|> word <|end|> for each word. The language and the task in the prompt choose the
 * table of words, and asked for a language it says `de` when the first tone is high.
 */
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import { buildModel, type Built } from "./model-folder.js";

const TOKENIZER = join(process.env["FLOW_MODELS_DIR"] ?? "", "tokenizers/whisper-tiny");
export const whisperSkip = existsSync(join(TOKENIZER, "tokenizer.json")) ? false : "needs FLOW_MODELS_DIR with tokenizers/whisper-tiny";

/** Words by tone: English, German, translated. The last tone is German only. */
export const WORDS = {
  en: ["and", "my", "fellow", "Americans", "ask", "what", "country", "high"],
  de: ["und", "mein", "dein", "Zeit", "Welt", "was", "Land", "hoch"],
  translate: ["also", "mine", "yours", "people", "question", "thing", "land", "up"],
} as const;
const FIRST_BAND = 12;
const BAND_STEP = 8;
export const HIGH = 7;
const [EOT, EN, DE, TRANSLATE, TIMESTAMPS, VOCABULARY] = [50257, 50259, 50261, 50358, 50364, 51865];
const [BANDS, FRAMES, WIDTH] = [80, 1500, 8];

/** Frequency of a word's tone: the centre of its band on Slaney's mel scale, 80 bands to 8 kHz. */
function toneHz(word: number): number {
  const mel = ((FIRST_BAND + BAND_STEP * word + 1) * (15 + Math.log(8) / (Math.log(6.4) / 27))) / (BANDS + 1);
  return mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp((mel - 15) * (Math.log(6.4) / 27));
}

/** Sound with one word a second; null is silence. */
export function speak(words: readonly (number | null)[]): Float32Array {
  const samples = new Float32Array(words.length * 16_000);
  words.forEach((word, second) => {
    if (word === null) return;
    for (let n = 1600; n < 12_800; n++) samples[second * 16_000 + n] = 0.4 * Math.sin(2 * Math.PI * toneHz(word) * (n / 16_000)) * Math.min(1, (n - 1600) / 400, (12_800 - n) / 400);
  });
  return samples;
}

/** `alignment: false`: a checkpoint without alignment_heads; `multilingual: false`: English only. */
export function whisperStandIn(options: { alignment?: boolean; multilingual?: boolean } = {}): Built {
  const json = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(TOKENIZER, name), "utf8")) as Record<string, unknown>;
  const config = { ...json("config.json"), d_model: WIDTH, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 1, decoder_attention_heads: 1, num_hidden_layers: 1 };
  const generation: Record<string, unknown> = { ...json("generation_config.json"), alignment_heads: [[0, 0]] };
  if (options.alignment === false) delete generation["alignment_heads"];
  if (options.multilingual === false) Object.assign(generation, { is_multilingual: false, lang_to_id: undefined, task_to_id: undefined });
  const files = { "config.json": config, "generation_config.json": generation, "onnx/encoder_model.onnx": encoder(), "onnx/decoder_model_merged.onnx": decoder() };
  return buildModel("whisper-stand-in", { task: "speech-recognition", family: "whisper", runtime: "transformers", preprocess: { kind: "processor" } }, files, (dir) => {
    for (const name of ["tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"]) cpSync(join(TOKENIZER, name), join(dir, name));
  });
}

function encoder(): OnnxGraph {
  const graph = new OnnxGraph("whisper encoder stand-in", "tests");
  const features = graph.input("input_features", "float32", ["batch_size", BANDS, 2 * FRAMES]);
  const pooled = graph.op("AveragePool", [features], { kernel_shape: [2], strides: [2] });
  graph.output(graph.op("Transpose", [pooled], { perm: [0, 2, 1] }), "last_hidden_state", "float32", ["batch_size", FRAMES, BANDS]);
  return graph;
}

function tokenTable(): BigInt64Array {
  const vocab = JSON.parse(readFileSync(join(TOKENIZER, "vocab.json"), "utf8")) as Record<string, number>;
  const rows = [WORDS.en, WORDS.de, WORDS.translate].map((words) =>
    Array.from({ length: BANDS }, (_, band) => {
      const word = words[Math.max(0, Math.min(words.length - 1, Math.round((band - FIRST_BAND) / BAND_STEP)))]!;
      const id = vocab[`Ġ${word}`];
      if (id === undefined) throw new Error(`" ${word}" is not one token`);
      return BigInt(id);
    }),
  );
  return BigInt64Array.from(rows.flat());
}

function decoder(): OnnxGraph {
  const g = new OnnxGraph("whisper decoder stand-in", "tests");
  const cache = (side: string, part: string): string => g.input(`past_key_values.0.${side}.${part}`, "float32", ["batch_size", 1, side === "decoder" ? "past_decoder_sequence_length" : "encoder_sequence_length_out", WIDTH]);
  const ids = g.input("input_ids", "int64", ["batch_size", "decoder_sequence_length"]);
  const hidden = g.input("encoder_hidden_states", "float32", ["batch_size", "encoder_sequence_length", BANDS]);
  const past = { key: cache("decoder", "key"), value: cache("decoder", "value"), encoderKey: cache("encoder", "key"), encoderValue: cache("encoder", "value") };
  g.input("use_cache_branch", "bool", [1]);
  const where = (condition: string, yes: string, no: string): string => g.op("Where", [condition, yes, no]);
  const times = (a: string, n: number): string => g.op("Mul", [a, g.ints(n)]);
  const plus = (a: string, n: number): string => g.op("Add", [a, g.ints(n)]);

  // The cache remembers the tokens: whoever loses or mixes it up gets other words.
  const asFloat = g.op("Reshape", [g.op("Cast", [ids], { to: 1 }), g.ints(1, 1, -1, 1)]);
  const key = g.op("Concat", [past.key, g.op("Tile", [asFloat, g.ints(1, 1, 1, WIDTH)])], { axis: 2 });
  const all = g.op("Reshape", [g.op("Cast", [g.op("Gather", [key, g.ints(0)], { axis: 3 })], { to: 7 }), g.ints(-1)]);
  const total = g.op("Shape", [all]);
  const length = g.op("Reshape", [g.op("Gather", [g.op("Shape", [ids]), g.ints(1)]), g.ints(1)]);
  const tokenAt = (n: number): string => g.op("Gather", [all, g.op("Min", [g.ints(n), plus(total, -1)])]);

  // Where tones begin, and which.
  const frames = g.op("Reshape", [hidden, g.ints(FRAMES, BANDS)]);
  const bands = g.op("ArgMax", [frames], { axis: 1, keepdims: 0 });
  const loud = g.op("Greater", [g.op("ReduceMax", [frames], { axes: [1], keepdims: 0 }), g.op("Sub", [g.op("ReduceMax", [hidden], { keepdims: 0 }), g.scalar(0.5)])]);
  const level = g.op("Cast", [loud], { to: 1 });
  const before = g.op("Concat", [g.scalar(0), g.op("Slice", [level, g.ints(0), g.ints(FRAMES - 1)])], { axis: 0 });
  const onsets = g.op("Reshape", [g.op("NonZero", [g.op("Greater", [level, before])]), g.ints(-1)]);
  const count = g.op("Shape", [onsets]);
  const padded = g.op("Concat", [onsets, g.ints(FRAMES - 1)], { axis: 0 });
  const onsetOf = (word: string): string => g.op("Gather", [padded, g.op("Min", [word, count])]);
  const bandOf = (word: string): string => g.op("Gather", [bands, g.op("Min", [plus(onsetOf(word), 15), g.ints(FRAMES - 1)])]);

  // Token `step` of the answer: start, word, end, start, word, …
  const step = g.op("Max", [plus(total, -3), g.ints(0)]);
  const word = g.op("Div", [step, g.ints(3)]);
  const part = g.op("Sub", [step, times(word, 3)]);
  const row = where(g.op("Equal", [tokenAt(2), g.ints(TRANSLATE)]), g.ints(2), where(g.op("Equal", [tokenAt(1), g.ints(DE)]), g.ints(1), g.ints(0)));
  const said = g.op("Gather", [g.constant([3 * BANDS], tokenTable()), g.op("Add", [times(row, BANDS), bandOf(word)])]);
  const mark = (later: number): string => plus(g.op("Min", [plus(onsetOf(word), later), g.ints(FRAMES)]), TIMESTAMPS);
  const answer = where(g.op("Equal", [part, g.ints(0)]), mark(0), where(g.op("Equal", [part, g.ints(1)]), said, mark(40)));
  const orEnd = where(g.op("Less", [word, count]), answer, g.ints(EOT));
  const high = g.op("Greater", [bandOf(g.ints(0)), g.ints(FIRST_BAND + BAND_STEP * HIGH - BAND_STEP / 2)]);
  const token = where(g.op("Equal", [total, g.ints(1)]), where(high, g.ints(DE), g.ints(EN)), orEnd);

  const logits = g.op("Reshape", [g.op("OneHot", [token, g.ints(VOCABULARY), g.constant([2], Float32Array.of(0, 20))]), g.ints(1, 1, VOCABULARY)]);
  g.output(g.op("Expand", [logits, g.op("Concat", [g.ints(1), length, g.ints(1)], { axis: 0 })]), "logits", "float32", ["batch_size", "decoder_sequence_length", VOCABULARY]);
  for (const [name, value] of [["decoder.key", key], ["decoder.value", key], ["encoder.key", past.encoderKey], ["encoder.value", past.encoderValue]] as const) {
    g.output(value, `present.0.${name}`, "float32", ["batch_size", 1, `${name} length`, WIDTH]);
  }
  g.output(attention(g, { total, length, onsetOf }), "cross_attentions.0", "float32", ["batch_size", 1, "decoder_sequence_length", FRAMES]);
  return g;
}

/** Each token looks at its time: the row of token t of the answer peaks where that token's mark lies. */
function attention(g: OnnxGraph, { total, length, onsetOf }: { total: string; length: string; onsetOf: (word: string) => string }): string {
  const flat = (x: string): string => g.op("Reshape", [x, g.constant([0], new BigInt64Array(0))]);
  const first = g.op("Sub", [total, length]);
  const index = g.op("Range", [flat(first), flat(total), flat(g.ints(1))]);
  const step = g.op("Max", [g.op("Sub", [index, g.ints(3)]), g.ints(0)]);
  const word = g.op("Div", [step, g.ints(3)]);
  const part = g.op("Sub", [step, g.op("Mul", [word, g.ints(3)])]);
  const frame = g.op("Add", [onsetOf(word), g.op("Mul", [part, g.ints(20)])]);
  const position = g.op("Reshape", [g.op("Cast", [frame], { to: 1 }), g.ints(-1, 1)]);
  const frames = g.constant([1, FRAMES], Float32Array.from({ length: FRAMES }, (_, n) => n));
  const distance = g.op("Div", [g.op("Sub", [frames, position]), g.scalar(8)]);
  const bump = g.op("Exp", [g.op("Neg", [g.op("Mul", [distance, distance])])]);
  return g.op("Reshape", [bump, g.ints(1, 1, -1, FRAMES)]);
}
