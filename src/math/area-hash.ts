const SIDE = 16;
const LOW = 8;

// Orthonormal DCT-II basis, only the rows that are kept.
const DCT = new Float64Array(LOW * SIDE);
for (let k = 0; k < LOW; k++) {
  const scale = Math.sqrt((k === 0 ? 1 : 2) / SIDE);
  for (let i = 0; i < SIDE; i++) DCT[k * SIDE + i] = scale * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * SIDE));
}

interface AreaAxis {
  readonly cell: Uint8Array; // target cell of each source position
  readonly share: Float32Array; // part of the source position that lies in that cell; the rest lies in the next one
}

function areaAxis(length: number): AreaAxis {
  const cell = new Uint8Array(length);
  const share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const from = (i * SIDE) / length;
    const to = ((i + 1) * SIDE) / length;
    cell[i] = Math.min(SIDE - 1, Math.floor(from));
    share[i] = Math.min(1, (cell[i]! + 1 - from) / (to - from));
  }
  return { cell, share };
}

/**
 * The 64-bit hash of PySceneDetect's hash detector: luma, area-averaged to 16x16, divided by its maximum, DCT, the
 * lowest 8x8, bit = coefficient > median. Exact for frames of at least 16x16; smaller ones use the nearest pixel.
 */
export class AreaHasher {
  readonly #width: number;
  readonly #height: number;
  readonly #x: AreaAxis;
  readonly #y: AreaAxis;
  readonly #line = new Float64Array(SIDE + 1);
  readonly #small = new Float64Array((SIDE + 1) * SIDE);
  readonly #half = new Float64Array(LOW * SIDE);
  readonly #low = new Float64Array(LOW * LOW);
  readonly #sorted = new Float64Array(LOW * LOW);
  #high32 = 0;
  #low32 = 0;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#x = areaAxis(width);
    this.#y = areaAxis(height);
  }

  /** Hashes a luma plane and returns the Hamming distance, 0..64, to the one before (to zero bits the first time). */
  next(luma: Uint8Array): number {
    if (this.#width < SIDE || this.#height < SIDE) this.#sample(luma);
    else this.#average(luma);
    this.#transform();
    const low = this.#low;
    const sorted = this.#sorted;
    sorted.set(low);
    sorted.sort();
    const median = (sorted[LOW * LOW / 2 - 1]! + sorted[LOW * LOW / 2]!) / 2;
    let high32 = 0;
    let low32 = 0;
    for (let i = 0; i < 32; i++) {
      if (low[i]! > median) high32 |= 1 << i;
      if (low[i + 32]! > median) low32 |= 1 << i;
    }
    const distance = popCount(high32 ^ this.#high32) + popCount(low32 ^ this.#low32);
    this.#high32 = high32;
    this.#low32 = low32;
    return distance;
  }

  #average(luma: Uint8Array): void {
    const { cell, share } = this.#x;
    const line = this.#line;
    const small = this.#small;
    small.fill(0);
    for (let row = 0, p = 0; row < this.#height; row++) {
      line.fill(0);
      for (let x = 0; x < this.#width; x++, p++) {
        const value = luma[p]!;
        const c = cell[x]!;
        const part = value * share[x]!;
        line[c]! += part;
        line[c + 1]! += value - part;
      }
      const base = this.#y.cell[row]! * SIDE;
      const part = this.#y.share[row]!;
      for (let c = 0; c < SIDE; c++) {
        small[base + c]! += line[c]! * part;
        small[base + SIDE + c]! += line[c]! * (1 - part);
      }
    }
    // INTER_AREA on bytes rounds to bytes.
    const area = (this.#width * this.#height) / (SIDE * SIDE);
    for (let i = 0; i < SIDE * SIDE; i++) small[i] = Math.round(small[i]! / area);
  }

  #sample(luma: Uint8Array): void {
    for (let row = 0; row < SIDE; row++) {
      const base = Math.floor((row * this.#height) / SIDE) * this.#width;
      for (let c = 0; c < SIDE; c++) this.#small[row * SIDE + c] = luma[base + Math.floor((c * this.#width) / SIDE)]!;
    }
  }

  #transform(): void {
    const small = this.#small;
    const half = this.#half;
    let max = 0;
    for (let i = 0; i < SIDE * SIDE; i++) max = Math.max(max, small[i]!);
    const scale = max > 0 ? 1 / max : 0;
    for (let k = 0; k < LOW; k++) {
      for (let c = 0; c < SIDE; c++) {
        let sum = 0;
        for (let i = 0; i < SIDE; i++) sum += DCT[k * SIDE + i]! * small[i * SIDE + c]!;
        half[k * SIDE + c] = sum * scale;
      }
    }
    for (let k = 0; k < LOW; k++) {
      for (let j = 0; j < LOW; j++) {
        let sum = 0;
        for (let c = 0; c < SIDE; c++) sum += half[k * SIDE + c]! * DCT[j * SIDE + c]!;
        // Coefficients that are zero by symmetry must not get bits from rounding noise: a flat frame has one bit at most.
        this.#low[k * LOW + j] = Math.abs(sum) < 1e-6 ? 0 : sum;
      }
    }
  }
}

function popCount(bits: number): number {
  let v = bits - ((bits >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return (((v + (v >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
