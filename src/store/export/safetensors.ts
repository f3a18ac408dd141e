import type { Store } from "../store.js";
import { writeAtomically, type WrittenFile } from "./atomic-file.js";
import { int64Rows, stringRows, vectorTables, type Selection } from "./selection.js";

interface Tensor {
  name: string;
  dtype: "I64" | "F32" | "U8";
  shape: number[];
  bytes: number;
  parts(): Iterable<ArrayBufferView>;
}

/**
 * safetensors: u64 header length, JSON header, data. Per vector name V: `V` F32 [n, dims], `V.startUs` and `V.endUs` I64 [n], `V.ids` and `V.media`
 * U8 [n, width], ASCII padded with zeros (the format has no strings). Widest types first: the data stays aligned without holes, which it forbids.
 */
export async function exportSafetensors(store: Store, out: string, selection: Selection): Promise<{ file: WrittenFile; records: number }> {
  const tables = vectorTables(store, selection);
  const tensors: Tensor[] = [
    ...tables.flatMap(({ name, rows }) => (["startUs", "endUs"] as const).map((column): Tensor => ({ name: `${name}.${column}`, dtype: "I64", shape: [rows.length], bytes: rows.length * 8, parts: () => [int64Rows(rows.map((row) => row[column]))] }))),
    ...tables.map(({ name, dims, rows, vectors }): Tensor => ({ name, dtype: "F32", shape: [rows.length, dims], bytes: rows.length * dims * 4, parts: vectors })),
    ...tables.flatMap(({ name, rows }) =>
      [["ids", rows.map((row) => row.id)] as const, ["media", rows.map((row) => row.media)] as const].map(([column, values]): Tensor => {
        const { width, data } = stringRows(values, 1);
        return { name: `${name}.${column}`, dtype: "U8", shape: [rows.length, width], bytes: data.length, parts: () => [data] };
      }),
    ),
  ];
  const header: Record<string, unknown> = { __metadata__: { format: "flow", times: "microseconds", strings: "ASCII, a row each, padded with zeros", ...(store.standIns?.length ? { mocked: store.standIns.join(",") } : {}) } };
  let end = 0;
  for (const { name, dtype, shape, bytes } of tensors) header[name] = { dtype, shape, data_offsets: [end, (end += bytes)] };
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = await writeAtomically(out, async (output) => {
    await output.write(length);
    await output.write(padded);
    for (const tensor of tensors) for (const part of tensor.parts()) await output.write(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  });
  return { file, records: new Set(tables.flatMap(({ rows }) => rows.map((row) => row.id))).size };
}
