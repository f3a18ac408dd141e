/** Stand-in of what models/export/xclip.py writes: inputs and outputs of models/xclip-base-patch16.yaml, weights of chance. */
import { OnnxGraph, type Dims } from "../../../models/build/onnx-writer.js";
import { Random } from "../../../models/build/random.js";
import type { ModelManifest } from "../../../src/contracts/model.js";
import { buildModel, type Built } from "./model-folder.js";

/** The mean colour of each frame, in order, through a random matrix: what it gives depends on which frames come and in which order. */
export function xclip(published: ModelManifest): Built {
  const [input] = published.inputs;
  const { name, dims } = published.output!;
  const frames = Number(input!.dims[1]);
  const random = new Random(7);
  const graph = new OnnxGraph("xclip stand-in", "tests");
  const mean = graph.op("ReduceMean", [graph.input(input!.name, "float32", input!.dims as Dims)], { axes: [3, 4], keepdims: 0 });
  const weights = graph.constant([frames * 3, dims], Float32Array.from({ length: frames * 3 * dims }, () => random.normal()));
  graph.output(graph.op("MatMul", [graph.op("Reshape", [mean, graph.ints(-1, frames * 3)]), weights]), name, "float32", ["n", dims]);
  const { task, family, inputs, output, preprocess, space } = published;
  return buildModel("xclip-stand-in", { task, family, inputs, output, preprocess, space }, { "onnx/model.onnx": graph });
}
