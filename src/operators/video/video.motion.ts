import { z } from "zod";
import { defineOperator } from "../../contracts/operator.js";
import { Frames, Rows } from "../../contracts/ports.js";
import { MOTION_COLUMNS } from "./video.motion.columns.js";

export const videoMotion = defineOperator({
  name: "video.motion",
  version: 2,
  summary: "Movement, camera (pan, tilt, zoom) and colours of sampled frames, on a small raster.",
  description:
    "Runs beside the decoder at 5 frames a second, longer side 160 px: no pixel leaves the media worker. The camera is told from blocks that move alike in at least three corners " +
    "of the picture, so that something big in front of a fixed camera is not called a pan.",
  module: new URL("./video.motion.tap.js", import.meta.url).href,
  level: "frame",
  inputs: { frames: Frames.with({ color: "rgb24" }) },
  outputs: { motion: Rows.with({ columns: MOTION_COLUMNS }) },
  config: z.strictObject({}),
  demand: () => ({ frames: { video: { size: { longest: 160 }, fps: 5, geometry: "coded" } } }),
  run: { form: "tap", stream: "frames", factory: "videoMotionTap", columns: MOTION_COLUMNS },
  examples: [
    {
      title: "Attributes from movement and colours",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "motion: { op: video.motion, in: media.frames }\nattributes: { op: scene.attributes, in: { scenes: scenes, scores: scores, motion: motion } }",
    },
  ],
});
