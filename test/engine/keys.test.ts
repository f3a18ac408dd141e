import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestValue, memoKey, recordId } from "../../src/engine/keys.js";
import { sortedNames } from "../../src/store/index.js";

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

test("a view into a larger buffer is digested by its own bytes", () => {
  const buffer = Float32Array.of(9, 1, 2, 9);
  assert.equal(digestValue(buffer.subarray(1, 3)), digestValue(Float32Array.of(1, 2)));
});

test("memo keys change with node, medium, interval and inputs; record ids only with what the record is about", () => {
  const interval = { startUs: 0, endUs: 1_000_000 };
  const key = memoKey("n", "m", interval, ["d"]);
  for (const other of [memoKey("n2", "m", interval, ["d"]), memoKey("n", "m2", interval, ["d"]), memoKey("n", "m", { startUs: 1, endUs: 1_000_000 }, ["d"]), memoKey("n", "m", interval, ["e"])]) assert.notEqual(key, other);
  assert.equal(recordId("scene", "m", interval), recordId("scene", "m", { ...interval }));
});

/** -0 and 0 print alike in JSON and are alike for us. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value && typeof value === "object") return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [`key:${k}`, sorted(v)]).concat([["object", true]]);
  return Object.is(value, -0) ? 0 : value;
}
