import { z } from "zod";
import type { KeyframeRef, Series } from "../../contracts/items.js";
import { defineOperator, skip } from "../../contracts/operator.js";
import { Keyframes, Scene, Vector } from "../../contracts/ports.js";
import { meanOfRows, rowsOf } from "../vectors/vectors.mean.js";

export const videoPool = defineOperator({
  name: "video.pool",
  version: 1,
  summary: "One vector per scene: the mean of its frame vectors, or of its keyframes' vectors, normalised.",
  module: import.meta.url,
  level: "scene",
  inputs: { scenes: Scene.at("scene"), vectors: Vector.at("frame"), keyframes: Keyframes.at("scene", { optional: true }) },
  outputs: ({ inputs }) => {
    const { dims, space } = inputs["vectors"] ?? {};
    return { vector: Vector.with({ norm: "unit", ...(dims === undefined ? {} : { dims }), ...(space === undefined ? {} : { space }) }) };
  },
  config: z.strictObject({ of: z.enum(["frames", "keyframes"]).default("frames").describe("`frames`: every sampled frame; `keyframes`: only those of the input `keyframes`, which is then needed.") }),
  narrow: ({ config: { of } }) => (of === "keyframes" ? { keyframes: { optional: false, hint: "in: { keyframes: NODE }, a node of scene.keyframes; or `with: { of: frames }`" } } : {}),
  run: {
    form: "each",
    thread: "main",
    each: ({ vectors, keyframes }, { of }: { of: "frames" | "keyframes" }) => {
      const series = vectors as Series;
      let rows = rowsOf(series);
      if (of === "keyframes") {
        const chosen = new Set(((keyframes as KeyframeRef[] | undefined) ?? []).map((frame) => frame.ptsUs));
        rows = rows.filter((_, i) => chosen.has(series.ptsUs[i]!));
      }
      if (rows.length === 0) return skip(of === "keyframes" ? "the scene has no keyframe" : "no sampled frame lies in the scene");
      const { mean, silent } = meanOfRows(rows, true)!;
      return silent ? skip("every frame vector is zero") : { vector: mean };
    },
  },
  examples: [
    {
      title: "Mean of all frame vectors",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: lite-image }\nvideo: { op: video.pool, in: { scenes: scenes, vectors: frames } }",
    },
  ],
});
