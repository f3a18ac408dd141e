import { z } from "zod";
import type { Attribute, Series } from "../../contracts/items.js";
import { defineOperator } from "../../contracts/operator.js";
import { Attributes, Rows, Scene } from "../../contracts/ports.js";
import { LEVEL_ROW_US } from "../audio/audio.levels.columns.js";
import { MOTION_COLUMNS } from "../video/video.motion.columns.js";
import { attribute } from "./attribute.js";
import { frameAttributes, lightAttributes, movementAttributes } from "./picture-attributes.js";
import { COMMON_COLUMNS } from "./scene.scores.columns.js";
import { soundAttributes } from "./sound-attributes.js";

export const sceneAttributes = defineOperator({
  name: "scene.attributes",
  version: 1,
  summary: "Measures light, colours, movement, camera, sound, black and freeze of a scene; names what is plain.",
  description:
    "Each attribute is a number with a unit. It has a label, and the label's synonyms, only where the number passes its bar: what is neither bright nor dark gets no word. " +
    "Nothing is learned here and nothing recognises things or people.",
  module: import.meta.url,
  level: "scene",
  inputs: {
    scenes: Scene.at("scene"),
    scores: Rows.with({ columns: COMMON_COLUMNS, optional: true, nullable: true }),
    motion: Rows.with({ columns: MOTION_COLUMNS, optional: true, nullable: true }),
    levels: Rows.with({ columns: ["rmsDb"], optional: true, nullable: true }),
  },
  outputs: { attributes: Attributes.at("scene") },
  config: z.strictObject({}),
  run: {
    form: "each",
    thread: "main",
    each: (inputs, _config, { interval, medium }) => {
      const [scores, motion, levels] = [inputs["scores"], inputs["motion"], inputs["levels"]] as (Series | undefined)[];
      const seconds = (interval.endUs - interval.startUs) / 1e6;
      const attributes: Attribute[] = [];
      if (medium.kind !== "image") attributes.push(attribute("length", seconds, "s", 2, seconds < 2 ? "short" : seconds >= 60 ? "long" : null));
      if (motion) attributes.push(...lightAttributes(motion), ...movementAttributes(motion));
      if (scores) attributes.push(...frameAttributes(scores, interval));
      // Sound that ends as the scene begins says nothing about the scene.
      if (levels && levels.ptsUs.length * LEVEL_ROW_US >= 0.25 * (interval.endUs - interval.startUs)) attributes.push(...soundAttributes(levels));
      return { attributes };
    },
  },
  examples: [
    {
      title: "Attributes of picture and sound",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nlevels: { op: audio.levels, in: media.audio }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "motion: { op: video.motion, in: media.frames }\nattributes: { op: scene.attributes, in: { scenes: scenes, scores: scores, motion: motion, levels: levels } }",
    },
  ],
});
