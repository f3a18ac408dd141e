import { z } from "zod";
import { duration } from "../../contracts/duration-field.js";
import type { Cue, Interval } from "../../contracts/items.js";
import type { MediumInfo } from "../../contracts/media.js";
import { defineOperator, type ModelHandle, type OutputValues } from "../../contracts/operator.js";
import { Clip, Scene, Spans, Text, Value } from "../../contracts/ports.js";
import { WHISPER_RATE, detectLanguage, isMultilingual, transcribe } from "../../models/families/whisper.js";
import { mockText } from "../../models/mock.js";
import { rmsDbfs } from "../../models/preprocess-audio.js";
import { soundBlocks, speechRegions } from "./speech-regions.js";
import { cuesOfWords, timed, type Word } from "./transcript.js";

const config = z.strictObject({
  language: z
    .string()
    .regex(/^(auto|[a-z]{2,3})$/, "`auto` or an ISO 639 code like `en`")
    .default("auto")
    .describe("Language spoken (ISO 639-1). `auto` asks the model, once per scene."),
  task: z.enum(["transcribe", "translate"]).default("transcribe").describe("`translate`: into English."),
  words: z.boolean().default(false).describe("Time every word, with its probability; slower."),
  join: duration().prefault("1s").describe("Speech spans no further apart are decoded together."),
});
type Config = z.infer<typeof config>;

const WINDOW_US = 30_000_000;
/** Sound that is decoded at once; longer is cut at a quiet place. Bounds the memory of a long scene. */
const BLOCK_SECONDS = 300;
/** As audio.embed has it: no model is asked what silence says (it would invent something). */
const SILENT_DBFS = -60;

const NOTHING: OutputValues = { text: "", cues: [], words: [], language: null };

async function heard(info: MediumInfo, regions: readonly Interval[], config: Config, model: ModelHandle): Promise<OutputValues> {
  const texts: string[] = [];
  const cues: Cue[] = [];
  const words: Word[] = [];
  const several = await isMultilingual(model);
  let language = several ? (config.language === "auto" ? null : config.language) : "en";
  for (const region of regions) {
    for await (const { startUs, samples } of soundBlocks(info, region, WHISPER_RATE, BLOCK_SECONDS)) {
      if (rmsDbfs(samples) < SILENT_DBFS) continue;
      language ??= await detectLanguage(model, samples);
      const { text, pieces } = await transcribe(model, samples, { language, task: config.task, words: config.words });
      const found = timed(pieces, { startUs, endUs: startUs + Math.round((samples.length * 1e6) / WHISPER_RATE) });
      if (text !== "") texts.push(text);
      if (config.words) words.push(...found);
      cues.push(...(config.words ? cuesOfWords(found, language) : found.map((cue) => ({ startUs: cue.startUs, endUs: cue.endUs, text: cue.text }))));
    }
  }
  return texts.length === 0 ? { ...NOTHING, language } : { text: texts.join(" "), cues, words, language };
}

function standIn(model: ModelHandle, info: MediumInfo, regions: readonly Interval[], { language }: Config): OutputValues {
  const cues = regions.map(({ startUs, endUs }) => ({ startUs, endUs, text: mockText(model, [info.id, startUs, endUs]) }));
  model.count(regions.length);
  return { text: cues.map((cue) => cue.text).join(" "), cues, words: [], language: language === "auto" ? "en" : language };
}

export const speechTranscribe = defineOperator({
  name: "speech.transcribe",
  version: 1,
  summary: "What is said in a scene, by a speech recogniser of the Whisper family: text, cues, words with times, language.",
  description:
    "Decodes the scene's sound again at 16 kHz. With `speech` (spans of speech.vad) only speech is decoded: a scene in which nobody speaks has an empty text and costs no model run. " +
    "Sound of more than 30 s goes in window by window, each beginning where the last whole segment ended. A medium without sound has an empty text. Cues have the shape of speech.subtitles'.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), clip: Clip, speech: Spans.at("media", { optional: true, nullable: true }) },
  outputs: { text: Text.at("scene"), cues: Value.at("scene"), words: Value.at("scene"), language: Value.at("scene") },
  config,
  models: { speech: { task: "speech-recognition" } },
  run: {
    form: "each",
    thread: "pool",
    each: async ({ clip, speech }, config: Config, { models, interval }) => {
      const info = clip as MediumInfo;
      if (!info.audio) return NOTHING;
      const model = models["speech"]!;
      const regions = speech === undefined ? [interval] : speechRegions(speech as Interval[], interval, { joinUs: config.join, longestUs: WINDOW_US });
      if (regions.length === 0) return NOTHING;
      return model.mock ? standIn(model, info, regions, config) : heard(info, regions, config, model);
    },
  },
  examples: [
    {
      title: "Speech only, in any language, into English",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "vad: { op: speech.vad, in: media.clip, model: silero-vad, when: media.info.hasAudio }\n" +
        "speech: { op: speech.transcribe, in: { scenes: scenes, clip: media.clip, speech: vad.spans }, model: whisper-base, with: { task: translate } }",
    },
  ],
});
