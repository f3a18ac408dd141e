import { FlowError, type ModelManifest } from "../../contracts/index.js";

/** What a run of a model gives, by name. */
export type Outputs = Record<string, { data: Float32Array; dims: number[] }>;

/**
 * The numbers of one output that belong to item `i` of `items`. Throws MODEL_OUTPUT when it is missing, its first dimension is not the items, an item has not equal parts of
 * `multipleOf` numbers, or one of them is NaN.
 */
export function rowOf(outputs: Outputs, name: string, i: number, items: number, multipleOf: number, manifest: ModelManifest): Float32Array {
  const output = outputs[name];
  const length = output ? output.data.length / items : Number.NaN;
  if (!output || output.dims[0] !== items || !Number.isInteger(length) || length === 0 || length % multipleOf !== 0) {
    const found = output ? `${name} [${output.dims.join(", ")}]` : Object.keys(outputs).join(", ");
    const lacksRows = output !== undefined && (output.dims[0] !== items || output.data.length === 0);
    const alone = manifest.settings["rows"] === "alone";
    throw new FlowError("MODEL_OUTPUT", `model ${manifest.id}: found ${found}, expected ${name} [${items}, …${multipleOf > 1 ? `, ${multipleOf}` : ""}]`, {
      hint: lacksRows
        ? `${alone ? "Every item has to give as many numbers:" : `Its first dimension has to be the items of the batch. \`settings: { rows: alone }\` in ${manifest.origin} runs them one by one;`} an output whose size depends on what is seen cannot be read.`
        : `Correct outputs and family in ${manifest.origin}.`,
      permanent: true,
    });
  }
  const row = output.data.subarray(i * length, (i + 1) * length);
  for (let n = 0; n < row.length; n++) if (Number.isNaN(row[n])) throw notFinite(manifest, name, "NaN", n);
  return row;
}

/** The numbers a model gave are no result. */
export function notFinite(manifest: Pick<ModelManifest, "id" | "origin">, name: string, found: string, at: number): FlowError {
  return new FlowError("MODEL_OUTPUT", `model ${manifest.id}: ${name} is ${found} at number ${at} of an item, expected finite numbers`, {
    hint: `Half precision and wrongly scaled inputs overflow: check preprocess in ${manifest.origin}, or use the fp32 file.`,
    permanent: true,
  });
}

/** Settings of a manifest that its family reads. Throws MODEL_MANIFEST, which names the model and the fields. */
export function settingsOf<T>(manifest: ModelManifest, schema: { safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } } }): T {
  const parsed = schema.safeParse(manifest.settings);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `settings.${issue.path.map(String).join(".")}: ${issue.message}`);
  throw new FlowError("MODEL_MANIFEST", `model ${manifest.id}, family ${manifest.family}: ${problems.join("; ")}`, { hint: `Correct ${manifest.origin}.`, permanent: true });
}
