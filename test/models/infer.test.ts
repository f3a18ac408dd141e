import assert from "node:assert/strict";
import test from "node:test";
import { infer, type Evidence } from "../../src/models/infer.js";

const evidence = (more: Partial<Evidence>): Evidence => ({ inputs: [], outputs: [], config: null, preprocessor: null, tokenizer: null, files: ["model.onnx"], ...more });
const tensor = (name: string, dims: (number | string)[], type = "float32") => ({ name, dims, type });

test("a sentence model: mean over tokens, its width, the shorter of two limits", () => {
  const ids = ["input_ids", "attention_mask"].map((name) => tensor(name, ["batch", "sequence"], "int64"));
  const { fields, open } = infer(evidence({ inputs: ids, outputs: [tensor("last_hidden_state", ["batch", "sequence", 384])], config: { architectures: ["BertModel"], max_position_embeddings: 512 }, tokenizer: { model_max_length: 256 }, files: ["model.onnx", "tokenizer.json"] }));
  assert.deepEqual(open, []);
  assert.deepEqual([fields["task"], fields["family"]], ["text-embedding", "bert"]);
  assert.deepEqual(fields["preprocess"], { kind: "text", tokenizer: "hf", maxTokens: 256 });
  assert.deepEqual(fields["output"], { name: "last_hidden_state", dims: 384, normalised: "unit", pooling: "mean" });
  assert.deepEqual(fields["inputs"], [{ name: "input_ids", type: "int64", dims: ["n", "sequence"] }, { name: "attention_mask", type: "int64", dims: ["n", "sequence"] }]);
});

test("a picture model without configuration: size and layout are read, the normalisation is asked for", () => {
  const { fields, open } = infer(evidence({ inputs: [tensor("x", [1, 257, 257, 3])], outputs: [tensor("y", [1, 21])] }));
  assert.deepEqual(open.map(({ option }) => option), ["--task", "--preprocess"]);
  assert.deepEqual(fields["preprocess"], { kind: "image", size: [257, 257], layout: "nhwc" });
});

test("sizes in the forms that configurations have had", () => {
  const of = (preprocessor: Record<string, unknown>, dims: (number | string)[] = ["n", 3, "h", "w"]) =>
    infer(evidence({ inputs: [tensor("pixel_values", dims)], outputs: [tensor("logits", ["n", 5])], config: { architectures: ["ViTForImageClassification"] }, preprocessor: { image_mean: [0, 0, 0], image_std: [1, 1, 1], ...preprocessor } })).fields["preprocess"] as Record<string, unknown>;
  assert.deepEqual([of({ size: 224 })["size"], of({ size: 224 })["fit"]], [[224, 224], "fill"]);
  assert.deepEqual(of({ size: { height: 384, width: 256 } })["size"], [256, 384]);
  const cropped = of({ size: { shortest_edge: 256 }, do_center_crop: true, crop_size: 224 });
  assert.deepEqual([cropped["size"], cropped["fit"], cropped["resize"]], [[224, 224], "cover", 256]);
  assert.equal(of({ size: 224, do_rescale: false })["scale"], 1);
  assert.equal(of({ size: 224, rescale_factor: 1 / 127.5 })["scale"], 1 / 127.5);
  assert.equal("mean" in of({ size: 224, do_normalize: false }), false);
  assert.equal(of({ size: 224, resample: 3 })["resample"], "bicubic");
});

test("an input without rows keeps the size that the file fixes", () => {
  const of = (...dims: (number | string)[][]) => (infer(evidence({ inputs: dims.map((given, i) => tensor(`x${i}`, given)), outputs: [tensor("y", ["n", 2])] })).fields["inputs"] as { dims: unknown }[]).map((input) => input.dims);
  assert.deepEqual(of(["batch", 3, 8, 8], [1], [2, -1, 128], ["", 4], []), [["n", 3, 8, 8], [1], [2, "d1", 128], ["n", 4], []]);
  assert.deepEqual(of([1, 3, 8, 8], [1, 4], [2, 4]), [["n", 3, 8, 8], ["n", 4], [2, 4]]);
});

test("classes come from id2label, in order, and not where they are only numbered", () => {
  const of = (id2label: Record<string, string>) => infer(evidence({ inputs: [tensor("x", ["n", 3, 8, 8])], outputs: [tensor("logits", ["n", 2])], config: { architectures: ["ViTForImageClassification"], id2label } })).fields["settings"];
  assert.deepEqual(of({ "1": "dog", "0": "cat" }), { classes: ["cat", "dog"] });
  assert.equal(of({ "0": "LABEL_0", "1": "LABEL_1" }), undefined);
  assert.equal(of({ "0": "cat", "2": "dog" }), undefined);
});

