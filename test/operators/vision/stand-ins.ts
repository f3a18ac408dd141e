/** ONNX files with the inputs and outputs of the published ones, whose results can be foretold: boxes from the words of the prompt, masks from their boxes. */
import { copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import type { GridItem, ModelManifest } from "../../../src/contracts/index.js";
import { manifestOf } from "../../../src/models/manifest.js";
import { MODELS } from "./weights.js";

const common = { summary: "Stand-in.", licence: "MIT", limits: [] };

function folder(files: Record<string, Uint8Array>): string {
  const dir = mkdtempSync(join(tmpdir(), "flow-stand-in-"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dir, name), bytes);
  return dir;
}

/** The manifest of a stand-in, also as the file that a graph's models are looked for in (JSON is YAML). */
function manifestIn(dir: string, value: { id: string; [field: string]: unknown }): ModelManifest {
  const path = join(dir, `${value.id}.yaml`);
  writeFileSync(path, JSON.stringify(value));
  return manifestOf(value, path);
}

/** What the stand-in says a token is: its box (centre and size, 0–1). */
export function boxOfToken(id: number): [number, number, number, number] {
  return [0.25 + (0.5 * (id % 97)) / 97, 0.25 + (0.5 * (id % 89)) / 89, 0.1 + (0.3 * (id % 7)) / 7, 0.1 + (0.3 * (id % 5)) / 5];
}

/** Logit of every token that is a word, for a picture with this mean of its input. */
export const logitOfWord = (mean: number): number => 1 + mean;

/** Grounding DINO as onnx-community publishes it: 900 queries, 256 tokens; query t is token t of the prompt. Its tokenizer is that of all-MiniLM-L6-v2, which has BERT's words too. */
export function groundingDino(): ModelManifest {
  const g = new OnnxGraph("grounding-dino", "stand-in");
  const ids = g.input("input_ids", "int64", ["batch_size", "sequence_length"]);
  g.input("token_type_ids", "int64", ["batch_size", "sequence_length"]);
  const attention = g.input("attention_mask", "int64", ["batch_size", "sequence_length"]);
  const pixels = g.input("pixel_values", "float32", ["batch_size", "num_channels", "height", "width"]);
  g.input("pixel_mask", "int64", ["batch_size", "height", "width"]);
  const float = (value: string): string => g.op("Cast", [value], { to: 1 });
  const length = g.op("Gather", [g.op("Shape", [ids]), g.ints(1)], { axis: 0 });
  const pads = g.op("Concat", [g.ints(0, 0, 0), g.op("Sub", [g.ints(256), length])], { axis: 0 });
  const padded = g.op("Pad", [ids, pads]);
  const attended = float(g.op("Pad", [attention, pads]));
  const share = (modulus: number, scale: number, least: number): string => {
    const rest = float(g.op("Mod", [padded, g.ints(modulus)]));
    return g.op("Unsqueeze", [g.op("Add", [g.op("Mul", [rest, g.scalar(scale / modulus)]), g.scalar(least)]), g.ints(2)]);
  };
  const boxes = g.op("Concat", [share(97, 0.5, 0.25), share(89, 0.5, 0.25), share(7, 0.3, 0.1), share(5, 0.3, 0.1)], { axis: 2 });
  const special = [101, 102, 1012, 0].map((id) => float(g.op("Equal", [padded, g.ints(id)]))).reduce((a, b) => g.op("Add", [a, b]));
  const word = g.op("Mul", [g.op("Sub", [g.scalar(1), special]), attended]);
  const mean = g.op("Reshape", [g.op("ReduceMean", [pixels], { axes: [1, 2, 3], keepdims: 0 }), g.ints(-1, 1)]);
  const value = g.op("Mul", [word, g.op("Add", [mean, g.scalar(1 + 10)])]);
  const eye = g.constant([1, 256, 256], Float32Array.from({ length: 65_536 }, (_, i) => (i % 257 === 0 ? 1 : 0)));
  // −10 but where query and token are the same word: 1 + mean.
  const logits = g.op("Sub", [g.op("Mul", [eye, g.op("Unsqueeze", [value, g.ints(2)])]), g.scalar(10)]);
  const queries = g.ints(0, 0, 0, 0, 900 - 256, 0);
  g.output(g.op("Pad", [logits, queries, g.constant([], Float32Array.of(-10))]), "logits", "float32", ["batch_size", 900, 256]);
  g.output(g.op("Pad", [boxes, queries]), "pred_boxes", "float32", ["batch_size", 900, 4]);
  const dir = folder({ "model.onnx": g.encode() });
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(join(MODELS!, "tokenizers/all-MiniLM-L6-v2", name), join(dir, name));
  return manifestIn(dir, {
    ...common,
    id: "grounding-dino",
    task: "object-detection",
    family: "grounding-dino",
    files: [{ path: "model.onnx" }, { path: "tokenizer.json" }, { path: "tokenizer_config.json" }],
    inputs: [
      { name: "pixel_values", dims: ["n", 3, "height", "width"] },
      { name: "input_ids", type: "int64", dims: ["n", "tokens"] },
      { name: "token_type_ids", type: "int64", dims: ["n", "tokens"] },
      { name: "attention_mask", type: "int64", dims: ["n", "tokens"] },
      { name: "pixel_mask", type: "int64", dims: ["n", "height", "width"] },
    ],
    outputs: [{ name: "logits", dims: ["n", 900, 256] }, { name: "pred_boxes", dims: ["n", 900, 4] }],
    preprocess: { kind: "image", size: [96, 64], fit: "edges" },
  });
}

/** How far the better of the stand-in's masks stays inside its box, in pixels of the model's input. */
export const MASK_MARGIN = 4;
/** Half the side of the three squares around a point. */
export const MASK_SQUARES = [8, 24, 60];
export const iouOf = (mean: number): number => 0.9 + 0.01 * mean;

/** SAM as it is published: an encoder of pictures, a decoder of prompts. `size` is 1024 there. */
export function sam(prompt: "corners" | "boxes" | "centre", size = 256): { encoder: ModelManifest; decoder: ModelManifest } {
  const [cells, pixels] = [size / 16, size / 4];
  const e = new OnnxGraph("vision_encoder", "stand-in");
  const picture = e.input("pixel_values", "float32", ["batch_size", 3, size, size]);
  const pooled = e.op("AveragePool", [e.op("ReduceMean", [picture], { axes: [1], keepdims: 1 })], { kernel_shape: [16, 16], strides: [16, 16] });
  const embedding = e.op("Tile", [pooled, e.ints(1, 256, 1, 1)]);
  e.output(embedding, "image_embeddings", "float32", ["batch_size", 256, cells, cells]);
  e.output(e.op("Mul", [embedding, e.scalar(0)]), "image_positional_embeddings", "float32", ["batch_size", 256, cells, cells]);

  const d = new OnnxGraph("prompt_encoder_mask_decoder", "stand-in");
  const embeddings = d.input("image_embeddings", "float32", ["batch_size", 256, cells, cells]);
  d.input("image_positional_embeddings", "float32", ["batch_size", 256, cells, cells]);
  const points = d.input("input_points", "float32", ["batch_size", "point_batch_size", "points", 2]);
  const labels = d.input("input_labels", "int64", ["batch_size", "point_batch_size", "points"]);
  const boxes = prompt === "boxes" ? d.input("input_boxes", "float32", ["batch_size", "boxes", 4]) : null;
  const coordinate = (n: number): string => {
    const values = boxes ? d.op("Gather", [boxes, d.constant([], BigInt64Array.of(BigInt(n)))], { axis: 2 }) : d.op("Gather", [d.op("Gather", [points, d.constant([], BigInt64Array.of(BigInt(n >> 1)))], { axis: 2 }), d.constant([], BigInt64Array.of(BigInt(n % 2)))], { axis: 2 });
    return d.op("Unsqueeze", [values, d.ints(2, 3, 4)]);
  };
  const axis = (dims: number[]): string => d.constant(dims, Float32Array.from({ length: pixels }, (_, i) => (i + 0.5) * 4));
  const [x, y] = [axis([1, 1, 1, 1, pixels]), axis([1, 1, 1, pixels, 1])];
  const least = (...values: string[]): string => d.op("Min", values);
  const sub = (a: string, b: string): string => d.op("Sub", [a, b]);
  let masks: string[];
  if (prompt === "centre") {
    const away = (value: string, at: string): string => d.op("Abs", [sub(value, at)]);
    masks = MASK_SQUARES.map((half) => least(sub(d.scalar(half), away(x, coordinate(0))), sub(d.scalar(half), away(y, coordinate(1)))));
  } else {
    const inside = least(sub(x, coordinate(0)), sub(coordinate(2), x), sub(y, coordinate(1)), sub(coordinate(3), y));
    masks = [inside, sub(inside, d.scalar(MASK_MARGIN)), sub(inside, d.scalar(10_000))];
  }
  let logits = d.op("Concat", masks, { axis: 2 });
  if (prompt === "corners") {
    // Nothing at all unless the labels say that the points are the corners of a box: 2 and 3.
    const right = d.op("Cast", [d.op("Equal", [d.op("ReduceSum", [labels, d.ints(2)], { keepdims: 0 }), d.ints(5)])], { to: 1 });
    logits = sub(logits, d.op("Unsqueeze", [d.op("Mul", [sub(d.scalar(1), right), d.scalar(10_000)]), d.ints(2, 3, 4)]));
  }
  d.output(logits, "pred_masks", "float32", ["batch_size", "point_batch_size", 3, pixels, pixels]);
  const mean = d.op("Mul", [d.op("Reshape", [d.op("ReduceMean", [embeddings], { axes: [1, 2, 3], keepdims: 0 }), d.ints(-1, 1, 1)]), d.scalar(0.01)]);
  const zeros = d.op("Mul", [d.op("Squeeze", [coordinate(0), d.ints(3, 4)]), d.scalar(0)]);
  d.output(d.op("Add", [d.op("Add", [zeros, mean]), d.constant([1, 1, 3], Float32Array.of(0.6, 0.9, 0.1))]), "iou_scores", "float32", ["batch_size", "point_batch_size", 3]);

  const dir = folder({ "vision_encoder.onnx": e.encode(), "prompt_encoder_mask_decoder.onnx": d.encode() });
  const embeddingDims = ["n", 256, cells, cells];
  return {
    encoder: manifestIn(dir, {
      ...common,
      id: "sam-encoder",
      task: "mask-encoder",
      family: "sam",
      files: [{ path: "vision_encoder.onnx" }],
      inputs: [{ name: "pixel_values", dims: ["n", 3, size, size] }],
      outputs: [{ name: "image_embeddings", dims: embeddingDims }, { name: "image_positional_embeddings", dims: embeddingDims }],
      preprocess: { kind: "image", size: [size, size], fit: "contain", anchor: "top-left", pad: "mean" },
    }),
    decoder: manifestIn(dir, {
      ...common,
      id: "sam-decoder",
      task: "mask-decoder",
      family: "sam",
      files: [{ path: "prompt_encoder_mask_decoder.onnx" }],
      inputs: [
        { name: "image_embeddings", dims: embeddingDims },
        { name: "image_positional_embeddings", dims: embeddingDims },
        { name: "input_points", dims: ["n", "boxes", "points", 2] },
        { name: "input_labels", type: "int64", dims: ["n", "boxes", "points"] },
        ...(boxes ? [{ name: "input_boxes", dims: ["n", "boxes", 4] }] : []),
      ],
      outputs: [{ name: "iou_scores", dims: ["n", "boxes", 3] }, { name: "pred_masks", dims: ["n", "boxes", 3, pixels, pixels] }],
      settings: { prompt },
    }),
  };
}

/** A frame of one grey, so that a model's mean of it can be foretold: byte / 255. */
export function greyFrame(width: number, height: number, byte: number, inputs: Record<string, unknown>, source = { width: width * 2, height: height * 2 }): GridItem {
  const buffer = new SharedArrayBuffer(width * height * 3);
  new Uint8Array(buffer).fill(byte);
  return { ptsUs: byte * 1000, samples: 0, slot: { buffer, byteOffset: 0, byteLength: width * height * 3, width, height }, source, inputs };
}
