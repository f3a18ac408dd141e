import { COLOUR_NAMES } from "./palette.js";

/** Shares of the picture by colour name. */
export const COLOUR_COLUMNS = COLOUR_NAMES.map((name) => `colour_${name}` as const);

/** One row per sampled frame. */
export const MOTION_COLUMNS = [
  "motion", // mean |Y − Y of the sampled frame before| / 255; 0 for the first
  "dx", // camera, widths of the picture per second: > 0 pans right (the picture moves left)
  "dy", // heights per second: > 0 tilts down
  "zoom", // growth of the picture per second: > 0 zooms in
  "blocks", // of 20 blocks, those that move with the camera; 0 where it cannot be told
  "corners", // corners of the picture, 0..4, in which at least two blocks do
  "cornersTouched", // corners in which at least one does
  "brightness", // mean Y / 255
  "contrast", // standard deviation of Y / 255
  "saturation", // mean HSV S, 0..1
  "colourfulness", // Hasler and Süsstrunk 2003, 0 (grey) to about 110
  ...COLOUR_COLUMNS,
] as const;
