import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { contours, fillRings, ringArea } from "../../src/math/contours.js";

/** `#` is set. */
function bitmapOf(...rows: string[]): { bitmap: Uint8Array; width: number; height: number } {
  return { bitmap: Uint8Array.from(rows.join(""), (c) => (c === "#" ? 1 : 0)), width: rows[0]!.length, height: rows.length };
}
const ringsOf = (...rows: string[]): number[][] => {
  const { bitmap, width, height } = bitmapOf(...rows);
  return contours(bitmap, width, height);
};

describe("outlines of a bitmap", () => {
  test("corners only, clockwise; a hole the other way round", () => {
    assert.deepEqual(ringsOf("...", ".#."), [[1, 1, 2, 1, 2, 2, 1, 2]]);
    assert.deepEqual(ringsOf("##", "##"), [[0, 0, 2, 0, 2, 2, 0, 2]]);
    assert.deepEqual(ringsOf("##", "#."), [[0, 0, 2, 0, 2, 1, 1, 1, 1, 2, 0, 2]]);
    const [part, hole, ...more] = ringsOf("###", "#.#", "###");
    assert.deepEqual([part, more], [[0, 0, 3, 0, 3, 3, 0, 3], []]);
    assert.deepEqual([ringArea(part!), ringArea(hole!)], [9, -1]);
  });

  test("pixels that touch at a corner are one part, and the gap between them is no hole of it", () => {
    const touching = ringsOf("#.", ".#");
    assert.equal(touching.length, 1);
    assert.equal(ringArea(touching[0]!), 2);
    assert.equal(ringsOf("#..", "..#").length, 2);
    // Four around one: the middle is enclosed.
    assert.deepEqual(ringsOf(".#.", "#.#", ".#.").map(ringArea), [5, -1]);
  });

  test("nothing has no outline", () => assert.deepEqual(ringsOf("..", ".."), []));

  test("filled, they are the bitmap; their areas sum up to its pixels; every ring is closed by right angles", () => {
    const bitmaps = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })).chain(([width, height]) =>
      fc.record({ width: fc.constant(width), height: fc.constant(height), bits: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: width * height, maxLength: width * height }) }),
    );
    fc.assert(
      fc.property(bitmaps, ({ width, height, bits }) => {
        const bitmap = Uint8Array.from(bits);
        const rings = contours(bitmap, width, height);
        assert.deepEqual(fillRings(rings, width, height), bitmap);
        assert.equal(rings.reduce((sum, ring) => sum + ringArea(ring), 0), bits.reduce((sum, bit) => sum + bit, 0));
        for (const ring of rings) {
          for (let i = 0; i < ring.length; i += 2) {
            const n = (i + 2) % ring.length;
            const [across, down] = [ring[n]! - ring[i]!, ring[n + 1]! - ring[i + 1]!];
            assert.ok((across === 0) !== (down === 0), "each side is upright or level");
            assert.equal(across === 0, i % 4 === 2, "sides take turns");
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
