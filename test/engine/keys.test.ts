import assert from "node:assert/strict";
import { test } from "node:test";
import { memoKey, recordId } from "../../src/engine/keys.js";

test("memo keys change with node, medium, interval and inputs; record ids only with what the record is about", () => {
  const interval = { startUs: 0, endUs: 1_000_000 };
  const key = memoKey("n", "m", interval, ["d"]);
  for (const other of [memoKey("n2", "m", interval, ["d"]), memoKey("n", "m2", interval, ["d"]), memoKey("n", "m", { startUs: 1, endUs: 1_000_000 }, ["d"]), memoKey("n", "m", interval, ["e"])]) assert.notEqual(key, other);
  assert.equal(recordId("scene", "m", interval), recordId("scene", "m", { ...interval }));
});
