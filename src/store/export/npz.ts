import type { Store } from "../store.js";
import { writeAtomically, type WrittenFile } from "./atomic-file.js";
import { int64Rows, stringRows, vectorTables, type Selection } from "./selection.js";
import { ZipWriter } from "./zip.js";

/**
 * NumPy archive. Per vector name V: `V` float32 [n, dims], and in the same order `V.ids`, `V.media` (strings), `V.startUs`, `V.endUs` (int64).
 * Python: `z = numpy.load("out.npz"); z["video"]; z["video.ids"]` (no pickle needed).
 */
export async function exportNpz(store: Store, out: string, selection: Selection): Promise<{ file: WrittenFile; records: number }> {
  const tables = vectorTables(store, selection);
  const ids = new Set<string>();
  const file = await writeAtomically(out, async (output) => {
    const zip = new ZipWriter(output);
    for (const { name, dims, rows, vectors } of tables) {
      await zip.entry(`${name}.npy`, npy("<f4", [rows.length, dims], vectors()));
      for (const [column, values] of [["ids", rows.map((row) => row.id)], ["media", rows.map((row) => row.media)]] as const) {
        const { width, data } = stringRows(values, 4);
        await zip.entry(`${name}.${column}.npy`, npy(`<U${width}`, [rows.length], [data]));
      }
      for (const column of ["startUs", "endUs"] as const) await zip.entry(`${name}.${column}.npy`, npy("<i8", [rows.length], [int64Rows(rows.map((row) => row[column]))]));
      for (const row of rows) ids.add(row.id);
    }
    await zip.finish();
  });
  return { file, records: ids.size };
}

const MAGIC = "\x93NUMPY\x01\x00";
const HEADER_ALIGNMENT_BYTES = 64;

/** The .npy format 1.0: magic, u16 header length, a Python dict padded with spaces to a multiple of 64, then the data in C order. */
function* npy(descr: string, shape: readonly number[], parts: Iterable<ArrayBufferView>): IterableIterator<Uint8Array> {
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const before = MAGIC.length + 2;
  const length = Math.ceil((before + dict.length + 1) / HEADER_ALIGNMENT_BYTES) * HEADER_ALIGNMENT_BYTES - before;
  const header = Buffer.alloc(before + length, " ");
  header.write(MAGIC, 0, "latin1");
  header.writeUInt16LE(length, MAGIC.length);
  header.write(dict, before, "latin1");
  header.write("\n", before + length - 1, "latin1");
  yield header;
  for (const part of parts) yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}