test("a task that is told decides which output counts", () => {
  const eyes = evidence({ inputs: [tensor("x", ["n", 3, 8, 8])], outputs: [tensor("logits", ["n", 4]), tensor("image_embeds", ["n", 8])] });
  assert.equal(infer(eyes).fields["output"], undefined);
  assert.deepEqual(infer(eyes, "image-embedding").fields["output"], { name: "image_embeds", dims: 8, normalised: "unit" });
  assert.deepEqual(infer(eyes, "image-classification").fields["outputs"], [{ name: "logits", dims: ["n", 4] }, { name: "image_embeds", dims: ["n", 8] }]);
});

test("which of several outputs is the vector is asked for, not guessed", () => {
  const { fields, open } = infer(evidence({ inputs: [tensor("x", ["n", 3, 8, 8])], outputs: [tensor("a", ["n", 4]), tensor("b", ["n", 8])], config: { architectures: ["Dinov2Model"] }, preprocessor: { image_mean: [0, 0, 0], image_std: [1, 1, 1], size: 8 } }));
  assert.deepEqual(open.map(({ option }) => option), ["--output"]);
  assert.equal(fields["output"], undefined);
});

test("whole numbers are the bytes of a picture: nothing is asked, and a configuration tells size and filter alone", () => {
  const bytes = (type: string, dims: (number | string)[], preprocessor: Record<string, unknown> | null = null) => infer(evidence({ inputs: [tensor("x", dims, type)], outputs: [tensor("y", ["n", 21])], preprocessor }), "image-classification");
  for (const type of ["uint8", "int32", "int64"]) {
    const { fields, from, open } = bytes(type, [1, 257, 257, 3]);
    assert.deepEqual(open, []);
    assert.deepEqual(fields["inputs"], [{ name: "x", type, dims: ["n", 257, 257, 3] }]);
    assert.deepEqual(fields["preprocess"], { kind: "image", size: [257, 257], fit: "fill", resample: "bilinear", scale: 1, layout: "nhwc" });
    assert.match(from["preprocess"]!, new RegExp(`^the ONNX file: ${type} pixels are 0\\.\\.255$`));
  }
  const configured = bytes("uint8", ["n", 3, "h", "w"], { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], size: { shortest_edge: 256 }, do_center_crop: true, crop_size: 224, resample: 3 });
  assert.deepEqual(configured.fields["preprocess"], { kind: "image", size: [224, 224], fit: "cover", resize: 256, resample: "bicubic", scale: 1 });
  const unsized = bytes("uint8", ["n", 3, "h", "w"]);
  assert.deepEqual(unsized.open.map(({ option, question }) => [option, /How large are the uint8 pictures of x .*scale: 1/.test(question)]), [["--preprocess", true]]);
});

test("half precision is prepared as float32 is, vectors included", () => {
  const { fields, open } = infer(evidence({ inputs: [tensor("pixel_values", ["n", 3, 224, 224], "float16")], outputs: [tensor("image_embeds", ["n", 8], "float16")], config: { architectures: ["Dinov2Model"] }, preprocessor: { image_mean: [0.1, 0.2, 0.3], image_std: [0.4, 0.5, 0.6], size: 224 } }));
  assert.deepEqual(open, []);
  assert.deepEqual(fields["inputs"], [{ name: "pixel_values", type: "float16", dims: ["n", 3, 224, 224] }]);
  assert.deepEqual((fields["preprocess"] as Record<string, unknown>)["mean"], [0.1, 0.2, 0.3]);
  assert.deepEqual(fields["output"], { name: "image_embeds", dims: 8, normalised: "unit" });
  const sound = infer(evidence({ inputs: [tensor("wave", ["n", 16000], "float16")], outputs: [tensor("y", ["n", 5])], preprocessor: { sampling_rate: 16000 } }), "audio-events");
  assert.deepEqual(sound.fields["preprocess"], { kind: "audio", sampleRate: 16000, windowSeconds: 1 });
  assert.deepEqual(sound.open, []);
});

test("sound in whole numbers: what one of them stands for is asked for", () => {
  const of = (preprocessor: Record<string, unknown> | null) => infer(evidence({ inputs: [tensor("wave", ["n", 16000], "int32")], outputs: [tensor("y", ["n", 5])], preprocessor }), "audio-events").open;
  assert.match(of({ sampling_rate: 16000 })[0]!.question, /scale of the int32 sound input wave .*sampleRate: 16000.*scale: 32768/);
  // Without a sampling rate nothing says that this is sound.
  assert.match(of(null)[0]!.question, /How are its inputs made/);
});
