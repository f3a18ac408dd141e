import type { FlowRecord } from "../../contracts/index.js";

/** Full text of one field of a record. `pieces` are apart from each other: no phrase spans two. */
export interface FieldText {
  field: string;
  pieces: string[];
  /** Words of measured attributes, which say less than words that were spoken or written. */
  measured: boolean;
}

/** Fields that say where a record is from; as words they would match every scene of a file called "lighthouse.mp4". */
const NOT_TEXT = new Set(["uri", "uris", "name", "path", "health"]);
/** Digests, such as a thumbnail's. */
const HASH = /^[0-9a-f]{16,}$/;

/** The text of a record's fields: strings, { text }, lists of them, and labels with synonyms. `fulltext`: only these fields, and attributes. */
export function recordTexts(record: FlowRecord, fulltext?: ReadonlySet<string>): FieldText[] {
  const texts: FieldText[] = [];
  for (const field in record.fields) {
    const value = record.fields[field];
    if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean") continue;
    if (isAttributes(value)) {
      const pieces: string[] = [];
      for (const { label, synonyms } of value) {
        if (label === null) continue;
        pieces.push(label);
        for (const synonym of synonyms ?? []) pieces.push(synonym);
      }
      if (pieces.length > 0) texts.push({ field, pieces, measured: true });
    } else if (fulltext ? fulltext.has(field) : !NOT_TEXT.has(field)) {
      const pieces: string[] = [];
      collect(value, pieces);
      if (pieces.length > 0) texts.push({ field, pieces, measured: false });
    }
  }
  return texts;
}

function collect(value: unknown, pieces: string[]): void {
  if (typeof value === "string") {
    if (value !== "" && !HASH.test(value)) pieces.push(value);
  } else if (Array.isArray(value)) for (const entry of value) collect(entry, pieces);
  else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    if ("text" in value) collect(value.text, pieces);
    if ("label" in value) collect(value.label, pieces);
  }
}

interface Labelled {
  label: string | null;
  synonyms?: string[];
}

function isAttributes(value: unknown): value is Labelled[] {
  if (!Array.isArray(value)) return false;
  const first: unknown = value[0];
  return typeof first === "object" && first !== null && "label" in first && "synonyms" in first;
}
