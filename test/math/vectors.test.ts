import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cosine, dot, l2normalize, norm, round4 } from '../../src/math/vectors.js';

const v = (...values: number[]): Float32Array => Float32Array.from(values);

test('dot, norm, cosine', () => {
  assert.equal(dot(v(1, 2, 3), v(4, -5, 6)), 12);
  assert.equal(norm(v(3, 4)), 5);
  assert.ok(Math.abs(cosine(v(1, 0), v(1, 1)) - Math.SQRT1_2) < 1e-12);
  assert.equal(cosine(v(0, 0), v(1, 1)), 0);
  assert.throws(() => dot(v(1), v(1, 2)), RangeError);
});

test('l2normalize scales in place; a zero or unbounded vector stays and is reported', () => {
  const a = v(3, 4);
  assert.equal(l2normalize(a), true);
  assert.deepEqual(a, v(0.6, 0.8));
  const zero = v(0, 0);
  assert.equal(l2normalize(zero), false);
  assert.deepEqual(zero, v(0, 0));
  assert.equal(l2normalize(v(Number.NaN, 1)), false);
  assert.equal(l2normalize(v(Number.POSITIVE_INFINITY, 1)), false);
});

test('round4', () => {
  assert.equal(round4(0.123456), 0.1235);
  assert.equal(round4(0.12344999), round4(0.12344001));
});

test('property: a normalised vector has length 1 and the same direction', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 20 }), (values) => {
      const a = Float32Array.from(values);
      const before = a.slice();
      if (!l2normalize(a)) return assert.equal(norm(before), 0);
      // Below 1e-30 the float32 quotient itself loses digits.
      if (norm(before) > 1e-30) assert.ok(Math.abs(norm(a) - 1) < 1e-5 && cosine(a, before) > 0.99999);
    }),
    { numRuns: 300, seed: 1 },
  );
});
