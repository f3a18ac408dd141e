import { I32, V128, get, i16x8, i32, i32x4, passOf, repeatWhile, set, swizzle, u8x16, v128, type Code } from './wasm-code.js';

/** Bytes of a row of the grids. */
export const GRID_W = 64;
export const GRID_H = 36;
/** Side of a block. */
export const BLOCK = 8;
/** Cells a block is looked for on each side. */
export const REACH = 4;
/** Places on a side of the search. */
export const SIDE = 2 * REACH + 1;

const CELLS = GRID_W * GRID_H;
const CORNER = -REACH * GRID_W - REACH;

/** Sums of absolute differences of a block of one grid and the blocks around its place in the other. */
export interface BlockMatcher {
  /** GRID_W x GRID_H values each, filled by the caller. */
  readonly grids: readonly [Uint8Array, Uint8Array];
  /**
   * Of the block whose first cell is `origin` in `grids[from]` and every block of the other grid that lies up to REACH cells from there: SIDE x SIDE
   * sums, row by row; overwritten by the next call. All of them must lie inside the grid.
   */
  match(from: 0 | 1, origin: number): Int32Array;
}

// The same in WebAssembly SIMD: two rows of a block are one vector.
const [A, B, OUT] = [0, 1, 2];
const PARAMETERS = 3;
const ROWS = [3, 4, 5, 6] as const;
const OTHER = 7;
const SUM = 8;
const LEFT = 9;
const NONE = 255;

const twoRows = (pointer: number, offset: number): Code => v128.loadUpper(get(pointer), v128.loadHalf(get(pointer), offset), offset + GRID_W);
const upperBytes = (count: number): Code => v128.const(Array.from({ length: 16 }, (_, i) => (i + count < 16 ? i + count : NONE)));
const distance = (a: number, b: number): Code => v128.or(u8x16.subSat(get(a), get(b)), u8x16.subSat(get(b), get(a)));

function place(x: number): Code {
  return [
    ...ROWS.map((rows, i) => [...set(OTHER, twoRows(B, x + 2 * i * GRID_W)), ...set(SUM, i === 0 ? u8x16.addPairs(distance(rows, OTHER)) : i16x8.add(get(SUM), u8x16.addPairs(distance(rows, OTHER))))]).flat(),
    ...set(SUM, i32x4.dot(get(SUM), i32x4.splat(0x00010001))),
    ...set(SUM, i32x4.add(get(SUM), swizzle(get(SUM), upperBytes(8)))),
    ...set(SUM, i32x4.add(get(SUM), swizzle(get(SUM), upperBytes(4)))),
    ...i32.store(get(OUT), i32x4.lane(0, get(SUM)), 4 * x),
  ];
}

const BODY: Code = [
  ...ROWS.flatMap((rows, i) => set(rows, twoRows(A, 2 * i * GRID_W))),
  ...set(LEFT, i32.const(SIDE)),
  ...repeatWhile(
    [
      ...Array.from({ length: SIDE }, (_, x) => place(x)).flat(),
      ...set(B, i32.add(get(B), i32.const(GRID_W))),
      ...set(OUT, i32.add(get(OUT), i32.const(4 * SIDE))),
      ...set(LEFT, i32.sub(get(LEFT), i32.const(1))),
    ],
    get(LEFT),
  ),
];
const passWith = passOf(PARAMETERS, [V128, V128, V128, V128, V128, V128, I32], BODY);

/** `javascript` keeps to the loops that the WebAssembly replaces. */
export function blockMatcher(javascript = false): BlockMatcher {
  return (javascript ? null : inWasm()) ?? inJavaScript();
}

function inWasm(): BlockMatcher | null {
  const made = passWith(2 * CELLS + 4 * SIDE * SIDE);
  if (made === null) return null;
  const { buffer, run } = made;
  const sums = new Int32Array(buffer, 2 * CELLS, SIDE * SIDE);
  return {
    grids: [new Uint8Array(buffer, 0, CELLS), new Uint8Array(buffer, CELLS, CELLS)],
    match(from, origin) {
      run(from * CELLS + origin, (1 - from) * CELLS + origin + CORNER, 2 * CELLS);
      return sums;
    },
  };
}

function inJavaScript(): BlockMatcher {
  const grids = [new Uint8Array(CELLS), new Uint8Array(CELLS)] as const;
  const sums = new Int32Array(SIDE * SIDE);
  return {
    grids,
    match(from, origin) {
      for (let i = 0; i < sums.length; i++) sums[i] = difference(grids[from], origin, grids[from === 0 ? 1 : 0], origin + CORNER + Math.floor(i / SIDE) * GRID_W + (i % SIDE));
      return sums;
    },
  };
}

function difference(a: Uint8Array, at: number, b: Uint8Array, bt: number): number {
  let sum = 0;
  for (let y = 0; y < BLOCK; y++, at += GRID_W, bt += GRID_W) for (let x = 0; x < BLOCK; x++) sum += Math.abs(a[at + x]! - b[bt + x]!);
  return sum;
}
