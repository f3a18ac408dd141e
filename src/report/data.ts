/**
 * What the page shows, read from the store: plain data, bounded whatever the store holds (cards, pictures, curve points, failures), so that
 * the page of a year of video still opens on a phone.
 */
import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { redactUri, type FlowRecord, type NodeCounts } from "../contracts/index.js";
import type { FailureRow, MediumRow, RunRow, Store } from "../store/index.js";
import { decimal, length, size } from "./format.js";
import { plainObject, qualityChecks, type Check } from "./quality-checks.js";
import { PictureBudget, sceneReport, type SceneReport } from "./scene-data.js";
import { linkSimilar, type SpaceInfo } from "./similar.js";
import { timelineOf, type TimelineData } from "./timeline-data.js";

export interface ReportOptions {
  /** Vector spaces with their thresholds and calibration; a space that is not here is shown as plain cosine. */
  spaces?: readonly SpaceInfo[];
  /** Scene cards on the page. */
  maxScenes?: number;
  /** Media sections on the page. */
  maxMedia?: number;
  /** Bytes of pictures, as data URIs. Every card gets its main picture first, then the others in turn. */
  pictureBytes?: number;
  /** The store as commands name it; default: its folder. */
  storeArgument?: string;
  /** Version of flow, for the section that tells how to repeat the run. */
  version?: string;
}

export interface VectorSummary {
  kind: FlowRecord["kind"];
  name: string;
  space: string;
  dims: number;
  rows: number;
}

export interface MediumReport {
  /** Of the section, unique on the page. */
  anchor: string;
  name: string;
  uri: string;
  kind: string;
  hasAudio: boolean;
  complete: boolean;
  durationUs: number;
  facts: string[];
  sceneCount: number;
  scenes: SceneReport[];
  timeline: TimelineData | null;
  checks: Check[] | null;
}

export interface RunReport {
  id: string;
  graph: string;
  args: string[];
  startedMs: number;
  durationMs: number;
  status: string;
  digest: string;
  digestNumbers: string;
  inferences: number | null;
  framesDecoded: number | null;
  /** In the order of the plan. */
  nodes: { name: string; operator: string; counts: NodeCounts }[];
}

export interface ReportData {
  /** Models that stand-ins played for what the store holds. */
  mocked: readonly string[];
  store: { name: string; argument: string; bytes: number; media: number; durationUs: number; records: Record<string, number>; vectors: VectorSummary[] };
  media: MediumReport[];
  shownScenes: number;
  sceneCount: number;
  run: RunReport | null;
  runCount: number;
  failures: FailureRow[];
  failureCount: number;
  version: string | null;
}

const MAX_FAILURES = 50;

/** Reads the store; writes nothing. */
export function reportData(store: Store, options: ReportOptions = {}): ReportData {
  const maxScenes = options.maxScenes ?? 400;
  const rows = [...store.mediaRows()];
  const shown = rows.slice(0, options.maxMedia ?? 100);
  const totals = countRecords(store);
  const pictures = new PictureBudget(store, options.pictureBytes ?? 6_000_000);

  const media: MediumReport[] = [];
  let room = maxScenes;
  for (const [i, row] of shown.entries()) {
    const records = [...store.records({ kind: "scene", media: row.id })];
    // An equal share for each medium; what a short one leaves goes to those behind it.
    const chosen = spread(records.length, Math.floor(room / (shown.length - i)));
    room -= chosen.length;
    media.push(mediumReport(store, row, i, records, chosen));
  }
  const cards = media.flatMap((medium) => medium.scenes);
  pictures.fill(cards);
  linkSimilar(store, cards, options.spaces ?? []);

  const failures = [...store.failures()];
  const runs = [...store.runs()];
  const operators = Object.assign({}, ...rows.map((row) => row.nodes ?? {})) as NonNullable<MediumRow["nodes"]>;
  return {
    mocked: store.standIns ?? [],
    store: {
      name: basename(store.dir),
      argument: options.storeArgument ?? store.dir,
      bytes: sizeOf(join(store.dir, "data.mdb")),
      media: rows.length,
      durationUs: rows.reduce((sum, row) => sum + (row.info.durationUs ?? 0), 0),
      ...totals,
    },
    media,
    shownScenes: cards.length,
    sceneCount: totals.records["scene"] ?? 0,
    run: runs[0] ? runReport(runs[0], operators) : null,
    runCount: runs.length,
    failures: failures.slice(0, MAX_FAILURES).map((failure) => ({ ...failure, uri: redactUri(failure.uri) })),
    failureCount: failures.length,
    version: options.version ?? null,
  };
}

