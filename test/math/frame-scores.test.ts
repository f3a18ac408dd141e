import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { hsvOf } from '../../src/math/pixel-colour.js';
import { FRAME_SCORE_COLUMNS, FRAME_SCORE_INDEX as C, FrameScorer } from '../../src/math/frame-scores.js';
import { mediaDir, missing, referenceDir } from './reference-media.js';

const ALL = { edges: true, hash: true, laplacian: true };

function solid(width: number, height: number, r: number, g: number, b: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => [r, g, b][i % 3]!);
}

/** OpenCV's 8-bit HSV by its textbook formula, in floating point. */
function hsv(r: number, g: number, b: number): [number, number, number] {
  const v = Math.max(r, g, b);
  const d = v - Math.min(r, g, b);
  if (d === 0) return [0, 0, v];
  let h = v === r ? (60 * (g - b)) / d : v === g ? 120 + (60 * (b - r)) / d : 240 + (60 * (r - g)) / d;
  if (h < 0) h += 360;
  return [h / 2, (255 * d) / v, v];
}

test('known colours have OpenCV\'s 8-bit HSV', () => {
  const known: [number[], number[]][] = [
    [[255, 0, 0], [0, 255, 255]],
    [[0, 255, 0], [60, 255, 255]],
    [[0, 0, 255], [120, 255, 255]],
    [[255, 255, 0], [30, 255, 255]],
    [[255, 0, 1], [0, 255, 255]],
    [[255, 0, 128], [165, 255, 255]],
    [[10, 20, 30], [105, 170, 30]],
    [[77, 77, 77], [0, 0, 77]],
    [[0, 0, 0], [0, 0, 0]],
  ];
  for (const [[r, g, b], expected] of known) {
    const packed = hsvOf(r!, g!, b!);
    assert.deepEqual([packed >> 16, (packed >> 8) & 255, packed & 255], expected, `${r},${g},${b}`);
  }
});

test('every colour lies within half a level and the fixed-point error of exact HSV', () => {
  for (let r = 0; r < 256; r += 5)
    for (let g = 0; g < 256; g += 3)
      for (let b = 0; b < 256; b += 5) {
        const packed = hsvOf(r, g, b);
        const [h, s, v] = hsv(r, g, b);
        const dh = Math.abs((packed >> 16) - h);
        const ok = Math.min(dh, 180 - dh) <= 0.63 && Math.abs(((packed >> 8) & 255) - s) <= 0.63 && (packed & 255) === v;
        assert.ok(ok && packed >> 16 < 180, `${r},${g},${b}`);
      }
});

test('columns of solid frames', () => {
  const scorer = new FrameScorer(32, 20, ALL);
  const red = scorer.score(solid(32, 20, 255, 0, 0)).slice();
  for (const name of ['deltaHue', 'deltaSat', 'deltaLum', 'deltaEdges', 'deltaLuma', 'hashDistance', 'stdLuma', 'blackRatio'] as const) {
    assert.equal(red[C[name]], 0, name);
  }
  assert.equal(red[C.histCorr], 1);
  assert.equal(red[C.meanRgb], 85);
  assert.equal(red[C.meanLuma], 76);
  assert.equal(red[C.meanSat], 255);
  const blue = scorer.score(solid(32, 20, 0, 0, 200));
  assert.equal(blue[C.deltaHue], 120);
  assert.equal(blue[C.deltaSat], 0);
  assert.equal(blue[C.deltaLum], 55);
  assert.equal(blue[C.meanLuma], 23);
  assert.equal(blue[C.blackRatio], 1);
  assert.equal(blue[C.letterboxTop], 1);
  assert.ok(Math.abs(blue[C.deltaLuma]! - 53 / 255) < 1e-6);
  assert.ok(Math.abs(blue[C.histCorr]! - -1 / 127) < 1e-6);
});

test('letterbox: dark bars as shares of the height, a few bright pixels allowed', () => {
  const frame = solid(100, 50, 120, 130, 140);
  for (let y = 0; y < 50; y++) for (let x = 0; x < 100; x++) if (y < 5 || y >= 40 || x >= 90) frame.fill(0, (y * 100 + x) * 3, (y * 100 + x) * 3 + 3);
  frame.fill(255, 0, 3);
  const row = new FrameScorer(100, 50).score(frame);
  const bars = [row[C.letterboxTop], row[C.letterboxBottom], row[C.letterboxLeft], row[C.letterboxRight]];
  assert.deepEqual(bars.map((v) => Math.round(v! * 1000) / 1000), [0.1, 0.2, 0, 0.1]);
});

test('edges: a moved square changes the mask, a frame like the last one does not', () => {
  const scorer = new FrameScorer(64, 64, { edges: true });
  const square = (at: number): Uint8Array => {
    const frame = solid(64, 64, 100, 100, 100);
    for (let y = at; y < at + 16; y++) frame.fill(250, (y * 64 + at) * 3, (y * 64 + at + 16) * 3);
    return frame;
  };
  scorer.score(square(8));
  assert.equal(scorer.score(square(8))[C.deltaEdges], 0);
  const moved = scorer.score(square(40))[C.deltaEdges]!;
  // Two outlines of 16 x 16, 5 to 6 pixels wide once dilated: 2 * (21^2 - 11^2) of 4096 pixels at the least.
  assert.ok(moved > 255 * 0.12 && moved < 255 * 0.3, `${moved}`);
});

test('switched-off columns are NaN, deltaEdges 0', () => {
  const row = new FrameScorer(8, 8, { content: false, luma: false, histogram: false, letterbox: false }).score(new Uint8Array(192));
  for (const name of FRAME_SCORE_COLUMNS) assert.ok(name === 'deltaEdges' ? row[C[name]] === 0 : Number.isNaN(row[C[name]]), name);
});

