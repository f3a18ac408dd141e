// OpenCV's 12-bit fixed-point reciprocals (cvtColor RGB2HSV, 8 bit): 255/v for S, 30/diff for H.
const SAT_DIV = new Int32Array(256);
const HUE_DIV = new Int32Array(256);
for (let i = 1; i < 256; i++) {
  SAT_DIV[i] = Math.round((255 << 12) / i);
  HUE_DIV[i] = Math.round((180 << 12) / (6 * i));
}

// Hue -30..150, taken modulo 256, as 0..179 in its lane.
const HUE_LANE = Int32Array.from({ length: 256 }, (_, h) => (h < 180 ? h : (h + 180) & 255) << 20);

// One pixel's H, S, V are three 10-bit lanes of a 30-bit integer: each byte has two bits of headroom, so that one
// subtraction compares all three and four pixels can be added before the lanes are taken apart.
const GUARDS = (1 << 28) | (1 << 18) | (1 << 8);
const BYTES = (255 << 20) | (255 << 10) | 255;

/**
 * One pixel as H << 20 | S << 10 | V in OpenCV's 8-bit ranges (H 0..179, S and V 0..255). Branch-free: which channel is
 * the largest is unpredictable per pixel. Kept under 219 bytes of bytecode, so that V8 inlines it four times below.
 */
export function packedHsv(r: number, g: number, b: number): number {
  const rg = r - g;
  const below = rg & (rg >> 31);
  const maxRg = r - below;
  const minRg = g + below;
  const vb = maxRg - b;
  const v = maxRg - (vb & (vb >> 31));
  const lb = b - minRg;
  const diff = v - minRg - (lb & (lb >> 31));
  const notR = (r - v) >> 31;
  const notG = (g - v) >> 31;
  // g - b where R is the largest, else b - r + 2 diff where G is, else r - g + 4 diff; each from the one before.
  const step = (diff << 1) - r - g - b;
  const raw = g - b + (notR & (step + 3 * b + (notG & (step + 3 * r))));
  return HUE_LANE[((raw * HUE_DIV[diff]! + 2048) >> 12) & 255]! | (((diff * SAT_DIV[v]! + 2048) >> 12) << 10) | v;
}

/**
 * Compares a frame with the previous one and replaces `hsv` by it.
 * @param words rgb24 bytes as little-endian 32-bit words, padded with black to whole groups of four pixels: three loads
 *   for four pixels instead of twelve make the pass 10 % cheaper.
 * @param hsv packedHsv of the previous frame, four for every three words.
 * @param sums receives the sums of |dH|, |dS|, |dV|, R+G+B and S.
 */
export function contentPass(words: Int32Array, hsv: Int32Array, sums: Float64Array): void {
  const n = words.length;
  let dHue = 0;
  let dSat = 0;
  let dLum = 0;
  let total = 0;
  let sat = 0;
  for (let p = 0, i = 0; p < n; p = (p + 3) | 0, i = (i + 4) | 0) {
    const w0 = words[p]!;
    const w1 = words[p + 1]!;
    const w2 = words[p + 2]!;
    const a = packedHsv(w0 & 255, (w0 >> 8) & 255, (w0 >> 16) & 255);
    const b = packedHsv(w0 >>> 24, w1 & 255, (w1 >> 8) & 255);
    const c = packedHsv((w1 >> 16) & 255, w1 >>> 24, w2 & 255);
    const d = packedHsv((w2 >> 8) & 255, (w2 >> 16) & 255, w2 >>> 24);
    // |a - before| per lane: a lane's guard bit is gone where the difference is below zero. Written out, because V8
    // stops inlining after 920 bytes of bytecode, which the four packedHsv need (0.25 ms a frame, else 0.30).
    const da = ((a | GUARDS) - hsv[i]!) | 0;
    const db = ((b | GUARDS) - hsv[i + 1]!) | 0;
    const dc = ((c | GUARDS) - hsv[i + 2]!) | 0;
    const dd = ((d | GUARDS) - hsv[i + 3]!) | 0;
    const na = (~da & GUARDS) >> 8;
    const nb = (~db & GUARDS) >> 8;
    const nc = (~dc & GUARDS) >> 8;
    const nd = (~dd & GUARDS) >> 8;
    const nearer = (((da & BYTES) ^ ((na << 8) - na)) + na + ((db & BYTES) ^ ((nb << 8) - nb)) + nb) | 0;
    const distance = (nearer + ((dc & BYTES) ^ ((nc << 8) - nc)) + nc + ((dd & BYTES) ^ ((nd << 8) - nd)) + nd) | 0;
    hsv[i] = a;
    hsv[i + 1] = b;
    hsv[i + 2] = c;
    hsv[i + 3] = d;
    dHue = (dHue + (distance >> 20)) | 0;
    dSat = (dSat + ((distance >> 10) & 1023)) | 0;
    dLum = (dLum + (distance & 1023)) | 0;
    sat = (sat + (((a + b + c + d) >> 10) & 1023)) | 0;
    const odd = ((w0 >>> 8) & 0xff00ff) + ((w1 >>> 8) & 0xff00ff) + ((w2 >>> 8) & 0xff00ff);
    const bytes = ((w0 & 0xff00ff) + (w1 & 0xff00ff) + (w2 & 0xff00ff) + odd) | 0;
    total = (total + (bytes & 0xffff) + (bytes >>> 16)) | 0;
  }
  sums[0] = dHue;
  sums[1] = dSat;
  sums[2] = dLum;
  sums[3] = total;
  sums[4] = sat;
}
