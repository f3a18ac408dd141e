/** CLIP's tokenizer from its published vocabulary (bpe_simple_vocab_16e6.txt.gz), in the layout of the Hugging Face hub; and the merges for a reference of one's own. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const MODELS = process.env["FLOW_MODELS_DIR"] ?? "";
const VOCABULARY = join(MODELS, "tokenizers/clip-bpe/bpe_simple_vocab_16e6.txt.gz");
export const needsClipVocabulary = existsSync(VOCABULARY) ? {} : { skip: "needs FLOW_MODELS_DIR with tokenizers/clip-bpe" };

/** Byte → the printable letter that stands for it (GPT-2). */
export function byteLetters(): string[] {
  const letters: string[] = [];
  let next = 0;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    letters[byte] = String.fromCodePoint(printable ? byte : 256 + next++);
  }
  return letters;
}

export function clipVocabulary(): { vocab: Record<string, number>; merges: [string, string][] } {
  const lines = gunzipSync(readFileSync(VOCABULARY)).toString("utf8").split("\n");
  const merges = lines.slice(1, 49152 - 256 - 2 + 1).map((line) => line.split(" ") as [string, string]);
  const letters = byteLetters();
  // The reference lists printable bytes first, then the others.
  const ordered = [...letters.filter((letter) => letter.codePointAt(0)! < 256), ...letters.filter((letter) => letter.codePointAt(0)! >= 256)];
  const tokens = [...ordered, ...ordered.map((letter) => `${letter}</w>`), ...merges.map((pair) => pair.join("")), "<|startoftext|>", "<|endoftext|>"];
  return { vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges };
}

/** Writes tokenizer.json and tokenizer_config.json. */
export function writeClipTokenizer(dir: string): void {
  const { vocab, merges } = clipVocabulary();
  const special = ["<|startoftext|>", "<|endoftext|>"].map((content) => ({ id: vocab[content], content, single_word: false, lstrip: false, rstrip: false, normalized: content === "<|startoftext|>", special: true }));
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Replace", pattern: { Regex: "\\s+" }, content: " " }, { type: "Lowercase" }] },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
      ],
    },
    post_processor: { type: "RobertaProcessing", sep: ["<|endoftext|>", vocab["<|endoftext|>"]], cls: ["<|startoftext|>", vocab["<|startoftext|>"]], trim_offsets: false, add_prefix_space: false },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true },
    model: { type: "BPE", dropout: null, unk_token: "<|endoftext|>", continuing_subword_prefix: "", end_of_word_suffix: "</w>", fuse_unk: false, vocab, merges: merges.map((pair) => pair.join(" ")) },
  };
  writeFileSync(join(dir, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(dir, "tokenizer_config.json"), JSON.stringify({ tokenizer_class: "CLIPTokenizer", model_max_length: 77, bos_token: "<|startoftext|>", eos_token: "<|endoftext|>", unk_token: "<|endoftext|>", pad_token: "<|endoftext|>", add_prefix_space: false, do_lower_case: true }));
}

/** The reference's own algorithm (OpenAI's simple_tokenizer.py): lower case, pieces, bytes, then always the merge of lowest rank. */
export class ReferenceClip {
  private readonly ranks: Map<string, number>;
  private readonly vocab: Record<string, number>;
  private readonly letters = byteLetters();

  constructor() {
    const { vocab, merges } = clipVocabulary();
    this.vocab = vocab;
    this.ranks = new Map(merges.map((pair, rank) => [pair.join(" "), rank]));
  }

  encode(text: string): number[] {
    const clean = text.replace(/\s+/g, " ").trim().toLowerCase();
    const pieces = clean.match(/'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu) ?? [];
    return [this.vocab["<|startoftext|>"]!, ...pieces.flatMap((piece) => this.merge(piece).map((token) => this.vocab[token]!)), this.vocab["<|endoftext|>"]!];
  }

  private merge(piece: string): string[] {
    const word = [...Buffer.from(piece, "utf8")].map((byte) => this.letters[byte]!);
    word[word.length - 1] += "</w>";
    for (;;) {
      let best = -1;
      for (let i = 0; i + 1 < word.length; i++) {
        const rank = this.ranks.get(`${word[i]} ${word[i + 1]}`);
        if (rank !== undefined && (best < 0 || rank < this.ranks.get(`${word[best]} ${word[best + 1]}`)!)) best = i;
      }
      if (best < 0) return word;
      const [left, right] = [word[best]!, word[best + 1]!];
      for (let i = 0; i + 1 < word.length; i++) if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
    }
  }
}
