import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { kmeans, nearestToCentroids } from '../../src/math/kmeans.js';

/** Three tight groups in the plane, interleaved in time. */
const centres = [[0, 0], [10, 0], [0, 10]] as const;
const grouped = Float32Array.from({ length: 60 }, (_, i) => centres[(i >> 1) % 3]![i & 1]! + Math.sin(i * 7) * 0.3);

test('finds the groups there are', () => {
  const { assignment, centroids } = kmeans(grouped, 30, 2, 3);
  for (let i = 3; i < 30; i++) assert.equal(assignment[i], assignment[i % 3]);
  assert.equal(new Set(assignment).size, 3);
  for (let g = 0; g < 3; g++) {
    const c = assignment[g]!;
    assert.ok(Math.hypot(centroids[2 * c]! - centres[g]![0], centroids[2 * c + 1]! - centres[g]![1]) < 0.3);
  }
});

test('picks one item of each group', () => {
  assert.deepEqual(new Set(nearestToCentroids(grouped, 30, 2, 3).map((i) => i % 3)), new Set([0, 1, 2]));
});

test('noise in the last bits changes nothing', () => {
  const noisy = grouped.map((v, i) => v + (i % 2 ? 1e-7 : -1e-7));
  assert.deepEqual(nearestToCentroids(noisy, 30, 2, 5), nearestToCentroids(grouped, 30, 2, 5));
});

test('no items, and equal items', () => {
  assert.deepEqual(nearestToCentroids(new Float32Array(0), 0, 4, 8), []);
  assert.deepEqual(nearestToCentroids(new Float32Array(40).fill(0.5), 10, 4, 3), [0, 1, 2]);
  assert.throws(() => nearestToCentroids(new Float32Array(4), 1, 4, 0), RangeError);
  assert.throws(() => nearestToCentroids(new Float32Array(4), 2, 4, 1), RangeError);
});

test('property: exactly min(k, n) different indices in time order, the same every time', () => {
  const shape = fc.record({ n: fc.nat(40), dims: fc.integer({ min: 1, max: 6 }), k: fc.integer({ min: 1, max: 12 }) });
  const value = fc.oneof(fc.constantFrom(0, 1, -1), fc.float({ min: -3, max: 3, noNaN: true }));
  const input = shape.chain((s) => fc.tuple(fc.constant(s), fc.array(value, { minLength: s.n * s.dims, maxLength: s.n * s.dims })));
  fc.assert(
    fc.property(input, ([{ n, dims, k }, values]) => {
      const vectors = Float32Array.from(values);
      const chosen = nearestToCentroids(vectors, n, dims, k);
      assert.equal(chosen.length, Math.min(k, n));
      chosen.forEach((index, i) => assert.ok(index >= 0 && index < n && (i === 0 || index > chosen[i - 1]!)));
      assert.deepEqual(nearestToCentroids(vectors, n, dims, k), chosen);
    }),
    { numRuns: 300, seed: 1 },
  );
});
