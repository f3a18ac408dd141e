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

/**
 * To the nearest multiple of 1e-4. Discrete choices between floats are made on rounded values, so that the last bits,
 * which differ between batch sizes and processors, do not decide them.
 */
export function round4(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

function sameLength(a: Float32Array, b: Float32Array): void {
  if (a.length !== b.length) throw new RangeError(`vectors of ${a.length} and ${b.length} values do not go together`);
}
