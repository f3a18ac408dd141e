import { FRAME_SCORE_INDEX as COLUMN } from './frame-scores.js';
import { HalfwayPts } from './halfway-pts.js';

/** A scene starts at this frame. */
export interface Cut {
  readonly ptsUs: number;
  readonly frame: number;
}

/**
 * A fold over score rows in presentation order (rows: FRAME_SCORE_COLUMNS). Definitions and defaults are
 * PySceneDetect's, except that lengths are times, so that a variable rate does not stretch them.
 */
export interface SceneDetector {
  /** Takes the next frame's row (not kept); returns the cuts that became certain, in order. */
  push(ptsUs: number, frame: number, row: Float32Array): Cut[];
  /** The stream is over, `endUs` where its last frame ends if known. Nothing may be pushed afterwards. */
  end(endUs?: number): Cut[];
  /** A cut can still be announced at or after this PTS; everything before it is final. */
  readonly settledUs: number;
}

export interface ContentWeights {
  readonly hue: number;
  readonly sat: number;
  readonly lum: number;
  readonly edges: number;
}

const DEFAULT_WEIGHTS: ContentWeights = { hue: 1, sat: 1, lum: 1, edges: 0 };

/** A frame's content value: the weighted mean of its deltas to the frame before. */
export function contentValue(row: Float32Array, weights: ContentWeights = DEFAULT_WEIGHTS): number {
  const sum =
    weights.hue * row[COLUMN.deltaHue]! +
    weights.sat * row[COLUMN.deltaSat]! +
    weights.lum * row[COLUMN.deltaLum]! +
    weights.edges * row[COLUMN.deltaEdges]!;
  const total = Math.abs(weights.hue) + Math.abs(weights.sat) + Math.abs(weights.lum) + Math.abs(weights.edges);
  return sum / total;
}

// PTS are rounded to whole microseconds (and by containers before that), so that a length of exactly 15 frames can
// come out two microseconds short.
const ROUNDING_US = 2;

const isLong = (fromUs: number, toUs: number, lengthUs: number): boolean => toUs - fromUs >= lengthUs - ROUNDING_US;

function computed(value: number, option: string): number {
  if (Number.isNaN(value)) throw new RangeError(`the score row lacks what this detector reads: switch on \`${option}\``);
  return value;
}

abstract class Fold implements SceneDetector {
  protected nextUs = Number.NEGATIVE_INFINITY;
  protected ended = false;

  abstract push(ptsUs: number, frame: number, row: Float32Array): Cut[];

  end(_endUs?: number): Cut[] {
    this.ended = true;
    return [];
  }

  get settledUs(): number {
    return this.ended ? Number.POSITIVE_INFINITY : Math.min(this.nextUs, this.pendingUs());
  }

  /** The earliest frame already pushed that may yet become a cut. */
  protected pendingUs(): number {
    return Number.POSITIVE_INFINITY;
  }

  protected advance(ptsUs: number): void {
    this.nextUs = ptsUs + 1;
  }
}

export interface ContentOptions {
  /** Default 27. */
  readonly threshold?: number;
  /** A cut nearer than this to the one before is none. */
  readonly minSceneUs: number;
  /** merge: a burst of flashes is one cut, at its end. suppress: the first of a burst wins. Default merge. */
  readonly filter?: 'merge' | 'suppress';
  readonly weights?: Partial<ContentWeights>;
}

/** Cuts where the content value reaches the threshold, through the flash filter. */
export function contentDetector(options: ContentOptions): SceneDetector {
  return new ContentFold(options);
}

class ContentFold extends Fold {
  readonly #threshold: number;
  readonly #minSceneUs: number;
  readonly #weights: ContentWeights;
  readonly #merges: boolean;
  #lastAbove: Cut | undefined; // in suppress mode: the last cut
  #mergeEnabled = false;
  #mergeStartUs: number | undefined;

  constructor(options: ContentOptions) {
    super();
    this.#threshold = options.threshold ?? 27;
    this.#minSceneUs = options.minSceneUs;
    this.#weights = { ...DEFAULT_WEIGHTS, ...options.weights };
    this.#merges = (options.filter ?? 'merge') === 'merge';
  }

