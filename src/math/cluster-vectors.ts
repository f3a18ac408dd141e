/**
 * Agglomerative clustering of unit vectors by average linkage of their cosines (UPGMA), with the nearest-neighbour chain (Murtagh 1983). The mean
 * cosine between two clusters is the dot product of their means, so a cluster is one vector and no matrix of distances is kept: memory n·d,
 * time n²·d.
 */

export type ClusterStop =
  /** Clusters merge while their mean cosine is at least this. */
  | { threshold: number }
  /** So many clusters are left (fewer when there are fewer vectors). */
  | { clusters: number };

interface Cluster {
  sum: Float64Array;
  size: number;
}

interface Merge {
  a: number;
  b: number;
  cosine: number;
}

/** More vectors than this are clustered block by block first, then the blocks' clusters: an hour's time stays seconds, ten hours' minutes. */
const BLOCK = 2000;
/** Within a block only what is surely alike is merged when a number of clusters is wanted. */
const SURE = 0.8;

/** Cluster of each vector, 0, 1, … in the order in which they first appear. Vectors need not be of unit length; a zero vector is like nothing. */
export function clusterVectors(vectors: readonly Float32Array[], stop: ClusterStop, block = BLOCK): number[] {
  const parent = vectors.map((_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  const single = vectors.map((vector, i): Member => ({ id: i, sum: unit(vector), size: 1 }));
  const join = (members: readonly Member[], until: ClusterStop): Member[] => {
    for (const { a, b } of wanted(chain(members), members.length, until)) parent[root(b)] = root(a);
    const merged = new Map<number, Member>();
    for (const { id, sum, size } of members) {
      const of = root(id);
      const into = merged.get(of);
      if (into) {
        sum.forEach((x, d) => (into.sum[d]! += x));
        into.size += size;
      } else merged.set(of, { id: of, sum: Float64Array.from(sum), size });
    }
    return [...merged.values()];
  };
  const first: ClusterStop = "clusters" in stop ? { threshold: SURE } : stop;
  let members = single;
  if (members.length > block) members = Array.from({ length: Math.ceil(members.length / block) }, (_, n) => join(single.slice(n * block, (n + 1) * block), first)).flat();
  join(members, stop);
  const names = new Map<number, number>();
  return vectors.map((_, i) => {
    const of = root(i);
    if (!names.has(of)) names.set(of, names.size);
    return names.get(of)!;
  });
}

const wanted = (merges: Merge[], members: number, stop: ClusterStop): Merge[] => {
  merges.sort((x, y) => y.cosine - x.cosine);
  return "clusters" in stop ? merges.slice(0, Math.max(0, members - Math.max(1, stop.clusters))) : merges.filter((merge) => merge.cosine >= stop.threshold);
};

interface Member extends Cluster {
  id: number;
}

/** Every merge of the dendrogram, named by one member of each side; not in order. */
function chain(members: readonly Member[]): Merge[] {
  const clusters = new Map<number, Cluster>(members.map(({ id, sum, size }) => [id, { sum: Float64Array.from(sum), size }]));
  const merges: Merge[] = [];
  const path: number[] = [];
  while (clusters.size > 1) {
    if (path.length === 0) path.push(clusters.keys().next().value!);
    const tip = path.at(-1)!;
    const before = path.at(-2);
    // At equal distance the one before is preferred, else the chain could run in a circle.
    let [best, cosine] = before === undefined ? [-1, Number.NEGATIVE_INFINITY] : [before, meanCosine(clusters.get(tip)!, clusters.get(before)!)];
    for (const [other, cluster] of clusters) {
      if (other === tip || other === before) continue;
      const c = meanCosine(clusters.get(tip)!, cluster);
      if (c > cosine) [best, cosine] = [other, c];
    }
    if (best !== before) {
      path.push(best);
      continue;
    }
    path.splice(-2);
    const [a, b] = [Math.min(tip, best), Math.max(tip, best)];
    merges.push({ a, b, cosine });
    const [into, from] = [clusters.get(a)!, clusters.get(b)!];
    for (let d = 0; d < into.sum.length; d++) into.sum[d]! += from.sum[d]!;
    into.size += from.size;
    clusters.delete(b);
  }
  return merges;
}

function meanCosine(a: Cluster, b: Cluster): number {
  let dot = 0;
  for (let d = 0; d < a.sum.length; d++) dot += a.sum[d]! * b.sum[d]!;
  return dot / (a.size * b.size);
}

function unit(vector: Float32Array): Float64Array {
  const length = Math.hypot(...vector);
  return Float64Array.from(vector, (x) => (length > 0 ? x / length : 0));
}

/** Means of the clusters' unit vectors, by cluster. */
export function clusterMeans(vectors: readonly Float32Array[], labels: readonly number[]): Float64Array[] {
  const means: Float64Array[] = [];
  vectors.forEach((vector, i) => {
    const mean = (means[labels[i]!] ??= new Float64Array(vector.length));
    unit(vector).forEach((x, d) => (mean[d]! += x));
  });
  return means.map((mean) => unit(Float32Array.from(mean)));
}

/** The cluster whose mean is nearest by cosine; −1 without clusters. */
export function nearestCluster(vector: Float32Array, means: readonly Float64Array[]): number {
  const own = unit(vector);
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  means.forEach((mean, n) => {
    let dot = 0;
    for (let d = 0; d < own.length; d++) dot += own[d]! * mean[d]!;
    if (dot > most) [best, most] = [n, dot];
  });
  return best;
}
