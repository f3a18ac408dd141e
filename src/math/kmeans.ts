import { round4 } from './vectors.js';

export interface Clusters {
  /** k * dims values. */
  readonly centroids: Float64Array;
  /** The cluster of each vector. */
  readonly assignment: Int32Array;
}

const ROUNDS = 50;

/**
 * k-means of `n` vectors lying one after another: k-means++ with a fixed seed, then Lloyd's rounds until nothing moves
 * (at most 50). Deterministic: distances are rounded to 1e-4 before they are compared, ties go to the earlier item, so
 * that equal input up to float noise gives equal clusters. With k > n there are n clusters.
 */
export function kmeans(vectors: Float32Array, n: number, dims: number, k: number, seed = 1): Clusters {
  check(vectors, n, dims, k);
  const count = Math.min(k, n);
  const centroids = seedCentroids(vectors, n, dims, count, seed);
  const assignment = new Int32Array(n).fill(-1);
  const sizes = new Int32Array(count);
  for (let round = 0; round < ROUNDS; round++) {
    if (!assign(vectors, n, dims, centroids, count, assignment)) break;
    const sums = new Float64Array(count * dims);
    sizes.fill(0);
    for (let i = 0; i < n; i++) {
      const c = assignment[i]!;
      sizes[c]!++;
      for (let d = 0; d < dims; d++) sums[c * dims + d]! += vectors[i * dims + d]!;
    }
    // A cluster that lost all its members keeps its centre.
    for (let c = 0; c < count; c++) {
      if (sizes[c] === 0) continue;
      for (let d = 0; d < dims; d++) centroids[c * dims + d] = sums[c * dims + d]! / sizes[c]!;
    }
  }
  return { centroids, assignment };
}

/**
 * The items nearest to the centroids of k clusters: exactly min(k, n) different indices in ascending (time) order.
 * Where one item is nearest to two centroids, the later centroid takes its next nearest.
 */
export function nearestToCentroids(vectors: Float32Array, n: number, dims: number, k: number, seed = 1): number[] {
  check(vectors, n, dims, k);
  if (k >= n) return Array.from({ length: n }, (_, i) => i);
  const { centroids } = kmeans(vectors, n, dims, k, seed);
  const taken = new Uint8Array(n);
  for (let c = 0; c < k; c++) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      if (taken[i]) continue;
      const distance = round4(squaredDistance(vectors, i * dims, centroids, c * dims, dims));
      if (best >= 0 && !(distance < least)) continue;
      best = i;
      least = distance;
    }
    taken[best] = 1;
  }
  const chosen: number[] = [];
  for (let i = 0; i < n; i++) if (taken[i]) chosen.push(i);
  return chosen;
}

/** Moves every vector to its nearest centroid; false if none moved. */
function assign(vectors: Float32Array, n: number, dims: number, centroids: Float64Array, k: number, assignment: Int32Array): boolean {
  let moved = false;
  for (let i = 0; i < n; i++) {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let c = 0; c < k; c++) {
      const distance = round4(squaredDistance(vectors, i * dims, centroids, c * dims, dims));
      if (distance < least) {
        least = distance;
        best = c;
      }
    }
    if (assignment[i] !== best) moved = true;
    assignment[i] = best;
  }
  return moved;
}

/** k-means++: the first by lot, each next one with a probability proportional to its squared distance to the chosen. */
function seedCentroids(vectors: Float32Array, n: number, dims: number, k: number, seed: number): Float64Array {
  const random = generator(seed);
  const centroids = new Float64Array(k * dims);
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  for (let c = 0; c < k; c++) {
    const index = c === 0 ? Math.min(n - 1, Math.floor(random() * n)) : draw(nearest, random());
    for (let d = 0; d < dims; d++) centroids[c * dims + d] = vectors[index * dims + d]!;
    for (let i = 0; i < n; i++) {
      nearest[i] = Math.min(nearest[i]!, round4(squaredDistance(vectors, i * dims, centroids, c * dims, dims)));
    }
  }
  return centroids;
}

/** The first index at which the running sum of weights exceeds `share` of the total. */
function draw(weights: Float64Array, share: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  const goal = round4(share * total);
  let sum = 0;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i]! > 0) last = i;
    sum += weights[i]!;
    if (round4(sum) > goal) return i;
  }
  return last;
}

function squaredDistance(a: Float32Array, at: number, b: Float64Array, bt: number, dims: number): number {
  let sum = 0;
  for (let d = 0; d < dims; d++) {
    const diff = a[at + d]! - b[bt + d]!;
    sum += diff * diff;
  }
  return sum;
}

/** mulberry32: uniform in 0..1. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function check(vectors: Float32Array, n: number, dims: number, k: number): void {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`k must be a whole number >= 1, got ${k}`);
  if (!Number.isInteger(n) || n < 0 || vectors.length < n * dims) {
    throw new RangeError(`${n} vectors of ${dims} need ${n * dims} values, got ${vectors.length}`);
  }
}
