export interface SilenceCutOptions {
  /** A pause of this length always ends a scene. */
  silenceUs: number;
  /** A scene that gets this long ends at its longest shorter pause in the second half, or here. */
  windowUs: number;
  minSceneUs: number;
  rowUs: number;
}

/** Boundaries of audio without a picture: in the middle of pauses. One call per level row, in order. */
export class SilenceCutter {
  readonly #options: SilenceCutOptions;
  #runStartUs: number | null = null;
  #best: { atUs: number; lengthUs: number } | null = null;

  constructor(options: SilenceCutOptions) {
    this.#options = options;
  }

  /** Boundaries that this row made final; `startUs`: start of the open scene. */
  push(ptsUs: number, silent: boolean, startUs: number): number[] {
    const { windowUs, rowUs } = this.#options;
    const found: number[] = [];
    if (silent) this.#runStartUs ??= ptsUs;
    else if (this.#runStartUs !== null) {
      const cut = this.#close(this.#runStartUs, ptsUs, startUs);
      this.#runStartUs = null;
      if (cut !== null) {
        found.push(cut);
        this.#best = null;
      }
    }
    let start = found.at(-1) ?? startUs;
    while (ptsUs + rowUs - start >= windowUs) {
      const limit = start + windowUs;
      if (this.#runStartUs !== null) this.#consider(Math.max(this.#runStartUs, start), limit, start);
      start = this.#best?.atUs ?? limit;
      found.push(start);
      this.#best = null;
    }
    return found;
  }

  #close(fromUs: number, toUs: number, startUs: number): number | null {
    const from = Math.max(fromUs, startUs);
    const middle = Math.floor((from + toUs) / 2);
    if (toUs - from >= this.#options.silenceUs && middle - startUs >= this.#options.minSceneUs) return middle;
    this.#consider(from, toUs, startUs);
    return null;
  }

  #consider(fromUs: number, toUs: number, startUs: number): void {
    const atUs = Math.floor((fromUs + toUs) / 2);
    const lengthUs = toUs - fromUs;
    const late = atUs - startUs >= Math.max(this.#options.windowUs / 2, this.#options.minSceneUs);
    if (late && lengthUs > (this.#best?.lengthUs ?? 0)) this.#best = { atUs, lengthUs };
  }
}
