import { z } from "zod";
import { Audio, Labels, defineOperator, type BatchFunction, type ModelManifest } from "../../contracts/index.js";
import { audioFeeds } from "../../models/audio-feeds.js";
import { classify } from "../../models/families/classifier.js";
import { audioPreprocess } from "../../models/preprocess-audio.js";
import { runRows } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";

const config = z.strictObject({
  top: z.int().min(1).max(1000).default(10).describe("Labels per window at most, best first."),
  min_score: z.number().min(0).max(1).default(0.05).describe("Score from which a label counts, 0–1."),
  hop: z.number().positive().optional().describe("Seconds from the start of one window to the next; half the model's window unless given."),
});

const events: BatchFunction = async (items, { top, min_score }: z.infer<typeof config>, { models }) => {
  const model = models["events"]!;
  const outputs = await runRows(model, await audioFeeds(items, model, scratch));
  return items.map((_, i) => classify(outputs, i, items.length, model.manifest, { top, minScore: min_score }));
};

function hopSeconds(manifest: ModelManifest): number {
  const { hopSeconds: stated } = manifest.settings;
  return typeof stated === "number" ? stated : audioPreprocess(manifest).windowSeconds / 2;
}

export const audioEvents = defineOperator({
  name: "audio.events",
  version: 1,
  summary: "Names what is heard, window by window, with an audio classifier (YAMNet, AST): the best labels and their scores.",
  description: "Windows overlap by half, so that no sound falls between two of them. labels.pool makes one list of a scene or a medium; audio.changes tells without a model that something is heard.",
  module: import.meta.url,
  level: "frame",
  inputs: { audio: Audio },
  outputs: { labels: Labels },
  config,
  models: { events: { task: "audio-events" } },
  demand: ({ config: { hop }, models }) => {
    const manifest = models["events"]!;
    const { sampleRate, windowSeconds } = audioPreprocess(manifest);
    return { audio: { audio: { sampleRate, channels: 1, windowUs: Math.round(windowSeconds * 1e6), hopUs: Math.round((hop ?? hopSeconds(manifest)) * 1e6) } } };
  },
  run: { form: "batch", result: "value", input: "audio" },
  batch: events,
  examples: [
    {
      title: "Sounds of a clip, twice a second",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nsounds: { op: audio.events, in: media.audio, model: yamnet, with: { hop: 0.5 } }",
    },
  ],
});
