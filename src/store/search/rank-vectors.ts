import type { FlowRecord } from "../../contracts/index.js";
import type { Store } from "../store.js";

export interface VectorQuery {
  /** In the space of the stored vectors, of the same dims. */
  query: Float32Array;
  /** Records whose vectors are compared; default scene. */
  kind?: FlowRecord["kind"];
  /** Cosines of a typical foreign pair and of identical ones: what 0 and 1 of the score mean. Default 0 and 1. */
  calibration?: { foreignMedian: number; identical: number };
  /** Weight in the fusion; default 1. */
  weight?: number;
}

export interface VectorHits {
  /** Best first; only scores above 0. */
  hits: { id: string; score: number }[];
  /** Vectors that could be compared. */
  compared: number;
  /** Dims of stored vectors that could not. */
  foreignDims: number | null;
}

/** Every stored vector of `name` against the query, one chunk of 32 after the other. Cosine, calibrated; a zero or non-finite vector matches nothing. */
export function rankVectors(store: Store, name: string, { query, kind = "scene", calibration = { foreignMedian: 0, identical: 1 } }: VectorQuery, media?: readonly string[]): VectorHits {
  const result: VectorHits = { hits: [], compared: 0, foreignDims: null };
  const queryNorm = norm(query, 0, query.length);
  if (!(queryNorm > 0 && Number.isFinite(queryNorm))) return result;
  const range = calibration.identical - calibration.foreignMedian;
  for (const medium of media ?? [undefined]) {
    for (const { ids, dims, data } of store.vectorChunks(kind, name, medium)) {
      if (dims !== query.length) {
        result.foreignDims = dims;
        continue;
      }
      result.compared += ids.length;
      for (let row = 0; row < ids.length; row++) {
        const start = row * dims;
        let dot = 0;
        for (let i = 0; i < dims; i++) dot += query[i]! * data[start + i]!;
        const cosine = dot / (queryNorm * norm(data, start, dims));
        const score = Math.min(1, (cosine - calibration.foreignMedian) / range);
        if (score > 0) result.hits.push({ id: ids[row]!, score });
      }
    }
  }
  result.hits.sort((a, b) => b.score - a.score);
  return result;
}

/** Euclidean length of `length` values from `start`. */
export function norm(data: Float32Array, start: number, length: number): number {
  let sum = 0;
  for (let i = start; i < start + length; i++) sum += data[i]! * data[i]!;
  return Math.sqrt(sum);
}
