import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FRAME_SCORE_COLUMNS, FRAME_SCORE_INDEX as C } from '../../src/math/frame-scores.js';
import * as scenes from '../../src/math/scene-detectors.js';

const FRAME_US = 40_000;
const MIN_US = 600_000;

function row(values: Partial<Record<keyof typeof C, number>>): Float32Array {
  const result = new Float32Array(FRAME_SCORE_COLUMNS.length);
  for (const [name, value] of Object.entries(values)) result[C[name as keyof typeof C]] = value;
  return result;
}
const contentRow = (value: number): Float32Array => row({ deltaHue: value, deltaSat: value, deltaLum: value });

/** The frames at which a detector cuts; checks on the way that nothing it called final changes. */
function frames(detector: scenes.SceneDetector, rows: Float32Array[], endUs?: number): number[] {
  const cuts: scenes.Cut[] = [];
  let settledUs = Number.NEGATIVE_INFINITY;
  const take = (found: scenes.Cut[]): void => {
    for (const cut of found) {
      assert.ok(cut.ptsUs >= settledUs, `cut at ${cut.ptsUs}, but everything before ${settledUs} was final`);
      assert.equal(cut.ptsUs, cut.frame * FRAME_US);
    }
    cuts.push(...found);
    assert.ok(detector.settledUs >= settledUs);
    settledUs = detector.settledUs;
  };
  rows.forEach((r, i) => take(detector.push(i * FRAME_US, i, r)));
  take(detector.end(endUs));
  return cuts.map((cut) => cut.frame);
}
const content = (at: number[], n = 120, value = 50): Float32Array[] =>
  Array.from({ length: n }, (_, i) => contentRow(at.includes(i) ? value : 1));

test('content cuts at 15 frames after the first frame, not at 14', () => {
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US }), content([15])), [15]);
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US }), content([14])), []);
});

test('the merge filter makes one cut of a burst of flashes, at its last frame; suppress keeps the first', () => {
  const burst = content([20, 25, 30, 35, 40, 45]);
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US }), burst), [20, 45]);
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US, filter: 'suppress' }), burst), [20, 35]);
});

test('a merged stretch that is too short waits for the next frame above', () => {
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US }), content([20, 25])), [20]);
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US }), content([20, 25, 60])), [20, 60]);
});

test('while a long merged stretch is open, its last frame above is not final', () => {
  const detector = scenes.contentDetector({ minSceneUs: MIN_US });
  content([20, 25, 40], 50).forEach((r, i) => detector.push(i * FRAME_US, i, r));
  assert.equal(detector.settledUs, 40 * FRAME_US);
});

test('weights choose what counts', () => {
  const rows = Array.from({ length: 40 }, (_, i) => row({ deltaHue: i === 20 ? 90 : 0 }));
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US }), rows), [20]);
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US, weights: { hue: 0 } }), rows), []);
});

test('adaptive ignores steady motion that content cuts in', () => {
  const steady = Array.from({ length: 60 }, (_, i) => contentRow(i === 0 ? 0 : 30));
  assert.deepEqual(frames(scenes.adaptiveDetector({ minSceneUs: MIN_US }), steady), []);
  assert.deepEqual(frames(scenes.contentDetector({ minSceneUs: MIN_US, filter: 'suppress' }), steady), [15, 30, 45]);
  steady[30] = contentRow(91);
  assert.deepEqual(frames(scenes.adaptiveDetector({ minSceneUs: MIN_US }), steady), [30]);
});

test('adaptive measures the minimum length from the newest frame of its window', () => {
  assert.deepEqual(frames(scenes.adaptiveDetector({ minSceneUs: MIN_US }), content([13])), [13]);
  assert.deepEqual(frames(scenes.adaptiveDetector({ minSceneUs: MIN_US }), content([12])), []);
});

test('adaptive takes a flat neighbourhood as the largest ratio', () => {
  assert.equal(scenes.adaptiveRatio(15, 0), 255);
  assert.equal(scenes.adaptiveRatio(14, 0), 0);
  assert.equal(scenes.adaptiveRatio(3000, 1), 255);
});

