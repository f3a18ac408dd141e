import { AreaHasher } from './area-hash.js';
import { EdgeMask } from './edges.js';
import { histogramCorrelation, laplacianVariance, letterboxInto } from './luma-measures.js';
import { scoreKernel, type ScoreKernel } from './score-kernel.js';

/** The columns of one frame's score row, in order. */
export const FRAME_SCORE_COLUMNS = [
  'deltaHue', // mean |H - H of the previous frame|, OpenCV 8-bit range 0..179
  'deltaSat', // the same of S, 0..255
  'deltaLum', // the same of V, 0..255
  'deltaEdges', // the same of the dilated Canny mask, 0..255; 0 unless `edges`
  'meanRgb', // mean of all R, G and B values, 0..255
  'meanLuma', // mean BT.601 luma Y, 0..255
  'stdLuma', // population standard deviation of Y
  'meanSat', // mean S, 0..255
  'deltaLuma', // mean |Y - Y of the previous frame| / 255, 0..1
  'histCorr', // correlation of the 128-bin histograms of Y with the previous frame's, -1..1
  'hashDistance', // Hamming distance of the 64-bit DCT hashes / 64, 0..1
  'blackRatio', // share of pixels with Y <= BLACK_LUMA, 0..1
  'letterboxTop', // share of the height (width) that is a dark border, 0..1; 1 for a black frame
  'letterboxBottom',
  'letterboxLeft',
  'letterboxRight',
  'laplacianVar', // variance of the 4-neighbour Laplacian of Y: sharpness
] as const;

export type FrameScoreColumn = (typeof FRAME_SCORE_COLUMNS)[number];

/** Position of each column in a row. */
export const FRAME_SCORE_INDEX = Object.fromEntries(
  FRAME_SCORE_COLUMNS.map((name, index) => [name, index]),
) as Readonly<Record<FrameScoreColumn, number>>;

/** Pixels at or below this luma count as black. */
export const BLACK_LUMA = 24;

/**
 * What is computed. A column that is switched off is NaN in every row (deltaEdges is 0, so that a weight of 0 stays
 * harmless). Costs are of a 256x144 frame: see bench/content-score.bench.ts.
 */
export interface FrameScoreOptions {
  /** deltaHue, deltaSat, deltaLum, meanRgb, meanSat. Default true. */
  readonly content?: boolean;
  /** meanLuma, stdLuma, deltaLuma, blackRatio. Default true. */
  readonly luma?: boolean;
  /** histCorr. Default true; implies the luma pass. */
  readonly histogram?: boolean;
  /** letterbox*. Default true; implies the luma pass. */
  readonly letterbox?: boolean;
  /** deltaEdges. Default false: it costs several times the rest. */
  readonly edges?: boolean;
  /** hashDistance. Default false; implies the luma pass. */
  readonly hash?: boolean;
  /** laplacianVar. Default false; implies the luma pass. */
  readonly laplacian?: boolean;
}

const COLUMN = FRAME_SCORE_INDEX;
const LEVELS = 256;
const BINS = 128;
const MAX_PIXELS = Math.floor(0x7fffffff / 765);

/**
 * Scores rgb24 frames of one size in presentation order, each against the one before. All memory is allocated by the
 * constructor. Definitions: OpenCV's 8-bit HSV, PySceneDetect's content, threshold, histogram and hash detectors.
 */
export class FrameScorer {
  readonly width: number;
  readonly height: number;
  readonly #pixels: number;
  readonly #content: boolean;
  readonly #luma: boolean;
  readonly #histogram: boolean;
  readonly #letterbox: boolean;
  readonly #laplacian: boolean;
  readonly #edges: EdgeMask | undefined;
  readonly #hasher: AreaHasher | undefined;
  readonly #kernel: ScoreKernel;
  readonly #y: Uint8Array; // of the frame scored last
  readonly #sums = new Float64Array(6);
  readonly #counts = new Int32Array(4 * LEVELS);
  #hist = new Int32Array(BINS);
  #previousHist = new Int32Array(BINS);
  #first = true;

