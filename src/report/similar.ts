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
 * Fills `similar` of each scene: the nearest others on the page, across media, by the cosine of their `video` vectors (a scene without one: of
 * its first vector). Scores are calibrated as the space says: 0 = a typical foreign pair, 1 = identical. n² pairs, n bounded by the page.
 */
export function linkSimilar(store: Store, scenes: readonly SceneReport[], spaces: readonly SpaceInfo[]): void {
  const known = new Map(spaces.map((space) => [space.name, space]));
  const names = new Set(scenes.flatMap((scene) => compared(scene) ?? []));
  const vectors = new Map([...names].map((name) => [name, vectorsOf(store, scenes, name)]));
  for (const scene of scenes) {
    const name = compared(scene);
    if (name === undefined) continue;
    const own = vectors.get(name)?.get(scene.id);
    const spaceName = scene.vectors[name]!.space;
    if (!own) continue;
    const space = known.get(spaceName);
    scene.similar = scenes
      .flatMap((other) => {
        const vector = vectors.get(name)?.get(other.id);
        return vector && other.id !== scene.id && other.vectors[name]?.space === spaceName && vector.length === own.length ? [{ other, score: cosine(own, vector) }] : [];
      })
      .sort((a, b) => b.score - a.score || a.other.startUs - b.other.startUs)
      .slice(0, TOP)
      .map(({ other, score }) => ({
        id: other.id, number: other.number, medium: other.medium, anchor: other.anchor, startUs: other.startUs, endUs: other.endUs,
        score: space ? calibrate(score, space) : score,
        same: space !== undefined && score >= space.threshold,
      }));
    scene.similarBy = { vector: name, space: spaceName, calibrated: space !== undefined };
  }
}

const compared = ({ vectors }: SceneReport): string | undefined => ("video" in vectors ? "video" : Object.keys(vectors)[0]);

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
