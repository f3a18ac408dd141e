import { InferenceSession, Tensor } from 'onnxruntime-node';

/** One session as the workers open it: CPU, one thread. */
export function open(model: string | Uint8Array): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 };
  return typeof model === 'string' ? InferenceSession.create(model, options) : InferenceSession.create(model, options);
}

/** Rows through a model with one input [n, …dims] and one output [n, d]. */
export async function embed(session: InferenceSession, rows: readonly Float32Array[], dims: readonly number[], batch = 8): Promise<Float32Array[]> {
  const out: Float32Array[] = [];
  const size = dims.reduce((a, b) => a * b, 1);
  for (let start = 0; start < rows.length; start += batch) {
    const part = rows.slice(start, start + batch);
    const data = new Float32Array(part.length * size);
    part.forEach((row, i) => data.set(row, i * size));
    const result = await session.run({ [session.inputNames[0]!]: new Tensor('float32', data, [part.length, ...dims]) });
    const vectors = result[session.outputNames[0]!]!.data as Float32Array;
    const d = vectors.length / part.length;
    for (let i = 0; i < part.length; i++) out.push(vectors.slice(i * d, (i + 1) * d));
  }
  return out;
}

export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return aa > 0 && bb > 0 ? dot / Math.sqrt(aa * bb) : 0;
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? NaN;
}

export interface Separation {
  readonly adjacentPairs: number;
  readonly foreignPairs: number;
  /** P(a neighbouring pair is nearer than a pair of different media), ties half. */
  readonly auc: number;
  readonly foreignAbove: number;
  readonly foreignMedian: number;
  readonly foreignP99: number;
  readonly adjacentMedian: number;
  readonly adjacentP5: number;
}

/** Neighbours in one medium against pairs of different media; `groups` holds the vectors of each medium in time order. */
export function separation(groups: readonly (readonly Float32Array[])[], threshold: number): Separation {
  const adjacent: number[] = [];
  const foreign: number[] = [];
  groups.forEach((g, i) => {
    for (let k = 1; k < g.length; k++) adjacent.push(cosine(g[k - 1]!, g[k]!));
    for (const other of groups.slice(i + 1)) for (const a of g) for (const b of other) foreign.push(cosine(a, b));
  });
  const sorted = Float64Array.from(foreign).sort();
  const below = (v: number, orEqual: boolean): number => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const mid = (low + high) >> 1;
      if (sorted[mid]! < v || (orEqual && sorted[mid]! === v)) low = mid + 1;
      else high = mid;
    }
    return low;
  };
  const wins = adjacent.reduce((a, v) => a + (below(v, false) + below(v, true)) / 2, 0);
  return {
    adjacentPairs: adjacent.length,
    foreignPairs: foreign.length,
    auc: wins / (adjacent.length * foreign.length),
    foreignAbove: (sorted.length - below(threshold, false)) / sorted.length,
    foreignMedian: percentile(foreign, 0.5),
    foreignP99: percentile(foreign, 0.99),
    adjacentMedian: percentile(adjacent, 0.5),
    adjacentP5: percentile(adjacent, 0.05),
  };
}
