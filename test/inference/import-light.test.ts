import assert from "node:assert/strict";
import test from "node:test";

interface Report {
  sharedObjects: string[];
}
const natives = (): string[] => (process.report.getReport() as unknown as Report).sharedObjects.filter((f) => /onnxruntime|sharp|libvips/.test(f));

test("the main thread gets the pool and all operators without loading ONNX Runtime or sharp", async () => {
  await import("../../src/inference/index.js");
  await import("../../src/operators/index.js");
  assert.deepEqual(natives(), []);
  // The same look at what is loaded does see them once they are.
  await import("sharp");
  assert.ok(natives().length > 0);
});
