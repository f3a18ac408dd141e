import { FlowError, Vector, type EmbeddingOutput, type Level, type ModelHandle, type ModelManifest, type PortType } from "../contracts/index.js";

/** The vector that an embedding model gives; MODEL_TASK for a model that gives none. */
export function embeddingOf(manifest: ModelManifest): EmbeddingOutput {
  if (manifest.output) return manifest.output;
  throw new FlowError("MODEL_TASK", `model ${manifest.id} gives no vector`, { hint: `State its \`output\` in ${manifest.origin}, or give the role an embedding model.`, permanent: true });
}

/** Port of an embedding model's vectors. A model without a vector space of its own is one by its name. */
export function vectorPort(manifest: ModelManifest, level: Level): PortType {
  const { dims, normalised } = embeddingOf(manifest);
  return Vector.at(level, { dims, space: manifest.space?.name ?? manifest.id, norm: normalised });
}

/** The output that the manifest names as one private row per item. Throws MODEL_OUTPUT, which shows found and expected. */
export function splitRows(outputs: Awaited<ReturnType<ModelHandle["run"]>>, manifest: ModelManifest, rows: number): Float32Array<ArrayBuffer>[] {
  const { name, dims } = embeddingOf(manifest);
  const output = outputs[name];
  if (!output || output.data.length !== rows * dims) {
    const found = output ? `[${output.dims.join(", ")}]` : Object.keys(outputs).join(", ");
    throw new FlowError("MODEL_OUTPUT", `model ${manifest.id}: found ${found}, expected ${name} [${rows}, ${dims}]`, {
      hint: `Correct output in models/${manifest.id}.yaml: the last dimension must be the vector.`,
      permanent: true,
    });
  }
  return Array.from({ length: rows }, (_, i) => new Float32Array(output.data.subarray(i * dims, (i + 1) * dims)));
}