test('threshold cuts half way between fade-out and fade-in, moved by the bias', () => {
  const rows = Array.from({ length: 100 }, (_, i) => row({ meanRgb: i >= 40 && i < 60 ? 2 : 90 }));
  assert.deepEqual(frames(scenes.thresholdDetector({ minSceneUs: MIN_US }), rows), [50]);
  assert.deepEqual(frames(scenes.thresholdDetector({ minSceneUs: MIN_US, bias: -1 }), rows), [40]);
  assert.deepEqual(frames(scenes.thresholdDetector({ minSceneUs: MIN_US, bias: 1 }), rows), [60]);
  const white = Array.from({ length: 100 }, (_, i) => row({ meanRgb: i >= 40 && i < 60 ? 250 : 90 }));
  assert.deepEqual(frames(scenes.thresholdDetector({ minSceneUs: MIN_US, method: 'ceiling', threshold: 240 }), white), [50]);
});

test('threshold: a fade-out at the end gives no cut, and an hour of black stays bounded', () => {
  const end = Array.from({ length: 60 }, (_, i) => row({ meanRgb: i >= 40 ? 2 : 90 }));
  assert.deepEqual(frames(scenes.thresholdDetector({ minSceneUs: MIN_US }), end), []);
  const detector = scenes.thresholdDetector({ minSceneUs: MIN_US });
  const dark = row({ meanRgb: 1 });
  for (let i = 0; i < 200_000; i++) detector.push(i * FRAME_US, i, dark);
  const [cut] = detector.push(200_000 * FRAME_US, 200_000, row({ meanRgb: 90 }));
  assert.ok(cut && Math.abs(cut.frame - 100_000) <= 4, `cut at ${cut?.frame}`);
  assert.equal(cut.ptsUs, cut.frame * FRAME_US);
});

test('histogram and hash keep the minimum length from the first frame on', () => {
  const flicker = Array.from({ length: 50 }, () => row({ histCorr: 0.1, hashDistance: 0.9 }));
  assert.deepEqual(frames(scenes.histogramDetector({ minSceneUs: MIN_US }), flicker), [15, 30, 45]);
  assert.deepEqual(frames(scenes.hashDetector({ minSceneUs: MIN_US }), flicker), [15, 30, 45]);
});

test('a detector says which column it misses', () => {
  const empty = new Float32Array(FRAME_SCORE_COLUMNS.length).fill(Number.NaN);
  assert.throws(() => scenes.hashDetector({ minSceneUs: 0 }).push(0, 0, empty), /`hash`/);
  assert.throws(() => scenes.contentDetector({ minSceneUs: 0 }).push(0, 0, empty), /`content`/);
});

test('property: cuts rise, keep the minimum length, and none is announced where all was final', () => {
  const make: ((minSceneUs: number) => scenes.SceneDetector)[] = [
    (minSceneUs) => scenes.contentDetector({ minSceneUs }),
    (minSceneUs) => scenes.contentDetector({ minSceneUs, filter: 'suppress' }),
    (minSceneUs) => scenes.adaptiveDetector({ minSceneUs }),
    (minSceneUs) => scenes.histogramDetector({ minSceneUs }),
    (minSceneUs) => scenes.hashDetector({ minSceneUs }),
    (minSceneUs) => scenes.thresholdDetector({ minSceneUs }),
  ];
  const level = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.double({ min: 0, max: 100, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 200 }), fc.nat(20), fc.nat(make.length - 1), (levels, length, which) => {
      const rows = levels.map((v) =>
        row({ deltaHue: v, deltaSat: v, deltaLum: v, meanRgb: v, histCorr: 1 - v / 100, hashDistance: v / 100 }),
      );
      const found = frames(make[which]!(length * FRAME_US), rows);
      for (let i = 1; i < found.length; i++) assert.ok(found[i]! > found[i - 1]!);
      assert.ok(found.every((f) => f >= 0 && f < rows.length));
      assert.deepEqual(frames(make[which]!(length * FRAME_US), rows), found);
    }),
    { numRuns: 400, seed: 1 },
  );
});
