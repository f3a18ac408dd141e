/** A model manifest (`models/<id>.yaml`) after validation. The zod schema lives in src/models/manifest.ts. */
export interface ModelManifest {
  id: string;
  task: string;
  summary: string;
  /** The ONNX file, absolute. */
  file: string;
  sha256: string;
  sizeBytes: number;
  licence: string;
  inputs: { name: string; dims: (number | string)[]; type: string }[];
  preprocess:
    | { kind: "image"; size: [number, number]; fit: string; mean: [number, number, number]; std: [number, number, number]; color: "rgb" | "bgr"; scale: number }
    | { kind: "audio"; sampleRate: number; windowSeconds: number; pad: "repeat" | "zero" }
    | { kind: "text"; tokenizer: string; dims: number };
  output: { name: string; dims: number; normalised: "unit" | "none" };
  /** Vector space: thresholds and calibration belong to it. */
  space: { name: string; threshold: number; calibration: { foreignMedian: number; identical: number }; reads: string[] } | null;
  /** What the model cannot do, as the README says it. */
  limits: string;
}
