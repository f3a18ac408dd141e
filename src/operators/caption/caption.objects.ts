import { z } from "zod";
import type { Attribute, Label } from "../../contracts/items.js";
import { defineOperator, skip } from "../../contracts/operator.js";
import { Attributes, Labels, Text, Value } from "../../contracts/ports.js";
import type { SeenObject } from "../object/object.summary.js";
import { composeCaption } from "./caption.measured.js";

const config = z.strictObject({
  object_score: z.number().min(0).max(1).default(0.55).describe("Best score from which an object is named, 0–1."),
  sure_score: z.number().min(0).max(1).default(0.8).describe("Best score below which two labels of one kind are taken for doubt: `an animal (horse or cow)`."),
  object_share: z.number().min(0).max(1).default(0.1).describe("Share of the sampled frames that must show it, 0–1; of two frames or fewer, one is enough."),
  face_score: z.number().min(0).max(1).default(0.8).describe("Best score from which faces are named, 0–1."),
  tag_score: z.number().min(0).max(1).default(0.45).describe("Score from which a tag of the picture is named, 0–1."),
  event_score: z.number().min(0).max(1).default(0.3).describe("Score from which a sound is named, 0–1."),
  max: z.int().min(1).max(50).default(6).describe("Objects named at most; tags and sounds at most half as many."),
});
type Config = z.infer<typeof config>;

export interface SceneFindings {
  objects?: readonly SeenObject[];
  faces?: readonly SeenObject[];
  tags?: readonly Label[];
  events?: readonly Label[];
  attributes?: readonly Attribute[];
}

const list = (words: readonly string[]): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const NUMBERS = ["no", "one", "two", "three", "four", "five", "six"];
const PLURALS: Record<string, string> = { person: "people", mouse: "mice", knife: "knives", sheep: "sheep", skis: "skis", scissors: "scissors", "wine glass": "wine glasses", bus: "buses", bench: "benches", couch: "couches", toothbrush: "toothbrushes", sandwich: "sandwiches" };
const plural = (label: string): string => PLURALS[label] ?? `${label}s`;

/** `a dog`, `two people`, `several cars`. */
function counted(label: string, count: number): string {
  if (count > 1) return `${NUMBERS[count] ?? "several"} ${plural(label)}`;
  return /s$/.test(label) && !/(ss|us)$/.test(label) ? label : `${/^[aeiou]/i.test(label) ? "an" : "a"} ${label}`;
}

/** Kinds of which a detector takes one for another; a chair beside a couch is both. */
const MISTAKEN: ReadonlySet<string> = new Set(["animal", "vehicle"]);

/** One phrase per object; rivals of one kind of which none is sure are one phrase, by their kind. */
function phrases(things: readonly SeenObject[], bars: Config): string[] {
  const doubted = (kind: string | null): SeenObject[] => {
    const same = kind === null || !MISTAKEN.has(kind) ? [] : things.filter((thing) => thing.kind === kind);
    return same.length > 1 && same.every(({ score }) => score < bars.sure_score) ? same : [];
  };
  const said = new Set<string>();
  return things.flatMap(({ label, kind, usual }) => {
    const rivals = doubted(kind);
    if (rivals.length === 0) return [counted(label, usual)];
    if (said.has(kind!)) return [];
    said.add(kind!);
    return [`${counted(kind!, 1)} (${rivals.map((rival) => rival.label).join(" or ")})`];
  });
}

/** Sentences that name what passes its bar, and nothing else; null when nothing does. */
export function composeFindings({ objects = [], faces = [], tags = [], events = [], attributes = [] }: SceneFindings, bars: Config): string | null {
  const steady = ({ frames, share }: SeenObject): boolean => share >= bars.object_share && (frames > 1 || share >= 0.5);
  const things = objects.filter((object) => object.score >= bars.object_score && steady(object)).slice(0, bars.max);
  const seen = phrases(things, bars);
  const face = faces.find(({ score }) => score >= bars.face_score);
  // A face is a person's: it says who was missed, or how near somebody is.
  if (face && steady(face) && !things.some(({ label }) => label === "person")) seen.unshift(counted("person", face.usual));
  else if (face && steady(face)) seen.push(face.usual > 1 ? "faces to be seen" : "a face to be seen");
  const half = Math.max(1, Math.floor(bars.max / 2));
  const named = new Set(things.map(({ label }) => label));
  const words = tags.filter(({ label, score }) => score >= bars.tag_score && !named.has(label)).slice(0, half).map(({ label }) => counted(label, 1));
  const sounds = events.filter(({ score }) => score >= bars.event_score).slice(0, half).map(({ label }) => label.toLowerCase());
  const sentences: string[] = [];
  if (seen.length > 0) sentences.push(`Shows ${list(seen)}.`);
  if (words.length > 0) sentences.push(`Looks like ${list(words)}.`);
  if (sounds.length > 0) sentences.push(`Sounds: ${list(sounds)}.`);
  if (attributes.length > 0) sentences.push(composeCaption(attributes));
  return sentences.length === 0 ? null : sentences.join(" ");
}

export const captionObjects = defineOperator({
  name: "caption.objects",
  version: 1,
  summary: "Captions a scene with the objects, faces, tags and sounds that pass their bars, and what was measured.",
  description: "Composed, not generated: it names only what a detector or classifier was sure of, and is silent about the rest. A scene of which nothing is sure has no caption.",
  module: import.meta.url,
  level: "scene",
  inputs: {
    objects: Value.at("scene", { optional: true, nullable: true }),
    faces: Value.at("scene", { optional: true, nullable: true }),
    tags: Labels.at("scene", { optional: true, nullable: true }),
    events: Labels.at("scene", { optional: true, nullable: true }),
    attributes: Attributes.at("scene", { optional: true, nullable: true }),
  },
  outputs: { text: Text.at("scene") },
  config,
  run: {
    form: "each",
    thread: "main",
    each: (inputs, options: Config) => {
      const given = Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== undefined && value !== null)) as SceneFindings;
      const text = composeFindings(given, options);
      return text === null ? skip("nothing passes its bar") : { text };
    },
  },
  examples: [
    {
      title: "Captions from objects and tags",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "detections: { op: object.detect, in: { frames: { from: media.frames, fps: 1 } }, model: yolox-nano }\nobjects: { op: object.summary, over: scene, in: { detections: detections } }\n" +
        "labels: { op: image.tag, in: { frames: { from: media.frames, fps: 1 } }, model: mobilenet-v2-quant }\ntags: { op: labels.pool, over: scene, in: { labels: labels } }\n" +
        "caption: { op: caption.objects, in: { objects: objects.objects, tags: tags.labels } }",
    },
  ],
});
