import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tokenBatches } from "../../src/models/preprocess-text.js";
import { loadTransformers } from "../../src/models/transformers.js";
import { ReferenceClip, needsClipVocabulary } from "./stand-ins/clip-tokenizer.js";
import { clip, miniLm, needsMiniLmTokenizer } from "./stand-ins/text-models.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Lines of the project's own prose, of the demo's narration and what people write in other alphabets. */
const TEXTS = [
  ...readFileSync(join(ROOT, "README.md"), "utf8").split("\n").filter((line) => line.length > 20).slice(0, 150),
  ...(JSON.parse(readFileSync(join(ROOT, "graphs/demo/truth.json"), "utf8")) as { subtitles: { text: string }[] }).subtitles.map(({ text }) => text),
  "a photo of a cat",
  "Transcript: And so my fellow Americans, ask not what your country can do for you. Visuals: ",
  "Don't stop! It's 10:45 — we've 3,000 €; naïve café, façade ﬁn",
  "Это красная площадь. 東京タワー 서울 العربية नमस्ते",
  "🙂 emoji 👩‍👩‍👧 and\ttabs\n newlines  ",
  "antidisestablishmentarianism ".repeat(60),
  "x".repeat(300),
  "",
];

/** BERT's own tokeniser (google-research/bert tokenization.py, uncased) over vocab.txt. */
function referenceBert(): (text: string) => number[] {
  const ids = new Map(readFileSync(join(process.env["FLOW_MODELS_DIR"]!, "tokenizers/all-MiniLM-L6-v2/vocab.txt"), "utf8").trimEnd().split("\n").map((token, id) => [token, id]));
  const isPunctuation = (char: string): boolean => /[!-/:-@[-`{-~]|\p{P}/u.test(char);
  const piecesOf = (word: string): string[] => {
    const chars = [...word];
    if (chars.length > 100) return ["[UNK]"];
    const pieces: string[] = [];
    for (let from = 0; from < chars.length; ) {
      let to = chars.length;
      const at = (end: number): string => (from > 0 ? "##" : "") + chars.slice(from, end).join("");
      while (to > from && !ids.has(at(to))) to--;
      if (to === from) return ["[UNK]"];
      pieces.push(at(to));
      from = to;
    }
    return pieces;
  };
  return (text) => {
    const clean = [...text].filter((char) => !/[\0\ufffd]/.test(char) && (!/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(char) || /[\t\n\r]/.test(char))).map((char) => (/\p{Script=Han}/u.test(char) ? ` ${char} ` : char)).join("");
    const plain = clean.toLowerCase().normalize("NFD").replace(/\p{Mn}/gu, "");
    const words = [...plain].map((char) => (isPunctuation(char) ? ` ${char} ` : char)).join("").split(/\s+/).filter(Boolean);
    return ["[CLS]", ...words.flatMap(piecesOf), "[SEP]"].map((token) => ids.get(token)!);
  };
}

/** What the batches hold for each text, padding taken off. */
async function idsOf(manifest: Parameters<typeof tokenBatches>[1], texts: readonly string[]): Promise<number[][]> {
  const found: number[][] = [];
  for (const { indices, feeds, mask } of await tokenBatches(texts, manifest)) {
    const { data, dims } = feeds["input_ids"]!;
    const length = dims[1]!;
    indices.forEach((text, row) => (found[text] = Array.from(data.subarray(row * length, (row + 1) * length), Number).filter((_, t) => mask[row * length + t] === 1n)));
  }
  return found;
}

describe("texts as the model's tokenizer reads them", () => {
  test("MiniLM: the ids of BERT's own algorithm over its vocabulary, and of the library", needsMiniLmTokenizer, async () => {
    const { manifest, dir } = miniLm();
    const encode = referenceBert();
    const found = await idsOf(manifest, TEXTS);
    for (const [i, text] of TEXTS.entries()) {
      const whole = encode(text);
      const cut = whole.length > 256 ? [...whole.slice(0, 255), whole.at(-1)!] : whole;
      assert.deepEqual(found[i], cut, JSON.stringify(text));
    }
    const library = await (await loadTransformers()).AutoTokenizer.from_pretrained(dir);
    const { input_ids, attention_mask } = library(TEXTS, { padding: true });
    const [rows, length] = input_ids.dims as [number, number];
    for (let i = 0; i < rows; i++) {
      const all = Array.from(input_ids.data.subarray(i * length, (i + 1) * length) as BigInt64Array, Number).filter((_, t) => attention_mask.data[i * length + t] === 1n);
      // A text that is too long loses its end in the library, [SEP] with it; ours keeps it.
      if (all.length <= 256) assert.deepEqual(found[i], all);
    }
  });

  test("CLIP: the ids of OpenAI's own algorithm over its vocabulary, cut at 77", needsClipVocabulary, async () => {
    const { text } = clip();
    const reference = new ReferenceClip();
    assert.deepEqual(reference.encode("a photo of a cat"), [49406, 320, 1125, 539, 320, 2368, 49407]);
    const found = await idsOf(text.manifest, TEXTS);
    for (const [i, words] of TEXTS.entries()) {
      const whole = reference.encode(words.normalize("NFC"));
      assert.deepEqual(found[i], whole.length > 77 ? [...whole.slice(0, 76), 49407] : whole, JSON.stringify(words));
    }
  });

  test("a text's padded length depends on the text alone; 8-bit files are not padded at all", needsMiniLmTokenizer, async () => {
    const lengths = async (manifest: Parameters<typeof tokenBatches>[1], texts: string[]): Promise<number[]> => {
      const found: number[] = [];
      for (const { indices, feeds } of await tokenBatches(texts, manifest)) for (const i of indices) found[i] = feeds["input_ids"]!.dims[1]!;
      return found;
    };
    const texts = ["one", "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen", "word ".repeat(400)];
    assert.deepEqual(await lengths(miniLm().manifest, texts), [16, 32, 256]);
    assert.deepEqual(await lengths(miniLm().manifest, texts.slice(0, 1)), [16]);
    assert.deepEqual(await lengths(miniLm("onnx/model_quantized.onnx").manifest, texts), [3, 17, 256]);
  });

  test("an input that no tokenizer gives is named", needsMiniLmTokenizer, async () => {
    const { manifest } = miniLm();
    await assert.rejects(tokenBatches(["a"], { ...manifest, preprocess: manifest.preprocess, files: manifest.files, dir: manifest.dir, sha256: manifest.sha256, inputs: [{ name: "pixel_values", type: "float32", dims: ["n", 3] }] }), { code: "MODEL_INPUT", message: /pixel_values/ });
  });
});
