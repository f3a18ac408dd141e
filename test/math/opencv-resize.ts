/**
 * cv2.resize(INTER_LINEAR) of 8-bit RGB as OpenCV does it: two taps around the centre of each target pixel, 11-bit
 * weights, no anti-aliasing. It makes the very frames PySceneDetect judged.
 */
export function opencvResize(width: number, height: number, toWidth: number, toHeight: number): (rgb: Uint8Array) => Uint8Array {
  const xs = taps(width, toWidth);
  const ys = taps(height, toHeight);
  const out = new Uint8Array(toWidth * toHeight * 3);
  return (rgb) => {
    for (let y = 0, o = 0; y < toHeight; y++) {
      const top = ys.first[y]! * width * 3;
      const bottom = ys.second[y]! * width * 3;
      const wy = ys.weight[y]!;
      for (let x = 0; x < toWidth; x++) {
        const left = xs.first[x]! * 3;
        const right = xs.second[x]! * 3;
        const wx = xs.weight[x]!;
        for (let c = 0; c < 3; c++) {
          const upper = rgb[top + left + c]! * (2048 - wx) + rgb[top + right + c]! * wx;
          const lower = rgb[bottom + left + c]! * (2048 - wx) + rgb[bottom + right + c]! * wx;
          out[o++] = ((((2048 - wy) * (upper >> 4)) >> 16) + ((wy * (lower >> 4)) >> 16) + 2) >> 2;
        }
      }
    }
    return out;
  };
}

function taps(from: number, to: number): { first: Int32Array; second: Int32Array; weight: Int32Array } {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const weight = new Int32Array(to);
  for (let i = 0; i < to; i++) {
    const centre = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const base = Math.min(from - 1, Math.floor(centre));
    first[i] = base;
    second[i] = Math.min(from - 1, base + 1);
    weight[i] = base + 1 >= from ? 0 : Math.round((centre - base) * 2048);
  }
  return { first, second, weight };
}
