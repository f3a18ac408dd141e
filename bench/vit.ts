import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { OnnxGraph } from "../models/build/onnx-writer.js";
import type { ModelManifest } from "../src/contracts/index.js";
import { manifestOf } from "../src/models/manifest.js";

const WIDTH = 768;
const HEADS = 12;
const TOKENS = 50;
const DIMS = 512;

/** Writes a graph with the operators and sizes of CLIP's ViT-B/32 image tower (87 M parameters, 4.4 GMAC a picture) and random weights. */
export function writeVit(file: string, seed = 1, layers = 12): ModelManifest {
  const graph = new OnnxGraph("vit-b-32-shaped", "random weights");
  let state = seed;
  const random = (dims: number[], scale: number): string => {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      data[i] = (state / 2 ** 31) * scale;
    }
    return graph.constant(dims, data);
  };
  const ones = graph.constant([WIDTH], new Float32Array(WIDTH).fill(1));
  const norm = (x: string): string => graph.op("LayerNormalization", [x, ones, random([WIDTH], 0.02)], { axis: -1, epsilon: { float: 1e-5 } });
  const linear = (x: string, from: number, to: number): string => graph.op("Add", [graph.op("MatMul", [x, random([from, to], 0.03)]), random([to], 0.02)]);

  const pixels = graph.input("pixel_values", "float32", ["n", 3, 224, 224]);
  const patches = graph.op("Conv", [pixels, random([WIDTH, 3, 32, 32], 0.03)], { kernel_shape: [32, 32], strides: [32, 32] });
  const sequence = graph.op("Transpose", [graph.op("Reshape", [patches, graph.ints(0, WIDTH, TOKENS - 1)])], { perm: [0, 2, 1] });
  // The class token is row 0 of the position table, added to a row of zeros.
  const padded = graph.op("Pad", [sequence, graph.ints(0, 1, 0, 0, 0, 0)]);
  let x = norm(graph.op("Add", [padded, random([1, TOKENS, WIDTH], 0.02)]));
  const heads = (y: string, perm: number[]): string => graph.op("Transpose", [graph.op("Reshape", [y, graph.ints(0, TOKENS, HEADS, WIDTH / HEADS)])], { perm });
  for (let layer = 0; layer < layers; layer++) {
    const y = norm(x);
    const q = heads(graph.op("Mul", [linear(y, WIDTH, WIDTH), graph.scalar((WIDTH / HEADS) ** -0.5)]), [0, 2, 1, 3]);
    const k = heads(linear(y, WIDTH, WIDTH), [0, 2, 3, 1]);
    const v = heads(linear(y, WIDTH, WIDTH), [0, 2, 1, 3]);
    const attention = graph.op("MatMul", [graph.op("Softmax", [graph.op("MatMul", [q, k])], { axis: -1 }), v]);
    const joined = graph.op("Reshape", [graph.op("Transpose", [attention], { perm: [0, 2, 1, 3] }), graph.ints(0, TOKENS, WIDTH)]);
    x = graph.op("Add", [x, linear(joined, WIDTH, WIDTH)]);
    const up = linear(norm(x), WIDTH, 4 * WIDTH);
    const gelu = graph.op("Mul", [up, graph.op("Sigmoid", [graph.op("Mul", [up, graph.scalar(1.702)])])]);
    x = graph.op("Add", [x, linear(gelu, 4 * WIDTH, WIDTH)]);
  }
  const first = graph.op("Reshape", [graph.op("Slice", [x, graph.ints(0), graph.ints(1), graph.ints(1)]), graph.ints(0, WIDTH)]);
  const projected = graph.op("MatMul", [norm(first), random([WIDTH, DIMS], 0.03)]);
  graph.output(graph.op("Div", [projected, graph.op("ReduceL2", [projected], { axes: [-1], keepdims: 1 })]), "image_embeds", "float32", ["n", DIMS]);

  const bytes = graph.encode();
  writeFileSync(file, bytes);
  return manifestOf(
    {
      id: basename(file, ".onnx"),
      task: "image-embedding",
      summary: "ViT-B/32-shaped, random weights.",
      licence: "MIT",
      files: [{ path: basename(file), size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }],
      inputs: [{ name: "pixel_values", dims: ["n", 3, 224, 224], type: "float32" }],
      preprocess: { kind: "image", size: [224, 224], mean: [0.4815, 0.4578, 0.4082], std: [0.2686, 0.2613, 0.2758] },
      output: { name: "image_embeds", dims: DIMS, normalised: "unit" },
      limits: [],
    },
    join(dirname(file), `${basename(file, ".onnx")}.yaml`),
  );
}
