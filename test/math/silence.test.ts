import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutsAtSilence, silenceSpans } from '../../src/math/silence.js';

test('silence is a run of rows below the threshold that lasts long enough', () => {
  const levels = [-20, -60, -60, -60, -60, -60, -20, -60, -60];
  assert.deepEqual(silenceSpans(levels), [{ startUs: 100_000, endUs: 600_000 }]);
  assert.deepEqual(silenceSpans(levels, { minUs: 150_000, startUs: 1_000_000, endUs: 1_870_000 }), [
    { startUs: 1_100_000, endUs: 1_600_000 },
    { startUs: 1_700_000, endUs: 1_870_000 },
  ]);
  assert.deepEqual(silenceSpans([-120], { thresholdDb: -130 }), []);
});

test('cuts lie in the middle of silences; those too near a border or a cut are left out', () => {
  const span = (from: number, to: number) => ({ startUs: from * 1e6, endUs: to * 1e6 });
  const silences = [span(0, 1), span(1.5, 2), span(9, 11), span(12, 13), span(28, 30)];
  assert.deepEqual(cutsAtSilence(silences, { startUs: 0, endUs: 30e6, minSceneUs: 3e6 }), [10e6]);
  assert.deepEqual(cutsAtSilence(silences, { startUs: 0, endUs: 30e6, minSceneUs: 2e6, maxSceneUs: 10e6 }), [10e6, 12.5e6, 21.25e6]);
  assert.deepEqual(cutsAtSilence([], { startUs: 0, endUs: 30e6, minSceneUs: 1, maxSceneUs: 10e6 }), [10e6, 20e6]);
});

test('property: cuts rise inside the medium, scenes keep the longest length', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -90, max: -10 }), { maxLength: 300 }), fc.integer({ min: 1, max: 30 }), (levels, min) => {
      const endUs = levels.length * 100_000;
      const maxSceneUs = 5_000_000;
      const cuts = cutsAtSilence(silenceSpans(levels, { minUs: 200_000 }), { startUs: 0, endUs, minSceneUs: min * 1e5, maxSceneUs });
      const all = [0, ...cuts, endUs];
      for (let i = 1; i < all.length; i++) {
        const length = all[i]! - all[i - 1]!;
        assert.ok((length > 0 || endUs === 0) && length <= maxSceneUs + 1);
      }
    }),
    { numRuns: 200, seed: 1 },
  );
});
