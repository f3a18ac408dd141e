import { z } from "zod";
import { FlowError, Frames, Labels, Value, defineOperator, type BatchFunction, type ModelHandle, type ModelManifest } from "../../contracts/index.js";
import { audioFeeds } from "../../models/audio-feeds.js";
import { activated, scoresOf } from "../../models/families/classifier.js";
import { labelsOf } from "../../models/families/labels.js";
import { notFinite, rowOf, type Outputs } from "../../models/families/outputs.js";
import { audioPreprocess } from "../../models/preprocess-audio.js";
import { imageInput, imagePreprocess, rasterDemand, rasterOf } from "../../models/preprocess-image.js";
import { runRows, unitRow } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";

const config = z.strictObject({
  output: z.string().min(1).optional().describe("Name of the output that is read, one of the manifest's; its first unless given."),
  post: z
    .enum(["raw", "softmax", "sigmoid", "argmax", "labels", "unit"])
    .default("raw")
    .describe("What is made of an item's numbers: `raw` as they are, with their dimensions; `softmax` and `sigmoid` probabilities; `argmax` the best class; `labels` the best ones by name; `unit` a vector of length 1."),
  activation: z.enum(["softmax", "sigmoid", "none"]).default("softmax").describe("argmax, labels: what makes scores of the numbers."),
  top: z.int().min(1).max(1000).default(5).describe("labels: at most so many, best first."),
  min_score: z.number().min(0).max(1).default(0).describe("labels: score from which one counts."),
  hop: z.number().positive().optional().describe("Sound: seconds from one window's start to the next; the model's window unless given."),
});
type Config = z.infer<typeof config>;

const run: BatchFunction = async (items, options: Config, { models }) => {
  const model = models["model"]!;
  const { manifest } = model;
  const outputs = await runRows(model, await feeds(items, model));
  const name = options.output ?? manifest.outputs[0]?.name ?? manifest.output?.name ?? "";
  return items.map((_, i) => postProcess(rowOf(outputs, name, i, items.length, 1, manifest), outputs[name]!.dims.slice(1), { ...options, output: name }, manifest));
};

async function feeds(items: Parameters<BatchFunction>[0], model: ModelHandle): Promise<Parameters<ModelHandle["run"]>[0]> {
  const { manifest } = model;
  if (manifest.preprocess.kind === "audio") return audioFeeds(items, model, scratch);
  const { data, dims } = await imageInput(items.map(({ slot }) => rasterOf(slot)), imagePreprocess(manifest), { scratch });
  return { [manifest.inputs[0]!.name]: { data, dims } };
}

/** One item's numbers ([…dims], row by row) as the config wants them. Throws MODEL_OUTPUT where they are not finite: a record's JSON has no such numbers. */
export function postProcess(row: Outputs[string]["data"], dims: number[], { output = "its output", post, activation, top, min_score }: Config, manifest: Pick<ModelManifest, "mock" | "settings" | "files" | "labels" | "id" | "origin">): unknown {
  const finite = (values: ArrayLike<number>): number[] =>
    Array.from(values, (value, i) => {
      if (!Number.isFinite(value)) throw notFinite(manifest, output, String(value), i);
      return value;
    });
  switch (post) {
    case "raw":
      return { dims, data: finite(row) };
    case "unit":
      return finite(unitRow(new Float32Array(row)));
    case "softmax":
    case "sigmoid":
      return finite(Float32Array.from(activated(row, post)));
    case "argmax":
    case "labels": {
      const scores = scoresOf(row, activation, output, manifest);
      const names = manifest.labels === null && !Array.isArray(manifest.settings["classes"]) ? [] : labelsOf(manifest as ModelManifest);
      const order = Array.from(scores, (_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b);
      const best = post === "argmax" ? order.slice(0, 1) : order.slice(0, top).filter((index) => scores[index]! >= min_score);
      finite(best.map((index) => scores[index]!));
      const labels = best.map((index) => ({ label: names[index] ?? `class ${index}`, score: Math.fround(scores[index]!) }));
      return post === "argmax" ? { index: best[0]!, ...labels[0]! } : labels;
    }
  }
}

/** A manifest without `outputs` does not say which ones there are: pre-flight looks into the file. */
function requireOutput(name: string | undefined, { id, origin, outputs, output }: ModelManifest): void {
  const listed = [...outputs.map((one) => one.name), ...(output ? [output.name] : [])];
  if (name === undefined || outputs.length === 0 || listed.includes(name)) return;
  throw new FlowError("MODEL_OUTPUT", `model ${id} has no output "${name}"; its manifest lists ${listed.join(", ")}`, { hint: `with: { output: ${listed[0]} }; or, where the file has it, add it to outputs in ${origin}.`, permanent: true });
}

export const modelRun = defineOperator({
  name: "model.run",
  version: 1,
  summary: "Runs any ONNX model on sampled frames or windows of sound, prepared as its manifest says, and makes numbers, probabilities or labels of one of its outputs.",
  description:
    "The generic operator: for models that no other operator knows. `flow models add FILE` writes the manifest. Vectors that are to be searched or averaged come from image.embed and audio.embed.",
  module: import.meta.url,
  level: "frame",
  inputs: { stream: Frames.with({ any: true }) },
  outputs: ({ config: { output, post }, models }) => {
    requireOutput(output, models["model"]!);
    return { values: post === "labels" ? Labels : Value.at("frame") };
  },
  config,
  models: { model: { task: "any" } },
  demand: ({ config: { hop }, models, inputs }) => {
    const manifest = models["model"]!;
    const reads = manifest.preprocess.kind;
    const kind = inputs["stream"]?.kind;
    if (kind !== undefined && kind !== (reads === "audio" ? "audio" : "frames")) {
      throw new FlowError("MODEL_TASK", `model ${manifest.id} reads ${reads}, and its input is ${kind}`, { hint: `in: media.${reads === "audio" ? "audio" : "frames"}`, permanent: true });
    }
    if (reads === "audio") {
      const { sampleRate, windowSeconds } = audioPreprocess(manifest);
      const windowUs = Math.round(windowSeconds * 1e6);
      return { stream: { audio: { sampleRate, channels: 1, windowUs, hopUs: hop === undefined ? windowUs : Math.round(hop * 1e6) } } };
    }
    return { stream: { video: { size: rasterDemand(imagePreprocess(manifest)), fps: 2, geometry: "display" } } };
  },
  run: { form: "batch", result: "value", input: "stream" },
  reads: ({ output }) => ({ model: output === undefined ? [] : [output] }),
  batch: run,
  examples: [
    {
      title: "The numbers of a model as they are, twice a second",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nrows: { op: model.run, in: { stream: { from: media.frames, fps: 2 } }, model: lite-image, with: { post: raw } }",
    },
    {
      title: "The three best classes of each window of sound",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nevents: { op: model.run, in: { stream: media.audio }, model: yamnet, with: { post: labels, activation: none, top: 3 } }",
    },
  ],
});
