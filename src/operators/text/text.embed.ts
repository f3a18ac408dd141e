import { z } from "zod";
import { defineOperator, skip, type EachInputs, type OperatorForm } from "../../contracts/index.js";
import { textBatch, textPreprocess } from "../../models/preprocess-text.js";
import { splitRows, vectorPort } from "../../models/rows.js";

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
  const { manifest } = model;
  const preprocess = textPreprocess(manifest);
  const data = textBatch(present, preprocess);
  const rows = splitRows(await model.run({ [manifest.inputs[0]!.name]: { data, dims: [present.length, preprocess.dims] } }), manifest, present.length);
  let next = 0;
  return texts.map((text) => (text === null ? skip("no text") : { vector: rows[next++] }));
};

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
  models: { text: { task: "text-embedding" } },
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