  push(ptsUs: number, frame: number, row: Float32Array): Cut[] {
    this.advance(ptsUs);
    const above = computed(contentValue(row, this.#weights), 'content') >= this.#threshold;
    if (!(this.#minSceneUs > 0)) return above ? [{ ptsUs, frame }] : [];
    this.#lastAbove ??= { ptsUs, frame };
    return this.#merges ? this.#merge(ptsUs, frame, above) : this.#suppress(ptsUs, frame, above);
  }

  #suppress(ptsUs: number, frame: number, above: boolean): Cut[] {
    if (!above || !isLong(this.#lastAbove!.ptsUs, ptsUs, this.#minSceneUs)) return [];
    this.#lastAbove = { ptsUs, frame };
    return [this.#lastAbove];
  }

  #merge(ptsUs: number, frame: number, above: boolean): Cut[] {
    const lengthMet = isLong(this.#lastAbove!.ptsUs, ptsUs, this.#minSceneUs);
    if (above) this.#lastAbove = { ptsUs, frame };
    if (this.#mergeStartUs !== undefined) {
      if (above || !lengthMet || !this.#mergeIsLong()) return [];
      this.#mergeStartUs = undefined;
      return [this.#lastAbove!];
    }
    if (!above) return [];
    if (lengthMet) {
      this.#mergeEnabled = true;
      return [this.#lastAbove!];
    }
    if (this.#mergeEnabled) this.#mergeStartUs = ptsUs;
    return [];
  }

  #mergeIsLong(): boolean {
    return isLong(this.#mergeStartUs!, this.#lastAbove!.ptsUs, this.#minSceneUs);
  }

  // A merged stretch that is still too short ends only after a later frame above: the cut will lie there, not here.
  protected override pendingUs(): number {
    return this.#mergeStartUs !== undefined && this.#mergeIsLong() ? this.#lastAbove!.ptsUs : Number.POSITIVE_INFINITY;
  }
}

export interface AdaptiveOptions {
  /** Ratio to the mean of the neighbours. Default 3. */
  readonly threshold?: number;
  readonly minSceneUs: number;
  /** Neighbours on each side. Default 2. */
  readonly window?: number;
  /** Least content value of a cut. Default 15. */
  readonly minContent?: number;
  readonly weights?: Partial<ContentWeights>;
}

/** Cuts where the content value stands out from its neighbours': steady motion does not trigger it. */
export function adaptiveDetector(options: AdaptiveOptions): SceneDetector {
  return new AdaptiveFold(options);
}

/** Content value over the mean of its neighbours', capped at 255. */
export function adaptiveRatio(value: number, neighbourMean: number, minContent = 15): number {
  if (Math.abs(neighbourMean) < 1e-5) return value >= minContent ? 255 : 0;
  return Math.min(value / neighbourMean, 255);
}

class AdaptiveFold extends Fold {
  readonly #threshold: number;
  readonly #minSceneUs: number;
  readonly #window: number;
  readonly #minContent: number;
  readonly #weights: ContentWeights;
  readonly #buffer: { cut: Cut; value: number }[] = [];
  #lastCutUs: number | undefined;

  constructor(options: AdaptiveOptions) {
    super();
    this.#threshold = options.threshold ?? 3;
    this.#minSceneUs = options.minSceneUs;
    this.#window = options.window ?? 2;
    if (!Number.isInteger(this.#window) || this.#window < 1) throw new RangeError('window must be a whole number >= 1');
    this.#minContent = options.minContent ?? 15;
    this.#weights = { ...DEFAULT_WEIGHTS, ...options.weights };
  }

  push(ptsUs: number, frame: number, row: Float32Array): Cut[] {
    this.advance(ptsUs);
    this.#lastCutUs ??= ptsUs;
    const buffer = this.#buffer;
    const size = 2 * this.#window + 1;
    if (buffer.length === size) buffer.shift();
    buffer.push({ cut: { ptsUs, frame }, value: computed(contentValue(row, this.#weights), 'content') });
    if (buffer.length < size) return [];
    const target = buffer[this.#window]!;
    let sum = -target.value;
    for (const entry of buffer) sum += entry.value;
    const ratio = adaptiveRatio(target.value, sum / (size - 1), this.#minContent);
    const found = ratio >= this.#threshold && target.value >= this.#minContent;
    // From the newest frame, not from the target: as PySceneDetect does it.
    if (!found || !isLong(this.#lastCutUs, ptsUs, this.#minSceneUs)) return [];
    this.#lastCutUs = target.cut.ptsUs;
    return [target.cut];
  }

  protected override pendingUs(): number {
    const full = this.#buffer.length === 2 * this.#window + 1;
    return this.#buffer[this.#window + (full ? 1 : 0)]?.cut.ptsUs ?? Number.POSITIVE_INFINITY;
  }
}

export interface HashOptions {
  /** Share of differing bits. Default 0.35. */
  readonly threshold?: number;
  readonly minSceneUs: number;
}

/** Cuts where the DCT hash differs much from the frame before. Needs the `hash` column. */
export function hashDetector(options: HashOptions): SceneDetector {
  const threshold = options.threshold ?? 0.35;
  return new StepFold(options.minSceneUs, (row) => computed(row[COLUMN.hashDistance]!, 'hash') >= threshold);
}

export interface HistogramOptions {
  /** Cut at a correlation <= 1 - threshold. Default 0.2. */
  readonly threshold?: number;
  readonly minSceneUs: number;
}

/** Cuts where the luma histogram correlates little with the frame before. */
export function histogramDetector(options: HistogramOptions): SceneDetector {
  const most = Math.max(0, Math.min(1, 1 - (options.threshold ?? 0.2)));
  return new StepFold(options.minSceneUs, (row) => computed(row[COLUMN.histCorr]!, 'histogram') <= most);
}

class StepFold extends Fold {
  #lastCutUs: number | undefined;

  constructor(
    private readonly minSceneUs: number,
    private readonly differs: (row: Float32Array) => boolean,
  ) {
    super();
  }

  push(ptsUs: number, frame: number, row: Float32Array): Cut[] {
    this.advance(ptsUs);
    const differs = this.differs(row);
    if (this.#lastCutUs === undefined) {
      this.#lastCutUs = ptsUs;
      return [];
    }
    if (!differs || !isLong(this.#lastCutUs, ptsUs, this.minSceneUs)) return [];
    this.#lastCutUs = ptsUs;
    return [{ ptsUs, frame }];
  }
}

export interface ThresholdOptions {
  /** Mean RGB value. Default 12. */
  readonly threshold?: number;
  readonly minSceneUs: number;
  /** -1: the cut lies at the fade-out, 0: half way, 1: at the fade-in. Default 0. */
  readonly bias?: number;
  /** floor: fades to black; ceiling: to white. Default floor. */
  readonly method?: 'floor' | 'ceiling';
}

/** Cuts between a fade-out and the next fade-in. A fade-out at the very end gives no cut. */
export function thresholdDetector(options: ThresholdOptions): SceneDetector {
  return new ThresholdFold(options);
}

class ThresholdFold extends Fold {
  readonly #threshold: number;
  readonly #minSceneUs: number;
  readonly #bias: number;
  readonly #ceiling: boolean;
  #lastInUs: number | undefined;
  #faded: HalfwayPts | undefined; // the frames since the fade-out

  constructor(options: ThresholdOptions) {
    super();
    this.#threshold = options.threshold ?? 12;
    this.#minSceneUs = options.minSceneUs;
    this.#bias = options.bias ?? 0;
    if (!(Math.abs(this.#bias) <= 1)) throw new RangeError('bias must lie in -1..1');
    this.#ceiling = options.method === 'ceiling';
  }

  push(ptsUs: number, frame: number, row: Float32Array): Cut[] {
    this.advance(ptsUs);
    this.#lastInUs ??= ptsUs;
    const mean = computed(row[COLUMN.meanRgb]!, 'content');
    if (mean < this.#threshold !== this.#ceiling) {
      this.#faded ??= new HalfwayPts(ptsUs, frame);
      this.#faded.add(ptsUs);
      return [];
    }
    const faded = this.#faded;
    this.#faded = undefined;
    if (!faded || !isLong(this.#lastInUs, ptsUs, this.#minSceneUs)) return [];
    faded.add(ptsUs);
    this.#lastInUs = ptsUs;
    return [faded.at(this.#bias)];
  }

  // The cut moves on as the black lasts; it lies no earlier than if the fade-in came now.
  protected override pendingUs(): number {
    return this.#faded?.at(this.#bias).ptsUs ?? Number.POSITIVE_INFINITY;
  }
}
