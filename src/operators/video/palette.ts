/**
 * Fifteen colour names and the table that gives every rgb24 pixel one of them (5 bits a channel). Bounds in HSV, set by eye so that
 * the names say what people say: dark orange is brown, pale yellow is cream, dark blue is navy.
 */
export const COLOUR_NAMES = ["black", "white", "grey", "red", "pink", "orange", "brown", "yellow", "cream", "green", "teal", "blue", "navy", "violet", "magenta"] as const;
export type ColourName = (typeof COLOUR_NAMES)[number];

export function colourOf(r: number, g: number, b: number): ColourName {
  const max = Math.max(r, g, b);
  const min = Math.min(r, g, b);
  const v = max / 255;
  const s = max === 0 ? 0 : (max - min) / max;
  if (v < 0.13 || (v < 0.2 && s < 0.3)) return "black";
  if (s < 0.12) return v > 0.82 ? "white" : "grey";
  const d = max - min;
  const sector = max === r ? ((g - b) / d + 6) % 6 : max === g ? (b - r) / d + 2 : (r - g) / d + 4;
  const hue = sector * 60;
  if (hue < 15 || hue >= 345) return v > 0.7 && s < 0.5 ? "pink" : v < 0.45 && s < 0.6 ? "brown" : "red";
  if (hue < 45) return v > 0.8 && s < 0.35 ? "cream" : v < 0.62 || s < 0.4 ? "brown" : "orange";
  if (hue < 70) return v > 0.8 && s < 0.35 ? "cream" : v < 0.35 ? "brown" : "yellow";
  if (hue < 165) return "green";
  if (hue < 195) return "teal";
  if (hue < 255) return v < 0.42 ? "navy" : "blue";
  if (hue < 290) return "violet";
  return s < 0.45 && v > 0.7 ? "pink" : "magenta";
}

const TABLE = new Uint8Array(32 * 32 * 32);
for (let r = 0; r < 32; r++) {
  for (let g = 0; g < 32; g++) {
    for (let b = 0; b < 32; b++) TABLE[(r << 10) | (g << 5) | b] = COLOUR_NAMES.indexOf(colourOf(r * 8 + 4, g * 8 + 4, b * 8 + 4));
  }
}

/** Place in COLOUR_NAMES of a pixel's colour. */
export const colourIndex = (r: number, g: number, b: number): number => TABLE[((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3)]!;
