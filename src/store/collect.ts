/**
 * What of a store nothing reaches any more, and its removal. Reached is: every record of a medium that is not superseded; of a finished medium the blocks, ends and
 * memo rows of the plan that made its records; of an unfinished one those of the plan that was begun on it; pictures that a record names. What a key does not
 * tell is kept. Only unreachable things are removed and a medium goes as a whole, so a kill at any moment leaves a store that is as right as before.
 */
import { unpack } from "./codec.js";
import { mediumInKey, parseMemoKey } from "./memo-keys.js";
import type { FailureRow, Identity, MediumRow } from "./store.js";
import type { FlowRecord } from "../contracts/index.js";

export const REMOVABLE = ["records", "blocks", "memos", "marks", "vectors", "pictures", "failures", "paths"] as const;
export type Removable = (typeof REMOVABLE)[number];

export interface Collected {
  /** Media that go with all that is theirs. */
  media: { id: string; uri: string; why: "superseded" | "missing" }[];
  /** Rows that go, theirs included, with the bytes of their values. */
  removed: Record<Removable, { count: number; bytes: number }>;
}

/** The part of an LMDB table that collecting needs. */
export interface Table {
  getKeys(options?: { start?: unknown; end?: unknown }): Iterable<unknown>;
  getRange(options?: { start?: unknown; end?: unknown }): Iterable<{ key: unknown; value: Uint8Array }>;
  getBinary(key: never): Uint8Array | undefined;
}

export interface Tables<T extends Table = Table> {
  marks: T;
  media: T;
  blocks: T;
  memo: T;
  records: T;
  recordKeys: T;
  vectors: T;
  blobs: T;
  failures: T;
  paths: T;
}

/** What a plan computes; noted when a run begins, for media that it does not finish and for the levels of its nodes. */
export interface PlanNote {
  nodes: { key: string; blockKey: string; level: string }[];
}

export interface Doomed<T> {
  table: T;
  key: unknown;
}

/** Groups of rows, each to be removed in one transaction; in this order. */
export interface Sweep<T> extends Collected {
  groups: Doomed<T>[][];
}

const GROUP_ROWS = 2_000;

export interface SweepOptions {
  /** Medium → what took its place. */
  superseded: ReadonlyMap<string, string>;
  /** Whether this address leads to no file any more. */
  isGone: (uri: string) => boolean;
  /** Media go when all their files are gone. */
  missing: boolean;
}

