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

  /** Feeds `n` samples, `step` apart, times `scale`; returns the highest absolute value found among them. */
  push(samples: Float32Array | Int16Array, from: number, n: number, step: number, scale: number): number {
    const line = this.#line;
    const phases = PHASES;
    let at = this.#at;
    let peak = 0;
    for (let i = 0, p = from; i < n; i++, p += step) {
      const x = samples[p]! * scale;
      line[at] = x;
      line[at + TAPS] = x;
      at = (at + 1) % TAPS;
      peak = Math.max(peak, Math.abs(x));
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
    return peak;
  }
}