test('wrong sizes are refused', () => {
  assert.throws(() => new FrameScorer(0, 5), RangeError);
  assert.throws(() => new FrameScorer(4096, 4096), /downscale/);
  assert.throws(() => new FrameScorer(4, 4).score(new Uint8Array(47)), /48 bytes/);
  assert.throws(() => new FrameScorer(4, 4).score(new Uint8Array(48), new Float32Array(3)), /score row/);
});

const frameOf = (width: number, height: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 });

test('property: deltas of identical frames are 0, whatever came before', () => {
  const sizes = fc.record({ width: fc.integer({ min: 1, max: 37 }), height: fc.integer({ min: 1, max: 23 }) });
  const input = sizes.chain(({ width, height }) => fc.tuple(fc.constant({ width, height }), frameOf(width, height), frameOf(width, height)));
  fc.assert(
    fc.property(input, ([{ width, height }, before, frame]) => {
      const scorer = new FrameScorer(width, height, ALL);
      scorer.score(before);
      scorer.score(frame);
      const row = scorer.score(frame);
      for (const name of ['deltaHue', 'deltaSat', 'deltaLum', 'deltaEdges', 'deltaLuma', 'hashDistance'] as const) assert.equal(row[C[name]], 0, name);
      assert.ok(Math.abs(row[C.histCorr]! - 1) < 1e-6);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test('property: every column equals a plain per-pixel computation, aligned or not', () => {
  const input = fc.tuple(fc.integer({ min: 1, max: 19 }), fc.integer({ min: 1, max: 9 })).chain(([w, h]) => fc.tuple(fc.constant([w, h] as const), frameOf(w, h), frameOf(w, h)));
  fc.assert(
    fc.property(input, fc.nat(3), ([[w, h], a, b], shift) => {
      const n = w * h;
      const memory = new Uint8Array(n * 3 + 4);
      memory.set(b, shift);
      const scorer = new FrameScorer(w, h);
      scorer.score(a);
      const row = scorer.score(memory.subarray(shift, shift + n * 3));
      let [dh, ds, dv, rgb, sat, luma, squares, dl, black] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
      const y = (f: Uint8Array, p: number): number => Math.floor((f[p]! * 4899 + f[p + 1]! * 9617 + f[p + 2]! * 1868 + 8192) / 16384);
      for (let p = 0; p < n * 3; p += 3) {
        const before = hsvOf(a[p]!, a[p + 1]!, a[p + 2]!);
        const now = hsvOf(b[p]!, b[p + 1]!, b[p + 2]!);
        dh += Math.abs((now >> 16) - (before >> 16));
        ds += Math.abs(((now >> 8) & 255) - ((before >> 8) & 255));
        dv += Math.abs((now & 255) - (before & 255));
        rgb += b[p]! + b[p + 1]! + b[p + 2]!;
        sat += (now >> 8) & 255;
        luma += y(b, p);
        squares += y(b, p) ** 2;
        dl += Math.abs(y(b, p) - y(a, p));
        black += y(b, p) <= 24 ? 1 : 0;
      }
      const std = Math.sqrt(Math.max(0, squares / n - (luma / n) ** 2));
      const expected = { deltaHue: dh / n, deltaSat: ds / n, deltaLum: dv / n, meanRgb: rgb / n / 3, meanSat: sat / n, meanLuma: luma / n, stdLuma: std, deltaLuma: dl / n / 255, blackRatio: black / n };
      for (const [name, value] of Object.entries(expected)) assert.ok(Math.abs(row[C[name as keyof typeof C]]! - value) < 1e-3, `${name} ${row[C[name as keyof typeof C]]} for ${value}`);
    }),
    { numRuns: 200, seed: 2 },
  );
});

test('reset makes the next frame a first one', () => {
  const scorer = new FrameScorer(16, 16, { hash: true });
  const fresh = scorer.score(solid(16, 16, 9, 99, 199)).slice();
  scorer.score(solid(16, 16, 250, 0, 0));
  scorer.reset();
  assert.deepEqual(scorer.score(solid(16, 16, 9, 99, 199)), fresh);
});

const qualityFile = join(referenceDir, 'quality_opencv46.json');
test('sharpness, mean and deviation of luma equal OpenCV\'s on PNG, nearly on JPEG', { skip: missing(qualityFile) }, async () => {
  const expected = JSON.parse(readFileSync(qualityFile, 'utf8')) as Record<string, { laplacian_var: number; mean: number; std: number; width: number; height: number }>;
  let exact = 0;
  for (const [name, want] of Object.entries(expected)) {
    const { data, info } = await sharp(join(mediaDir, 'images', name), { failOn: 'none' }).removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    if (info.channels !== 3 || info.width !== want.width || info.height !== want.height) continue;
    const row = new FrameScorer(info.width, info.height, { laplacian: true }).score(data);
    const tolerance = name.endsWith('.png') ? 0.001 : 0.05; // JPEG decoders differ in chroma upsampling
    const near = (value: number, other: number): boolean => Math.abs(value - other) <= 0.02 + tolerance * other;
    assert.ok(near(row[C.meanLuma]!, want.mean), `${name} mean ${row[C.meanLuma]} for ${want.mean}`);
    assert.ok(near(row[C.stdLuma]!, want.std), `${name} std ${row[C.stdLuma]} for ${want.std}`);
    assert.ok(near(row[C.laplacianVar]!, want.laplacian_var), `${name} laplacian ${row[C.laplacianVar]} for ${want.laplacian_var}`);
    exact++;
  }
  assert.ok(exact >= 10, `${exact} images compared`);
});
