import { z } from "zod";
import { defineOperator, skip, type EachInputs, type ModelHandle, type OperatorForm } from "../../contracts/index.js";
import { mockVector } from "../../models/mock.js";
import { HF_TOKENIZER, textBatch, textInputs, textPreprocess, tokenBatches } from "../../models/preprocess-text.js";
import { runRows, splitRows, vectorPort } from "../../models/rows.js";

const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

const config = z.strictObject({
  template: z.string().min(1).describe('The text to embed; "{name}" is the value of the input `name`, nothing where it has none.'),
});

/** The text of one item; null when none of the template's inputs has a letter or digit, so that the template alone is never embedded. */
export function fillTemplate(template: string, inputs: EachInputs): string | null {
  let said = !template.match(PLACEHOLDER);
  const text = template.replace(PLACEHOLDER, (_, name: string) => {
    const value = inputs[name];
    const words = value === null || value === undefined ? "" : String(value);
    said ||= /[\p{L}\p{N}]/u.test(words);
    return words;
  });
  return said ? text : null;
}

type EachBatch = Extract<OperatorForm, { form: "eachBatch" }>["eachBatch"];

const embed: EachBatch = async (items, { template }: z.infer<typeof config>, contexts) => {
  const texts = items.map((inputs) => fillTemplate(template, inputs));
  const present = texts.filter((t) => t !== null);
  const model = contexts[0]?.models["text"];
  if (present.length === 0 || !model) return items.map(() => skip("no text"));
  const rows = await vectorsOf(present, model);
  let next = 0;
  return texts.map((text) => (text === null ? skip("no text") : { vector: rows[next++] }));
};

/** A vector per text, by the model's own tokenizer or one of flow's. */
async function vectorsOf(texts: readonly string[], model: ModelHandle): Promise<Float32Array[]> {
  const { manifest } = model;
  const preprocess = textPreprocess(manifest);
  if (preprocess.tokenizer !== HF_TOKENIZER) {
    const data = textBatch(texts, preprocess);
    return splitRows(await runRows(model, { [manifest.inputs[0]!.name]: { data, dims: [texts.length, preprocess.dims] } }), manifest, texts.length);
  }
  if (model.mock) {
    model.count(texts.length);
    return texts.map((text) => mockVector(model, text));
  }
  const vectors: Float32Array[] = [];
  for (const { indices, feeds, mask } of await tokenBatches(texts, manifest)) {
    const rows = splitRows(await runRows(model, feeds), manifest, indices.length, mask);
    indices.forEach((text, row) => (vectors[text] = rows[row]!));
  }
  return vectors;
}

export const textEmbed = defineOperator({
  name: "text.embed",
  version: 1,
  summary: "Embeds a text made from its inputs by a template.",
  description: "Inputs are named freely and may be null. A scene in which none of the template's inputs says anything is skipped (no text).",
  module: import.meta.url,
  level: "scene",
  inputs: "map",
  outputs: ({ models }) => ({ vector: vectorPort(models["text"]!, "scene") }),
  config,
  templates: { template: "inputs" },
  models: { text: { task: "text-embedding", feeds: ({ text }) => textInputs(text!) } },
  run: { form: "eachBatch", eachBatch: embed },
  examples: [
    {
      title: "What is said in each scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }\n" +
        'words: { op: text.embed, in: { transcript: speech.text }, model: lite-text, with: { template: "Transcript: {transcript}." } }',
    },
  ],
});
