import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ModelManifest } from "../../src/contracts/model.js";
import { joinRows, rowsTouch, splitRows, unitRow } from "../../src/models/rows.js";

const manifest = (output: object, more: object = {}): ModelManifest => ({ id: "m", output: { name: "out", dims: 2, normalised: "none", pooling: "none", ...output }, settings: {}, precisions: {}, files: [], ...more }) as unknown as ModelManifest;
const rows = (output: object, data: number[], dims: number[], n: number, mask?: number[]): number[][] => splitRows({ out: { data: Float32Array.from(data), dims } }, manifest(output), n, mask).map((row) => [...row]);

describe("rows of an embedding model", () => {
  test("as they are, the first token, or the mean over attended tokens", () => {
    assert.deepEqual(rows({}, [1, 2, 3, 4], [2, 2], 2), [[1, 2], [3, 4]]);
    const tokens = [1, 2, 3, 4, 90, 91, 5, 6, 7, 8, 9, 10];
    assert.deepEqual(rows({ pooling: "first" }, tokens, [2, 3, 2], 2), [[1, 2], [5, 6]]);
    assert.deepEqual(rows({ pooling: "mean" }, tokens, [2, 3, 2], 2, [1, 1, 0, 1, 1, 1]), [[2, 3], [7, 8]]);
    assert.deepEqual(rows({ pooling: "mean" }, [1, 2, 3, 4], [1, 2, 2], 1), [[2, 3]]);
    assert.deepEqual(rows({ pooling: "mean" }, [1, 2], [1, 1, 2], 1, [0]), [[0, 0]], "nothing attended");
  });

  test("`unit` is made sure of, zero stays zero, a unit row keeps its bits", () => {
    assert.deepEqual(rows({ normalised: "unit" }, [3, 4, 0, 0], [2, 2], 2), [[Math.fround(0.6), Math.fround(0.8)], [0, 0]]);
    const near = Float32Array.of(0.6, 0.8);
    assert.equal(unitRow(near), near);
  });

  test("another shape is an error that shows both", () => {
    assert.throws(() => rows({ dims: 3 }, [1, 2, 3, 4], [2, 2], 2), { code: "MODEL_OUTPUT", message: /\[2, 2\].*out \[2, 3\]/ });
    assert.throws(() => rows({ pooling: "mean" }, [1, 2, 3, 4], [1, 2, 2], 1, [1]), { code: "MODEL_OUTPUT" });
    assert.throws(() => splitRows({ other: { data: new Float32Array(2), dims: [1, 2] } }, manifest({}), 1), { code: "MODEL_OUTPUT", message: /other/ });
  });

  test("vectors that do not lie row by row are refused; one may come without a dimension for rows", () => {
    assert.throws(() => rows({}, [1, 2, 3, 4, 5, 6], [2, 3], 3), { code: "MODEL_OUTPUT", message: /found \[2, 3\], expected out \[3, 2\]/ });
    assert.throws(() => rows({}, [1, 2, 3, 4, 5, 6], [6], 3), { code: "MODEL_OUTPUT" });
    assert.deepEqual(rows({}, [1, 2], [2], 1), [[1, 2]]);
  });

  test("whether rows touch: by the file that the device runs, unless the manifest says", () => {
    const files = [{ path: "config.json" }, { path: "onnx/model_quantized.onnx" }, { path: "onnx/model_fp16.onnx" }];
    assert.equal(rowsTouch(manifest({}, { files })), true);
    assert.equal(rowsTouch(manifest({}, { files, precisions: { webgpu: "onnx/model_fp16.onnx" } }), "webgpu"), false);
    assert.equal(rowsTouch(manifest({}, { files, settings: { rows: "together" } })), false);
    assert.equal(rowsTouch(manifest({}, { files: [{ path: "mobilenet_v2_quant.onnx" }] })), false);
    assert.equal(rowsTouch(manifest({}, { files: [{ path: "model.onnx" }], settings: { rows: "alone" } })), true);
  });
});

describe("rows of several runs", () => {
  const part = (dims: number[], ...data: number[]): { y: { data: Float32Array; dims: number[] } } => ({ y: { data: Float32Array.from(data), dims } });
  const joined = (parts: ReturnType<typeof part>[], counts: number[], rows: number): { dims: number[]; data: number[] } => {
    const { data, dims } = joinRows(parts, counts, rows)["y"]!;
    return { dims, data: [...data] };
  };
  const nothing = (dims: number[]): { dims: number[]; data: number[] } => ({ dims, data: [] });

  test("one after the other, without what the last run was filled with", () => {
    assert.deepEqual(joined([part([2, 1], 1, 2), part([1, 1], 3)], [2, 1], 3), { dims: [3, 1], data: [1, 2, 3] });
    assert.deepEqual(joined([part([2, 2], 1, 2, 3, 4), part([2, 2], 5, 6, 0, 0)], [2, 2], 3), { dims: [3, 2], data: [1, 2, 3, 4, 5, 6] });
    assert.deepEqual(joined([part([2, 1], 1, 1)], [2], 1), { dims: [1, 1], data: [1] });
    assert.deepEqual(joinRows([], [], 0), {});
  });

  test("runs of one row need no dimension for it", () => {
    assert.deepEqual(joined([part([2], 1, 2), part([2], 3, 4)], [1, 1], 2), { dims: [2, 2], data: [1, 2, 3, 4] });
    assert.deepEqual(joined([part([], 1), part([], 2)], [1, 1], 2), { dims: [2], data: [1, 2] });
    assert.deepEqual(joined([part([2, 1], 1, 2)], [1], 1), { dims: [1, 2, 1], data: [1, 2] });
  });

  test("what comes once for all rows stays one", () => {
    assert.deepEqual(joined([part([1, 2], 1, 2), part([1, 2], 1, 2)], [4, 4], 8), { dims: [1, 2], data: [1, 2] });
    assert.deepEqual(joined([part([1, 2], 1, 2)], [4], 4), { dims: [1, 2], data: [1, 2] });
  });

  test("what has no rows keeps its dims and loses its numbers", () => {
    assert.deepEqual(joined([part([3], 1, 2, 3), part([3], 4, 5, 6)], [4, 4], 8), nothing([3]));
    assert.deepEqual(joined([part([3], 1, 2, 3), part([3], 4, 5, 6)], [3, 2], 5), nothing([3]));
    // A row's place would depend on how large the others are.
    assert.deepEqual(joined([part([2, 1], 1, 2), part([1, 3], 3, 4, 5)], [2, 1], 3), nothing([2, 1]));
    assert.deepEqual(joined([part([1, 1], 1), part([1, 2], 2, 3)], [1, 1], 2), nothing([1, 1]));
    assert.deepEqual(joined([part([1], 1), part([2], 2, 3)], [1, 1], 2), nothing([1]));
  });
});