export function sweep<T extends Table>(tables: Tables<T>, { superseded, isGone, missing }: SweepOptions): Sweep<T> {
  const result: Sweep<T> = { media: [], removed: Object.fromEntries(REMOVABLE.map((kind) => [kind, { count: 0, bytes: 0 }])) as Collected["removed"], groups: [] };
  const ofMedium = new Map<string, Doomed<T>[]>();
  let rest: Doomed<T>[] = [];
  const doom = (kind: Removable | null, table: T, key: unknown, medium?: string): void => {
    if (kind) {
      result.removed[kind].count += 1;
      result.removed[kind].bytes += table.getBinary(key as never)?.length ?? 0;
    }
    if (medium !== undefined) {
      const group = ofMedium.get(medium);
      if (group) group.push({ table, key });
      else ofMedium.set(medium, [{ table, key }]);
    } else if (rest.push({ table, key }) === GROUP_ROWS) {
      result.groups.push(rest);
      rest = [];
    }
  };

  const plans = new Map<string, PlanNote>();
  const started = new Map<string, string>();
  for (const { key, value } of tables.marks.getRange({})) {
    const [kind, name] = key as [string, string];
    if (kind === "plan") plans.set(name, unpack(value) as PlanNote);
    if (kind === "started") started.set(name, unpack(value) as string);
  }

  const live = new Map<string, Live>();
  const keptPlans = new Set<string>();
  for (const { key, value } of tables.media.getRange({})) {
    const id = key as string;
    const row = unpack(value) as MediumRow;
    const why = superseded.has(id) ? "superseded" : missing && row.uris.every(isGone) ? "missing" : null;
    if (why) {
      result.media.push({ id, uri: row.info.uri, why });
      doom(null, tables.media, id, id);
    } else {
      const hash = row.complete ? row.plan?.split("-")[0] : started.get(id);
      for (const name of [hash, started.get(id)]) if (name !== undefined) keptPlans.add(name);
      live.set(id, liveOf(row, plans.get(hash ?? "")));
    }
  }

  const recordIds = new Set<string>();
  const pictures = new Set<string>();
  for (const { key, value } of tables.records.getRange({})) {
    const [, medium, , id] = key as [string, string, number, string];
    const known = live.get(medium);
    if (!known) {
      doom("records", tables.records, key, medium);
      doom(null, tables.recordKeys, id, medium);
      continue;
    }
    const record = unpack(value) as FlowRecord;
    recordIds.add(id);
    known.intervals.add(`${record.startUs}-${record.endUs}`);
    namesIn(record.fields, pictures);
  }

  for (const key of tables.marks.getKeys({})) {
    const [kind, name, second] = key as [string, string, string];
    const known = live.get(name);
    if (kind === "plan") keptPlans.has(name) || doom("marks", tables.marks, key);
    else if (kind === "done") (known && known.plan === second) || doom("marks", tables.marks, key, name);
    else if (kind === "end") (known && (known.blockKeys === null || known.blockKeys.has(second))) || doom("marks", tables.marks, key, name);
    else if (kind === "health" || kind === "superseded" || kind === "started") known || doom("marks", tables.marks, key, name);
  }
  for (const key of tables.blocks.getKeys({})) {
    const [medium, nodeKey] = key as [string, string, number];
    const known = live.get(medium);
    if (!known || (known.blockKeys !== null && !known.blockKeys.has(nodeKey))) doom("blocks", tables.blocks, key, medium);
  }
  for (const key of tables.vectors.getKeys({})) {
    const [, medium] = key as [string, string, number];
    if (!live.has(medium)) doom("vectors", tables.vectors, key, medium);
  }
  for (const { key, value } of tables.failures.getRange({})) {
    const { medium, uri } = unpack(value) as FailureRow;
    if (medium === "" ? isGone(uri) : !live.has(medium)) doom("failures", tables.failures, key);
  }
  for (const { key, value } of tables.paths.getRange({})) if (!live.has((unpack(value) as Identity).id)) doom("paths", tables.paths, key);

  const byName = new Map([...live].map(([id, known]) => [mediumInKey(id), known]));
  for (const key of tables.memo.getKeys({})) if (!reaches(key as string, byName, recordIds)) doom("memos", tables.memo, key);
  for (const key of tables.blobs.getKeys({})) if (!pictures.has(key as string)) doom("pictures", tables.blobs, key);

  result.groups.push(rest);
  // Whole media first: what the rest of them says of itself (ends of grids, marks of being done) must go with it.
  result.groups.unshift(...ofMedium.values());
  result.groups = result.groups.filter((group) => group.length > 0);
  return result;
}

interface Live {
  complete: boolean;
  plan: string | undefined;
  /** null: not known, all are kept. */
  blockKeys: ReadonlySet<string> | null;
  nodeKeys: ReadonlySet<string> | null;
  /** Nodes whose every item is a scene that has a record. */
  sceneKeys: ReadonlySet<string>;
  intervals: Set<string>;
}

function liveOf(row: MediumRow, note: PlanNote | undefined): Live {
  // Records that a run of part of the graph left stand on nodes that its plan does not have.
  const noted = new Set(note?.nodes.map((node) => node.blockKey));
  const standing = row.complete && row.nodes ? Object.values(row.nodes).filter(({ key }) => !noted.has(key)).map(({ key }) => ({ key: key.split("~")[0]!, blockKey: key, level: "" })) : null;
  const nodes = note || standing ? [...(note?.nodes ?? []), ...(standing ?? [])] : null;
  const scenes = row.complete && (row.outputs ?? []).some((output) => output.kind === "scene");
  return {
    complete: row.complete,
    plan: row.plan,
    blockKeys: nodes && new Set(nodes.map((node) => node.blockKey)),
    nodeKeys: nodes && new Set(nodes.map((node) => node.key)),
    sceneKeys: new Set(scenes ? (nodes ?? []).filter((node) => node.level === "scene").map((node) => node.key) : []),
    intervals: new Set(),
  };
}

function reaches(key: string, media: ReadonlyMap<string, Live>, recordIds: ReadonlySet<string>): boolean {
  const parsed = parseMemoKey(key);
  if (!parsed) return true;
  if ("outdated" in parsed) return false;
  if ("record" in parsed) return recordIds.has(parsed.record);
  const known = media.get(parsed.medium);
  if (!known) return false;
  return known.nodeKeys === null || (known.nodeKeys.has(parsed.nodeKey) && (!known.sceneKeys.has(parsed.nodeKey) || known.intervals.has(parsed.interval)));
}

/** Every string inside a record's fields that may be the name of a picture (32 hex digits). */
function namesIn(value: unknown, into: Set<string>): void {
  if (typeof value === "string") {
    if (value.length === 32) into.add(value);
  } else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) for (const inner of Object.values(value)) namesIn(inner, into);
}

