/**
 * Numbers as a file declares them, and back. Preprocessing makes float32 and tokenisers make integers, whatever a file wants; ONNX Runtime casts nothing. Half precision is
 * converted here and not by `Float16Array`, which Node has from version 24 only: the same bits everywhere (exhaustively compared, test/inference/element-types.test.ts).
 */
import type { Feeds } from "./feeds.js";

type Data = Feeds[string]["data"];

/**
 * `data` as the elements of a tensor of `type` (names of ONNX Runtime): rounded for integers and clamped to their range, halves as their bits. What has the type already is
 * passed on; so is what no manifest can declare, which ONNX Runtime then refuses by name.
 */
export function elementsOf(data: Data, type: string): Data | Uint8Array | Uint16Array {
  switch (type) {
    case "float32":
      return floats(data);
    case "float16":
      return toFloat16(floats(data));
    case "uint8":
      return new Uint8Array(Uint8ClampedArray.from(numbers(data)).buffer);
    case "bool":
      return Uint8Array.from(numbers(data), (value) => (value !== 0 ? 1 : 0));
    case "int32":
      return data instanceof Int32Array ? data : Int32Array.from(numbers(data), (value) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.round(value))));
    case "int64":
      // A NaN is 0 here as in the other integers.
      return data instanceof BigInt64Array ? data : BigInt64Array.from(data, (value) => BigInt(Number.isFinite(value) ? Math.round(value) : 0));
    default:
      return data;
  }
}

/** The type that ONNX Runtime gives data by its class. */
export const typeOf = (data: Data): "float32" | "int32" | "int64" => (data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "int64");

/** What a run gave, as floats. Halves come as a Uint16Array or, where the engine has one, a Float16Array. */
export function floatsOf(type: string, data: unknown): Float32Array {
  if (data instanceof Float32Array) return data;
  if (type === "float16") {
    const { buffer, byteOffset, length } = data as Uint16Array;
    return fromFloat16(new Uint16Array(buffer, byteOffset, length));
  }
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

const numbers = (data: Data): Float32Array | Int32Array | Float64Array => (data instanceof BigInt64Array ? Float64Array.from(data, Number) : data);
const floats = (data: Data): Float32Array => (data instanceof Float32Array ? data : Float32Array.from(numbers(data)));

/** Rounded to the nearest half, ties to even; from 65520 on infinite. */
export function toFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const magnitude = bits[i]! & 0x7fffffff;
    const exponent = magnitude >>> 23;
    let half: number;
    if (magnitude > 0x7f800000) half = 0x7e00;
    else if (exponent >= 143) half = 0x7c00; // 2^16 and more
    else if (exponent >= 113) half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13; // 2^-14 and more: normal
    else if (exponent < 102) half = 0; // below half of the least
    else {
      const shift = 126 - exponent;
      const significand = (magnitude & 0x7fffff) | 0x800000;
      half = (significand + (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1)) >>> shift;
    }
    halves[i] = sign | half;
  }
  return halves;
}

/** Exact: every half is a float. */
export function fromFloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 31;
    const fraction = half & 0x3ff;
    if (exponent === 0) values[i] = (sign ? -1 : 1) * fraction * 2 ** -24;
    else bits[i] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  }
  return values;
}
