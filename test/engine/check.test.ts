import assert from "node:assert/strict";
import test from "node:test";
import { Detections, Labels, type Detection } from "../../src/contracts/index.js";
import { checkValue } from "../../src/engine/check.js";

const good: Detection = { label: "dog", score: 0.9, box: [0, 1, 10, 20], vector: Float32Array.of(1, 0) };

test("detections and labels: a list with names, finite scores and vectors, boxes that hold something", () => {
  checkValue("n", "objects", Detections, []);
  checkValue("n", "objects", Detections, [good, { ...good, vector: undefined }]);
  checkValue("n", "labels", Labels, [{ label: "sea", score: 0 }]);
  const bad: [unknown, RegExp][] = [
    [{}, /gave Object/],
    [[{ ...good, score: Number.NaN }], /score NaN/],
    [[good, { ...good, label: undefined }], /label undefined/],
    [[{ ...good, box: [5, 0, 5, 10] }], /box 5,0,5,10 of dog/],
    [[{ ...good, box: [-1, 0, 5, 10] }], /inside the picture/],
    [[{ ...good, box: [0, 0, Number.POSITIVE_INFINITY, 10] }], /box/],
    [[{ ...good, box: undefined }], /box undefined/],
    [[{ ...good, vector: Float32Array.of(Number.NaN) }], /vector of dog/],
  ];
  for (const [value, message] of bad) assert.throws(() => checkValue("n", "objects", Detections, value), { code: "BAD_OUTPUT", message });
  assert.throws(() => checkValue("n", "labels", Labels, [{ label: "sea" }]), { code: "BAD_OUTPUT" });
});
