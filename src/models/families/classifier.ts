import { z } from "zod";
import type { Label, ModelManifest } from "../../contracts/index.js";
import { labelsOf } from "./labels.js";
import { notFinite, rowOf, settingsOf, type Outputs } from "./outputs.js";

const settings = z.object({ activation: z.enum(["softmax", "sigmoid", "none"]).default("softmax") });

/** The best `top` classes of item `i` with a score of at least `minScore`, best first; equal scores in the order of the classes. */
export function classify(outputs: Outputs, i: number, items: number, manifest: ModelManifest, { top, minScore }: { top: number; minScore: number }): Label[] {
  const labels = labelsOf(manifest);
  const { activation } = settingsOf(manifest, settings);
  const { name } = manifest.outputs[0]!;
  const scores = scoresOf(rowOf(outputs, name, i, items, 1, manifest), activation, name, manifest);
  const order = Array.from(scores, (_, n) => n).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order
    .slice(0, top)
    .filter((n) => scores[n]! >= minScore)
    .map((n) => ({ label: labels[n] ?? `class ${n}`, score: scores[n]! }));
}

/** Logits → probabilities; `none`: they are already. */
export function activated(logits: Float32Array, activation: "softmax" | "sigmoid" | "none"): Float64Array {
  const values = Float64Array.from(logits);
  if (activation === "none") return values;
  if (activation === "sigmoid") return values.map((x) => 1 / (1 + Math.exp(-x)));
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let n = 0; n < values.length; n++) sum += values[n] = Math.exp(values[n]! - most);
  return values.map((x) => x / sum);
}

/** The same, to be put in order. Throws MODEL_OUTPUT where infinite logits leave no probabilities: no bar would let them pass, and nothing would be found. */
export function scoresOf(logits: Float32Array, activation: "softmax" | "sigmoid" | "none", name: string, manifest: Pick<ModelManifest, "id" | "origin">): Float64Array {
  const scores = activated(logits, activation);
  if (scores.some(Number.isNaN)) {
    const at = logits.findIndex((logit) => !Number.isFinite(logit));
    throw notFinite(manifest, name, String(logits[at]), at);
  }
  return scores;
}
