import { BLOCK, GRID_H, GRID_W, REACH, SIDE, blockMatcher, type BlockMatcher } from './block-match.js';
import { lumaGrid } from './luma-grid.js';

/** The columns of one frame's camera motion, measured to the frame before. */
export const CAMERA_COLUMNS = [
  'dx', // how far the picture moved right, as a share of its width
  'dy', // down, as a share of its height
  'zoom', // how much larger it became, 0.01 = 1 %
  'topLeft', // blocks of that corner, 0..4, that moved with the whole
  'topRight',
  'bottomLeft',
  'bottomRight',
  'centre',
] as const;

const REGIONS = 5;
const TOLERANCE = 0.35; // cells between a block's motion and the whole's
const LEAST_TEXTURE = 2.5; // mean |step to the right or down neighbour| below which a block matches anywhere

// Four overlapping blocks a region; all stay in the grid wherever they are looked for.
const ORIGINS: readonly (readonly [number, number])[] = [
  [REACH, REACH],
  [GRID_W - REACH - 2 * BLOCK, REACH],
  [REACH, GRID_H - REACH - 13],
  [GRID_W - REACH - 2 * BLOCK, GRID_H - REACH - 13],
  [GRID_W / 2 - BLOCK, 12],
];
const BLOCKS = REGIONS * 4;
const BLOCK_X = Int32Array.from({ length: BLOCKS }, (_, i) => ORIGINS[i >> 2]![0] + (i & 1) * BLOCK);
const BLOCK_Y = Int32Array.from({ length: BLOCKS }, (_, i) => ORIGINS[i >> 2]![1] + ((i >> 1) & 1) * 5);

/**
 * Global motion between neighbouring frames: luma averaged to 64x36, 20 blocks in the corners and the centre matched by
 * their sum of absolute differences (to a fraction of a cell by a parabola), and the shift + zoom that most blocks
 * agree on, refined by least squares. Two corners moving together may be an object; see cameraLabel.
 */
export class CameraMotion {
  readonly #shrink: (luma: Uint8Array, out: Uint8Array) => void;
  readonly #row = new Float32Array(CAMERA_COLUMNS.length);
  readonly #dx = new Float64Array(BLOCKS);
  readonly #dy = new Float64Array(BLOCKS);
  readonly #usable = new Uint8Array(BLOCKS);
  readonly #fit = new Float64Array(3); // shift right, shift down, zoom; in cells, about the grid's centre
  readonly #matcher: BlockMatcher = blockMatcher();
  #current: 0 | 1 = 0;
  #first = true;

  /** @throws RangeError if the frame is smaller than the 64x36 grid. */
  constructor(width: number, height: number) {
    this.#shrink = lumaGrid(width, height, GRID_W, GRID_H);
  }

  /** Forgets the previous frame. */
  reset(): void {
    this.#first = true;
  }

  /** Measures the next frame (width * height luma); returns a row of CAMERA_COLUMNS that is reused. First frame: zeros. */
  next(luma: Uint8Array): Float32Array {
    this.#current = this.#current === 0 ? 1 : 0;
    this.#shrink(luma, this.#matcher.grids[this.#current]);
    this.#row.fill(0);
    if (this.#first) {
      this.#first = false;
      return this.#row;
    }
    for (let i = 0; i < BLOCKS; i++) this.#match(i);
    this.#agree();
    return this.#row;
  }

  /** Where block i of the previous frame lies now. */
  #match(i: number): void {
    const before = this.#current === 0 ? 1 : 0;
    const origin = BLOCK_Y[i]! * GRID_W + BLOCK_X[i]!;
    this.#usable[i] = texture(this.#matcher.grids[before], origin) >= LEAST_TEXTURE ? 1 : 0;
    if (this.#usable[i] === 0) return;
    const costs = this.#matcher.match(before, origin);
    // No motion, unless another place is better.
    let best = REACH * SIDE + REACH;
    for (let place = 0; place < costs.length; place++) if (costs[place]! < costs[best]!) best = place;
    const x = (best % SIDE) - REACH;
    const y = Math.floor(best / SIDE) - REACH;
    // A best place on the border of the search may have a better one outside.
    const inside = Math.abs(x) < REACH && Math.abs(y) < REACH;
    this.#usable[i] = inside ? 1 : 0;
    if (!inside) return;
    const least = costs[best]!;
    this.#dx[i] = x + vertex(costs[best - 1]!, least, costs[best + 1]!);
    this.#dy[i] = y + vertex(costs[best - SIDE]!, least, costs[best + SIDE]!);
  }

