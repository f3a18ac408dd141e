import type { FlowRecord } from "../contracts/index.js";
import type { Store } from "./store.js";

/**
 * Vectors of records that are read in the store's order. Holds the vectors of one (kind, medium) at a time, so that a pass over all records
 * reads each chunk once; `Store.vector` would look through the medium's chunks for every record.
 */
export class VectorReader {
  private group = "";
  private readonly names = new Map<string, Map<string, Float32Array>>();

  constructor(private readonly store: Store) {}

  get(record: Pick<FlowRecord, "kind" | "media" | "id">, name: string): Float32Array | undefined {
    const group = `${record.kind} ${record.media}`;
    if (group !== this.group) {
      this.names.clear();
      this.group = group;
    }
    let vectors = this.names.get(name);
    if (!vectors) {
      this.names.set(name, (vectors = new Map()));
      for (const { ids, dims, data } of this.store.vectorChunks(record.kind, name, record.media)) ids.forEach((id, row) => vectors!.set(id, data.subarray(row * dims, (row + 1) * dims)));
    }
    return vectors.get(record.id);
  }
}
