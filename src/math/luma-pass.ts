const GUARDS = 0x01000100;
const BYTES = 0x00ff00ff;

/** BT.601 luma, 0..255, in OpenCV's 14-bit fixed point. */
export function lumaOf(r: number, g: number, b: number): number {
  return ((Math.imul(r, 4899) + Math.imul(g, 9617) + Math.imul(b, 1868) + 8192) | 0) >> 14;
}

/** |a - b| in both 16-bit lanes of bytes, added. */
function pairDistance(a: number, b: number): number {
  const d = ((a | GUARDS) - b) | 0;
  const negative = (~d & GUARDS) >> 8;
  const distance = (((d & BYTES) ^ ((negative << 8) - negative)) + negative) | 0;
  return ((distance & 0xffff) + (distance >>> 16)) | 0;
}

/**
 * Turns a frame into luma, replaces the previous one in `luma` and returns the sum of the absolute differences.
 * @param words rgb24 bytes as little-endian 32-bit words, three per four pixels.
 * @param luma four 8-bit Y per word.
 * @param counts 4 x 256 counters, added to: four, so that equal neighbours do not wait for each other's increment.
 */
export function lumaPass(words: Int32Array, luma: Int32Array, counts: Int32Array): number {
  const n = words.length;
  let total = 0;
  for (let p = 0, i = 0; p < n; p = (p + 3) | 0, i = (i + 1) | 0) {
    const w0 = words[p]!;
    const w1 = words[p + 1]!;
    const w2 = words[p + 2]!;
    const a = lumaOf(w0 & 255, (w0 >> 8) & 255, (w0 >> 16) & 255);
    const b = lumaOf(w0 >>> 24, w1 & 255, (w1 >> 8) & 255);
    const c = lumaOf((w1 >> 16) & 255, w1 >>> 24, w2 & 255);
    const d = lumaOf((w2 >> 8) & 255, (w2 >> 16) & 255, w2 >>> 24);
    counts[a] = (counts[a]! + 1) | 0;
    counts[b + 256] = (counts[b + 256]! + 1) | 0;
    counts[c + 512] = (counts[c + 512]! + 1) | 0;
    counts[d + 768] = (counts[d + 768]! + 1) | 0;
    const before = luma[i]!;
    luma[i] = a | (b << 8) | (c << 16) | (d << 24);
    const even = pairDistance(a | (c << 16), before & BYTES);
    const odd = pairDistance(b | (d << 16), (before >>> 8) & BYTES);
    total = (total + even + odd) | 0;
  }
  return total;
}
