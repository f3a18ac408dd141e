import { z } from "zod";
import type { KeyframeRef, Series } from "../../contracts/items.js";
import { defineOperator, skip } from "../../contracts/operator.js";
import { Image, Keyframes, Scene, Vector } from "../../contracts/ports.js";
import { nearestToCentroids } from "../../math/kmeans.js";

/** The middle of each of k equal parts of 0 … n − 1; all where there are no more than k. */
export function evenly(n: number, k: number): number[] {
  return k >= n ? Array.from({ length: n }, (_, i) => i) : Array.from({ length: k }, (_, i) => Math.floor(((i + 0.5) * n) / k));
}

export const sceneKeyframes = defineOperator({
  name: "scene.keyframes",
  version: 1,
  summary: "Picks the k frames nearest the k-means centroids of a scene's frame vectors, in time order.",
  description: "Exactly min(k, frames) of them. Distances are rounded to 1e-4 and ties go to the earlier frame, so that the choice is the same on every machine.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), vectors: Vector.at("frame"), images: Image.at("frame", { optional: true, nullable: true }) },
  outputs: { keyframes: Keyframes.at("scene") },
  config: z.strictObject({
    k: z.int().min(1).max(256).default(8).describe("Clusters, and frames kept."),
    choose: z.enum(["clusters", "uniform"]).default("clusters").describe("`clusters`: the frame nearest each centroid; `uniform`: frames at even distances, whatever they show."),
  }),
  run: {
    form: "each",
    thread: "pool",
    each: ({ vectors, images }, { k, choose }: { k: number; choose: "clusters" | "uniform" }) => {
      const { ptsUs, data, width } = vectors as Series;
      if (ptsUs.length === 0 || !data) return skip("no sampled frame lies in the scene");
      const pictures = new Map<number, Uint8Array>();
      const series = images as Series | undefined;
      series?.ptsUs.forEach((at, i) => {
        const jpeg = series.bytes?.[i];
        if (jpeg && jpeg.length > 0) pictures.set(at, jpeg);
      });
      const rows = choose === "uniform" ? evenly(ptsUs.length, k) : nearestToCentroids(data, ptsUs.length, width, k);
      const keyframes = rows.map((row): KeyframeRef => {
        const at = ptsUs[row]!;
        const jpeg = pictures.get(at);
        return jpeg ? { ptsUs: at, jpeg } : { ptsUs: at };
      });
      return { keyframes };
    },
  },
  examples: [
    {
      title: "Eight keyframes with pictures",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: lite-image }\nthumbs: { op: image.thumbnail, in: { frames: { from: media.frames, fps: 2 } } }\n" +
        "keyframes: { op: scene.keyframes, in: { scenes: scenes, vectors: frames, images: thumbs }, with: { k: 8 } }",
    },
  ],
});
