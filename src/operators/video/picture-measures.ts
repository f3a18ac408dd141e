import { COLOUR_NAMES, countColours } from "./palette.js";

export interface PictureMeasures {
  brightness: number;
  contrast: number;
  saturation: number;
  colourfulness: number;
  /** Shares in the order of COLOUR_NAMES. */
  colours: Float64Array;
}

/** Fills `luma` (BT.601, one byte a pixel) and measures one rgb24 picture. */
export function measurePicture(rgb: Uint8Array, pixels: number, luma: Uint8Array): PictureMeasures {
  let sum = 0;
  let squares = 0;
  let saturation = 0;
  let rg = 0;
  let rg2 = 0;
  let yb = 0;
  let yb2 = 0;
  for (let i = 0, p = 0; i < pixels; i++, p += 3) {
    const r = rgb[p]!;
    const g = rgb[p + 1]!;
    const b = rgb[p + 2]!;
    const y = (r * 4899 + g * 9617 + b * 1868 + 8192) >> 14;
    luma[i] = y;
    sum += y;
    squares += y * y;
    const max = r > g ? (r > b ? r : b) : g > b ? g : b;
    const min = r < g ? (r < b ? r : b) : g < b ? g : b;
    if (max > 0) saturation += (max - min) / max;
    const opponentRg = r - g;
    const opponentYb = (r + g) / 2 - b;
    rg += opponentRg;
    rg2 += opponentRg * opponentRg;
    yb += opponentYb;
    yb2 += opponentYb * opponentYb;
  }
  const mean = sum / pixels;
  const spread = Math.sqrt(Math.max(0, rg2 / pixels - (rg / pixels) ** 2 + yb2 / pixels - (yb / pixels) ** 2));
  const colours = new Float64Array(COLOUR_NAMES.length);
  countColours(rgb, pixels, colours);
  for (let i = 0; i < colours.length; i++) colours[i]! /= pixels;
  return {
    brightness: mean / 255,
    contrast: Math.sqrt(Math.max(0, squares / pixels - mean * mean)) / 255,
    saturation: saturation / pixels,
    colourfulness: spread + 0.3 * Math.hypot(rg / pixels, yb / pixels),
    colours,
  };
}
