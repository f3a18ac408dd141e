/** Stand-ins of CLAP's audio tower and of the Audio Spectrogram Transformer: the published inputs and outputs, the published feature extractors, small random weights. */
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import { Random } from "../../../models/build/random.js";
import { buildModel, type Built } from "./model-folder.js";

const noise = (length: number, seed: number): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length }, () => random.normal());
};

/** preprocessor_config.json of laion/clap-htsat-unfused. */
const CLAP = {
  chunk_length_s: 10, feature_extractor_type: "ClapFeatureExtractor", feature_size: 64, fft_window_size: 1024, frequency_max: 14000, frequency_min: 50, hop_length: 480,
  max_length_s: 10, n_fft: 1024, nb_frequency_bins: 513, nb_max_frames: 1000, nb_max_samples: 480000, padding: "repeatpad", padding_side: "right", padding_value: 0,
  processor_class: "ClapProcessor", return_attention_mask: false, sampling_rate: 48000, top_db: null, truncation: "rand_trunc",
};

export function clapStandIn(): Built {
  const g = new OnnxGraph("clap stand-in", "tests");
  const features = g.input("input_features", "float32", ["batch_size", 1, 1001, 64]);
  const bands = g.op("ReduceMean", [g.op("Tanh", [g.op("Mul", [features, g.scalar(0.02)])])], { axes: [1, 2], keepdims: 0 });
  g.output(g.op("MatMul", [bands, g.constant([64, 512], noise(64 * 512, 3))]), "audio_embeds", "float32", ["batch_size", 512]);
  const fields = {
    task: "audio-embedding",
    family: "clap",
    inputs: [{ name: "input_features", dims: ["n", 1, 1001, 64] }],
    preprocess: { kind: "audio", sampleRate: 48_000, windowSeconds: 10, pad: "repeat", features: "processor" },
    output: { name: "audio_embeds", dims: 512, normalised: "unit" },
  };
  return buildModel("clap-stand-in", fields, { "onnx/audio_model.onnx": g, "preprocessor_config.json": CLAP });
}

/** preprocessor_config.json of MIT/ast-finetuned-audioset-10-10-0.4593. */
const AST = {
  do_normalize: true, feature_extractor_type: "ASTFeatureExtractor", feature_size: 1, max_length: 1024, mean: -4.2677393, num_mel_bins: 128, padding_side: "right", padding_value: 0,
  return_attention_mask: false, sampling_rate: 16000, std: 4.5689974,
};

export const AST_CLASSES = 527;

export function astStandIn(): Built {
  const g = new OnnxGraph("ast stand-in", "tests");
  const features = g.input("input_values", "float32", ["batch_size", 1024, 128]);
  const bands = g.op("ReduceMean", [features], { axes: [1], keepdims: 0 });
  g.output(g.op("MatMul", [bands, g.constant([128, AST_CLASSES], noise(128 * AST_CLASSES, 4))]), "logits", "float32", ["batch_size", AST_CLASSES]);
  const id2label = Object.fromEntries(Array.from({ length: AST_CLASSES }, (_, n) => [n, n === 0 ? "Speech" : `sound ${n}`]));
  const fields = {
    task: "audio-events",
    family: "ast",
    inputs: [{ name: "input_values", dims: ["n", 1024, 128] }],
    outputs: [{ name: "logits", dims: ["n", AST_CLASSES] }],
    preprocess: { kind: "audio", sampleRate: 16_000, windowSeconds: 10.24, features: "processor" },
    labels: "config.json",
    settings: { activation: "sigmoid" },
  };
  return buildModel("ast-stand-in", fields, { "onnx/model.onnx": g, "preprocessor_config.json": AST, "config.json": { model_type: "audio-spectrogram-transformer", id2label } });
}
