import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hsvOf, lumaOf } from '../../src/math/pixel-colour.js';
import { scoreKernel } from '../../src/math/score-kernel.js';

test('all 16.7 million colours have the HSV and the luma of pixel-colour.ts', () => {
  const kernel = scoreKernel(65_536);
  const frame = new Uint8Array(65_536 * 3);
  const sums = new Float64Array(6);
  const counts = new Int32Array(1024);
  for (let r = 0; r < 256; r++) {
    for (let i = 0; i < 65_536; i++) {
      frame[3 * i] = r;
      frame[3 * i + 1] = i >> 8;
      frame[3 * i + 2] = i & 255;
    }
    kernel.pass(frame, frame.length, sums, counts);
    for (let i = 0; i < 65_536; i++) {
      if (((kernel.hue[i]! << 16) | (kernel.saturation[i]! << 8) | kernel.value[i]!) !== hsvOf(r, i >> 8, i & 255) || kernel.luma[i] !== lumaOf(r, i >> 8, i & 255)) assert.fail(`${r},${i >> 8},${i & 255}`);
    }
  }
});

test('sums, counts and what is kept equal those of the loop in JavaScript, whatever the size of the frame', () => {
  const frames = fc.integer({ min: 1, max: 97 }).chain((pixels) => fc.tuple(fc.constant(pixels), fc.array(fc.uint8Array({ minLength: pixels * 3, maxLength: pixels * 3 }), { minLength: 2, maxLength: 4 })));
  fc.assert(
    fc.property(frames, ([pixels, list]) => {
      const kernels = [scoreKernel(pixels), scoreKernel(pixels, true)];
      for (const frame of list) {
        const [a, b] = kernels.map((kernel) => {
          const sums = new Float64Array(6);
          const counts = new Int32Array(1024).fill(7);
          kernel.pass(frame, pixels * 3, sums, counts);
          return { sums, counts, planes: [kernel.hue, kernel.saturation, kernel.value, kernel.luma].map((plane) => plane.slice()) };
        });
        assert.deepEqual(a, b);
      }
    }),
  );
});

test('brightest and darkest frames of the largest size in use do not overflow a lane', () => {
  const pixels = 1920 * 1080;
  const kernels = [scoreKernel(pixels), scoreKernel(pixels, true)];
  const sums = new Float64Array(6);
  const expected = new Float64Array(6);
  const counts = new Int32Array(1024);
  for (const level of [255, 0, 255]) {
    const frame = new Uint8Array(pixels * 3).fill(level);
    kernels[0]!.pass(frame, frame.length, sums, counts);
    kernels[1]!.pass(frame, frame.length, expected, counts);
    assert.deepEqual(sums, expected);
  }
  assert.equal(sums[3], pixels * 765);
});
