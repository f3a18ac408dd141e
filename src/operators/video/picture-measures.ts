import { scoreKernel, type ScoreKernel } from "../../math/score-kernel.js";
import { COLOUR_NAMES, colourIndex } from "./palette.js";

export interface PictureMeasures {
  /** Mean |Y − Y of the picture before|, 0..1; of the first one, of a black picture. */
  change: number;
  brightness: number;
  contrast: number;
  saturation: number;
  colourfulness: number;
  /** Shares in the order of COLOUR_NAMES; overwritten by the next picture. */
  colours: Float64Array;
}

const LEVELS = 256;

/** Measures rgb24 pictures of one size, one after the other. */
export class PictureMeter {
  readonly #pixels: number;
  readonly #kernel: ScoreKernel;
  readonly #sums = new Float64Array(6);
  readonly #levels = new Int32Array(4 * LEVELS);
  readonly #counts = new Int32Array(COLOUR_NAMES.length);
  readonly #colours = new Float64Array(COLOUR_NAMES.length);

  constructor(pixels: number) {
    this.#pixels = pixels;
    this.#kernel = scoreKernel(pixels);
  }

  /** BT.601 luma of the picture measured last, one byte a pixel. */
  get luma(): Uint8Array {
    return this.#kernel.luma;
  }

  measure(rgb: Uint8Array): PictureMeasures {
    const n = this.#pixels;
    this.#kernel.pass(rgb, n * 3, this.#sums, this.#levels);
    // What fills the last group of four is black.
    this.#levels[0]! -= this.#kernel.luma.length - n;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < this.#levels.length; i++) {
      const level = i % LEVELS;
      const light = this.#levels[i]! * level;
      sum += light;
      squares += light * level;
    }
    const mean = sum / n;
    return {
      change: this.#sums[5]! / n / 255,
      brightness: mean / 255,
      contrast: Math.sqrt(Math.max(0, squares / n - mean * mean)) / 255,
      saturation: this.#sums[4]! / n / 255,
      colourfulness: this.#countColours(rgb),
      colours: this.#colours,
    };
  }

  /** Fills `colours`; the pass over the pixels gives the colourfulness as well. */
  #countColours(rgb: Uint8Array): number {
    const n = this.#pixels;
    const counts = this.#counts.fill(0);
    let rg = 0;
    let rg2 = 0;
    // Twice the yellow-blue of the paper: whole numbers.
    let yb = 0;
    let yb2 = 0;
    for (let i = 0, p = 0; i < n; i++, p += 3) {
      const r = rgb[p]!;
      const g = rgb[p + 1]!;
      const b = rgb[p + 2]!;
      counts[colourIndex(r, g, b)]!++;
      const redGreen = r - g;
      const yellowBlue = r + g - 2 * b;
      rg += redGreen;
      rg2 += redGreen * redGreen;
      yb += yellowBlue;
      yb2 += yellowBlue * yellowBlue;
    }
    for (let i = 0; i < counts.length; i++) this.#colours[i] = counts[i]! / n;
    const [meanRg, meanYb] = [rg / n, yb / n / 2];
    return Math.sqrt(Math.max(0, rg2 / n - meanRg ** 2 + yb2 / n / 4 - meanYb ** 2)) + 0.3 * Math.hypot(meanRg, meanYb);
  }
}
