import type { Store } from "../store.js";
import { VectorReader } from "../vector-reader.js";
import { writeAtomically, type WrittenFile } from "./atomic-file.js";
import { nothingSelected, selected, wanted, type Selection } from "./selection.js";

/** A record a line, as `flow show --json` has it; vectors that are wanted carry their numbers as `values`. */
export async function exportJsonl(store: Store, out: string, selection: Selection): Promise<{ file: WrittenFile; records: number }> {
  const reader = new VectorReader(store);
  let records = 0;
  const file = await writeAtomically(out, async (output) => {
    for (const record of selected(store, selection)) {
      const vectors = Object.fromEntries(Object.entries(record.vectors).map(([name, ref]) => [name, wanted(selection, name) ? { ...ref, values: Array.from(reader.get(record, name) ?? []) } : ref]));
      await output.write(`${jsonText({ ...record, vectors })}\n`);
      records++;
    }
    if (records === 0) throw nothingSelected("no record matches");
  });
  return { file, records };
}

/** JSON of a stored value: numeric arrays as lists, bytes in base64. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_key, entry: unknown) => {
    if (isBytesJson(entry)) return Buffer.from(entry.data).toString("base64");
    if (entry instanceof Uint8Array) return Buffer.from(entry).toString("base64");
    return ArrayBuffer.isView(entry) ? Array.from(entry as Float32Array) : entry;
  });

/** What Buffer.toJSON leaves for the replacer. */
const isBytesJson = (entry: unknown): entry is { data: number[] } => typeof entry === "object" && entry !== null && "type" in entry && entry.type === "Buffer" && "data" in entry && Array.isArray(entry.data);
