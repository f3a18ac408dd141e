import { z } from "zod";
import type { Series } from "../../contracts/items.js";
import { defineOperator, skip } from "../../contracts/operator.js";
import { Record_, Value, Vector } from "../../contracts/ports.js";

/** What a media-level node gets from a scene-level input. */
export interface TimedValue {
  startUs: number;
  endUs: number;
  value: unknown;
}

/**
 * Mean of the rows that are not all zero, L2-normalised if `renormalize`; null without any row. Only zero rows (silence): the zero
 * vector. Sums in float64 and in row order, so that the result does not depend on how rows were grouped.
 */
export function meanOfRows(rows: readonly Float32Array[], renormalize: boolean): { mean: Float32Array; silent: boolean } | null {
  const dims = rows[0]?.length ?? 0;
  if (dims === 0) return null;
  const sum = new Float64Array(dims);
  let used = 0;
  for (const row of rows) {
    if (row.every((x) => x === 0)) continue;
    used++;
    for (let i = 0; i < dims; i++) sum[i]! += row[i]!;
  }
  const mean = new Float32Array(dims);
  if (used === 0) return { mean, silent: true };
  let squares = 0;
  for (let i = 0; i < dims; i++) squares += (sum[i]! / used) ** 2;
  const length = Math.sqrt(squares);
  // Vectors that cancel have no direction to keep: their mean stays what it is, all but zero.
  const scale = renormalize && length > 1e-9 ? 1 / (length * used) : 1 / used;
  for (let i = 0; i < dims; i++) mean[i] = sum[i]! * scale;
  return { mean, silent: false };
}

export function rowsOf(series: Series): Float32Array[] {
  const { data, width } = series;
  if (!data) return [];
  return Array.from(series.ptsUs, (_, i) => data.subarray(i * width, (i + 1) * width));
}

function toRows(input: unknown): Float32Array[] {
  if (input === null || input === undefined) return [];
  if (input instanceof Float32Array) return [input];
  if (Array.isArray(input)) return (input as TimedValue[]).flatMap(({ value }) => (value instanceof Float32Array ? [value] : []));
  return rowsOf(input as Series);
}

const isSingle = (input: unknown): boolean => input instanceof Float32Array || Array.isArray(input) || (typeof input === "object" && input !== null && "ptsUs" in input);

export const vectorsMean = defineOperator({
  name: "vectors.mean",
  version: 1,
  summary: "Mean of the vectors that lie in a scene or a medium; missing and silent ones do not count.",
  description:
    "Level: the node's `over`. One input gives `vector` and `silent` (every window was silent: a zero vector). A list of inputs gives `vectors`, one mean per input by its " +
    "name, null where it had no vector at all.",
  module: import.meta.url,
  level: "inherit",
  inputs: { vectors: Vector.at("frame", { nullable: true }) },
  outputs: ({ config, inputs }) => {
    const one = inputs["vectors"];
    if (!one || one.kind !== "vector") return { vectors: Record_.at("media") };
    const norm = config.renormalize ? (one.norm ?? "none") : "none";
    return {
      vector: Vector.with({ norm, ...(one.dims === undefined ? {} : { dims: one.dims }), ...(one.space === undefined ? {} : { space: one.space }) }),
      silent: Value.at("scene"),
    };
  },
  config: z.strictObject({ renormalize: z.boolean().default(true).describe("Scale the mean to length 1.") }),
  run: {
    form: "each",
    thread: "main",
    each: ({ vectors }, { renormalize }: { renormalize: boolean }) => {
      if (vectors === null || vectors === undefined) return skip("no vectors here");
      if (isSingle(vectors)) {
        const result = meanOfRows(toRows(vectors), renormalize);
        return result ? { vector: result.mean, silent: result.silent } : skip("no vectors here");
      }
      const means: Record<string, Float32Array | null> = {};
      for (const [name, input] of Object.entries(vectors as Record<string, unknown>)) means[name] = meanOfRows(toRows(input), renormalize)?.mean ?? null;
      return { vectors: means };
    },
  },
  examples: [
    {
      title: "One sound vector per scene",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\nscores: { op: scene.scores, in: media.frames }\nscenes: { op: scene.cut, in: { scores: scores } }\n" +
        "windows: { op: audio.embed, in: media.audio, model: lite-sound }\nsound: { op: vectors.mean, over: scene, in: { vectors: windows }, when: media.info.hasAudio }",
    },
  ],
});
