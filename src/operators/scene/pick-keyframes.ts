const ITERATIONS = 50;
const ROUND = 1e4;

/**
 * Rows nearest the k-means centroids, ascending, exactly min(k, rows) of them. `data`: rows of `width` values. Vectors are rounded to
 * 1e-4 first; seeds are chosen farthest-first from the mean (no random numbers); every tie goes to the earlier row.
 */
export function pickKeyframes(data: Float32Array, width: number, k: number): number[] {
  const n = width > 0 ? Math.floor(data.length / width) : 0;
  if (n <= k) return Array.from({ length: n }, (_, i) => i);
  // Whole multiples of 1e-4 in float64: sums of them are exact, so the order of operations decides nothing.
  const points = Float64Array.from(data, (x) => Math.round(x * ROUND));
  const centres = new Float64Array(k * width);
  const distance = (row: number, centre: number): number => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += (points[row * width + d]! - centres[centre * width + d]!) ** 2;
    return sum;
  };

  seed(points, width, n, k, centres);
  const owner = new Int32Array(n).fill(-1);
  const counts = new Int32Array(k);
  const sums = new Float64Array(k * width);
  for (let round = 0; round < ITERATIONS; round++) {
    let moved = false;
    counts.fill(0);
    sums.fill(0);
    for (let i = 0; i < n; i++) {
      let best = 0;
      let least = Number.POSITIVE_INFINITY;
      for (let c = 0; c < k; c++) {
        const d = distance(i, c);
        if (d < least) [best, least] = [c, d];
      }
      if (owner[i] !== best) moved = true;
      owner[i] = best;
      counts[best]!++;
      for (let d = 0; d < width; d++) sums[best * width + d]! += points[i * width + d]!;
    }
    if (!moved) break;
    // A cluster that lost all its rows keeps its centre.
    for (let c = 0; c < k; c++) if (counts[c]! > 0) for (let d = 0; d < width; d++) centres[c * width + d] = sums[c * width + d]! / counts[c]!;
  }

  const taken = new Set<number>();
  for (let c = 0; c < k; c++) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      if (taken.has(i)) continue;
      const d = distance(i, c);
      if (d < least) [best, least] = [i, d];
    }
    taken.add(best);
  }
  return [...taken].sort((a, b) => a - b);
}

/** First the row nearest the mean, then again and again the row farthest from all seeds so far. */
function seed(points: Float64Array, width: number, n: number, k: number, centres: Float64Array): void {
  const mean = new Float64Array(width);
  for (let i = 0; i < n; i++) for (let d = 0; d < width; d++) mean[d]! += points[i * width + d]! / n;
  const square = (row: number, from: Float64Array, at: number): number => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += (points[row * width + d]! - from[at + d]!) ** 2;
    return sum;
  };
  let chosen = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < n; i++) {
    const d = square(i, mean, 0);
    if (d < least) [chosen, least] = [i, d];
  }
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  for (let c = 0; c < k; c++) {
    centres.set(points.subarray(chosen * width, (chosen + 1) * width), c * width);
    let farthest = -1;
    for (let i = 0; i < n; i++) {
      nearest[i] = Math.min(nearest[i]!, square(i, centres, c * width));
      if (nearest[i]! > farthest) [chosen, farthest] = [i, nearest[i]!];
    }
  }
}
