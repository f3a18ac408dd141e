import { z } from "zod";
import type { Detection, Series } from "../../contracts/items.js";
import { defineOperator } from "../../contracts/operator.js";
import { Detections, Text, Value } from "../../contracts/ports.js";
import { quantile, rounded } from "../series-rows.js";
import { kindOf } from "./kinds.js";

/** What is seen of one label in a scene or a medium. */
export interface SeenObject {
  label: string;
  /** What it is a kind of: animal, vehicle, food …; null: of nothing that has a word here. */
  kind: string | null;
  /** Sampled frames with at least one, and their share of all sampled frames. */
  frames: number;
  share: number;
  /** How many of them a frame that shows any usually shows (the median), and most of them in one frame. */
  usual: number;
  most: number;
  /** Best score, the time of the frame it is in, and its box there, in pixels of the source. */
  score: number;
  bestUs: number;
  box: [number, number, number, number];
}

const config = z.strictObject({
  min_score: z.number().min(0).max(1).default(0).describe("Confidence from which a detection counts, 0–1."),
  min_frames: z.int().min(1).default(1).describe("Frames in which a label must be seen."),
  top: z.int().min(1).max(1000).default(50).describe("Labels at most: those of the most frames, then of the best score."),
});

/** Labels of a series of detections, those of the most frames first. */
export function summarise(series: Series, options: z.infer<typeof config>): SeenObject[] {
  const seen = new Map<string, SeenObject & { counts: number[] }>();
  const total = series.ptsUs.length;
  for (const [i, detections] of ((series.values ?? []) as Detection[][]).entries()) {
    const counts = new Map<string, number>();
    for (const { label, score, box } of detections) {
      if (!(score >= options.min_score)) continue;
      counts.set(label, (counts.get(label) ?? 0) + 1);
      const known = seen.get(label);
      if (!known) seen.set(label, { label, kind: kindOf(label), frames: 0, share: 0, usual: 0, most: 0, score, bestUs: series.ptsUs[i]!, box, counts: [] });
      else if (score > known.score) Object.assign(known, { score, bestUs: series.ptsUs[i]!, box });
    }
    for (const [label, count] of counts) {
      const known = seen.get(label)!;
      known.frames += 1;
      known.counts.push(count);
    }
  }
  return [...seen.values()]
    .filter(({ frames }) => frames >= options.min_frames)
    .sort((a, b) => b.frames - a.frames || b.score - a.score || (a.label < b.label ? -1 : 1))
    .slice(0, options.top)
    .map(({ counts, ...object }) => ({
      ...object,
      share: rounded(object.frames / total, 3),
      usual: quantile(counts, 0.5),
      most: Math.max(...counts),
      score: rounded(object.score, 4),
      box: object.box.map((x) => rounded(x, 1)) as SeenObject["box"],
    }));
}

export const objectSummary = defineOperator({
  name: "object.summary",
  version: 1,
  summary: "What is seen in a scene or a medium: each label with its frames, how many at once, the best score and when.",
  description: "Level: the node's `over`. Reads any detections, faces too. `objects` is for `--where` (`objects.exists(o, o.label == \"dog\" && o.frames > 1)`), `text` (labels, then what they are kinds of: animal, vehicle …) for search in words. Nothing seen is an empty list.",
  module: import.meta.url,
  level: "inherit",
  inputs: { detections: Detections },
  outputs: { objects: Value.at("scene"), text: Text.at("scene") },
  config,
  run: {
    form: "each",
    thread: "main",
    each: ({ detections }, options: z.infer<typeof config>) => {
      const objects = summarise(detections as Series, options);
      const words = new Set([...objects.map(({ label }) => label), ...objects.flatMap(({ kind }) => kind ?? [])]);
      return { objects, text: [...words].join(", ") };
    },
  },
  examples: [
    {
      title: "Objects of each scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "detections: { op: object.detect, in: { frames: { from: media.frames, fps: 1 } }, model: yolox-nano }\nobjects: { op: object.summary, over: scene, in: { detections: detections } }",
    },
  ],
});
