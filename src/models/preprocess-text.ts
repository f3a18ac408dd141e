import { FlowError, type ModelManifest } from "../contracts/index.js";
import { hashedNgrams } from "./tokenizers/hashed-ngrams.js";

export type TextPreprocess = Extract<ModelManifest["preprocess"], { kind: "text" }>;

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
    throw new FlowError("MODEL_TOKENIZER", `found tokenizer "${tokenizer}", expected one of ${Object.keys(TOKENIZERS).join(", ")}`, {
      hint: "Tokenizers live in src/models/tokenizers and are listed in src/models/preprocess-text.ts.",
      permanent: true,
    });
  }
  const out = new Float32Array(texts.length * dims);
  texts.forEach((text, i) => out.set(encode(text, dims), i * dims));
  return out;
}
