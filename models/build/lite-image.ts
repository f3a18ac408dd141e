import { OnnxGraph } from './onnx-writer.js';

/**
 * lite-image: [n,3,224,224] RGB in 0..1 → [n,512]. Four parts, each of length 1 before its weight:
 * - texture 384: Gabor amplitude (even² + odd²)^½, 6 orientations × 4 scales × 4×4 cells (Manjunath & Ma 1996), square root taken;
 * - light 64: CIE L* on 8×8 cells, less the picture's mean (so a brighter copy stays near);
 * - colour 32: a*, b* on 4×4 cells, centred on grey;
 * - palette 32: soft histogram of (a*, b*) over 32 fixed centres.
 * Then minus a constant mean (fitted on drawings) and normalised: without the mean nearly all pictures look alike.
 */
export const IMAGE_DIMS = 512;
const ORIENTATIONS = 6;
/** Side of the luma plane, kernel side and wavelength in pixels of that plane. The planes are 112, 56, 28 wide (average pools of the picture). */
const SCALES = [
  { shrink: 2, kernel: 7, wavelength: 4 },
  { shrink: 4, kernel: 7, wavelength: 4 },
  { shrink: 8, kernel: 7, wavelength: 4 },
  { shrink: 8, kernel: 15, wavelength: 8 },
] as const;
const GRID = 4;
export interface ImageWeights { texture: number; light: number; colour: number; palette: number }
export const WEIGHTS: ImageWeights = { texture: 1, light: 0.7, colour: 0.7, palette: 0.7 };

/** With `mean` the model; without it the features before the mean, which is what the mean is fitted on. */
export function liteImage(mean?: Float32Array, weights: ImageWeights = WEIGHTS): Uint8Array {
  const g = new OnnxGraph('lite-image', 'Oriented energies and colour layout of a picture, minus a constant mean. See models/build/lite-image.ts.');
  const pixels = g.input('pixel_values', 'float32', ['n', 3, 224, 224]);
  const lab = labMap(g, averagePool(g, pixels, 7));
  const parts = [
    weighted(g, texture(g, pixels), weights.texture, 0.02),
    weighted(g, light(g, lab), weights.light, 12),
    weighted(g, colour(g, lab), weights.colour, 25),
    weighted(g, palette(g, lab), weights.palette, 0.02),
  ];
  const features = g.op('Concat', parts, { axis: 1 });
  const dims = ['n', IMAGE_DIMS];
  if (!mean) g.output(features, 'features', 'float32', dims);
  else g.output(unit(g, g.op('Sub', [features, g.constant([1, IMAGE_DIMS], mean)]), 1e-6), 'image_embeds', 'float32', dims);
  return g.encode();
}

function averagePool(g: OnnxGraph, x: string, side: number): string {
  return g.op('AveragePool', [x], { kernel_shape: [side, side], strides: [side, side] });
}

function flat(g: OnnxGraph, x: string): string {
  return g.op('Flatten', [x], { axis: 1 });
}

/** x / √(|x|² + floor²): a part with nothing in it stays near zero instead of becoming amplified noise. */
export function unit(g: OnnxGraph, x: string, floor: number): string {
  const square = g.op('ReduceSum', [g.op('Mul', [x, x]), g.ints(1)], { keepdims: 1 });
  return g.op('Div', [x, g.op('Sqrt', [g.op('Add', [square, g.scalar(floor * floor)])])]);
}

function weighted(g: OnnxGraph, x: string, weight: number, floor: number): string {
  return g.op('Mul', [unit(g, x, floor), g.scalar(weight)]);
}

/** Even and odd Gabor kernels, [2 × orientations, 1, side, side]; the even ones have no response to a flat plane. */
export function gaborKernels(side: number, wavelength: number): Float32Array {
  const out = new Float32Array(2 * ORIENTATIONS * side * side);
  const sigma = wavelength * 0.45;
  const half = (side - 1) / 2;
  for (let o = 0; o < ORIENTATIONS; o++) {
    const turn = (Math.PI * o) / ORIENTATIONS;
    const even = new Float64Array(side * side);
    const odd = new Float64Array(side * side);
    const envelope = new Float64Array(side * side);
    let [sumEven, sumEnvelope] = [0, 0];
    for (let y = -half; y <= half; y++)
      for (let x = -half; x <= half; x++) {
        const i = (y + half) * side + x + half;
        const phase = (2 * Math.PI * (x * Math.cos(turn) + y * Math.sin(turn))) / wavelength;
        envelope[i] = Math.exp(-(x * x + y * y) / (2 * sigma * sigma));
        even[i] = envelope[i]! * Math.cos(phase);
        odd[i] = envelope[i]! * Math.sin(phase);
        sumEven += even[i]!;
        sumEnvelope += envelope[i]!;
      }
    for (let i = 0; i < even.length; i++) even[i]! -= (envelope[i]! * sumEven) / sumEnvelope;
    for (const [kernel, channel] of [[even, o], [odd, ORIENTATIONS + o]] as const) {
      const length = Math.sqrt(kernel.reduce((a, v) => a + v * v, 0));
      kernel.forEach((v, i) => (out[channel * side * side + i] = v / length));
    }
  }
  return out;
}

