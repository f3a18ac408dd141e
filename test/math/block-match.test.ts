import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BLOCK, GRID_H, GRID_W, REACH, SIDE, blockMatcher } from '../../src/math/block-match.js';

test('property: the search in WebAssembly gives the sums of the loops in JavaScript, in both directions and at the grid\'s borders', () => {
  const grid = fc.uint8Array({ minLength: GRID_W * GRID_H, maxLength: GRID_W * GRID_H });
  const place = fc.tuple(fc.integer({ min: REACH, max: GRID_W - REACH - BLOCK }), fc.integer({ min: REACH, max: GRID_H - REACH - BLOCK }));
  fc.assert(
    fc.property(grid, grid, place, fc.constantFrom(0 as const, 1 as const), (first, second, [x, y], from) => {
      const [a, b] = [blockMatcher(), blockMatcher(true)].map((matcher) => {
        matcher.grids[0].set(first);
        matcher.grids[1].set(second);
        return [...matcher.match(from, y * GRID_W + x)];
      });
      assert.deepEqual(a, b);
    }),
    { numRuns: 200, seed: 7 },
  );
});

test('a block that moved by less than the reach is found where it went; where least of it lies the sum is largest', () => {
  const matcher = blockMatcher();
  const at = 12 * GRID_W + 20;
  for (let row = 0; row < BLOCK; row++) {
    for (let column = 0; column < BLOCK; column++) {
      matcher.grids[0][at + row * GRID_W + column] = 255;
      matcher.grids[1][at + (row - 3) * GRID_W + column + 2] = 255;
    }
  }
  const sums = matcher.match(0, at);
  assert.equal(sums.indexOf(0), (REACH - 3) * SIDE + REACH + 2);
  // Two cells of it lie in the corner that is furthest away.
  assert.equal(Math.max(...sums), 255 * (BLOCK * BLOCK - 2));
});
