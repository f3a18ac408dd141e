import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { elementsOf, floatsOf, fromFloat16, toFloat16, typeOf } from "../../src/inference/element-types.js";

describe("half precision", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, half) => half);
  const isNaNHalf = (half: number): boolean => (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;

  test("every half is a float, and that float is the half", () => {
    const floats = fromFloat16(all);
    for (const [half, value] of [[0x0000, 0], [0x8000, -0], [0x3c00, 1], [0xc000, -2], [0x7bff, 65504], [0x0001, 2 ** -24], [0x03ff, 1023 * 2 ** -24], [0x0400, 2 ** -14], [0x7c00, Infinity], [0xfc00, -Infinity], [0x7e00, NaN]] as const) assert.ok(Object.is(floats[half], value), half.toString(16));
    toFloat16(floats).forEach((half, i) => assert.ok(isNaNHalf(i) ? isNaNHalf(half) : half === i, i.toString(16)));
  });

  test("what lies between two halves goes to the nearer one, from the middle to the even one", () => {
    const floats = fromFloat16(all);
    // Up to the largest finite one: its upper neighbour would be 65536.
    for (let half = 0; half < 0x7c00; half++) {
      const [low, high] = [floats[half]!, half === 0x7bff ? 65536 : floats[half + 1]!];
      const middle = Math.fround((low + high) / 2);
      const bits = new Uint32Array(Float32Array.of(middle).buffer)[0]!;
      const [below, above] = new Float32Array(Uint32Array.of(bits - 1, bits + 1).buffer);
      const even = half % 2 === 0 ? half : half + 1;
      assert.deepEqual([...toFloat16(Float32Array.of(below!, middle, above!, -middle))], [half, even, half + 1, even | 0x8000], half.toString(16));
    }
    assert.deepEqual([...toFloat16(Float32Array.of(1e-45, 3e38, -1e9))], [0, 0x7c00, 0xfc00]);
  });

  test("a part of a larger buffer is read where it lies", () => {
    assert.deepEqual([...fromFloat16(toFloat16(Float32Array.of(9, 1, 2).subarray(1)))], [1, 2]);
    assert.deepEqual([...floatsOf("float16", Uint16Array.of(0, 0x3c00, 0x4000).subarray(1))], [1, 2]);
  });
});

test("integers are rounded and kept in their range", () => {
  const values = Float32Array.of(-3, -0.4, 0.6, 1.4, 254.6, 300, Number.NaN, Infinity);
  assert.deepEqual(elementsOf(values, "uint8"), Uint8Array.of(0, 0, 1, 1, 255, 255, 0, 255));
  assert.deepEqual(elementsOf(values, "int32"), Int32Array.of(-3, 0, 1, 1, 255, 300, 0, 2 ** 31 - 1));
  assert.deepEqual(elementsOf(values, "int64"), BigInt64Array.of(-3n, 0n, 1n, 1n, 255n, 300n, 0n, 0n));
  assert.deepEqual(elementsOf(Int32Array.of(-1, 0, 2), "bool"), Uint8Array.of(1, 0, 1));
});

test("integers go where a file wants others or floats, and what fits is not copied", () => {
  const ids = BigInt64Array.of(1n, 300n);
  assert.deepEqual(elementsOf(ids, "int32"), Int32Array.of(1, 300));
  assert.deepEqual(elementsOf(Int32Array.of(1, 300), "int64"), ids);
  assert.deepEqual(elementsOf(ids, "float32"), Float32Array.of(1, 300));
  assert.deepEqual(elementsOf(ids, "float16"), toFloat16(Float32Array.of(1, 300)));
  for (const data of [ids, Int32Array.of(1), Float32Array.of(1)]) assert.equal(elementsOf(data, typeOf(data)), data);
  assert.equal(elementsOf(ids, "string"), ids);
  assert.deepEqual(floatsOf("int64", ids), Float32Array.of(1, 300));
});
