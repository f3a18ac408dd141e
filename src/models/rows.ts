import { FlowError, Vector, type Device, type EmbeddingOutput, type Level, type ModelHandle, type ModelManifest, type PortType } from "../contracts/index.js";

type Feeds = Parameters<ModelHandle["run"]>[0];
type Fetched = Awaited<ReturnType<ModelHandle["run"]>>;

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

/**
 * The output that the manifest names as one private row per item, pooled as the manifest says: [n, dims] as it is; [n, tokens, dims] the first
 * token, or the mean over the tokens that `mask` ([n, tokens], 0 = padding) attends to. `normalised: unit` is made sure of; zero stays zero.
 * Throws MODEL_OUTPUT, which shows found and expected.
 */
export function splitRows(outputs: Fetched, manifest: ModelManifest, rows: number, mask?: ArrayLike<bigint | number>): Float32Array<ArrayBuffer>[] {
  const { name, dims, pooling, normalised } = embeddingOf(manifest);
  const output = outputs[name];
  const tokens = pooling === "none" ? 1 : (output?.dims[1] ?? 0);
  // One row may come without a dimension of its own; several in another order would be cut across.
  const lacksRows = rows > 1 && output?.dims[0] !== rows;
  if (!output || lacksRows || tokens === 0 || output.data.length !== rows * tokens * dims || (pooling === "mean" && mask && mask.length !== rows * tokens)) {
    const found = output ? `[${output.dims.join(", ")}]` : Object.keys(outputs).join(", ");
    throw new FlowError("MODEL_OUTPUT", `model ${manifest.id}: found ${found}, expected ${name} [${rows}, ${pooling === "none" ? "" : "tokens, "}${dims}]`, {
      hint: `Correct output in models/${manifest.id}.yaml: the last dimension must be the vector.`,
      permanent: true,
    });
  }
  return Array.from({ length: rows }, (_, i) => {
    const at = i * tokens * dims;
    const row = pooling === "mean" ? meanOverTokens(output.data, at, tokens, dims, mask, i * tokens) : new Float32Array(output.data.subarray(at, at + dims));
    return normalised === "unit" ? unitRow(row) : row;
  });
}

function meanOverTokens(data: Float32Array, at: number, tokens: number, dims: number, mask: ArrayLike<bigint | number> | undefined, maskAt: number): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(dims);
  let attended = 0;
  for (let t = 0; t < tokens; t++) {
    if (mask && Number(mask[maskAt + t]) === 0) continue;
    attended += 1;
    for (let d = 0; d < dims; d++) sums[d]! += data[at + t * dims + d]!;
  }
  return Float32Array.from(sums, (sum) => (attended === 0 ? 0 : sum / attended));
}

/** L2-normalised; a row that the model itself has normalised keeps its bits, zero stays zero. */
export function unitRow(row: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  let squares = 0;
  for (let i = 0; i < row.length; i++) squares += row[i]! * row[i]!;
  if (squares === 0 || Math.abs(squares - 1) < 1e-5) return row;
  const norm = Math.sqrt(squares);
  return row.map((value) => value / norm);
}

/**
 * Whether a row's result depends on what else is in its batch. The 8-bit files of the hub (`…_quantized.onnx`) measure the range of their
 * activations over the whole batch at run time, padding included. `settings.rows: alone | together` says otherwise.
 */
export function rowsTouch({ settings, precisions, files }: Pick<ModelManifest, "settings" | "precisions" | "files">, device: Device = "cpu"): boolean {
  const said = settings["rows"];
  if (said === "alone" || said === "together") return said === "alone";
  return /_(quantized|int8|uint8)\.onnx$/.test(precisions[device] ?? files.find(({ path }) => path.endsWith(".onnx"))?.path ?? "");
}

/** One run for all rows, or a run for each where they would touch: the same bits at every batch size. For calls whose number of rows is chance. */
export async function runRows(model: ModelHandle, feeds: Feeds): Promise<Fetched> {
  const rows = Object.values(feeds)[0]?.dims[0] ?? 1;
  if (!rowsTouch(model.manifest, model.device)) return model.run(feeds, { batched: true });
  const parts: Fetched[] = [];
  for (let i = 0; i < rows; i++) {
    const row: Feeds = {};
    for (const [name, { data, dims }] of Object.entries(feeds)) {
      const stride = data.length / rows;
      row[name] = { data: data.slice(i * stride, (i + 1) * stride), dims: [1, ...dims.slice(1)] };
    }
    parts.push(await model.run(row));
  }
  return joinRows(parts, parts.map(() => 1), rows);
}

/**
 * `rows` rows from runs of `counts` rows each. What a run gives once for all its rows is passed on as the first run gave it ([1, …], SAM's positions); what a run of one row
 * gives without a dimension for rows gets one. An output that is neither, or whose rows differ in size, has no rows to join: it keeps the first run's dims without its numbers,
 * which `rowOf` and `splitRows` refuse where it is read.
 */
export function joinRows(parts: readonly Fetched[], counts: readonly number[], rows: number): Fetched {
  const joined: Fetched = {};
  const single = counts.every((count) => count === 1);
  for (const [name, first] of Object.entries(parts[0] ?? {})) {
    const outputs = parts.map((part) => part[name]!);
    const byRows = outputs.every(({ dims }, i) => dims[0] === counts[i]);
    const stride = first.data.length / counts[0]!;
    if ((byRows || single) && outputs.every(({ data }, i) => data.length === stride * counts[i]!)) {
      const data = new Float32Array(rows * stride);
      let offset = 0;
      for (const { data: from } of outputs) {
        data.set(from.subarray(0, Math.min(from.length, data.length - offset)), offset);
        offset += from.length;
      }
      joined[name] = { data, dims: [rows, ...(byRows ? first.dims.slice(1) : first.dims)] };
    } else joined[name] = !single && first.dims[0] === 1 ? first : { data: new Float32Array(0), dims: first.dims };
  }
  return joined;
}
