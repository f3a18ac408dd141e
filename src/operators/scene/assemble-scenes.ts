import type { SceneCut } from "../../contracts/operator.js";

/**
 * Turns boundaries into scenes that tile the time from 0, none longer than `maxLengthUs`, with frame numbers where there are frames.
 * Everything depends on the order of calls per frame only, so any chunking of the rows gives the same scenes. Memory: the times of
 * the open scene's frames.
 */
export class SceneAssembler {
  readonly #maxLengthUs: number;
  #startUs = 0;
  #startFrame = 0;
  /** Times of the frames since #startFrame. */
  #open: number[] = [];
  #lastUs = -1;
  #sawFrames = false;

  constructor(maxLengthUs: number) {
    this.#maxLengthUs = maxLengthUs;
  }

  get startUs(): number {
    return this.#startUs;
  }

  frame(ptsUs: number): void {
    this.#open.push(ptsUs);
    this.#lastUs = ptsUs;
    this.#sawFrames = true;
  }

  /** A boundary at or before the open scene's start says nothing new: a late detector, after a split at the maximum length. */
  boundary(atUs: number, out: SceneCut[]): void {
    if (atUs <= this.#startUs) return;
    let n = this.#open.length;
    while (n > 0 && this.#open[n - 1]! >= atUs) n--;
    out.push({
      startUs: this.#startUs,
      endUs: atUs,
      startFrame: this.#sawFrames ? this.#startFrame : null,
      endFrame: this.#sawFrames ? this.#startFrame + n : null,
    });
    this.#open = this.#open.slice(n);
    this.#startFrame += n;
    this.#startUs = atUs;
  }

  /** Ends scenes that have reached the maximum length by `nowUs`. */
  limit(nowUs: number, out: SceneCut[]): void {
    while (nowUs - this.#startUs >= this.#maxLengthUs) this.boundary(this.#startUs + this.#maxLengthUs, out);
  }

  /** `keepUs`: a rest that is not longer is dropped, unless it is the only scene. */
  end(endUs: number, keepUs: number, out: SceneCut[]): void {
    const end = Math.max(endUs, this.#lastUs + 1);
    while (end - this.#startUs > this.#maxLengthUs) this.boundary(this.#startUs + this.#maxLengthUs, out);
    if (this.#startUs > 0 && end - this.#startUs <= keepUs) return;
    this.boundary(end, out);
  }
}