/** `room` of `n` indices, evenly spread. */
export function spread(n: number, room: number): number[] {
  if (n <= room) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: room }, (_, i) => Math.floor((i * n) / room));
}

function countRecords(store: Store): { records: Record<string, number>; vectors: VectorSummary[] } {
  const records: Record<string, number> = {};
  const vectors = new Map<string, VectorSummary>();
  for (const record of store.records()) {
    records[record.kind] = (records[record.kind] ?? 0) + 1;
    for (const [name, { dims, space }] of Object.entries(record.vectors)) {
      const key = JSON.stringify([record.kind, name, space, dims]);
      const known = vectors.get(key);
      if (known) known.rows += 1;
      else vectors.set(key, { kind: record.kind, name, space, dims, rows: 1 });
    }
  }
  return { records, vectors: [...vectors.values()] };
}

function mediumReport(store: Store, row: MediumRow & { id: string }, index: number, records: readonly FlowRecord[], chosen: readonly number[]): MediumReport {
  const { info } = row;
  const record = [...store.records({ kind: "media", media: row.id })][0];
  const fields = record?.fields ?? {};
  const durationUs = info.durationUs ?? records.at(-1)?.endUs ?? 0;
  const quality = Object.values(fields).map(plainObject).find((value) => Array.isArray(value?.["findings"]));
  const anchor = `m${index + 1}`;
  return {
    anchor,
    name: info.name,
    uri: redactUri(row.uris[0] ?? info.uri),
    kind: info.kind,
    hasAudio: info.audio !== null,
    complete: row.complete,
    durationUs,
    facts: facts(row, fields),
    sceneCount: records.length,
    scenes: chosen.map((i) => sceneReport(records[i]!, { number: i + 1, anchor, medium: info.name })),
    timeline: durationUs > 0 && info.kind !== "image" ? timelineOf(store, row, durationUs, records, fields, quality) : null,
    checks: quality ? qualityChecks(quality, info) : null,
  };
}

function facts({ info }: MediumRow, fields: Record<string, unknown>): string[] {
  const { video, audio, subtitles } = info;
  const lines: string[] = [];
  if (info.durationUs !== null && info.kind !== "image") lines.push(length(info.durationUs));
  if (video) lines.push(`${video.orientedWidth} × ${video.orientedHeight}`);
  if (video && info.kind === "video" && video.avgFps > 0) lines.push(`${decimal(video.avgFps, 3)} fps`);
  if (video) lines.push(video.codec);
  lines.push(audio ? `${audio.codec} ${decimal(audio.sampleRate / 1000)} kHz ${audio.channels === 1 ? "mono" : audio.channels === 2 ? "stereo" : `${audio.channels} channels`}` : "no sound");
  if (subtitles.length > 0) lines.push(`subtitles ${subtitles.map((track) => track.language ?? track.codec).join(", ")}`);
  if (info.sizeBytes !== null) lines.push(size(info.sizeBytes));
  const loudness = plainObject(fields["loudness"]);
  const [integrated, peak] = [loudness?.["integratedLufs"], loudness?.["truePeakDb"]];
  if (typeof integrated === "number") lines.push(`${decimal(integrated)} LUFS${typeof peak === "number" ? `, peak ${decimal(peak)} dBTP` : ""}`);
  return lines;
}

function runReport(row: RunRow, operators: NonNullable<MediumRow["nodes"]>): RunReport {
  const summary = plainObject(row.summary) ?? {};
  const nodes = (plainObject(summary["nodes"]) ?? {}) as Record<string, NodeCounts>;
  const text = (name: string): string => (typeof summary[name] === "string" ? (summary[name] as string) : "");
  const number = (name: string): number | null => (typeof summary[name] === "number" ? (summary[name] as number) : null);
  return {
    id: row.id,
    graph: row.graph,
    args: row.args.map(redactUri),
    startedMs: row.startedMs,
    durationMs: row.durationMs,
    status: row.status,
    digest: text("digest"),
    digestNumbers: text("digestNumbers"),
    inferences: number("inferences"),
    framesDecoded: number("framesDecoded"),
    nodes: Object.entries(nodes).map(([name, counts]) => ({ name, operator: operators[name]?.op ?? "", counts })),
  };
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
