import { FlowError, type ModelManifest } from "../contracts/index.js";
import { rowsTouch } from "./rows.js";
import { hashedNgrams } from "./tokenizers/hashed-ngrams.js";
import { openTokenizer } from "./transformers.js";

export type TextPreprocess = Extract<ModelManifest["preprocess"], { kind: "text" }>;

/** Name of the tokenizer that comes with the model's files. */
export const HF_TOKENIZER = "hf";

/** Tokenizers that give one row of numbers per text. */
const TOKENIZERS: Record<string, (text: string, dims: number) => Float32Array> = { "hashed-ngrams": hashedNgrams };

/** A model's text preprocessing, or an error that names the model. */
export function textPreprocess(manifest: ModelManifest): TextPreprocess {
  if (manifest.preprocess.kind === "text") return manifest.preprocess;
  throw new FlowError("MODEL_TASK", `model ${manifest.id} reads ${manifest.preprocess.kind}, not text`, {
    hint: "Give the role a model whose manifest has `preprocess: { kind: text }`.",
    permanent: true,
  });
}

/** Texts → one private Float32Array [n, dims]. Throws MODEL_TOKENIZER for a tokenizer that is not built in. */
export function textBatch(texts: readonly string[], { tokenizer, dims }: TextPreprocess): Float32Array<ArrayBuffer> {
  const encode = TOKENIZERS[tokenizer];
  if (!encode) {
    throw new FlowError("MODEL_TOKENIZER", `found tokenizer "${tokenizer}", expected one of ${[HF_TOKENIZER, ...Object.keys(TOKENIZERS)].join(", ")}`, {
      hint: "Tokenizers live in src/models/tokenizers and are listed in src/models/preprocess-text.ts.",
      permanent: true,
    });
  }
  const out = new Float32Array(texts.length * dims);
  texts.forEach((text, i) => out.set(encode(text, dims), i * dims));
  return out;
}

/** What a tokenizer of the model's files gives. */
const TOKEN_INPUTS = ["input_ids", "attention_mask", "token_type_ids"] as const;

/** The inputs that are made of texts for this model. */
export function textInputs({ preprocess, inputs }: ModelManifest): readonly string[] {
  return preprocess.kind === "text" && preprocess.tokenizer === HF_TOKENIZER ? TOKEN_INPUTS : inputs.slice(0, 1).map(({ name }) => name);
}

/** Texts of one padded length. */
export interface TokenBatch {
  /** Which texts these are. */
  indices: number[];
  feeds: Record<string, { data: BigInt64Array | Int32Array; dims: number[] }>;
  /** [n, tokens]: 1 = attended, 0 = padding. */
  mask: BigInt64Array;
}

/** Lengths are rounded up to this, so that a text's padding depends on the text alone and never on its neighbours. */
const LENGTH_STEP = 16;

type Encoded = Record<string, number[] | undefined>;

/**
 * The first `length` tokens that leave room for those that end every text ([SEP], <|endoftext|>), as the models were trained. The library cuts them
 * off (4.3.1), and CLIP's vector is read at the last one. `empty`: the tokens of no text.
 */
function truncated(encoded: Encoded, length: number, empty: readonly number[]): Encoded {
  const ids = encoded["input_ids"]!;
  if (ids.length <= length) return encoded;
  let tail = 0;
  while (tail < empty.length && empty.at(-1 - tail) === ids.at(-1 - tail)) tail++;
  return Object.fromEntries(Object.entries(encoded).map(([name, values]) => [name, values && [...values.slice(0, length - tail), ...values.slice(values.length - tail)]]));
}

/**
 * Texts as the model's own tokenizer reads them, cut at `maxTokens`: the inputs that the manifest names (input_ids, attention_mask,
 * token_type_ids). Texts of one padded length are a batch; a fixed length of the model's input is kept. Throws MODEL_MISSING, MODEL_CORRUPT,
 * MODEL_INPUT for an input that a tokenizer does not give.
 */
export async function tokenBatches(texts: readonly string[], manifest: ModelManifest): Promise<TokenBatch[]> {
  const { maxTokens } = textPreprocess(manifest);
  const tokenizer = await openTokenizer(manifest);
  const encode = tokenizer as unknown as (text: string, options: object) => Encoded;
  const whole = (text: string): Encoded => encode(text, { padding: false, truncation: false, return_tensor: false });
  const empty = whole("")["input_ids"]!;
  const encoded = texts.map((text) => truncated(whole(text), maxTokens, empty));
  const fixed = manifest.inputs.map(({ dims }) => dims[1]).find((length) => typeof length === "number");
  const step = rowsTouch(manifest) ? 1 : LENGTH_STEP;
  const groups = new Map<number, number[]>();
  for (const [i, { input_ids: ids }] of encoded.entries()) {
    const length = fixed ?? Math.min(maxTokens, Math.ceil(ids!.length / step) * step);
    const group = groups.get(length);
    if (group) group.push(i);
    else groups.set(length, [i]);
  }
  const padding: Record<string, number> = { ...Object.fromEntries(TOKEN_INPUTS.map((name) => [name, 0])), input_ids: tokenizer.pad_token_id ?? 0 };
  return [...groups].map(([length, indices]) => {
    const padded = (name: string): BigInt64Array => {
      const data = new BigInt64Array(indices.length * length).fill(BigInt(padding[name]!));
      // A tokenizer of a model without segments gives no token types: all zero.
      indices.forEach((i, row) => (encoded[i]![name] ?? []).forEach((id, t) => (data[row * length + t] = BigInt(id))));
      return data;
    };
    const feeds: TokenBatch["feeds"] = {};
    for (const { name, type } of manifest.inputs) {
      if (!(name in padding)) throw new FlowError("MODEL_INPUT", `model ${manifest.id}: found input ${name}, expected one of ${Object.keys(padding).join(", ")}`, { hint: `Correct inputs in ${manifest.origin}.`, permanent: true });
      const data = padded(name);
      feeds[name] = { data: type === "int32" ? Int32Array.from(data, Number) : data, dims: [indices.length, length] };
    }
    return { indices, feeds, mask: padded("attention_mask") };
  });
}
