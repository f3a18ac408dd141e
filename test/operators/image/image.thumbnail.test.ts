import assert from "node:assert/strict";
import test from "node:test";
import sharp from "sharp";
import { InferencePool } from "../../../src/inference/index.js";
import { imageThumbnail } from "../../../src/operators/image/image.thumbnail.js";
import type { GridItem } from "../../../src/contracts/index.js";

/** Left half one colour, right half another. */
function twoHalves(width: number, height: number): GridItem {
  const buffer = new SharedArrayBuffer(width * height * 3);
  const pixels = new Uint8Array(buffer);
  for (let p = 0; p < width * height; p++) pixels.set(p % width < width / 2 ? [220, 30, 40] : [20, 60, 200], p * 3);
  return { ptsUs: 0, samples: 0, slot: { buffer, byteOffset: 0, byteLength: pixels.length, width, height } };
}

async function thumbnail(item: GridItem, config: unknown): Promise<Uint8Array> {
  await using pool = new InferencePool({ workers: 1 });
  const { module, name: operator } = imageThumbnail;
  const [result] = await pool.run({ kind: "batch", module, operator, node: "t", config: imageThumbnail.config.parse(config), models: {}, items: [item] });
  return result?.ok ? (result.value as Uint8Array) : assert.fail("no result");
}

test("a JPEG of the asked size with the frame's colours in their places", async () => {
  const jpeg = await thumbnail(twoHalves(320, 180), { longest: 160 });
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height], [160, 90]);
  const at = (x: number): number[] => [...data.subarray((45 * 160 + x) * 3, (45 * 160 + x) * 3 + 3)];
  [[40, [220, 30, 40]] as const, [120, [20, 60, 200]] as const].forEach(([x, colour]) =>
    at(x).forEach((value, c) => assert.ok(Math.abs(value - colour[c]!) < 12, `${at(x).join()} at ${x}`)),
  );
});

test("a small frame is not enlarged", async () => {
  const { width, height } = await sharp(await thumbnail(twoHalves(64, 48), {})).metadata();
  assert.deepEqual([width, height], [64, 48]);
});

test("a lower quality makes a smaller file", async () => {
  const [low, high] = [await thumbnail(twoHalves(256, 144), { quality: 10 }), await thumbnail(twoHalves(256, 144), { quality: 95 })];
  assert.ok(low.length < high.length);
});
