const FACTOR = 4;
const TAPS = 16; // per phase; a windowed sinc this long is flat to 20 kHz within 0.1 dB

// Phase p interpolates at p / 4 of the way between the two middle samples. Blackman-Harris would be narrower; Kaiser
// with beta 6 keeps the pass band flat.
const PHASES = new Float64Array(FACTOR * TAPS);
for (let p = 1; p < FACTOR; p++) {
  let sum = 0;
  for (let k = 0; k < TAPS; k++) {
    const x = k - (TAPS / 2 - 1) - p / FACTOR;
    const value = (Math.sin(Math.PI * x) / (Math.PI * x)) * kaiser(x / (TAPS / 2), 6);
    PHASES[p * TAPS + k] = value;
    sum += value;
  }
  for (let k = 0; k < TAPS; k++) PHASES[p * TAPS + k]! /= sum;
}

// A phase is the straight line between the two middle samples plus a sum over the steps between neighbours: no more than the larger of the
// two plus STEPS times the largest step (a hair more, for rounding).
let steps = 0;
for (let p = 1; p < FACTOR; p++) {
  let residual = 0;
  let sum = 0;
  for (let k = 0; k < TAPS; k++) {
    const line = k === TAPS / 2 - 1 ? 1 - p / FACTOR : k === TAPS / 2 ? p / FACTOR : 0;
    residual += PHASES[p * TAPS + k]! - line;
    sum += Math.abs(residual);
  }
  steps = Math.max(steps, sum);
}
const STEPS = steps;
const SLACK = 1 + 1e-9;

function kaiser(x: number, beta: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(beta * Math.sqrt(1 - x * x)) / bessel(beta);
}

function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; k < 40; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Inter-sample peaks of one channel by four-fold oversampling (ITU-R BS.1770-4, annex 2). */
export class TruePeak {
  // The last samples, written twice so that the newest TAPS always lie in a row.
  readonly #line = new Float64Array(2 * TAPS);
  #at = 0;

  // The largest step between neighbours among the newest TAPS samples, and how many samples ago it was.
  #steepest = 0;
  #age = 0;

  /** Takes over what another one has heard. */
  resume(other: TruePeak): void {
    this.#line.set(other.#line);
    this.#at = other.#at;
    this.#steepest = other.#steepest;
    this.#age = other.#age;
  }

  /**
   * Feeds `n` samples, `step` apart, times `scale`; returns the highest absolute value found among them, at least `floor`.
   * Interpolates only where the samples around could exceed what was found already: few can.
   */
  push(samples: Float32Array | Int16Array, from: number, n: number, step: number, scale: number, floor = 0): number {
    const line = this.#line;
    const phases = PHASES;
    let at = this.#at;
    let peak = floor;
    let steepest = this.#steepest;
    let age = this.#age;
    let last = line[at + TAPS - 1]!;
    for (let i = 0, p = from; i < n; i++, p += step) {
      const x = samples[p]! * scale;
      line[at] = x;
      line[at + TAPS] = x;
      at = (at + 1) % TAPS;
      const rise = Math.abs(x - last);
      last = x;
      age++;
      if (rise >= steepest) {
        steepest = rise;
        age = 0;
      } else if (age >= TAPS - 1) {
        steepest = 0;
        for (let k = 1; k < TAPS; k++) {
          const value = Math.abs(line[at + k]! - line[at + k - 1]!);
          if (value < steepest) continue;
          steepest = value;
          age = TAPS - 1 - k;
        }
      }
      peak = Math.max(peak, Math.abs(x));
      const middle = Math.max(Math.abs(line[at + TAPS / 2 - 1]!), Math.abs(line[at + TAPS / 2]!));
      if ((middle + STEPS * steepest) * SLACK <= peak) continue;
      let a = 0;
      let b = 0;
      let c = 0;
      for (let k = 0; k < TAPS; k++) {
        const value = line[at + k]!;
        a += value * phases[TAPS + k]!;
        b += value * phases[2 * TAPS + k]!;
        c += value * phases[3 * TAPS + k]!;
      }
      peak = Math.max(peak, Math.abs(a), Math.abs(b), Math.abs(c));
    }
    this.#at = at;
    this.#steepest = steepest;
    this.#age = age;
    return peak;
  }
}
