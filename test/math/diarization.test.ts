import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { clusterMeans, clusterVectors, nearestCluster } from "../../src/math/cluster-vectors.js";
import { bestAssignment, diarizationError, parseRttm, toRttm } from "../../src/math/diarization-error.js";
import { decodePowerset } from "../../src/math/powerset.js";
import { speakerDuring, speakerTurns } from "../../src/math/speaker-turns.js";
import { mediaFile } from "../media/media-files.js";

const SETS = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]];

test("powerset: the best class says who talks", () => {
  const scores = new Float32Array(4 * 7).fill(-5);
  [0, 1, 5, 6].forEach((best, frame) => (scores[frame * 7 + best] = -0.1));
  assert.deepEqual([...decodePowerset(scores, SETS, 3)], [0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 1]);
});

/** Vectors around a few directions. */
function around(centres: number[][], each: number, spread: number): { vectors: Float32Array[]; truth: number[] } {
  let state = 7;
  const noise = (): number => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5) * spread;
  const truth = Array.from({ length: centres.length * each }, (_, i) => i % centres.length);
  return { truth, vectors: truth.map((c) => Float32Array.from(centres[c]!, (x) => 3 * (x + noise()))) };
}

test("clustering finds the directions, by a threshold or by their number", () => {
  const { vectors, truth } = around([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]], 20, 0.4);
  assert.deepEqual(clusterVectors(vectors, { threshold: 0.5 }), truth);
  assert.deepEqual(clusterVectors(vectors, { clusters: 3 }), truth);
  assert.equal(new Set(clusterVectors(vectors, { clusters: 2 })).size, 2);
  assert.equal(new Set(clusterVectors(vectors, { threshold: 0.9999 })).size > 3, true);
  assert.equal(new Set(clusterVectors(vectors, { threshold: -1 })).size, 1);
  assert.deepEqual(clusterVectors([], { threshold: 0.5 }), []);
  assert.deepEqual(clusterVectors([vectors[0]!], { clusters: 4 }), [0]);
  const means = clusterMeans(vectors, truth);
  assert.deepEqual(vectors.map((v) => nearestCluster(v, means)), truth);
});

test("many vectors are clustered block by block, to the same end", () => {
  const { vectors, truth } = around([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]], 40, 0.4);
  for (const stop of [{ threshold: 0.5 }, { clusters: 3 }]) assert.deepEqual(clusterVectors(vectors, stop, 16), truth);
});

test("average linkage: as computed pair by pair", () => {
  const { vectors } = around([[1, 0.2, 0], [0.2, 1, 0], [0, 0.3, 1]], 8, 1.2);
  for (const threshold of [0.2, 0.5, 0.7, 0.9]) assert.deepEqual(clusterVectors(vectors, { threshold }), naive(vectors, threshold));
});

/** The same by the definition: merge the two clusters with the highest mean cosine while it is high enough. */
function naive(vectors: readonly Float32Array[], threshold: number): number[] {
  const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
  let clusters = vectors.map((_, i) => [i]);
  for (;;) {
    let best = { a: -1, b: -1, c: threshold };
    clusters.forEach((x, a) => clusters.forEach((y, b) => {
      if (b <= a) return;
      const c = x.reduce((sum, i) => sum + y.reduce((s, j) => s + cosine(vectors[i]!, vectors[j]!), 0), 0) / (x.length * y.length);
      if (c >= best.c) best = { a, b, c };
    }));
    if (best.a < 0) break;
    clusters = [...clusters.filter((_, n) => n !== best.a && n !== best.b), [...clusters[best.a]!, ...clusters[best.b]!]];
  }
  const of = vectors.map((_, i) => clusters.findIndex((members) => members.includes(i)));
  const names = new Map<number, number>();
  return of.map((c) => (names.has(c) ? names.get(c)! : (names.set(c, names.size), names.size - 1)));
}

