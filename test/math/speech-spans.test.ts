import assert from "node:assert/strict";
import { test } from "node:test";
import { SpeechSpans } from "../../src/math/speech-spans.js";

const options = { windowSamples: 512, threshold: 0.5, minSpeechSamples: 4000, minSilenceSamples: 1600, padSamples: 480 };

function spans(probabilities: number[], total = probabilities.length * 512): { start: number; end: number }[] {
  const fold = new SpeechSpans(options);
  for (const p of probabilities) fold.push(p);
  return fold.end(total);
}
const run = (p: number, n: number): number[] => Array.from({ length: n }, () => p);

test("speech between silences, padded", () => {
  assert.deepEqual(spans([...run(0, 10), ...run(0.9, 20), ...run(0, 10)]), [{ start: 5120 - 480, end: 30 * 512 + 480 }]);
});

test("a short dip does not end speech, nor does a probability between the two bars", () => {
  assert.equal(spans([...run(0.9, 10), ...run(0.1, 3), ...run(0.9, 10), ...run(0, 9)]).length, 1);
  assert.equal(spans([...run(0.9, 10), ...run(0.4, 30), ...run(0.9, 10), ...run(0, 9)]).length, 1);
  assert.equal(spans([...run(0.9, 10), ...run(0.3, 30), ...run(0.9, 10), ...run(0, 9)]).length, 2);
});

test("short speech is none; speech at the end goes on to the end of the sound", () => {
  assert.deepEqual(spans([...run(0, 5), ...run(0.9, 7), ...run(0, 9)]), []);
  assert.deepEqual(spans([...run(0, 5), ...run(0.9, 9)], 14 * 512 - 100), [{ start: 5 * 512 - 480, end: 14 * 512 - 100 }]);
});

test("two spans nearer than twice the padding share the silence between them", () => {
  const near = new SpeechSpans({ ...options, padSamples: 4800 });
  for (const p of [...run(0.9, 12), ...run(0, 6), ...run(0.9, 12), ...run(0, 20)]) near.push(p);
  const [first, second] = near.end(50 * 512);
  assert.equal(first!.end, 12 * 512 + 3 * 512);
  assert.equal(second!.start, first!.end);
});

test("nothing heard, nothing found", () => {
  assert.deepEqual(spans([]), []);
  assert.deepEqual(spans(run(0.1, 50)), []);
});
