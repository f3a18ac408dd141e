import { z } from "zod";
import { duration } from "../../contracts/duration-field.js";
import { FlowError } from "../../contracts/errors.js";
import type { Span } from "../../contracts/items.js";
import type { MediumInfo } from "../../contracts/media.js";
import { defineOperator, skip, type ModelHandle } from "../../contracts/operator.js";
import { Clip, Spans, Value } from "../../contracts/ports.js";
import { SpeechSpans } from "../../math/speech-spans.js";
import { readAudio, wholeMedium } from "../../media/read-clip.js";
import { audioPreprocess } from "../../models/preprocess-audio.js";
import { rounded } from "../series-rows.js";

interface VadConfig {
  threshold: number;
  min_speech: number;
  min_silence: number;
  pad: number;
  probabilities: boolean;
}

export interface VadSummary {
  /** Whole windows: a part of one at the sound's end is looked at, not counted. */
  windows: number;
  /** Of those, the ones whose probability is above 0.5. */
  speechWindows: number;
  speechUs: number;
  /** Of the sound, 0..1. */
  share: number;
}

/** One probability of speech per window, the part of one at the sound's end included; window i begins at i · windowUs. */
export interface VadProbabilities {
  windowUs: number;
  /** Rounded to 1e-4. */
  values: number[];
}

/** Silero's recurrent detector over one stream: each window goes in with the end of the one before it and the state it left. */
class Detector {
  readonly #model: ModelHandle;
  readonly #input: Float32Array;
  readonly #context: number;
  readonly windowSamples: number;
  #state = new Float32Array(2 * 128);

  constructor(model: ModelHandle) {
    const { manifest } = model;
    if (manifest.family !== "silero-vad") {
      throw new FlowError("MODEL_TASK", `speech.vad cannot run the family "${manifest.family}" of model ${manifest.id}`, { hint: "Give the role a model of the family silero-vad.", permanent: true });
    }
    this.#model = model;
    this.windowSamples = Number(manifest.settings["windowSamples"] ?? 512);
    this.#context = Number(manifest.settings["contextSamples"] ?? 64);
    this.#input = new Float32Array(this.#context + this.windowSamples);
  }

  /** `window`: windowSamples long. */
  async probability(window: Float32Array, sampleRate: number): Promise<number> {
    this.#input.copyWithin(0, this.windowSamples);
    this.#input.set(window, this.#context);
    const { output, stateN } = await this.#model.run({
      input: { data: this.#input, dims: [1, this.#input.length] },
      state: { data: this.#state, dims: [2, 1, 128] },
      sr: { data: BigInt64Array.of(BigInt(sampleRate)), dims: [] },
    });
    if (!output || !stateN) throw new FlowError("MODEL_OUTPUT", `model ${this.#model.manifest.id} gave no output and stateN`, { hint: "Use the file that the manifest was written for.", permanent: true });
    this.#state = stateN.data as Float32Array<ArrayBuffer>;
    return output.data[0] ?? 0;
  }
}

export const speechVad = defineOperator({
  name: "speech.vad",
  version: 1,
  summary: "Where in a medium somebody speaks: spans by a voice activity detector (Silero).",
  description:
    "Reads the medium's sound once more, from its start, window by window (32 ms), however long it is. Thresholds, padding and hysteresis are those of Silero's own get_speech_timestamps. " +
    "speech.transcribe and speech.diarize take the spans, so that they spend nothing on silence.",
  module: import.meta.url,
  level: "media",
  inputs: { clip: Clip },
  outputs: ({ config }) => ({ spans: Spans.at("media"), summary: Value.at("media"), ...(config.probabilities ? { probabilities: Value.at("media") } : {}) }),
  config: z.strictObject({
    threshold: z.number().min(0.01).max(1).default(0.5).describe("Probability at which speech begins; it ends below that less 0.15."),
    min_speech: duration().prefault("0.25s").describe("Only longer speech counts."),
    min_silence: duration().prefault("0.1s").describe("A shorter silence does not end it."),
    pad: duration().prefault("0.03s").describe("Added before and after."),
    probabilities: z.boolean().default(false).describe("Whether there is an output `probabilities` as well: { windowUs, values }, one probability of speech per window (about 0.8 MB an hour)."),
  }),
  models: { vad: { task: "voice-activity", feeds: () => ["input", "state", "sr"] } },
  run: {
    form: "each",
    thread: "pool",
    each: async ({ clip }, config: VadConfig, { models }) => {
      const info = clip as MediumInfo;
      if (!info.audio) return skip("no sound");
      const model = models["vad"]!;
      const { sampleRate } = audioPreprocess(model.manifest);
      const detector = new Detector(model);
      const { windowSamples } = detector;
      const samples = (us: number): number => Math.round((us * sampleRate) / 1e6);
      const spans = new SpeechSpans({ windowSamples, threshold: config.threshold, minSpeechSamples: samples(config.min_speech), minSilenceSamples: samples(config.min_silence), padSamples: samples(config.pad) });
      const summary: VadSummary = { windows: 0, speechWindows: 0, speechUs: 0, share: 0 };
      const values: number[] = [];
      const look = async (): Promise<number> => {
        const probability = await detector.probability(window, sampleRate);
        spans.push(probability);
        if (config.probabilities) values.push(rounded(probability, 4));
        return probability;
      };
      const window = new Float32Array(windowSamples);
      let filled = 0;
      let total = 0;
      for await (const part of readAudio(info, wholeMedium, { sampleRate })) {
        total += part.length;
        for (let at = 0; at < part.length; ) {
          const taken = part.subarray(at, at + windowSamples - filled);
          window.set(taken, filled);
          filled += taken.length;
          at += taken.length;
          if (filled === windowSamples) {
            summary.windows++;
            if ((await look()) > 0.5) summary.speechWindows++;
            filled = 0;
          }
        }
      }
      if (total === 0) return skip("no sound");
      if (filled > 0) {
        window.fill(0, filled);
        await look();
      }
      const found: Span[] = spans.end(total).map(({ start, end }) => ({ startUs: Math.round((start * 1e6) / sampleRate), endUs: Math.round((end * 1e6) / sampleRate) }));
      summary.speechUs = found.reduce((sum, { startUs, endUs }) => sum + endUs - startUs, 0);
      summary.share = rounded((summary.speechUs * sampleRate) / (total * 1e6), 4);
      if (!config.probabilities) return { spans: found, summary };
      return { spans: found, summary, probabilities: { windowUs: Math.round((windowSamples * 1e6) / sampleRate), values } satisfies VadProbabilities };
    },
  },
  examples: [
    {
      title: "Where somebody speaks",
      yaml: "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nspeech: { op: speech.vad, in: media.clip, model: silero-vad, when: media.info.hasAudio }",
    },
  ],
});
