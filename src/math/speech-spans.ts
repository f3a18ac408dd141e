/**
 * Speech from the probabilities of a voice activity detector, window by window: Silero VAD's `get_speech_timestamps` (snakers4/silero-vad,
 * src/silero_vad/utils_vad.py) with its defaults, as a fold. Positions are in samples.
 */

export interface SpeechOptions {
  windowSamples: number;
  /** Speech begins at this probability, and ends below `threshold − 0.15`. */
  threshold: number;
  /** Only longer speech counts. */
  minSpeechSamples: number;
  /** A shorter silence does not end it. */
  minSilenceSamples: number;
  /** Added before and after, or half of the silence between two spans where that is shorter. */
  padSamples: number;
}

export interface SampleSpan {
  start: number;
  end: number;
}

const HYSTERESIS = 0.15;

/** Memory: one number per span found. */
export class SpeechSpans {
  readonly #options: SpeechOptions;
  readonly #low: number;
  readonly #found: SampleSpan[] = [];
  #windows = 0;
  #start: number | null = null;
  /** Where a silence began that may end the speech. */
  #silence: number | null = null;

  constructor(options: SpeechOptions) {
    this.#options = options;
    this.#low = Math.max(options.threshold - HYSTERESIS, 0.01);
  }

  push(probability: number): void {
    const { windowSamples, threshold, minSilenceSamples } = this.#options;
    const at = this.#windows++ * windowSamples;
    if (probability >= threshold) {
      this.#silence = null;
      this.#start ??= at;
    } else if (probability < this.#low && this.#start !== null) {
      this.#silence ??= at;
      if (at - this.#silence < minSilenceSamples) return;
      this.#close(this.#silence);
    }
  }

  /** `totalSamples`: length of the sound, which the last window may exceed. */
  end(totalSamples: number): SampleSpan[] {
    this.#close(totalSamples);
    return this.#padded(totalSamples);
  }

  #close(end: number): void {
    if (this.#start !== null && end - this.#start > this.#options.minSpeechSamples) this.#found.push({ start: this.#start, end });
    this.#start = this.#silence = null;
  }

  #padded(total: number): SampleSpan[] {
    const { padSamples: pad } = this.#options;
    const spans = this.#found.map((span) => ({ ...span }));
    if (spans[0]) spans[0].start = Math.max(0, spans[0].start - pad);
    spans.forEach((span, i) => {
      const next = spans[i + 1];
      const silence = next ? next.start - span.end : Number.POSITIVE_INFINITY;
      const share = silence < 2 * pad ? Math.floor(silence / 2) : pad;
      span.end = Math.min(total, span.end + share);
      if (next) next.start = Math.max(0, next.start - share);
    });
    return spans;
  }
}
