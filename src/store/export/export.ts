import type { FlowRecord } from "../../contracts/index.js";
import type { Store } from "../store.js";
import type { WrittenFile } from "./atomic-file.js";
import { exportJsonl } from "./jsonl.js";
import { exportNpz } from "./npz.js";
import { exportSafetensors } from "./safetensors.js";
import type { Selection } from "./selection.js";
import { exportWebvtt } from "./webvtt.js";

export const EXPORT_FORMATS = ["jsonl", "npz", "parquet", "safetensors", "webvtt"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  format: ExportFormat;
  /** The file to write; appears whole or not at all. */
  out: string;
  /** Default: every kind (jsonl), else scene. */
  kind?: FlowRecord["kind"] | undefined;
  /** Content ids. */
  media?: readonly string[] | undefined;
  /** Also superseded media; those that `media` names are always there. */
  superseded?: boolean | undefined;
  where?: ((record: FlowRecord) => boolean) | undefined;
  /** Names of vectors, or all (true), or none. Default: none in jsonl, all elsewhere. */
  vectors?: boolean | readonly string[] | undefined;
  /** The field that webvtt shows; default transcript. */
  text?: string | undefined;
}

export interface ExportResult {
  format: ExportFormat;
  /** One; webvtt: one per medium. */
  files: WrittenFile[];
  /** Records that are in them. */
  records: number;
  /** Models that stand-ins played for what the store holds; absent: none. */
  mocked?: string[];
}

/**
 * Writes records and vectors of a store for other programs; memory does not grow with the vectors. Every format but npz says in the file which models were
 * stand-ins. Throws EXPORT_EMPTY (nothing selected), EXPORT_DIMS
 * (vectors of one name differ in length: npz, safetensors), OUTPUT_UNWRITABLE, EXPORT_CHANGED (written to meanwhile).
 */
export async function exportStore(store: Store, { format, out, kind, media, superseded, where, vectors, text }: ExportOptions): Promise<ExportResult> {
  const selection: Selection = { kind: kind ?? (format === "jsonl" ? undefined : "scene"), media, superseded, where, vectors: vectors ?? format !== "jsonl" };
  const mocked = store.standIns?.length ? { mocked: [...store.standIns] } : {};
  if (format === "webvtt") return { format, ...mocked, ...(await exportWebvtt(store, out, selection, text ?? "transcript")) };
  // Its library is fifty modules that a run would load for nothing.
  const write = format === "parquet" ? (await import("./parquet.js")).exportParquet : { jsonl: exportJsonl, npz: exportNpz, safetensors: exportSafetensors }[format];
  const { file, records } = await write(store, out, selection);
  return { format, files: [file], records, ...mocked };
}
