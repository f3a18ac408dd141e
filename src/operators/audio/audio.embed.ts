import { z } from "zod";
import { Audio, defineOperator, type BatchFunction } from "../../contracts/index.js";
import { audioFeeds } from "../../models/audio-feeds.js";
import { audioPreprocess, rmsDbfs, validSamples } from "../../models/preprocess-audio.js";
import { embeddingOf, runRows, splitRows, vectorPort } from "../../models/rows.js";
import { scratch } from "../../models/scratch.js";

/** Below this RMS a window is silent: it gets the zero vector, which no search finds and no mean counts. */
const SILENT_DBFS = -60;

const embed: BatchFunction = async (items, _config, { models }) => {
  const model = models["audio"]!;
  const { manifest } = model;
  const loud = items.filter((item) => !(rmsDbfs(validSamples(item)) < SILENT_DBFS));
  const vectors = new Map<(typeof items)[number], Float32Array>();
  if (loud.length > 0) {
    const rows = splitRows(await runRows(model, await audioFeeds(loud, model, scratch)), manifest, loud.length);
    loud.forEach((item, i) => vectors.set(item, rows[i]!));
  }
  return items.map((item) => vectors.get(item) ?? new Float32Array(embeddingOf(manifest).dims));
};

export const audioEmbed = defineOperator({
  name: "audio.embed",
  version: 1,
  summary: "Embeds windows of sound with an audio model: one vector per window, zero where it is silent.",
  description: `Models that read samples (lite-sound, YAMNet) and models with a feature extractor of their own (CLAP, 48 kHz). A window whose RMS is below ${SILENT_DBFS} dBFS gets the zero vector and costs no model run.`,
  module: import.meta.url,
  level: "frame",
  inputs: { audio: Audio },
  outputs: ({ models }) => ({ vectors: vectorPort(models["audio"]!, "frame") }),
  config: z.strictObject({
    hop: z.number().positive().optional().describe("Seconds from the start of one window to the next; the model's window unless given."),
  }),
  models: { audio: { task: "audio-embedding" } },
  demand: ({ config, models }) => {
    const { sampleRate, windowSeconds } = audioPreprocess(models["audio"]!);
    const windowUs = Math.round(windowSeconds * 1e6);
    return { audio: { audio: { sampleRate, channels: 1, windowUs, hopUs: config.hop === undefined ? windowUs : Math.round(config.hop * 1e6) } } };
  },
  run: { form: "batch", result: "vector", input: "audio" },
  batch: embed,
  examples: [
    {
      title: "Windows that overlap by half",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "windows: { op: audio.embed, in: media.audio, model: lite-sound, with: { hop: 1 } }",
    },
  ],
});
