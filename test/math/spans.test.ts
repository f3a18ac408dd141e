import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { measurePts, spansWhere } from '../../src/math/spans.js';
import { missing, referenceDir } from './reference-media.js';

test('spans last from a frame to the next one without the condition, the last to the end', () => {
  const pts = [0, 40, 80, 120, 160];
  assert.deepEqual(spansWhere(pts, [1, 1, 0, 0, 1], 200, 0), [{ startUs: 0, endUs: 80 }, { startUs: 160, endUs: 200 }]);
  assert.deepEqual(spansWhere(pts, [1, 1, 0, 0, 1], 200, 41), [{ startUs: 0, endUs: 80 }]);
  assert.deepEqual(spansWhere([], [], 0, 0), []);
  assert.throws(() => spansWhere(pts, [1], 200, 0), RangeError);
});

test('property: spans cover exactly the frames where the condition holds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.boolean()), { maxLength: 60 }), (frames) => {
      let at = 0;
      const pts = frames.map(([gap]) => (at += gap));
      const spans = spansWhere(pts, frames.map(([, flag]) => flag), at + 10, 0);
      frames.forEach(([, flag], i) => assert.equal(spans.some((s) => s.startUs <= pts[i]! && pts[i]! < s.endUs), flag));
      for (let i = 1; i < spans.length; i++) assert.ok(spans[i]!.startUs > spans[i - 1]!.endUs);
    }),
    { numRuns: 200, seed: 1 },
  );
});

const regular = Array.from({ length: 100 }, (_, i) => Math.round((i * 1e6) / 29.97));

test('a constant rate is regular, also where a container rounds to milliseconds', () => {
  assert.deepEqual(measurePts(regular), { frames: 100, medianUs: 33367, irregularRatio: 0, variableRate: false, gaps: [], backwards: 0 });
  assert.equal(measurePts(regular.map((t) => Math.round(t / 1000) * 1000)).variableRate, false);
});

test('missing frames are gaps, not a variable rate; steps back are counted', () => {
  const late = regular.map((t, i) => (i >= 50 ? t + 2_000_000 : t));
  const measured = measurePts(late);
  assert.equal(measured.variableRate, false);
  assert.deepEqual(measured.gaps, [{ startUs: late[49], endUs: late[50] }]);
  assert.equal(measurePts([0, 40, 30, 80]).backwards, 1);
  assert.equal(measurePts([5]).medianUs, null);
});

const csv = join(referenceDir, 'pts_goldeneye-vfr-drop3.csv');
test('the clip with a variable rate is one', { skip: missing(csv) }, () => {
  const pts = readFileSync(csv, 'utf8').split('\n').map((line) => Number(line.split(',').at(-1))).filter((t) => Number.isFinite(t));
  const seconds = pts.slice(0, 160).map((t) => Math.round(t * 1e6));
  assert.ok(measurePts(seconds).frames > 100 && measurePts(seconds).variableRate);
});
