/** A model manifest (`models/<id>.yaml`) after validation. The zod schema lives in src/models/manifest.ts. */

/** What a session runs on, by the names of ONNX Runtime's execution providers. */
export const DEVICES = ["cpu", "webgpu", "cuda", "tensorrt", "coreml", "dml"] as const;
export type Device = (typeof DEVICES)[number];
/** What to try, in order; the last one that fails is an error. auto: what this platform has, the CPU last. */
export type DeviceOrder = "auto" | readonly Device[];

/** Where a file is published. */
export type ModelSource =
  | { kind: "huggingface"; repo: string; revision: string; path: string }
  | { kind: "github"; repo: string; commit: string; path: string }
  | { kind: "url"; url: string };

/** One file of a model. */
export interface ModelFile {
  /** Inside the model's folder, `/` as separator: `onnx/vision_model_quantized.onnx`. */
  path: string;
  /** Absolute: where it lies, or where it would lie once pulled. */
  at: string;
  /** null: not known before the first download; the lock file knows afterwards. */
  sizeBytes: number | null;
  /** Lower-case hex; null as above. */
  sha256: string | null;
  /** The lock file that states size and hash, where the manifest states none. */
  lock?: string;
  /** null: comes with the manifest, or has to be given by the user (`flow models import`). */
  source: ModelSource | null;
  licence: string;
}

/** A tensor as the manifest or the ONNX file states it; a string is a symbolic dimension. */
export interface TensorInfo {
  name: string;
  type: string;
  dims: readonly (number | string)[];
}

export type Preprocess =
  | {
      kind: "image";
      /** [width, height] of the input in pixels; edges: [longest, shortest] side. */
      size: [number, number];
      /** fill: stretched. cover: shorter side fits, centre crop. contain: longer side fits, padded. edges: the input has the picture's own shape. */
      fit: "fill" | "cover" | "contain" | "edges";
      /** cover: what the shorter side is scaled to before the crop, where that is not the input's shorter side. */
      resize?: number | undefined;
      /** contain: byte value of the padding (mean: zeros after normalisation), and where the picture goes. */
      pad: number | "mean";
      anchor: "centre" | "top-left";
      /** Filter of a worker that has to scale: linear is OpenCV's, the others are those of @huggingface/transformers. */
      resample: "linear" | "bilinear" | "bicubic" | "lanczos" | "nearest";
      mean: [number, number, number];
      std: [number, number, number];
      color: "rgb" | "bgr";
      scale: number;
      layout: "nchw" | "nhwc";
    }
  | { kind: "audio"; sampleRate: number; windowSeconds: number; pad: "repeat" | "zero"; scale?: number | undefined; features: "waveform" | "processor" }
  | { kind: "text"; tokenizer: string; dims: number; maxTokens: number }
  /** Whatever the model's own processor does (@huggingface/transformers). */
  | { kind: "processor" };

/** The vector that an embedding model gives. */
export interface EmbeddingOutput {
  name: string;
  dims: number;
  normalised: "unit" | "none";
  /** What is done with [n, tokens, dims]: the mean over the attended tokens, the first token; none: the output is [n, dims]. */
  pooling: "none" | "mean" | "first";
}

export interface ModelManifest {
  id: string;
  /** Set on a deterministic stand-in for the model (`--mock-models`): no files, a hash of its own. */
  mock?: true;
  /** What it does, as operators ask for it: image-embedding, object-detection, … */
  task: string;
  /** Which pre- and post-processing it needs: yolox, yunet, clip, whisper, … */
  family: string;
  summary: string;
  /** The manifest itself, absolute. */
  origin: string;
  /** onnx: sessions of the inference room. transformers: `dir` in the layout of the Hugging Face hub, opened by @huggingface/transformers inside a worker. */
  runtime: "onnx" | "transformers";
  /** Folder that holds every file under its `path`. */
  dir: string;
  files: ModelFile[];
  /** Every file is where it should be, with its size. */
  installed: boolean;
  /** The ONNX file that runs on the CPU: absolute path, size and hash ("" while unknown). */
  file: string;
  sha256: string;
  sizeBytes: number;
  licence: string;
  /** Device → `path` of the ONNX file that it runs, where it is not the CPU's. */
  precisions: Record<string, string>;
  inputs: TensorInfo[];
  /** Outputs that the operator reads; others of the file do not matter. */
  outputs: TensorInfo[];
  preprocess: Preprocess;
  /** Embedding models only. */
  output: EmbeddingOutput | null;
  /**
   * Vector space: thresholds and calibration belong to it. `calibration`: median cosine of what has nothing to do with each other, and cosine of what is the
   * same, which is below 1 for a model that only reads queries into a space that another fills.
   */
  space: { name: string; threshold: number; calibration: { foreignMedian: number; identical: number }; reads: string[] } | null;
  /** Labels by class index: `path` of a file of the model with a label a line (or the CSV of AudioSet), or null. */
  labels: string | null;
  /** Numbers and names that the family's post-processing reads: strides, anchors, score names. */
  settings: Record<string, unknown>;
  /** What the model cannot do, as the README says it. */
  limits: string;
}

/** What a model took on the CPU when it was tried in a process of its own: bytes beside those of the process. */
export interface ModelMemory {
  /** Once it is open, and at most while it is being opened. */
  residentBytes: number;
  loadBytes: number;
  /** A run of one row, and every further row of it; null: its inputs cannot be made up. */
  rows: { firstBytes: number; moreBytes: number } | null;
  /** Inputs and outputs of a row, which lie beside the session for as long as a batch takes. */
  ioBytes: number;
  /** Rows that a run takes at once where memory does not count. */
  atOnce: number;
  /** 2: a row that runs alone has other bits than the same row among others. */
  least: 1 | 2;
}
