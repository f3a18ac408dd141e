import { FlowError, type ModelManifest } from "../../contracts/index.js";

/** What a run of a model gives, by name. */
export type Outputs = Record<string, { data: Float32Array; dims: number[] }>;

/** The rows of one output that belong to item `i` of `items`. Throws MODEL_OUTPUT when it is missing or not made of equal parts of `multipleOf` numbers. */
export function rowOf(outputs: Outputs, name: string, i: number, items: number, multipleOf: number, manifest: ModelManifest): Float32Array {
  const output = outputs[name];
  const length = output ? output.data.length / items : Number.NaN;
  if (!output || !Number.isInteger(length) || length === 0 || length % multipleOf !== 0) {
    const found = output ? `${name} [${output.dims.join(", ")}]` : Object.keys(outputs).join(", ");
    throw new FlowError("MODEL_OUTPUT", `model ${manifest.id}: found ${found}, expected ${name} [${items}, …, ${multipleOf}]`, {
      hint: `Correct outputs and family in ${manifest.origin}.`,
      permanent: true,
    });
  }
  return output.data.subarray(i * length, (i + 1) * length);
}

/** Settings of a manifest that its family reads. Throws MODEL_MANIFEST, which names the model and the fields. */
export function settingsOf<T>(manifest: ModelManifest, schema: { safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } } }): T {
  const parsed = schema.safeParse(manifest.settings);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `settings.${issue.path.map(String).join(".")}: ${issue.message}`);
  throw new FlowError("MODEL_MANIFEST", `model ${manifest.id}, family ${manifest.family}: ${problems.join("; ")}`, { hint: `Correct ${manifest.origin}.`, permanent: true });
}
