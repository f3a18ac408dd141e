/**
 * The camera's movement between two pictures: blocks are matched by least absolute difference and pan, tilt and zoom are fitted to
 * what most of them agree on. It depends on the two pictures alone, so that a resumed run finds the same.
 */
export interface CameraMove {
  /** Shift of the picture in pixels, and its growth (0.01: 1 % larger). */
  shiftX: number;
  shiftY: number;
  growth: number;
  /** Share of the textured blocks that agree; 0 if there are too few of them. */
  inliers: number;
  /** Corners of the picture, 0..4, in which at least half of the textured blocks agree. */
  corners: number;
}

const BLOCK = 12;
const COLUMNS = 9;
const ROWS = 6;
/** Least eigenvalue of the mean structure tensor: below it a block slides along an edge or sees nothing. */
const TEXTURE = 6;
const LEAST_BLOCKS = 8;
const COARSE = 4;
const COARSE_RANGE = 5;
const FIT_BOUNDS_PX = [3, 1.5, 0.8, 0.6];
const NOTHING: CameraMove = { shiftX: 0, shiftY: 0, growth: 0, inliers: 0, corners: 0 };

interface Match {
  x: number;
  y: number;
  u: number;
  v: number;
}

export class CameraEstimator {
  readonly #width: number;
  readonly #height: number;
  readonly #coarseWidth: number;
  readonly #coarseHeight: number;
  #previous: Uint8Array;
  #coarse: Float32Array;
  #previousCoarse: Float32Array;
  #first = true;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#coarseWidth = Math.floor(width / COARSE);
    this.#coarseHeight = Math.floor(height / COARSE);
    this.#previous = new Uint8Array(width * height);
    this.#coarse = new Float32Array(this.#coarseWidth * this.#coarseHeight);
    this.#previousCoarse = new Float32Array(this.#coarseWidth * this.#coarseHeight);
  }

  /** `luma`: width × height bytes, copied. The first picture has no movement. */
  next(luma: Uint8Array): CameraMove {
    [this.#previousCoarse, this.#coarse] = [this.#coarse, this.#previousCoarse];
    this.#shrink(luma);
    const move = this.#first || this.#width < 4 * BLOCK || this.#height < 4 * BLOCK ? NOTHING : this.#estimate(luma);
    this.#first = false;
    this.#previous.set(luma);
    return move;
  }

  #shrink(luma: Uint8Array): void {
    const w = this.#coarseWidth;
    for (let y = 0; y < this.#coarseHeight; y++) {
      for (let x = 0; x < w; x++) {
        let sum = 0;
        for (let j = 0; j < COARSE; j++) for (let i = 0; i < COARSE; i++) sum += luma[(y * COARSE + j) * this.#width + x * COARSE + i]!;
        this.#coarse[y * w + x] = sum / (COARSE * COARSE);
      }
    }
  }

  #estimate(luma: Uint8Array): CameraMove {
    const [startX, startY] = this.#coarseShift();
    const matches: Match[] = [];
    const margin = BLOCK;
    for (let r = 0; r < ROWS; r++) {
      for (let c = 0; c < COLUMNS; c++) {
        const x = Math.round(margin + (c * (this.#width - 2 * margin - BLOCK)) / (COLUMNS - 1));
        const y = Math.round(margin + (r * (this.#height - 2 * margin - BLOCK)) / (ROWS - 1));
        if (!this.#textured(x, y)) continue;
        const match = this.#match(luma, x, y, startX, startY);
        if (match) matches.push(match);
      }
    }
    return matches.length < LEAST_BLOCKS ? NOTHING : this.#fit(matches);
  }

  /** Shift of the whole picture that fits best, in full-size pixels; ties go to the smaller one. */
  #coarseShift(): [number, number] {
    const [w, h] = [this.#coarseWidth, this.#coarseHeight];
    const range = Math.min(COARSE_RANGE, w >> 2, h >> 2);
    let best: [number, number] = [0, 0];
    let least = Number.POSITIVE_INFINITY;
    const shifts = Array.from({ length: 2 * range + 1 }, (_, i) => i - range);
    const order = shifts.flatMap((dy) => shifts.map((dx) => [dx, dy] as [number, number])).sort((a, b) => Math.hypot(...a) - Math.hypot(...b));
    for (const [dx, dy] of order) {
      let sum = 0;
      for (let y = range; y < h - range; y++) {
        for (let x = range; x < w - range; x++) sum += Math.abs(this.#coarse[(y + dy) * w + x + dx]! - this.#previousCoarse[y * w + x]!);
      }
      if (sum < least * 0.98) [best, least] = [[dx, dy], sum];
    }
    return [best[0] * COARSE, best[1] * COARSE];
  }

  #textured(x0: number, y0: number): boolean {
    const w = this.#width;
    let xx = 0;
    let yy = 0;
    let xy = 0;
    for (let y = y0; y < y0 + BLOCK; y++) {
      for (let x = x0; x < x0 + BLOCK; x++) {
        const p = y * w + x;
        const gx = (this.#previous[p + 1]! - this.#previous[p - 1]!) / 2;
        const gy = (this.#previous[p + w]! - this.#previous[p - w]!) / 2;
        xx += gx * gx;
        yy += gy * gy;
        xy += gx * gy;
      }
    }
    const n = BLOCK * BLOCK;
    return (xx + yy - Math.hypot(xx - yy, 2 * xy)) / (2 * n) >= TEXTURE;
  }

  #difference(luma: Uint8Array, x: number, y: number, u: number, v: number): number {
    const w = this.#width;
    if (x + u < 0 || y + v < 0 || x + u + BLOCK > w || y + v + BLOCK > this.#height) return Number.POSITIVE_INFINITY;
    let sum = 0;
    for (let j = 0; j < BLOCK; j++) {
      const from = (y + j) * w + x;
      const to = from + v * w + u;
      for (let i = 0; i < BLOCK; i++) {
        const d = luma[to + i]! - this.#previous[from + i]!;
        sum += d < 0 ? -d : d;
      }
    }
    return sum;
  }

  /** Descends from no shift and from the coarse one, whichever fits better; to a fraction of a pixel by a parabola. */
  #match(luma: Uint8Array, x: number, y: number, startX: number, startY: number): Match | null {
    let [u, v] = [0, 0];
    let least = this.#difference(luma, x, y, 0, 0);
    const coarse = this.#difference(luma, x, y, startX, startY);
    if (coarse < least) [u, v, least] = [startX, startY, coarse];
    for (const step of [2, 1]) {
      for (let moves = 0; moves < 8; moves++) {
        let [bestU, bestV] = [u, v];
        for (let dv = -step; dv <= step; dv += step) {
          for (let du = -step; du <= step; du += step) {
            if (du === 0 && dv === 0) continue;
            const d = this.#difference(luma, x, y, u + du, v + dv);
            if (d < least) [bestU, bestV, least] = [u + du, v + dv, d];
          }
        }
        if (bestU === u && bestV === v) break;
        [u, v] = [bestU, bestV];
      }
    }
    // A block that is found nowhere (it is hidden, or changes) says nothing.
    if (least / (BLOCK * BLOCK) > 16) return null;
    const peak = (a: number, b: number): number => (Number.isFinite(a + b) && a + b > 2 * least ? (a - b) / (2 * (a + b - 2 * least)) : 0);
    const fineU = least === 0 ? 0 : peak(this.#difference(luma, x, y, u - 1, v), this.#difference(luma, x, y, u + 1, v));
    const fineV = least === 0 ? 0 : peak(this.#difference(luma, x, y, u, v - 1), this.#difference(luma, x, y, u, v + 1));
    const half = (BLOCK - 1) / 2;
    return { x: x + half - (this.#width - 1) / 2, y: y + half - (this.#height - 1) / 2, u: u + fineU, v: v + fineV };
  }

  /** u = shiftX + growth · x, v = shiftY + growth · y, least squares over what agrees, bound by bound. */
  #fit(matches: readonly Match[]): CameraMove {
    let [a, b, z] = [median(matches.map((m) => m.u)), median(matches.map((m) => m.v)), 0];
    const agrees = (m: Match, bound: number): boolean => Math.hypot(m.u - a - z * m.x, m.v - b - z * m.y) <= bound;
    let bound = 0;
    for (bound of FIT_BOUNDS_PX) {
      const kept = matches.filter((m) => agrees(m, bound));
      if (kept.length < LEAST_BLOCKS) break;
      const n = kept.length;
      const sum = (f: (m: Match) => number): number => kept.reduce((total, m) => total + f(m), 0);
      const [mx, my, mu, mv] = [sum((m) => m.x) / n, sum((m) => m.y) / n, sum((m) => m.u) / n, sum((m) => m.v) / n];
      const spread = sum((m) => (m.x - mx) ** 2 + (m.y - my) ** 2);
      z = spread > 0 ? sum((m) => (m.x - mx) * (m.u - mu) + (m.y - my) * (m.v - mv)) / spread : 0;
      [a, b] = [mu - z * mx, mv - z * my];
    }
    const within = matches.map((m) => agrees(m, bound));
    let corners = 0;
    for (const [sx, sy] of [[-1, -1], [1, -1], [-1, 1], [1, 1]] as const) {
      const here = matches.flatMap((m, i) => (m.x * sx > this.#width * 0.12 && m.y * sy > this.#height * 0.1 ? [within[i]!] : []));
      if (here.length > 0 && here.filter(Boolean).length * 2 >= here.length) corners++;
    }
    return { shiftX: a, shiftY: b, growth: z, inliers: within.filter(Boolean).length / within.length, corners };
  }
}

function median(values: number[]): number {
  const sorted = values.sort((p, q) => p - q);
  return sorted[sorted.length >> 1]!;
}
