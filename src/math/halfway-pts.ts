const CAPACITY = 65_536;

/**
 * The PTS of consecutive frames, to find the frame some way between the first and the last. Bounded: past 65,536
 * frames (36 minutes of black at 30 fps) every second one is forgotten, and the answer is the next kept one before.
 */
export class HalfwayPts {
  readonly #firstFrame: number;
  readonly #firstUs: number;
  #pts = new Float64Array(256);
  #stride = 1;
  #count = 0; // frames added

  constructor(firstUs: number, firstFrame: number) {
    this.#firstUs = firstUs;
    this.#firstFrame = firstFrame;
  }

  add(ptsUs: number): void {
    if (this.#count % this.#stride === 0) this.#keep(this.#count / this.#stride, ptsUs);
    this.#count++;
  }

  /** The frame at first + round((last - first) * (1 + bias) / 2), bias -1..1; a half goes up. */
  at(bias: number): { ptsUs: number; frame: number } {
    const offset = Math.round(((this.#count - 1) * (1 + bias)) / 2);
    const index = Math.floor(offset / this.#stride);
    return { ptsUs: index === 0 ? this.#firstUs : this.#pts[index]!, frame: this.#firstFrame + index * this.#stride };
  }

  #keep(index: number, ptsUs: number): void {
    if (index === CAPACITY) {
      for (let i = 0; i < CAPACITY / 2; i++) this.#pts[i] = this.#pts[2 * i]!;
      this.#stride *= 2;
      index /= 2;
    } else if (index === this.#pts.length) {
      const grown = new Float64Array(Math.min(CAPACITY, index * 2));
      grown.set(this.#pts);
      this.#pts = grown;
    }
    this.#pts[index] = ptsUs;
  }
}
