import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAMERA_COLUMNS, cameraLabel, CameraMotion } from '../../src/math/camera-motion.js';

const W = 256;
const H = 144;

/** A smooth texture without a period in the picture. */
function world(x: number, y: number): number {
  return 128 + 35 * Math.sin(x / 9 + Math.sin(y / 23)) + 35 * Math.sin(y / 8 + Math.sin(x / 31)) + 25 * Math.sin((x + y * 0.7) / 14.3);
}

/** A view of the world: shifted by (x, y) pixels and scaled about the centre; `object` covers part of it and moves alone. */
function view(x: number, y: number, scale: number, object?: (px: number, py: number) => number | undefined): Uint8Array {
  const luma = new Uint8Array(W * H);
  for (let py = 0, i = 0; py < H; py++) {
    for (let px = 0; px < W; px++, i++) luma[i] = object?.(px, py) ?? world((px - W / 2) / scale + x, (py - H / 2) / scale + y);
  }
  return luma;
}

function rowsOf(frames: Uint8Array[]): Float32Array {
  const motion = new CameraMotion(W, H);
  return Float32Array.from(frames.flatMap((frame, i) => (i === 0 ? (motion.next(frame), []) : [...motion.next(frame)])));
}
const series = (n: number, frame: (t: number) => Uint8Array): Uint8Array[] => Array.from({ length: n }, (_, t) => frame(t));
const mean = (rows: Float32Array, column: number): number => {
  let sum = 0;
  for (let p = column; p < rows.length; p += CAMERA_COLUMNS.length) sum += rows[p]!;
  return (sum / rows.length) * CAMERA_COLUMNS.length;
};

test('a still picture is static, every corner says so', () => {
  const rows = rowsOf(series(5, () => view(0, 0, 1)));
  assert.deepEqual([...rows.subarray(0, 8)], [0, 0, 0, 4, 4, 4, 4, 4]);
  assert.equal(cameraLabel(rows, 25), 'static');
});

test('pans and tilts are measured to a fifth and labelled by where the camera turns', () => {
  for (const [vx, vy, label] of [[3, 0, 'pan-right'], [-5, 0, 'pan-left'], [0, 2, 'tilt-down'], [0, -6, 'tilt-up'], [9, 3, 'pan-right']] as const) {
    const rows = rowsOf(series(12, (t) => view(vx * t, vy * t, 1)));
    assert.equal(cameraLabel(rows, 25), label);
    assert.ok(Math.abs(mean(rows, 0) - -vx / W) <= 0.2 * Math.abs(vx / W) + 0.0005, `${mean(rows, 0)} for ${-vx / W}`);
    assert.ok(Math.abs(mean(rows, 1) - -vy / H) <= 0.2 * Math.abs(vy / H) + 0.001, `${mean(rows, 1)} for ${-vy / H}`);
  }
});

test('zooms are measured and labelled', () => {
  for (const [rate, label] of [[1.02, 'zoom-in'], [0.98, 'zoom-out']] as const) {
    const rows = rowsOf(series(12, (t) => view(0, 0, rate ** t)));
    assert.equal(cameraLabel(rows, 25), label);
    assert.ok(Math.abs(mean(rows, 2) - (rate - 1)) < 0.005, `${mean(rows, 2)} for ${rate - 1}`);
  }
});

test('an object that crosses the middle of a still picture does not make a pan', () => {
  const rows = rowsOf(series(12, (t) => view(0, 0, 1, (x, y) => (Math.abs(x - W / 2) < 50 && y > 30 && y < 120 ? world(x - 5 * t + 999, y) : undefined))));
  assert.equal(cameraLabel(rows, 25), 'static');
});

test('a close-up that fills two corners and moves gives no label of motion', () => {
  const rows = rowsOf(series(12, (t) => view(0, 0, 1, (x, y) => (x < 150 ? world(x - 5 * t + 999, y) : undefined))));
  const label = cameraLabel(rows, 25);
  assert.ok(label === null || label === 'static', `${label}`);
});

test('a picture without texture says nothing', () => {
  assert.equal(cameraLabel(rowsOf(series(4, () => new Uint8Array(W * H).fill(90))), 25), null);
  assert.equal(cameraLabel(new Float32Array(0), 25), null);
  assert.throws(() => new CameraMotion(32, 32), /64x36/);
});

test('reset makes the next frame a first one', () => {
  const motion = new CameraMotion(W, H);
  motion.next(view(0, 0, 1));
  motion.reset();
  assert.deepEqual([...motion.next(view(9, 0, 1))], new Array(8).fill(0));
});
