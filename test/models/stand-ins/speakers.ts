/**
 * Stand-ins of a speaker segmentation (pyannote 3.0's layout) and of a voice embedding (WeSpeaker's), for voices that are tones with a syllable
 * rhythm over a little noise. The segmentation numbers its speakers anew in every window, as the real one does.
 */
import { OnnxGraph } from "../../../models/build/onnx-writer.js";
import { Random } from "../../../models/build/random.js";
import type { SpeakerSpan } from "../../../src/math/speaker-turns.js";
import { buildModel, type Built } from "./model-folder.js";

export const RATE = 16_000;
const VOICES_HZ = [300, 900, 2400];
const [FIELD, STEP, CLASSES, MELS, DIMS] = [991, 270, 7, 80, 256];

/** Sound of turns; speaker names in the order in which they come get the voices. */
export function voices(turns: readonly SpeakerSpan[], seconds: number): Float32Array {
  const random = new Random(5);
  const samples = Float32Array.from({ length: seconds * RATE }, () => 0.002 * random.normal());
  const names = [...new Set(turns.map((turn) => turn.speaker))];
  for (const { speaker, startUs, endUs } of turns) {
    const hz = VOICES_HZ[names.indexOf(speaker)]!;
    for (let n = Math.round((startUs * RATE) / 1e6); n < Math.min(samples.length, Math.round((endUs * RATE) / 1e6)); n++) {
      samples[n]! += 0.2 * Math.sin((2 * Math.PI * hz * n) / RATE) * (0.55 + 0.45 * Math.sin((2 * Math.PI * 6 * n) / RATE));
    }
  }
  return samples;
}

export function segmentationStandIn(): Built {
  const g = new OnnxGraph("segmentation stand-in", "tests");
  const sound = g.input("input_values", "float32", ["n", 1, "samples"]);
  const kernels = new Float32Array(2 * VOICES_HZ.length * FIELD);
  VOICES_HZ.forEach((hz, v) => {
    for (let n = 0; n < FIELD; n++) {
      const hann = (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (FIELD - 1))) / FIELD;
      kernels[2 * v * FIELD + n] = hann * Math.cos((2 * Math.PI * hz * n) / RATE);
      kernels[(2 * v + 1) * FIELD + n] = hann * Math.sin((2 * Math.PI * hz * n) / RATE);
    }
  });
  const bands = g.op("Conv", [sound, g.constant([2 * VOICES_HZ.length, 1, FIELD], kernels)], { strides: [STEP] });
  // [n, voices, 2, frames] → energy by voice.
  const energy = g.op("ReduceSum", [g.op("Reshape", [g.op("Mul", [bands, bands]), g.ints(0, VOICES_HZ.length, 2, -1)]), g.ints(2)], { keepdims: 0 });
  const level = g.op("Transpose", [g.op("Log", [g.op("Add", [energy, g.scalar(1e-9)])])], { perm: [0, 2, 1] });
  const present = g.op("Sub", [level, g.scalar(Math.log(1e-5))]);
  // Who is loudest in the window becomes its first speaker.
  const means = g.op("ReduceMean", [level], { axes: [1], keepdims: 0 });
  const order = g.ops("TopK", [means, g.ints(VOICES_HZ.length)], 2, { axis: -1 })[1]!;
  const one = g.op("Reshape", [order, g.ints(-1)]);
  const local = g.op("Gather", [present, one], { axis: 2 });
  const sets = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]];
  const members = new Float32Array(3 * CLASSES);
  sets.forEach((set, c) => set.forEach((s) => (members[s * CLASSES + c] = 1)));
  const logits = g.op("LogSoftmax", [g.op("MatMul", [local, g.constant([3, CLASSES], members)])], { axis: -1 });
  g.output(logits, "logits", "float32", ["n", "frames", CLASSES]);
  return buildModel(
    "segmentation-stand-in",
    {
      task: "speaker-segmentation",
      family: "pyannote-segmentation",
      inputs: [{ name: "input_values", dims: ["n", 1, "samples"] }],
      outputs: [{ name: "logits", dims: ["n", "frames", CLASSES] }],
      preprocess: { kind: "audio", sampleRate: RATE, windowSeconds: 10 },
      settings: { speakers: sets, step: STEP, offset: 990 },
    },
    { "onnx/model.onnx": g },
  );
}

/** The published preprocessor_config.json of wespeaker-voxceleb-resnet34-LM. */
const WESPEAKER = { feature_extractor_type: "WeSpeakerFeatureExtractor", sampling_rate: RATE, num_mel_bins: MELS, min_num_frames: 9, fbank_centering_span: null, padding_side: "right", padding_value: 0, return_attention_mask: false };

/** How much each band moves, turned into 256 numbers. */
export function voiceStandIn(): Built {
  const g = new OnnxGraph("voice stand-in", "tests");
  const random = new Random(11);
  const features = g.input("input_features", "float32", ["n", "frames", MELS]);
  const moves = g.op("Relu", [g.op("Sub", [g.op("ReduceMean", [g.op("Abs", [features])], { axes: [1], keepdims: 0 }), g.scalar(1.15)])]);
  const turned = g.op("MatMul", [moves, g.constant([MELS, DIMS], Float32Array.from({ length: MELS * DIMS }, () => random.normal()))]);
  g.output(turned, "last_hidden_state", "float32", ["n", DIMS]);
  return buildModel(
    "voice-stand-in",
    {
      task: "speaker-embedding",
      family: "wespeaker",
      inputs: [{ name: "input_features", dims: ["n", "frames", MELS] }],
      preprocess: { kind: "audio", sampleRate: RATE, windowSeconds: 2, features: "processor" },
      output: { name: "last_hidden_state", dims: DIMS, normalised: "unit" },
      space: { name: "voice-stand-in", threshold: 0.5, calibration: { foreignMedian: 0, identical: 1 }, reads: ["audio"] },
    },
    { "onnx/model.onnx": g, "preprocessor_config.json": WESPEAKER },
  );
}
