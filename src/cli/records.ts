import { Option } from "commander";
import type { Attribute, FlowRecord } from "../contracts/index.js";
import { EXIT, FlowError } from "../contracts/errors.js";
import type { MediumRow, RecordQuery, Store } from "../store/index.js";

const KINDS: readonly FlowRecord["kind"][] = ["media", "scene", "frame", "detection", "item", "event"];

export const kindOption = (description: string): Option => new Option("--kind <kind>", description).choices(KINDS);

/** Records as every command shows them: a medium says how it stands in the store now, also one that a run was interrupted in. */
export function* shownRecords(store: Store, query: RecordQuery = {}): IterableIterator<FlowRecord> {
  const rows = new Map([...store.mediaRows({ superseded: query.superseded === true || query.media !== undefined })].map((row) => [row.id, row]));
  const replaced = store.superseded();
  const seen = new Set<string>();
  for (const record of store.records(query)) {
    if (record.kind === "media") seen.add(record.media);
    yield withMedium(record, rows.get(record.media), replaced.get(record.media));
  }
  if (query.kind !== undefined && query.kind !== "media") return;
  for (const row of rows.values()) if (!seen.has(row.id) && (query.media === undefined || query.media === row.id)) yield unfinished(row, replaced.get(row.id));
}

function withMedium(record: FlowRecord, row: MediumRow | undefined, supersededBy: string | undefined): FlowRecord {
  if (record.kind !== "media" || !row) return record;
  return { ...record, outcome: row.complete ? record.outcome : "partial", fields: { ...record.fields, ...standing(row, supersededBy), durationUs: record.fields["durationUs"] ?? row.info.durationUs } };
}

function unfinished(row: MediumRow & { id: string }, supersededBy: string | undefined): FlowRecord {
  return { kind: "media", id: row.id.slice(0, 16), parent: null, media: row.id, startUs: 0, endUs: row.info.durationUs ?? 0, fields: { ...standing(row, supersededBy), durationUs: row.info.durationUs, hasVideo: row.info.video !== null, hasAudio: row.info.audio !== null }, vectors: {}, outcome: "partial" };
}

const standing = (row: MediumRow, supersededBy: string | undefined): Record<string, unknown> => ({ uri: row.info.uri, uris: row.uris, name: row.info.name, complete: row.complete, ...(supersededBy === undefined ? {} : { supersededBy }) });

/** The one record whose id begins with `typed`; throws RECORD_NOT_FOUND or RECORD_AMBIGUOUS. */
export function findRecord(store: Store, typed: string): FlowRecord {
  const matches = [...shownRecords(store, { superseded: true })].filter((record) => record.id.startsWith(typed.toLowerCase()) || record.media === typed);
  const [first, second] = matches.filter((record) => record.media !== typed || record.kind === "media");
  if (!first) throw new FlowError("RECORD_NOT_FOUND", `The store has no record ${typed}.`, { hint: "`flow show` lists the records with their ids.", exit: EXIT.badInput });
  if (second) throw new FlowError("RECORD_AMBIGUOUS", `Several records begin with ${typed}: ${matches.slice(0, 4).map((record) => record.id).join(", ")}.`, { hint: "Give more characters of the id.", exit: EXIT.badInput });
  return first;
}

/** Content ids of the media whose name, URI or id begins with, or is, `typed` (a file name matches without its folder). */
export function findMedia(store: Store, typed: string, { superseded = false }: { superseded?: boolean | undefined } = {}): string[] {
  const matches = (row: MediumRow & { id: string }): boolean => row.id.startsWith(typed) || [row.info.name, ...(row.uris.length > 0 ? row.uris : [row.info.uri])].some((uri) => uri.startsWith(typed) || uri.split("/").at(-1)!.startsWith(typed) || uri.endsWith(`/${typed.replace(/^\.?\//, "")}`));
  const found = [...store.mediaRows({ superseded })].filter(matches);
  if (found.length > 0) return found.map((row) => row.id);
  if (!superseded && [...store.mediaRows({ superseded: true })].some(matches)) {
    throw new FlowError("MEDIUM_NOT_FOUND", `The content that ${typed} names is no longer where it was found: its file has changed.`, { hint: "Add --superseded to see its old results, or run the graph on the new file.", exit: EXIT.badInput });
  }
  const known = [...store.mediaRows()].slice(0, 5).map((row) => row.info.name);
  throw new FlowError("MEDIUM_NOT_FOUND", `The store has no medium ${typed}.`, { hint: known.length > 0 ? `It has ${known.join(", ")}.` : "It is empty: run a graph first.", exit: EXIT.badInput });
}

/** Text of a field for people: what is inside a caption, whatever its shape. */
export function fieldText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "object" && "text" in value) return fieldText((value as { text: unknown }).text);
  return "";
}

/** A field that holds measured attributes, whatever its name. */
export const isAttributes = (value: unknown): value is Attribute[] =>
  Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === "object" && entry !== null && "name" in entry && "value" in entry && "label" in entry);
