/** Stand-ins of the published text models: the same inputs and outputs, small random weights, real tokenizers. */
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import { Random } from "../../../models/build/random.js";
import { buildModel, type Built } from "./model-folder.js";
import { writeClipTokenizer } from "./clip-tokenizer.js";

const TABLE = 251;
const MINILM = join(process.env["FLOW_MODELS_DIR"] ?? "", "tokenizers/all-MiniLM-L6-v2");
export const needsMiniLmTokenizer = existsSync(join(MINILM, "tokenizer.json")) ? {} : { skip: "needs FLOW_MODELS_DIR with tokenizers/all-MiniLM-L6-v2" };

const noise = (length: number, seed: number): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length }, () => random.normal());
};

/**
 * all-MiniLM-L6-v2's contract: input_ids, attention_mask, token_type_ids → last_hidden_state [n, t, 384]. Each token sees the attended ones;
 * where there is padding stands a large number, so that pooling over it shows.
 */
export function miniLm(file = "onnx/model.onnx", dims = 384): Built {
  const graph = new OnnxGraph("minilm stand-in", "tests");
  const ids = graph.input("input_ids", "int64", ["n", "t"]);
  const mask = graph.input("attention_mask", "int64", ["n", "t"]);
  const types = graph.input("token_type_ids", "int64", ["n", "t"]);
  const hidden = graph.op("Gather", [graph.constant([TABLE, dims], noise(TABLE * dims, 1)), graph.op("Mod", [graph.op("Add", [ids, types]), graph.ints(TABLE)])]);
  const attended = graph.op("Unsqueeze", [graph.op("Cast", [mask], { to: 1 }), graph.ints(2)]);
  const sum = graph.op("ReduceSum", [graph.op("Mul", [hidden, attended]), graph.ints(1)], { keepdims: 1 });
  const mixed = graph.op("Tanh", [graph.op("Add", [hidden, sum])]);
  const padding = graph.op("Mul", [graph.op("Sub", [graph.scalar(1), attended]), graph.scalar(1000)]);
  graph.output(graph.op("Add", [mixed, padding]), "last_hidden_state", "float32", ["n", "t", dims]);
  const fields = {
    task: "text-embedding",
    family: "bert",
    inputs: ["input_ids", "attention_mask", "token_type_ids"].map((name) => ({ name, type: "int64", dims: ["n", "t"] })),
    preprocess: { kind: "text", tokenizer: "hf", maxTokens: 256 },
    output: { name: "last_hidden_state", dims, normalised: "unit", pooling: "mean" },
    space: { name: "minilm-stand-in", threshold: 0.5, calibration: { foreignMedian: 0, identical: 1 }, reads: ["text"] },
  };
  return buildModel("minilm-stand-in", fields, { [file]: graph }, (dir) => {
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(MINILM, name), join(dir, name));
  });
}

/** Tokens of the colours in CLIP's vocabulary, with the direction that the stand-in's picture half gives a picture of that colour. */
const COLOURS: [number, number[]][] = [
  [736, [1, 0, 0]], // red
  [1901, [0, 1, 0]], // green
  [1746, [0, 0, 1]], // blue
];

/** CLIP's contract: input_ids [n, t] → text_embeds at the end token; pixel_values → image_embeds. Of the world both halves know three colours. */
export function clip(): { text: Built; image: Built } {
  const space = (reads: string[]): object => ({ name: "clip-stand-in", threshold: 0.7, calibration: { foreignMedian: 0.1, identical: 1 }, reads });
  const text = new OnnxGraph("clip text stand-in", "tests");
  const ids = text.input("input_ids", "int64", ["n", "t"]);
  // Before the end token only: what comes behind it is padding with the same id.
  const end = text.op("Cast", [text.op("Equal", [ids, text.ints(49407)])], { to: 1 });
  const seen = text.op("Cast", [text.op("Equal", [text.op("CumSum", [end, text.scalarInt(1)]), text.scalar(0)])], { to: 1 });
  let sum = text.constant([3], Float32Array.of(0.01, 0.01, 0.01));
  for (const [id, direction] of COLOURS) {
    const hits = text.op("Mul", [text.op("Cast", [text.op("Equal", [ids, text.ints(id)])], { to: 1 }), seen]);
    const count = text.op("ReduceSum", [hits, text.ints(1)], { keepdims: 1 });
    sum = text.op("Add", [text.op("Mul", [count, text.constant([1, 3], Float32Array.from(direction))]), sum]);
  }
  text.output(sum, "text_embeds", "float32", ["n", 3]);

  const image = new OnnxGraph("clip vision stand-in", "tests");
  const pixels = image.input("pixel_values", "float32", ["n", 3, "h", "w"]);
  const mean = image.op("ReduceMean", [pixels], { axes: [2, 3], keepdims: 0 });
  image.output(image.op("Exp", [mean]), "image_embeds", "float32", ["n", 3]);
  return {
    text: buildModel(
      "clip-text-stand-in",
      {
        task: "text-embedding",
        family: "clip",
        inputs: [{ name: "input_ids", type: "int64", dims: ["n", "t"] }],
        preprocess: { kind: "text", tokenizer: "hf", maxTokens: 77 },
        output: { name: "text_embeds", dims: 3, normalised: "unit" },
        space: space(["image", "text"]),
      },
      { "onnx/text_model.onnx": text },
      writeClipTokenizer,
    ),
    image: buildModel(
      "clip-image-stand-in",
      {
        task: "image-embedding",
        family: "clip",
        inputs: [{ name: "pixel_values", dims: ["n", 3, 224, 224] }],
        preprocess: { kind: "image", size: [224, 224], fit: "cover", resample: "bicubic", mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
        output: { name: "image_embeds", dims: 3, normalised: "unit" },
        space: space(["image", "text"]),
      },
      { "onnx/vision_model.onnx": image },
    ),
  };
}