  /** The motion that most blocks share, from every pair of them, then least squares over those that agree. */
  #agree(): void {
    const fit = this.#fit;
    let most = 0;
    let [sx, sy, zoom] = [0, 0, 0];
    for (let a = 0; a < BLOCKS; a++) {
      if (this.#usable[a] === 0) continue;
      for (let b = a + 1; b < BLOCKS; b++) {
        if (this.#usable[b] === 0 || a >> 2 === b >> 2) continue; // one region says little about zoom
        const ex = BLOCK_X[b]! - BLOCK_X[a]!;
        const ey = BLOCK_Y[b]! - BLOCK_Y[a]!;
        const z = (ex * (this.#dx[b]! - this.#dx[a]!) + ey * (this.#dy[b]! - this.#dy[a]!)) / (ex * ex + ey * ey);
        fit[0] = this.#dx[a]! - z * centredX(a);
        fit[1] = this.#dy[a]! - z * centredY(a);
        fit[2] = z;
        let count = 0;
        for (let i = 0; i < BLOCKS; i++) count += this.#follows(i);
        if (count <= most) continue;
        most = count;
        [sx, sy, zoom] = [fit[0]!, fit[1]!, z];
      }
    }
    if (most < 3) return;
    fit[0] = sx;
    fit[1] = sy;
    fit[2] = zoom;
    if (!this.#refine()) return;
    const row = this.#row;
    row[0] = fit[0]! / GRID_W;
    row[1] = fit[1]! / GRID_H;
    row[2] = fit[2]!;
    for (let i = 0; i < BLOCKS; i++) row[3 + (i >> 2)]! += this.#follows(i);
  }

  #follows(i: number): number {
    if (this.#usable[i] === 0) return 0;
    const x = this.#fit[0]! + this.#fit[2]! * centredX(i) - this.#dx[i]!;
    const y = this.#fit[1]! + this.#fit[2]! * centredY(i) - this.#dy[i]!;
    return x * x + y * y <= TOLERANCE * TOLERANCE ? 1 : 0;
  }

  /** Least squares over the blocks that agree; false where the two axes do not tell the same zoom. */
  #refine(): boolean {
    let [n, mx, my, mdx, mdy] = [0, 0, 0, 0, 0];
    let [xx, xd, yy, yd] = [0, 0, 0, 0];
    for (let i = 0; i < BLOCKS; i++) {
      if (this.#follows(i) === 0) continue;
      n++;
      mx += centredX(i);
      my += centredY(i);
      mdx += this.#dx[i]!;
      mdy += this.#dy[i]!;
    }
    if (n < 3) return false;
    mx /= n;
    my /= n;
    mdx /= n;
    mdy /= n;
    for (let i = 0; i < BLOCKS; i++) {
      if (this.#follows(i) === 0) continue;
      const x = centredX(i) - mx;
      const y = centredY(i) - my;
      xx += x * x;
      xd += x * (this.#dx[i]! - mdx);
      yy += y * y;
      yd += y * (this.#dy[i]! - mdy);
    }
    const zoom = xx + yy > 0 ? (xd + yd) / (xx + yy) : 0;
    // One half of the picture moving past the other looks like a zoom across, but not along.
    if (xx > 0 && yy > 0 && Math.abs(xd / xx - yd / yy) > 0.008 + Math.abs(zoom) / 2) return false;
    this.#fit[0] = mdx - zoom * mx;
    this.#fit[1] = mdy - zoom * my;
    this.#fit[2] = zoom;
    return true;
  }
}

const centredX = (i: number): number => BLOCK_X[i]! + BLOCK / 2 - GRID_W / 2;
const centredY = (i: number): number => BLOCK_Y[i]! + BLOCK / 2 - GRID_H / 2;

function texture(grid: Uint8Array, at: number): number {
  let right = 0;
  let down = 0;
  for (let y = 0; y < BLOCK; y++, at += GRID_W) {
    for (let x = 0; x < BLOCK; x++) {
      right += Math.abs(grid[at + x]! - grid[at + x + 1]!);
      down += Math.abs(grid[at + x]! - grid[at + x + GRID_W]!);
    }
  }
  // The weaker of the two: along a straight edge a block matches anywhere.
  return Math.min(right, down) / (BLOCK * BLOCK);
}

/**
 * Where between -0.5 and 0.5 the V through three costs has its tip (absolute differences fall linearly): the smaller of
 * what both neighbours say and what the nearer one and the middle say. The first alone takes texture that is stronger
 * on one side for a motion, the second noise.
 */
function vertex(left: number, middle: number, right: number): number {
  const steep = Math.max(left, right) - middle;
  if (steep <= 0) return 0;
  const both = (left - right) / (2 * steep);
  const near = middle / (middle + Math.min(left, right));
  return Math.sign(both) * Math.min(Math.abs(both), near, 0.5);
}

export type CameraLabel = 'static' | 'pan-left' | 'pan-right' | 'tilt-up' | 'tilt-down' | 'zoom-in' | 'zoom-out';

/**
 * What the camera does over a span of rows (flat, CAMERA_COLUMNS a row; the first frame of a scene left out), or null
 * where too few frames say so: a frame counts only with at least two agreeing blocks in three corners, or a close-up
 * would read as a pan.
 * @param framesPerSecond of the rows. @param least share of width or height (or zoom) a second that is a motion.
 */
export function cameraLabel(rows: Float32Array, framesPerSecond: number, least = 0.02): CameraLabel | null {
  const width = CAMERA_COLUMNS.length;
  const count = Math.floor(rows.length / width);
  let [n, dx, dy, zoom] = [0, 0, 0, 0];
  for (let i = 0, p = 0; i < count; i++, p += width) {
    let corners = 0;
    for (let c = 3; c < 7; c++) if (rows[p + c]! >= 2) corners++;
    if (corners < 3) continue;
    n++;
    dx += rows[p]!;
    dy += rows[p + 1]!;
    zoom += rows[p + 2]!;
  }
  if (n === 0 || n < count / 2) return null;
  const [x, y, z] = [dx, dy, zoom].map((sum) => (sum / n) * framesPerSecond) as [number, number, number];
  // At the border of the picture a zoom moves things by half of it.
  const strongest = Math.max(Math.abs(x), Math.abs(y), Math.abs(z) / 2);
  if (strongest < least) return 'static';
  if (strongest === Math.abs(z) / 2) return z > 0 ? 'zoom-in' : 'zoom-out';
  if (strongest === Math.abs(x)) return x > 0 ? 'pan-left' : 'pan-right';
  return y > 0 ? 'tilt-up' : 'tilt-down';
}
