import { rename, rm, stat } from "node:fs/promises";
import { ParquetWriter, fileWriter, type ColumnSource, type SchemaElement } from "hyparquet-writer";
import type { FlowRecord } from "../../contracts/index.js";
import type { Store } from "../store.js";
import { VectorReader } from "../vector-reader.js";
import { temporaryPath, unwritable, type WrittenFile } from "./atomic-file.js";
import { jsonText } from "./jsonl.js";
import { nothingSelected, selected, wanted, type Selection } from "./selection.js";

/** Bounds memory: 512 rows with five vectors of 512 floats are 1.3 M values. */
const ROWS_PER_GROUP = 512;
const FIXED = ["id", "kind", "parent", "media", "startUs", "endUs", "outcome"] as const;

interface Column {
  name: string;
  schema: SchemaElement[];
  value(record: FlowRecord): unknown;
}

/**
 * A row per record: id, kind, parent, media, startUs, endUs, outcome; the fields as columns (strings, booleans, numbers; anything else as JSON text);
 * vectors as list<float>; in a store of stand-ins also `mocked`, the models they played. A field named like one of the first is called `field_NAME`, a vector named like a field `NAME_vector`.
 */
export async function exportParquet(store: Store, out: string, selection: Selection): Promise<{ file: WrittenFile; records: number }> {
  const columns = columnsOf(store, selection);
  const temporary = temporaryPath(out);
  let records = 0;
  try {
    const writer = new ParquetWriter({ writer: fileWriter(temporary), schema: [{ name: "root", num_children: columns.length }, ...columns.flatMap((column) => column.schema)], createdBy: "flow" });
    let group: FlowRecord[] = [];
    const flush = async (): Promise<void> => {
      const columnData = columns.map(({ name, schema, value }): ColumnSource => ({ name, data: group.map(value), ...(schema.length > 1 ? { encoding: "PLAIN", codec: "UNCOMPRESSED", statistics: false } : {}) }));
      if (group.length > 0) await writer.write({ columnData, rowGroupSize: ROWS_PER_GROUP });
      records += group.length;
      group = [];
    };
    for (const record of selected(store, selection)) {
      group.push(record);
      if (group.length === ROWS_PER_GROUP) await flush();
    }
    await flush();
    await writer.finish();
    await rename(temporary, out);
    return { file: { path: out, bytes: (await stat(out)).size }, records };
  } catch (cause) {
    await rm(temporary, { force: true });
    throw unwritable(out, cause);
  }
}

/** Parquet wants its schema first: one pass over the records to see which fields there are and of which type. */
function columnsOf(store: Store, selection: Selection): Column[] {
  const types = new Map<string, FieldType>();
  const vectors = new Set<string>();
  let records = 0;
  for (const record of selected(store, selection)) {
    records++;
    for (const [name, value] of Object.entries(record.fields)) {
      const type = typeOf(value);
      if (type !== null || !types.has(name)) types.set(name, common(types.get(name) ?? null, type));
    }
    for (const name of Object.keys(record.vectors)) if (wanted(selection, name)) vectors.add(name);
  }
  if (records === 0) throw nothingSelected("no record matches");
  const columns: Column[] = FIXED.map((name) => {
    const type: FieldType = name === "startUs" || name === "endUs" ? "integer" : "string";
    return { name, schema: [scalar(name, type, name !== "parent")], value: (record) => cell(record[name], type) };
  });
  const taken = new Set<string>(FIXED);
  if (store.standIns?.length) {
    taken.add("mocked");
    columns.push({ name: "mocked", schema: [scalar("mocked", "string")], value: ({ mocked }) => mocked?.join(",") ?? null });
  }
  for (const [field, type] of types) {
    const name = taken.has(field) ? `field_${field}` : field;
    taken.add(name);
    columns.push({ name, schema: [scalar(name, type)], value: (record) => cell(record.fields[field], type) });
  }
  const reader = new VectorReader(store);
  for (const vector of vectors) {
    const name = taken.has(vector) ? `${vector}_vector` : vector;
    taken.add(name);
    columns.push({
      name,
      schema: [
        { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "element", repetition_type: "REQUIRED", type: "FLOAT" },
      ],
      value: (record) => {
        const values = record.vectors[vector] ? reader.get(record, vector) : undefined;
        return values ? Array.from(values) : null;
      },
    });
  }
  return columns;
}

/** null: no value seen yet. */
type FieldType = "string" | "boolean" | "integer" | "number" | "json" | null;

function typeOf(value: unknown): FieldType {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return typeof value as "string" | "boolean";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "integer" : "number";
  return "json";
}

function common(a: FieldType, b: FieldType): FieldType {
  if (a === b || b === null) return a;
  if (a === null) return b;
  return (a === "integer" || a === "number") && (b === "integer" || b === "number") ? "number" : "json";
}

function scalar(name: string, type: FieldType, required = false): SchemaElement {
  const repetition_type = required ? "REQUIRED" : "OPTIONAL";
  if (type === "boolean") return { name, repetition_type, type: "BOOLEAN" };
  if (type === "integer") return { name, repetition_type, type: "INT64" };
  if (type === "number") return { name, repetition_type, type: "DOUBLE" };
  return { name, repetition_type, type: "BYTE_ARRAY", converted_type: "UTF8" };
}

function cell(value: unknown, type: FieldType): unknown {
  if (value === null || value === undefined) return null;
  if (type === "integer") return BigInt(value as number);
  return type === "json" ? jsonText(value) : value;
}
