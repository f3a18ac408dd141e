/** Dot product of two vectors of equal length, accumulated in float64. */
export function dot(a: Float32Array, b: Float32Array): number {
  sameLength(a, b);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Euclidean length. */
export function norm(a: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * a[i]!;
  return Math.sqrt(sum);
}

/** Cosine similarity, -1..1; 0 if either vector is zero. */
export function cosine(a: Float32Array, b: Float32Array): number {
  const lengths = norm(a) * norm(b);
  return lengths > 0 ? Math.max(-1, Math.min(1, dot(a, b) / lengths)) : 0;
}

/** Scales to length 1 in place. Returns false, and leaves the vector as it is, if it is zero or not finite. */
export function l2normalize(a: Float32Array): boolean {
  const length = norm(a);
  if (!(length > 0) || !Number.isFinite(length)) return false;
  for (let i = 0; i < a.length; i++) a[i] = a[i]! / length;
  return true;
}

/** Mean of `n` vectors lying one after another, accumulated in float64 in order; null if there are none. */
export function meanVector(vectors: Float32Array, n: number, dims: number): Float32Array | null {
  if (vectors.length < n * dims) throw new RangeError(`${n} vectors of ${dims} need ${n * dims} values, got ${vectors.length}`);
  if (n === 0) return null;
  const sums = new Float64Array(dims);
  for (let i = 0, p = 0; i < n; i++) for (let d = 0; d < dims; d++, p++) sums[d]! += vectors[p]!;
  const mean = new Float32Array(dims);
  for (let d = 0; d < dims; d++) mean[d] = sums[d]! / n;
  return mean;
}

/**
 * To the nearest multiple of 1e-4. Discrete choices between floats are made on rounded values, so that the last bits,
 * which differ between batch sizes and processors, do not decide them.
 */
export function round4(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

/** Indices of the k largest scores (rounded to 1e-4), best first, ties to the earlier one; NaN is never chosen. */
export function topK(scores: ArrayLike<number>, k: number): number[] {
  const best: number[] = [];
  const rounded: number[] = [];
  for (let i = 0; i < scores.length && k > 0; i++) {
    const score = round4(scores[i]!);
    if (Number.isNaN(score) || (best.length === k && score <= rounded[k - 1]!)) continue;
    let at = best.length;
    while (at > 0 && rounded[at - 1]! < score) at--;
    best.splice(at, 0, i);
    rounded.splice(at, 0, score);
    if (best.length > k) {
      best.pop();
      rounded.pop();
    }
  }
  return best;
}

function sameLength(a: Float32Array, b: Float32Array): void {
  if (a.length !== b.length) throw new RangeError(`vectors of ${a.length} and ${b.length} values do not go together`);
}
