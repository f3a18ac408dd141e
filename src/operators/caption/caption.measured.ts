import { z } from "zod";
import type { Attribute } from "../../contracts/items.js";
import { defineOperator } from "../../contracts/operator.js";
import { Attributes, Text } from "../../contracts/ports.js";

const list = (words: readonly string[]): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const article = (phrase: string): string => (/^[aeiou]/i.test(phrase) ? `An ${phrase}` : `A ${phrase}`);

/** One sentence from the attributes that passed their bars; says nothing about those that did not. */
export function composeCaption(attributes: readonly Attribute[]): string {
  const label = (name: string): string | null => attributes.find((a) => a.name === name)?.label ?? null;
  const is = (name: string, wanted: string): boolean => label(name) === wanted;
  const black = is("black", "black picture");
  const pictured = attributes.some((a) => a.name === "brightness" || a.name === "black");

  const light = label("light");
  const words = [label("length"), black ? null : label("brightness"), is("saturation", "black and white") ? "black-and-white" : null, light === "day" ? "daytime" : light];
  // "a dark night scene" says it twice.
  const adjectives = words.filter((word): word is string => word !== null && !(word === "dark" && light === "night"));
  const timed = attributes.some((a) => a.name === "length" || a.name.startsWith("sound."));
  const noun = black ? "black picture" : is("frozen", "frozen picture") ? "still picture" : !pictured ? "stretch of sound" : timed ? "scene" : "picture";
  const parts = [article([...adjectives, noun].join(" "))];

  const colours = attributes.filter((a) => a.name.startsWith("colour.") && a.label !== null);
  if (colours.length > 0 && !black && !is("saturation", "black and white")) {
    const share = colours.reduce((sum, a) => sum + a.value, 0);
    parts.push(`${share >= 60 ? "mostly " : ""}${list(colours.map((a) => a.label!))}`);
  }
  for (const name of ["contrast", "letterbox", "pillarbox"]) {
    const found = label(name);
    if (found !== null && !black) parts.push(name === "contrast" ? `in ${found}` : found);
  }
  if (noun === "scene") {
    const camera = ["camera.zoom", "camera.pan", "camera.tilt", "camera.static"].map(label).filter((word): word is string => word !== null);
    const movement = label("motion");
    if (camera.length > 0) parts.push(list(camera.map((word, i) => (i > 0 ? word.replace(/^camera /, "") : word))));
    if (movement !== null && !(camera.length > 0 && movement === "little movement")) parts.push(movement === "still" ? "nothing moves" : movement);
  }
  const sound = ["sound.level", "sound.kind"].map(label).filter((word): word is string => word !== null);
  if (sound.length > 0) parts.push(list(pictured ? sound : sound.map((word) => word.replace(/ sound$/, ""))));
  return `${parts.join(", ")}.`;
}

export const captionMeasured = defineOperator({
  name: "caption.measured",
  version: 1,
  summary: "One sentence about a scene, composed from the attributes that pass their bars.",
  description: "Measured, not learned: it names light, colours, movement, camera and sound, never things or people.",
  module: import.meta.url,
  level: "scene",
  inputs: { attributes: Attributes.at("scene") },
  outputs: { text: Text.at("scene") },
  config: z.strictObject({}),
  run: { form: "each", thread: "main", each: ({ attributes }) => ({ text: composeCaption(attributes as Attribute[]) }) },
  examples: [
    {
      title: "Captions without a model",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nlevels: { op: audio.levels, in: media.audio }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "motion: { op: video.motion, in: media.frames }\nattributes: { op: scene.attributes, in: { scenes: scenes, scores: scores, motion: motion, levels: levels } }\ncaption: { op: caption.measured, in: { attributes: attributes } }",
    },
  ],
});
