// OpenCV's 12-bit fixed-point reciprocals (cvtColor RGB2HSV, 8 bit): 255/v for S, 30/diff for H.
const SAT_DIV = new Int32Array(256);
const HUE_DIV = new Int32Array(256);
for (let i = 1; i < 256; i++) {
  SAT_DIV[i] = Math.round((255 << 12) / i);
  HUE_DIV[i] = Math.round((180 << 12) / (6 * i));
}

/** One pixel as H << 16 | S << 8 | V in OpenCV's 8-bit ranges (H 0..179, S and V 0..255). */
export function hsvOf(r: number, g: number, b: number): number {
  const v = Math.max(r, g, b);
  const diff = v - Math.min(r, g, b);
  const raw = v === r ? g - b : v === g ? b - r + 2 * diff : r - g + 4 * diff;
  const h = (raw * HUE_DIV[diff]! + 2048) >> 12;
  const s = (diff * SAT_DIV[v]! + 2048) >> 12;
  return ((h < 0 ? h + 180 : h) << 16) | (s << 8) | v;
}

/** BT.601 luma of one pixel, 0..255, in OpenCV's 14-bit fixed point. */
export const lumaOf = (r: number, g: number, b: number): number => (r * 4899 + g * 9617 + b * 1868 + 8192) >> 14;