test("windows vote, and their local numbers do not matter", () => {
  // Window 0: frames 0–5, window 1: frames 3–8 with its speakers swapped. Speaker A talks 0–4, B talks 4–8.
  const windows = [
    { firstFrame: 0, active: Uint8Array.from([1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1]), clusters: [0, 1] },
    { firstFrame: 3, active: Uint8Array.from([0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0]), clusters: [1, 0] },
  ];
  assert.deepEqual(speakerTurns(windows, 2), [{ speaker: 0, start: 0, end: 4 }, { speaker: 1, start: 4, end: 8 }]);
  const gap = [{ firstFrame: 0, active: Uint8Array.from([1, 1, 0, 0, 1, 0, 0, 0, 0, 1]), clusters: [0] }];
  assert.deepEqual(speakerTurns(gap, 1, { pauseFrames: 2 }), [{ speaker: 0, start: 0, end: 5 }, { speaker: 0, start: 9, end: 10 }]);
  assert.deepEqual(speakerTurns(gap, 1, { pauseFrames: 2, leastFrames: 2 }), [{ speaker: 0, start: 0, end: 5 }]);
});

test("who talks most during a cue", () => {
  const turns = [{ speaker: "a", startUs: 0, endUs: 10 }, { speaker: "b", startUs: 8, endUs: 20 }];
  assert.equal(speakerDuring(turns, { startUs: 5, endUs: 11 }), "a");
  assert.equal(speakerDuring(turns, { startUs: 7, endUs: 20 }), "b");
  assert.equal(speakerDuring(turns, { startUs: 30, endUs: 40 }), null);
});

test("assignment: the best of all permutations", () => {
  const gain = [[5, 9, 1], [10, 3, 2], [8, 7, 4]].map((row) => Float64Array.from(row));
  assert.deepEqual(bestAssignment(gain), [1, 0, 2]);
  assert.deepEqual(bestAssignment([Float64Array.of(1, 5), Float64Array.of(2, 9), Float64Array.of(3, 1)]), [-1, 1, 0]);
  assert.deepEqual(bestAssignment([]), []);
});

const rttm = mediaFile("diarization/sample.rttm");
test("diarization error against the reference turns", { skip: rttm.skip }, () => {
  const reference = parseRttm(readFileSync(rttm.path, "utf8"));
  assert.equal(reference.length, 10);
  assert.deepEqual(parseRttm(toRttm(reference, "sample")), reference);
  const renamed = reference.map((turn) => ({ ...turn, speaker: turn.speaker === "speaker90" ? "x" : "y" }));
  assert.equal(diarizationError(reference, renamed).rate, 0);
  const total = reference.reduce((sum, t) => sum + t.endUs - t.startUs, 0);
  const none = diarizationError(reference, []);
  assert.deepEqual([none.rate, none.missedUs, none.referenceUs], [1, total, total]);
  // All one speaker: who talks less is confused, and what overlaps is missed once.
  const one = diarizationError(reference, [{ speaker: "x", startUs: 6_690_000, endUs: 30_000_000 }]);
  const by = (name: string): number => reference.filter((t) => t.speaker === name).reduce((sum, t) => sum + t.endUs - t.startUs, 0);
  assert.ok(one.confusionUs > 0.8 * Math.min(by("speaker90"), by("speaker91")) && one.confusionUs <= Math.min(by("speaker90"), by("speaker91")));
  assert.ok(one.missedUs > 0 && one.falseAlarmUs > 0);
  // Every turn 100 ms late: the errors of the edges, and none with a collar of a quarter second.
  const late = renamed.map((turn) => ({ ...turn, startUs: turn.startUs + 100_000, endUs: turn.endUs + 100_000 }));
  const shifted = diarizationError(reference, late);
  assert.ok(shifted.rate > 0.03 && shifted.rate < 0.15, String(shifted.rate));
  assert.equal(diarizationError(reference, late, 500_000).rate, 0);
  // A turn given to a third speaker is confusion of its own length.
  const third = renamed.map((turn, i) => (i === 4 ? { ...turn, speaker: "z" } : turn));
  assert.ok(Math.abs(diarizationError(reference, third).confusionUs - 4_130_000) < 500_000);
});
