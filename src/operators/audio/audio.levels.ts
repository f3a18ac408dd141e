import { z } from "zod";
import { defineOperator } from "../../contracts/operator.js";
import { Audio, Rows } from "../../contracts/ports.js";
import { LEVEL_COLUMNS, LEVEL_ROW_US } from "./audio.levels.columns.js";

export const audioLevels = defineOperator({
  name: "audio.levels",
  version: 2,
  summary: "Every 100 ms of sound: momentary loudness, K-weighted power, RMS and true peak (EBU R128).",
  description: "Measured beside the decoder at 48 kHz: mono as it is, more than two channels as ffmpeg's stereo mix of them. The rows are all that audio.loudness, scene.cut, scene.attributes, audio.changes and quality.report need.",
  module: new URL("./audio.levels.tap.js", import.meta.url).href,
  level: "frame",
  inputs: { audio: Audio.at("frame") },
  outputs: { levels: Rows.with({ columns: LEVEL_COLUMNS }) },
  config: z.strictObject({}),
  demand: () => ({ audio: { audio: { sampleRate: 48_000, channels: 2, windowUs: LEVEL_ROW_US, hopUs: LEVEL_ROW_US } } }),
  run: { form: "tap", stream: "audio", factory: "audioLevelsTap", columns: LEVEL_COLUMNS },
  examples: [
    {
      title: "Loudness of a medium",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nlevels: { op: audio.levels, in: media.audio }\n" +
        "programme: { op: audio.loudness, over: media, in: { levels: levels }, when: media.info.hasAudio }",
    },
  ],
});