  constructor(width: number, height: number, options: FrameScoreOptions = {}) {
    if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
      throw new RangeError(`frame size must be whole and positive, got ${width}x${height}`);
    }
    if (width * height > MAX_PIXELS) {
      throw new RangeError(`a frame may have ${MAX_PIXELS} pixels (32-bit sums), got ${width}x${height}: downscale it`);
    }
    this.width = width;
    this.height = height;
    this.#pixels = width * height;
    this.#edges = options.edges ? new EdgeMask(width, height) : undefined;
    this.#content = (options.content ?? true) || this.#edges !== undefined;
    this.#histogram = options.histogram ?? true;
    this.#letterbox = options.letterbox ?? true;
    this.#laplacian = options.laplacian ?? false;
    this.#hasher = options.hash ? new AreaHasher(width, height) : undefined;
    this.#luma =
      (options.luma ?? true) || this.#histogram || this.#letterbox || this.#laplacian || this.#hasher !== undefined;
    this.#kernel = scoreKernel(this.#pixels);
    this.#y = this.#kernel.luma.subarray(0, this.#luma ? this.#pixels : 0);
  }

  /**
   * Scores the next frame.
   * @param rgb width * height * 3 bytes, R G B; not kept.
   * @param row filled and returned; FRAME_SCORE_COLUMNS.length values.
   * @throws RangeError if either is too short.
   */
  score(rgb: Uint8Array, row: Float32Array = new Float32Array(FRAME_SCORE_COLUMNS.length)): Float32Array {
    if (rgb.length < this.#pixels * 3) {
      throw new RangeError(`a ${this.width}x${this.height} rgb24 frame has ${this.#pixels * 3} bytes, got ${rgb.length}`);
    }
    if (row.length < FRAME_SCORE_COLUMNS.length) {
      throw new RangeError(`a score row has ${FRAME_SCORE_COLUMNS.length} values, got ${row.length}`);
    }
    row.fill(Number.NaN);
    row[COLUMN.deltaEdges] = 0;
    const first = this.#first;
    this.#first = false;
    // One pass for both: what is not asked for would cost more to leave out.
    this.#kernel.pass(rgb, this.#pixels * 3, this.#sums, this.#counts);
    if (this.#content) this.#scoreContent(row, first);
    if (this.#luma) this.#scoreLuma(row, first);
    return row;
  }

  /** The luma of the frame scored last, width * height; overwritten by the next one, empty without the luma pass. */
  get luma(): Uint8Array {
    return this.#y;
  }

  /** Forgets the previous frame: the next one is scored as a first one (after a seek, or for another medium). */
  reset(): void {
    this.#first = true;
  }

  #scoreContent(row: Float32Array, first: boolean): void {
    const sums = this.#sums;
    const n = this.#pixels;
    row[COLUMN.deltaHue] = first ? 0 : sums[0]! / n;
    row[COLUMN.deltaSat] = first ? 0 : sums[1]! / n;
    row[COLUMN.deltaLum] = first ? 0 : sums[2]! / n;
    row[COLUMN.meanRgb] = sums[3]! / (3 * n);
    row[COLUMN.meanSat] = sums[4]! / n;
    if (this.#edges) {
      const delta = this.#edges.next(this.#kernel.value);
      row[COLUMN.deltaEdges] = first ? 0 : delta;
    }
  }

  #scoreLuma(row: Float32Array, first: boolean): void {
    const y = this.#y;
    this.#counts[0]! -= this.#kernel.luma.length - this.#pixels; // the padding
    row[COLUMN.deltaLuma] = first ? 0 : this.#sums[5]! / this.#pixels / 255;
    this.#scoreLevels(row, first);
    if (this.#letterbox) letterboxInto(y, this.width, this.height, BLACK_LUMA, row, COLUMN.letterboxTop);
    if (this.#hasher) {
      const distance = this.#hasher.next(y);
      row[COLUMN.hashDistance] = first ? 0 : distance / 64;
    }
    if (this.#laplacian) row[COLUMN.laplacianVar] = laplacianVariance(y, this.width, this.height);
  }

  /** All that follows from how often each luma level occurs. */
  #scoreLevels(row: Float32Array, first: boolean): void {
    const counts = this.#counts;
    const hist = this.#hist;
    const n = this.#pixels;
    let total = 0;
    let squares = 0;
    let black = 0;
    hist.fill(0);
    for (let level = 0; level < LEVELS; level++) {
      const count = counts[level]! + counts[level + 256]! + counts[level + 512]! + counts[level + 768]!;
      total += count * level;
      squares += count * level * level;
      if (level <= BLACK_LUMA) black += count;
      hist[level >> 1]! += count;
    }
    const mean = total / n;
    row[COLUMN.meanLuma] = mean;
    row[COLUMN.stdLuma] = Math.sqrt(Math.max(0, squares / n - mean * mean));
    row[COLUMN.blackRatio] = black / n;
    if (!this.#histogram) return;
    row[COLUMN.histCorr] = first ? 1 : histogramCorrelation(this.#previousHist, hist);
    this.#hist = this.#previousHist;
    this.#previousHist = hist;
  }
}
