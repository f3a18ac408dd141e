import type { GridItem } from "../src/contracts/index.js";

/** `count` frames of made-up rgb24 pixels in one shared buffer, as a ring holds them. */
export function frames(count: number, width: number, height: number): GridItem[] {
  const bytes = width * height * 3;
  const buffer = new SharedArrayBuffer(bytes * count);
  const pixels = new Uint8Array(buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 7919) >> 5;
  return Array.from({ length: count }, (_, i) => ({ ptsUs: i, samples: 0, slot: { buffer, byteOffset: i * bytes, byteLength: bytes, width, height } }));
}
