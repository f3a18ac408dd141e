/** A closed outline [x0, y0, x1, y1, …] along the edges of pixels: whole numbers, corners only, the last point joined to the first. */
export type Ring = number[];

/** Steps in x and y: east, south, west, north. */
const DX = [1, 0, -1, 0] as const;
const DY = [0, 1, 0, -1] as const;

/**
 * The exact outlines of a bitmap [height × width], row by row: parts clockwise (y points down), their holes the other way round, in the order of their
 * topmost, then leftmost edge. Pixels that touch at a corner are one part, as in OpenCV's findContours. Filling the rings by the even-odd rule
 * (`fillRings`) gives the bitmap back.
 */
export function contours(bitmap: Uint8Array, width: number, height: number): Ring[] {
  const set = (x: number, y: number): boolean => x >= 0 && y >= 0 && x < width && y < height && bitmap[y * width + x] !== 0;
  // Whether an edge leaves the corner (x, y) in a direction, with the part on its right.
  const leaves = (x: number, y: number, direction: number): boolean => {
    if (direction === 0) return set(x, y) && !set(x, y - 1);
    if (direction === 1) return set(x - 1, y) && !set(x, y);
    if (direction === 2) return set(x - 1, y - 1) && !set(x - 1, y);
    return set(x, y - 1) && !set(x - 1, y - 1);
  };
  const rings: Ring[] = [];
  // Every ring, a hole's too, has an edge to the east: the top of a pixel.
  const seen = new Uint8Array(width * height);
  for (let top = 0; top < height; top++) {
    for (let left = 0; left < width; left++) {
      if (seen[top * width + left] === 1 || !leaves(left, top, 0)) continue;
      const ring: Ring = [left, top];
      let [x, y, direction] = [left, top, 0];
      do {
        if (direction === 0) seen[y * width + x] = 1;
        x += DX[direction]!;
        y += DY[direction]!;
        // Where two parts touch at a corner there are two ways on: the left one keeps them together.
        const next = [direction + 3, direction, direction + 1].map((d) => d % 4).find((d) => leaves(x, y, d))!;
        if (next !== direction && !(x === left && y === top && next === 0)) ring.push(x, y);
        direction = next;
      } while (x !== left || y !== top || direction !== 0);
      rings.push(ring);
    }
  }
  return rings;
}

/** Pixels that a ring encloses, its holes included (shoelace formula): positive for a part, negative for a hole. */
export function ringArea(ring: Ring): number {
  let twice = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const n = (i + 2) % ring.length;
    twice += ring[i]! * ring[n + 1]! - ring[n]! * ring[i + 1]!;
  }
  return twice / 2;
}

/** Bitmap [height × width] of what lies within an odd number of rings. */
export function fillRings(rings: readonly Ring[], width: number, height: number): Uint8Array {
  const bitmap = new Uint8Array(width * height);
  // An upright edge turns over everything to the right of it.
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i += 2) {
      const n = (i + 2) % ring.length;
      const [x, from, to] = [ring[i]!, Math.min(ring[i + 1]!, ring[n + 1]!), Math.max(ring[i + 1]!, ring[n + 1]!)];
      if (x === ring[n]! && x < width) for (let y = from; y < to; y++) bitmap[y * width + x]! ^= 1;
    }
  }
  for (let y = 0; y < height; y++) for (let x = 1; x < width; x++) bitmap[y * width + x]! ^= bitmap[y * width + x - 1]!;
  return bitmap;
}
