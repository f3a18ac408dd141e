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
/** Pixels whose squares add up to no more than 32 bits hold: 510² each. */
const PIXELS_IN_32_BITS = 8192;

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
    // Red-green, and twice the yellow-blue of the paper: whole numbers.
    let [rg, rgSquares, yb, ybSquares] = [0, 0, 0, 0];
    for (let from = 0; from < n; from += PIXELS_IN_32_BITS) {
      const end = 3 * Math.min(n, from + PIXELS_IN_32_BITS);
      let [a, aa, b, bb] = [0, 0, 0, 0];
      for (let p = 3 * from; p < end; p += 3) {
        const red = rgb[p]!;
        const green = rgb[p + 1]!;
        const blue = rgb[p + 2]!;
        counts[colourIndex(red, green, blue)]!++;
        const redGreen = red - green;
        const yellowBlue = red + green - 2 * blue;
        a = (a + redGreen) | 0;
        aa = (aa + Math.imul(redGreen, redGreen)) | 0;
        b = (b + yellowBlue) | 0;
        bb = (bb + Math.imul(yellowBlue, yellowBlue)) | 0;
      }
      rg += a;
      rgSquares += aa;
      yb += b;
      ybSquares += bb;
    }
    for (let i = 0; i < counts.length; i++) this.#colours[i] = counts[i]! / n;
    const [meanRg, meanYb] = [rg / n, yb / n / 2];
    return Math.sqrt(Math.max(0, rgSquares / n - meanRg ** 2 + ybSquares / n / 4 - meanYb ** 2)) + 0.3 * Math.hypot(meanRg, meanYb);
  }
}
