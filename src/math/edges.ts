const TAN_22 = 0.4142135623730951;
const TAN_67 = 2.414213562373095;

/**
 * The edge component of PySceneDetect's content detector: Canny (3x3 Sobel, L1 norm) between 2/3 and 4/3 of the median
 * of V, dilated by a square of 4 + round(sqrt(w * h) / 192) pixels (made odd), compared with the previous mask.
 */
export class EdgeMask {
  readonly #width: number;
  readonly #height: number;
  readonly #radius: number;
  readonly #v: Uint8Array;
  readonly #gx: Int16Array;
  readonly #gy: Int16Array;
  readonly #magnitude: Int32Array;
  readonly #mask: Uint8Array;
  readonly #wide: Uint8Array;
  readonly #stack: Int32Array;
  #current: Uint8Array;
  #previous: Uint8Array;

  constructor(width: number, height: number) {
    const n = width * height;
    this.#width = width;
    this.#height = height;
    const size = 4 + Math.round(Math.sqrt(n) / 192);
    this.#radius = (size % 2 === 0 ? size + 1 : size) >> 1;
    this.#v = new Uint8Array(n);
    this.#gx = new Int16Array(n);
    this.#gy = new Int16Array(n);
    this.#magnitude = new Int32Array(n);
    this.#mask = new Uint8Array(n);
    this.#wide = new Uint8Array(n);
    this.#stack = new Int32Array(n);
    this.#current = new Uint8Array(n);
    this.#previous = new Uint8Array(n);
  }

  /** Mean absolute difference 0..255 of this frame's mask to the one before. `value`: V, a byte a pixel. */
  next(value: Uint8Array): number {
    const v = this.#v;
    v.set(value.length === v.length ? value : value.subarray(0, v.length));
    const median = medianOfBytes(v);
    const low = Math.trunc(Math.max(0, (2 / 3) * median));
    const high = Math.trunc(Math.min(255, (4 / 3) * median));
    this.#gradients();
    this.#trace(low, high);
    this.#dilate();
    let different = 0;
    const current = this.#current;
    const previous = this.#previous;
    for (let i = 0; i < current.length; i++) different += current[i]! ^ previous[i]!;
    this.#current = previous;
    this.#previous = current;
    return (different * 255) / v.length;
  }

  #gradients(): void {
    const w = this.#width;
    const h = this.#height;
    const v = this.#v;
    for (let y = 0; y < h; y++) {
      const up = Math.max(0, y - 1) * w;
      const mid = y * w;
      const down = Math.min(h - 1, y + 1) * w;
      for (let x = 0; x < w; x++) {
        const l = Math.max(0, x - 1);
        const r = Math.min(w - 1, x + 1);
        const a = v[up + l]!;
        const c = v[up + r]!;
        const g = v[down + l]!;
        const i = v[down + r]!;
        const gx = c + 2 * v[mid + r]! + i - a - 2 * v[mid + l]! - g;
        const gy = g + 2 * v[down + x]! + i - a - 2 * v[up + x]! - c;
        this.#gx[mid + x] = gx;
        this.#gy[mid + x] = gy;
        this.#magnitude[mid + x] = Math.abs(gx) + Math.abs(gy);
      }
    }
  }

  /** Non-maximum suppression and hysteresis into #mask (1 = edge). */
  #trace(low: number, high: number): void {
    const w = this.#width;
    const h = this.#height;
    const mask = this.#mask; // 0 nothing, 2 weak, 1 edge
    const stack = this.#stack;
    let top = 0;
    mask.fill(0);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const p = y * w + x;
        const m = this.#magnitude[p]!;
        if (m <= low || !this.#isPeak(x, y, p, m)) continue;
        if (m > high) {
          mask[p] = 1;
          stack[top++] = p;
        } else mask[p] = 2;
      }
    }
    while (top > 0) {
      const p = stack[--top]!;
      const px = p % w;
      const py = (p - px) / w;
      for (let y = Math.max(0, py - 1); y <= Math.min(h - 1, py + 1); y++) {
        for (let x = Math.max(0, px - 1); x <= Math.min(w - 1, px + 1); x++) {
          const q = y * w + x;
          if (mask[q] !== 2) continue;
          mask[q] = 1;
          stack[top++] = q;
        }
      }
    }
  }

  #at(x: number, y: number): number {
    return x < 0 || y < 0 || x >= this.#width || y >= this.#height ? 0 : this.#magnitude[y * this.#width + x]!;
  }

  #isPeak(x: number, y: number, p: number, m: number): boolean {
    const gx = this.#gx[p]!;
    const gy = this.#gy[p]!;
    const ax = Math.abs(gx);
    const ay = Math.abs(gy);
    if (ay < ax * TAN_22) return m > this.#at(x - 1, y) && m >= this.#at(x + 1, y);
    if (ay > ax * TAN_67) return m > this.#at(x, y - 1) && m >= this.#at(x, y + 1);
    const s = (gx ^ gy) < 0 ? -1 : 1;
    return m > this.#at(x - s, y - 1) && m > this.#at(x + s, y + 1);
  }

  #dilate(): void {
    const w = this.#width;
    const h = this.#height;
    const r = this.#radius;
    const wide = this.#wide;
    const out = this.#current;
    for (let y = 0; y < h; y++) spread(this.#mask, wide, y * w, 1, w, r);
    for (let x = 0; x < w; x++) spread(wide, out, x, w, h, r);
  }
}

/** One line of a box dilation: a cell is set if any cell within `radius` is exactly 1. */
function spread(from: Uint8Array, to: Uint8Array, start: number, step: number, length: number, radius: number): void {
  let count = 0;
  for (let i = 0; i < Math.min(radius, length); i++) if (from[start + i * step] === 1) count++;
  for (let i = 0; i < length; i++) {
    if (i + radius < length && from[start + (i + radius) * step] === 1) count++;
    if (i - radius - 1 >= 0 && from[start + (i - radius - 1) * step] === 1) count--;
    to[start + i * step] = count > 0 ? 1 : 0;
  }
}

function medianOfBytes(values: Uint8Array): number {
  const counts = new Int32Array(256);
  for (let i = 0; i < values.length; i++) counts[values[i]!]!++;
  const n = values.length;
  const rank = (k: number): number => {
    let seen = 0;
    for (let b = 0; b < 256; b++) {
      seen += counts[b]!;
      if (seen > k) return b;
    }
    return 255;
  };
  return n % 2 === 1 ? rank((n - 1) / 2) : (rank(n / 2 - 1) + rank(n / 2)) / 2;
}
