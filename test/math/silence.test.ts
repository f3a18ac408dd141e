import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silenceSpans } from '../../src/math/silence.js';

test('silence is a run of rows below the threshold that lasts long enough', () => {
  const levels = [-20, -60, -60, -60, -60, -60, -20, -60, -60];
  assert.deepEqual(silenceSpans(levels), [{ startUs: 100_000, endUs: 600_000 }]);
  assert.deepEqual(silenceSpans(levels, { minUs: 150_000, startUs: 1_000_000, endUs: 1_870_000 }), [
    { startUs: 1_100_000, endUs: 1_600_000 },
    { startUs: 1_700_000, endUs: 1_870_000 },
  ]);
  assert.deepEqual(silenceSpans([-120], { thresholdDb: -130 }), []);
});
