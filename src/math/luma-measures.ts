/** Pearson correlation of two histograms of equal length (OpenCV HISTCMP_CORREL); 1 when either is flat. */
export function histogramCorrelation(a: Int32Array, b: Int32Array): number {
  const n = a.length;
  let sa = 0;
  let sb = 0;
  let saa = 0;
  let sbb = 0;
  let sab = 0;
  for (let i = 0; i < n; i++) {
    const x = a[i]!;
    const y = b[i]!;
    sa += x;
    sb += y;
    saa += x * x;
    sbb += y * y;
    sab += x * y;
  }
  const variances = (saa - (sa * sa) / n) * (sbb - (sb * sb) / n);
  return variances > 0 ? (sab - (sa * sb) / n) / Math.sqrt(variances) : 1;
}

/** A border line may hold this share of brighter pixels (noise, a logo's edge) and still count as dark. */
const BRIGHT_SHARE = 0.02;

/**
 * Writes the dark borders top, bottom, left, right as shares of the height or width to `out[at..at+3]`. A scan ends at
 * the first line that is not dark, so it costs next to nothing on ordinary frames; a black frame gives 1 everywhere.
 */
export function letterboxInto(
  y: Uint8Array,
  width: number,
  height: number,
  blackLuma: number,
  out: Float32Array,
  at: number,
): void {
  out[at] = darkLines(y, 0, width, 1, width, height, blackLuma) / height;
  out[at + 1] = darkLines(y, (height - 1) * width, -width, 1, width, height, blackLuma) / height;
  out[at + 2] = darkLines(y, 0, 1, width, height, width, blackLuma) / width;
  out[at + 3] = darkLines(y, width - 1, -1, width, height, width, blackLuma) / width;
}

function darkLines(
  y: Uint8Array,
  start: number,
  lineStep: number,
  pixelStep: number,
  length: number,
  lines: number,
  blackLuma: number,
): number {
  const allowed = Math.floor(length * BRIGHT_SHARE);
  for (let line = 0, base = start; line < lines; line++, base += lineStep) {
    let bright = 0;
    for (let i = 0, p = base; i < length; i++, p += pixelStep) {
      if (y[p]! > blackLuma && ++bright > allowed) return line;
    }
  }
  return lines;
}

/** Variance of the Laplacian [0 1 0; 1 -4 1; 0 1 0] with reflect-101 borders, as cv2.Laplacian(grey, CV_64F).var(). */
export function laplacianVariance(y: Uint8Array, width: number, height: number): number {
  let total = 0;
  let squares = 0;
  for (let row = 0; row < height; row++) {
    const base = row * width;
    const up = (row > 0 ? row - 1 : Math.min(1, height - 1)) * width;
    const down = (row < height - 1 ? row + 1 : Math.max(0, height - 2)) * width;
    for (let x = 0; x < width; x++) {
      const left = x > 0 ? x - 1 : Math.min(1, width - 1);
      const right = x < width - 1 ? x + 1 : Math.max(0, width - 2);
      const value = y[up + x]! + y[down + x]! + y[base + left]! + y[base + right]! - 4 * y[base + x]!;
      total += value;
      squares += value * value;
    }
  }
  const n = width * height;
  const mean = total / n;
  return Math.max(0, squares / n - mean * mean);
}
