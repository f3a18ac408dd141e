import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestValue, sortedNames } from "../../src/store/index.js";

test("a digest depends on content, not on key order", () => {
  assert.equal(digestValue({ a: 1, b: [2, "x"] }), digestValue({ b: [2, "x"], a: 1 }));
  assert.notEqual(digestValue({ a: 1 }), digestValue({ a: "1" }));
  assert.notEqual(digestValue(["ab", "c"]), digestValue(["a", "bc"]));
  assert.notEqual(digestValue(Float32Array.of(1, 2)), digestValue(Float32Array.of(2, 1)));
  assert.notEqual(digestValue([]), digestValue({}));
});

test("different JSON values have different digests, equal ones equal digests", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
      assert.equal(digestValue(a) === digestValue(b), same);
    }),
  );
});

test("names of an object are in the order of their code units, without those that hold nothing", () => {
  const value = fc.option(fc.integer(), { nil: undefined });
  fc.assert(
    fc.property(fc.dictionary(fc.oneof(fc.string(), fc.nat(99).map(String)), value, { maxKeys: 60 }), (fields) => {
      assert.deepEqual(sortedNames(fields), Object.entries(fields).filter(([, v]) => v !== undefined).map(([name]) => name).sort());
    }),
  );
});

test("texts longer than what is gathered at once are digested whole", () => {
  const words = Array.from({ length: 30_000 }, (_, i) => `word ${i}`);
  assert.equal(digestValue(words), digestValue([...words]));
  assert.notEqual(digestValue(words), digestValue(words.with(29_999, "word")));
  assert.notEqual(digestValue(words), digestValue(words.with(3, "word")));
});

test("a list as long as what is gathered, to the byte, and one more", () => {
  for (let length = 65_530; length < 65_545; length++) {
    const bytes = new Uint8Array(length).fill(7);
    assert.equal(digestValue(["a", bytes, "b"]), digestValue(["a", bytes.slice(), "b"]));
    assert.notEqual(digestValue(["a", bytes, "b"]), digestValue(["a", bytes, "c"]));
    assert.notEqual(digestValue(["a", bytes, "b"]), digestValue(["a", bytes.with(length - 1, 8), "b"]));
  }
});

test("texts differ by every code unit, also of those that are no characters, long or short", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.string(), fc.array(fc.nat(0xffff), { maxLength: 90 }).map((codes) => String.fromCharCode(...codes)));
  fc.assert(fc.property(text, text, fc.anything(), (a, b, next) => assert.equal(digestValue([a, next]) === digestValue([b, next]), a === b)));
});

test("bytes are bytes, whichever class holds them", () => {
  assert.equal(digestValue(Buffer.from([1, 2])), digestValue(Uint8Array.of(1, 2)));
  assert.notEqual(digestValue(Int8Array.of(1, 2)), digestValue(Uint8Array.of(1, 2)));
});

test("a view into a larger buffer is digested by its own bytes", () => {
  const buffer = Float32Array.of(9, 1, 2, 9);
  assert.equal(digestValue(buffer.subarray(1, 3)), digestValue(Float32Array.of(1, 2)));
});

/** -0 and 0 print alike in JSON and are alike for us. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value && typeof value === "object") return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [`key:${k}`, sorted(v)]).concat([["object", true]]);
  return Object.is(value, -0) ? 0 : value;
}
