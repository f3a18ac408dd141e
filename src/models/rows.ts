import { FlowError, type ModelHandle, type ModelManifest } from "../contracts/index.js";

/** The output that the manifest names as one private row per item. Throws MODEL_OUTPUT, which shows found and expected. */
export function splitRows(outputs: Awaited<ReturnType<ModelHandle["run"]>>, manifest: ModelManifest, rows: number): Float32Array<ArrayBuffer>[] {
  const { name, dims } = manifest.output;
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
