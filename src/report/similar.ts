import { cosine } from "../math/vectors.js";
import type { Store } from "../store/index.js";
import type { SceneReport } from "./scene-data.js";

/** What a model's manifest says about its vector space. */
export interface SpaceInfo {
  name: string;
  /** Cosine from which two items are taken for the same scene or subject. */
  threshold: number;
  calibration: { foreignMedian: number; identical: number };
}

const TOP = 5;

/**
 * Fills `similar` of each scene: the nearest others on the page by the cosine of their `video` vectors (or of the first vector that scenes
 * have), across media. Scores are calibrated as the space says: 0 = a typical foreign pair, 1 = identical. n² pairs, n bounded by the page.
 */
export function linkSimilar(store: Store, scenes: readonly SceneReport[], spaces: readonly SpaceInfo[]): { vector: string; space: string; calibrated: boolean } | null {
  const names = new Set(scenes.flatMap((scene) => Object.keys(scene.vectors)));
  const name = names.has("video") ? "video" : [...names][0];
  if (name === undefined) return null;
  const vectors = vectorsOf(store, scenes, name);
  const known = new Map(spaces.map((space) => [space.name, space]));
  let [pairs, firstSpace] = [0, ""];
  for (const scene of scenes) {
    const own = vectors.get(scene.id);
    const ref = scene.vectors[name];
    if (!own || !ref) continue;
    const space = known.get(ref.space);
    firstSpace ||= ref.space;
    const nearest = scenes
      .flatMap((other) => {
        const vector = vectors.get(other.id);
        return vector && other.id !== scene.id && other.vectors[name]?.space === ref.space && vector.length === own.length ? [{ other, score: cosine(own, vector) }] : [];
      })
      .sort((a, b) => b.score - a.score || a.other.startUs - b.other.startUs)
      .slice(0, TOP);
    pairs += nearest.length;
    scene.similar = nearest.map(({ other, score }) => ({
      id: other.id, number: other.number, medium: other.medium, anchor: other.anchor, startUs: other.startUs, endUs: other.endUs,
      score: space ? calibrate(score, space) : score,
      same: space !== undefined && score >= space.threshold,
    }));
  }
  return pairs > 0 ? { vector: name, space: firstSpace, calibrated: known.has(firstSpace) } : null;
}

/** 0 for a typical foreign pair (and below it), 1 for identical ones. */
export function calibrate(score: number, { calibration: { foreignMedian, identical } }: SpaceInfo): number {
  return Math.max(0, Math.min(1, (score - foreignMedian) / (identical - foreignMedian)));
}

function vectorsOf(store: Store, scenes: readonly SceneReport[], name: string): Map<string, Float32Array> {
  const wanted = new Set(scenes.map((scene) => scene.id));
  const vectors = new Map<string, Float32Array>();
  for (const medium of new Set(scenes.map((scene) => scene.mediumId))) {
    for (const { ids, dims, data } of store.vectorChunks("scene", name, medium)) {
      ids.forEach((id, row) => wanted.has(id) && vectors.set(id, data.subarray(row * dims, (row + 1) * dims)));
    }
  }
  return vectors;
}