function texture(g: OnnxGraph, pixels: string): string {
  const luma = g.constant([1, 3, 1, 1], Float32Array.of(0.299, 0.587, 0.114));
  const planes = new Map<number, string>();
  // Averaged before the weighting to luma: both are linear, and a pool of 3 planes costs less than a 1×1 convolution at full size.
  let plane = g.op('Conv', [averagePool(g, pixels, 2), luma]);
  for (const shrink of [2, 4, 8]) {
    planes.set(shrink, plane);
    if (shrink < 8) plane = averagePool(g, plane, 2);
  }
  const energies = SCALES.map(({ shrink, kernel, wavelength }) => {
    const half = (kernel - 1) / 2;
    // Mirrored edges: with zeros the frame of every picture would be its strongest feature.
    const padded = g.op('Pad', [planes.get(shrink)!, g.ints(0, 0, half, half, 0, 0, half, half)], { mode: 'reflect' });
    const bank = g.constant([2 * ORIENTATIONS, 1, kernel, kernel], gaborKernels(kernel, wavelength));
    const response = g.op('Conv', [padded, bank]);
    const [even, odd] = g.ops('Split', [g.op('Mul', [response, response]), g.ints(ORIENTATIONS, ORIENTATIONS)], 2, { axis: 1 });
    const amplitude = g.op('Sqrt', [g.op('Add', [even!, odd!])]);
    return flat(g, averagePool(g, amplitude, 224 / shrink / GRID));
  });
  return g.op('Sqrt', [g.op('Concat', energies, { axis: 1 })]);
}

/** sRGB [n,3,h,w] → CIE L*a*b* (D65), IEC 61966-2-1 and CIE 15. */
function labMap(g: OnnxGraph, rgb: string): string {
  const bent = g.op('Pow', [g.op('Div', [g.op('Add', [rgb, g.scalar(0.055)]), g.scalar(1.055)]), g.scalar(2.4)]);
  const linear = g.op('Where', [g.op('Greater', [rgb, g.scalar(0.04045)]), bent, g.op('Div', [rgb, g.scalar(12.92)])]);
  const toXyz = [
    [0.4124564, 0.3575761, 0.1804375].map((v) => v / 0.95047),
    [0.2126729, 0.7151522, 0.072175],
    [0.0193339, 0.119192, 0.9503041].map((v) => v / 1.08883),
  ];
  const xyz = g.op('Conv', [linear, g.constant([3, 3, 1, 1], Float32Array.from(toXyz.flat()))]);
  // The straight piece is taken below 0.008856, where a power of a value that rounding made negative would be NaN.
  const root = g.op('Pow', [g.op('Max', [xyz, g.scalar(1e-6)]), g.scalar(1 / 3)]);
  const straight = g.op('Add', [g.op('Mul', [xyz, g.scalar(7.787037)]), g.scalar(16 / 116)]);
  const f = g.op('Where', [g.op('Greater', [xyz, g.scalar(0.008856)]), root, straight]);
  const toLab = Float32Array.of(0, 116, 0, 500, -500, 0, 0, 200, -200);
  return g.op('Conv', [f, g.constant([3, 3, 1, 1], toLab), g.constant([3], Float32Array.of(-16, 0, 0))]);
}

function channels(g: OnnxGraph, x: string, from: number, to: number): string {
  return g.op('Slice', [x, g.ints(from), g.ints(to), g.ints(1)]);
}

function light(g: OnnxGraph, lab: string): string {
  const cells = flat(g, averagePool(g, channels(g, lab, 0, 1), 4));
  return g.op('Sub', [cells, g.op('ReduceMean', [cells], { axes: [1], keepdims: 1 })]);
}

function colour(g: OnnxGraph, lab: string): string {
  return flat(g, averagePool(g, channels(g, lab, 1, 3), 8));
}

/**
 * Soft assignment to Gaussian centres of one width. Softmax over channels costs ONNX Runtime a transposition there and back, more than all that is left
 * of it here: with |x|² in the exponent no colour is so near that exp overflows, nor so far from every centre that the sum is 0.
 */
function palette(g: OnnxGraph, lab: string): string {
  const centres: [number, number][] = [[0, 0]];
  for (const [radius, count] of [[12, 8], [28, 11], [55, 12]] as const)
    for (let i = 0; i < count; i++) centres.push([radius * Math.cos((2 * Math.PI * i) / count), radius * Math.sin((2 * Math.PI * i) / count)]);
  const variance = 8 * 8;
  const ab = channels(g, lab, 1, 3);
  const weights = Float32Array.from(centres.flatMap(([a, b]) => [a / variance, b / variance, -1 / (2 * variance), -1 / (2 * variance)]));
  const bias = Float32Array.from(centres.map(([a, b]) => -(a * a + b * b) / (2 * variance)));
  const exponents = g.op('Conv', [g.op('Concat', [ab, g.op('Mul', [ab, ab])], { axis: 1 }), g.constant([centres.length, 4, 1, 1], weights), g.constant([centres.length], bias)]);
  const nearness = g.op('Exp', [exponents]);
  const all = g.op('Conv', [nearness, g.constant([1, centres.length, 1, 1], new Float32Array(centres.length).fill(1))]);
  const share = flat(g, averagePool(g, g.op('Div', [nearness, all]), 32));
  return g.op('Sqrt', [share]);
}
