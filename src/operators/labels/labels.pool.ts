import { z } from "zod";
import type { Label, Series } from "../../contracts/items.js";
import { defineOperator } from "../../contracts/operator.js";
import { Labels, Text } from "../../contracts/ports.js";
import { rounded } from "../series-rows.js";

/** A label of a scene or a medium. */
export interface PooledLabel extends Label {
  /** Frames or windows that have it. */
  frames: number;
  /** Its best score in one of them, and when. */
  best: number;
  bestUs: number;
}

const config = z.strictObject({
  by: z.enum(["mean", "max"]).default("mean").describe("`mean`: over all frames or windows, 0 where a label is missing; `max`: the best of them."),
  top: z.int().min(1).max(1000).default(10).describe("Labels at most, best first."),
  min_score: z.number().min(0).max(1).default(0.05).describe("Pooled score from which a label is kept, 0–1."),
});

/** One list of the labels of many frames or windows, best first. */
export function pool(series: Series, { by, top, min_score }: z.infer<typeof config>): PooledLabel[] {
  const total = series.ptsUs.length;
  const found = new Map<string, PooledLabel & { sum: number }>();
  for (const [i, labels] of ((series.values ?? []) as Label[][]).entries()) {
    const here = new Set<string>();
    for (const { label, score } of labels) {
      let entry = found.get(label);
      if (!entry) found.set(label, (entry = { label, score: 0, frames: 0, best: -1, bestUs: 0, sum: 0 }));
      // A label said twice of one frame is one label, with the better score.
      if (here.has(label)) continue;
      here.add(label);
      entry.frames += 1;
      entry.sum += score;
      if (score > entry.best) Object.assign(entry, { best: score, bestUs: series.ptsUs[i]! });
    }
  }
  return [...found.values()]
    .map(({ sum, ...entry }): PooledLabel => ({ ...entry, score: by === "max" ? entry.best : sum / total }))
    .filter(({ score }) => score >= min_score)
    .sort((a, b) => b.score - a.score || (a.label < b.label ? -1 : 1))
    .slice(0, top)
    .map((entry) => ({ ...entry, score: rounded(entry.score, 4), best: rounded(entry.best, 4) }));
}

export const labelsPool = defineOperator({
  name: "labels.pool",
  version: 1,
  summary: "One list of labels for a scene or a medium from those of its frames or windows of sound.",
  description: "Level: the node's `over`. `labels` is for `--where` (`tags.exists(t, t.label == \"orange\" && t.score > 0.3)`), `text` for search in words. No label past the bar is an empty list.",
  module: import.meta.url,
  level: "inherit",
  inputs: { labels: Labels },
  outputs: { labels: Labels.at("scene"), text: Text.at("scene") },
  config,
  run: {
    form: "each",
    thread: "main",
    each: ({ labels }, options: z.infer<typeof config>) => {
      const pooled = pool(labels as Series, options);
      return { labels: pooled, text: pooled.map(({ label }) => label).join(", ") };
    },
  },
  examples: [
    {
      title: "Tags of each scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "labels: { op: image.tag, in: { frames: { from: media.frames, fps: 1 } }, model: mobilenet-v2-quant }\ntags: { op: labels.pool, over: scene, in: { labels: labels }, with: { min_score: 0.2 } }",
    },
  ],
});
