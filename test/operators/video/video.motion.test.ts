import assert from "node:assert/strict";
import { test } from "node:test";
import type { Series } from "../../../src/contracts/items.js";
import { COLOUR_NAMES, colourOf } from "../../../src/operators/video/palette.js";
import { rowsOf } from "./motion-rows.js";

const [WIDTH, HEIGHT] = [160, 90];

/** Smooth noise that never repeats (as the world does not), seen through a camera. */
function lattice(x: number, y: number): number {
  const bits = Math.imul(x * 374761393 + y * 668265263, 1274126177);
  return ((bits ^ (bits >>> 13)) >>> 0) % 256;
}
function noise(x: number, y: number, size: number): number {
  const [gx, gy] = [x / size, y / size];
  const [x0, y0] = [Math.floor(gx), Math.floor(gy)];
  const ease = (t: number): number => t * t * (3 - 2 * t);
  const [tx, ty] = [ease(gx - x0), ease(gy - y0)];
  const row = (at: number): number => lattice(x0, at) * (1 - tx) + lattice(x0 + 1, at) * tx;
  return row(y0) * (1 - ty) + row(y0 + 1) * ty;
}
const scene = (x: number, y: number): number => 0.5 * noise(x, y, 23) + 0.5 * noise(x + 1000, y, 7);
function picture(shiftX: number, shiftY: number, growth: number): Uint8Array {
  return Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
    const [x, y] = [(i % WIDTH) - (WIDTH - 1) / 2, Math.floor(i / WIDTH) - (HEIGHT - 1) / 2];
    return Math.round(scene((x - shiftX) / (1 + growth), (y - shiftY) / (1 + growth)));
  });
}

test("rows: what a sample shows depends on it and the one before only; a still picture does not move", () => {
  const rgb = (luma: Uint8Array): Uint8Array => Uint8Array.from({ length: luma.length * 3 }, (_, i) => luma[Math.floor(i / 3)]!);
  const frames = [picture(0, 0, 0), picture(2, 0, 0), picture(4, 0, 0), picture(4, 0, 0)].map(rgb);
  const all = rowsOf(frames, WIDTH, HEIGHT);
  const tail = rowsOf(frames.slice(1), WIDTH, HEIGHT);
  const row = (series: Series, i: number): number[] => [...series.data!.subarray(i * series.width, (i + 1) * series.width)];
  assert.deepEqual(row(all, 2), row(tail, 1));
  assert.deepEqual(row(all, 3), row(tail, 2));
  // 2 px of 160 to the right in 0.2 s: the camera pans left.
  const dx = row(all, 1)[1]!;
  assert.ok(Math.abs(dx + 2 / 160 / 0.2) < 0.01, String(dx));
  assert.deepEqual(row(all, 3).slice(0, 4).map(Math.abs), [0, 0, 0, 0]);
  assert.ok(row(all, 1)[5]! >= 3 && row(all, 3)[5]! >= 3);
  assert.ok(all.data!.every(Number.isFinite));
});

test("colours have the names people give them; the shares of a picture add up to 1", () => {
  const named: [number, number, number, string][] = [
    [0, 0, 0, "black"], [255, 255, 255, "white"], [128, 128, 128, "grey"], [220, 30, 30, "red"], [250, 140, 20, "orange"], [120, 70, 30, "brown"], [250, 230, 40, "yellow"],
    [250, 240, 210, "cream"], [40, 160, 60, "green"], [20, 160, 160, "teal"], [50, 110, 230, "blue"], [10, 20, 70, "navy"], [130, 60, 200, "violet"], [220, 30, 180, "magenta"], [250, 170, 180, "pink"],
  ];
  for (const [r, g, b, name] of named) assert.equal(colourOf(r, g, b), name);
  const noise = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (i * 7919) % 256);
  const { data, columns } = rowsOf([noise], 64, 48);
  const shares = [...data!].slice(columns!.length - COLOUR_NAMES.length);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-5);
});
