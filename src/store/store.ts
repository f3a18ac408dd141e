/**
 * The store: one LMDB environment, one writer, any number of readers. Writes are grouped into transactions (group-commit.ts); a promise tells when one is durable in
 * the sense of LMDB (visible to readers, whole after kill -9).
 */
import { createHash } from "node:crypto";
import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { open, type Database, type RootDatabase } from "lmdb";
import { EXIT, FlowError, type Complaint, type FlowErrorData, type FlowRecord, type MediumInfo, type Outcome, type OutputSpec } from "../contracts/index.js";
import { appendRow, decodeBlock, decodeVectors, encodeBlock, encodeVectors, pack, unpack, type Block, type VectorRows } from "./codec.js";
import { sweep, type Collected, type PlanNote, type SweepOptions } from "./collect.js";
import { GroupCommit } from "./group-commit.js";
import { inspectFile } from "./inspect-file.js";
import { holdBackCommitTraces, letTracesThrough } from "./lmdb-noise.js";
import { lockWriter, type WriterLock } from "./lock.js";
import { memosOf, recordMemoKey } from "./memo-keys.js";
import { WriteJournal } from "./write-journal.js";

/** Bump when a layout changes; a store of another version is refused. */
const SCHEMA_VERSION = 1;
/** The table that is made first, so that every store has it. */
const FIRST_TABLE = "marks";
const DATA_FILE = "data.mdb";
const COMPACTING = "data.mdb.compacting";
/** Rows per packed value: 32 vectors of 2 KB cost 1.06 × their bytes, one per value 2.0 ×. */
const ROWS_PER_CHUNK = 32;
/** LMDB keys end here; the highest array element sorts after strings and numbers. */
const AFTER = Buffer.from([0xff]);

/** What told that a file's content id still holds. */
export interface Identity {
  id: string;
  sizeBytes: number;
  mtimeNs: string;
  inode: string;
}

export interface MediumRow {
  info: MediumInfo;
  uris: string[];
  complete: boolean;
  /** Only part of a graph ever ran on it (--only, --until, --from): there are no records to keep. */
  partial?: boolean;
  /** Key of the plan whose results the records are: another plan's done mark says nothing about what the records hold now. */
  plan?: string;
  /** What that plan says about searching its records. */
  outputs?: OutputSpec[];
  /** Node name → operator and block key of that plan, for readers that draw its rows. */
  nodes?: Record<string, { op: string; key: string; rate: string }>;
}

export interface FailureRow {
  node: string;
  operator: string;
  /** Empty for a medium that could not be opened: it has an address, but no content that we know. */
  medium: string;
  uri: string;
  startUs: number;
  endUs: number;
  error: FlowErrorData;
  permanent: boolean;
  atMs: number;
}

export interface RunRow {
  id: string;
  graph: string;
  args: string[];
  /** Folder it was started in, from which relative paths in the graph and its parameters go. Older stores lack it. */
  cwd?: string;
  startedMs: number;
  durationMs: number;
  status: string;
  summary: unknown;
}

export interface RecordCommit {
  record: FlowRecord;
  vectors: Record<string, Float32Array>;
  /** SHA → bytes. */
  blobs?: Record<string, Uint8Array>;
  memo?: { key: string; outcome: Outcome }[];
}

export interface RecordQuery {
  kind?: FlowRecord["kind"];
  media?: string;
  /** Records that overlap [fromUs, toUs). */
  fromUs?: number;
  toUs?: number;
  /** Also records of superseded media; a medium that is named by `media` is always looked at. */
  superseded?: boolean;
}

interface PageStats {
  pageSize: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

function sync(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

type Table = Database<Buffer, (string | number)[] | string>;

/**
 * Level by level: Node's recursive mkdir never returns where the system answers ENOENT below a folder that exists (/proc). The folders that were not there,
 * from the top.
 */
function makeFolder(path: string): string[] {
  if (existsSync(path)) return [];
  const above = makeFolder(dirname(path));
  try {
    mkdirSync(path);
    return [...above, path];
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    return above;
  }
}

/** From the bottom; one in which something lies by now stays, with those above it. */
function removeEmpty(folders: readonly string[]): void {
  try {
    for (const folder of [...folders].reverse()) rmdirSync(folder);
  } catch {
    // Nobody misses an empty folder less.
  }
}

/** A store that is hidden from us is not one that is not there. */
function mayRead(dir: string, file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(String((cause as NodeJS.ErrnoException).code))) return;
    throw new FlowError("STORE_UNREADABLE", `The store ${dir} cannot be read: ${(cause as Error).message}`, { hint: "Check its permissions and those of the folders above it, or give another --store.", cause, exit: EXIT.environment });
  }
}

export class Store implements AsyncDisposable {
  /** Path → content id, valid while size, mtime and inode are the same. */
  readonly identities: { get(path: string): Identity | undefined; put(path: string, identity: Identity): void };

  private readonly journal = new WriteJournal();
  private readonly commits: GroupCommit;
  private isOpen = true;
  /** `leaveNothing` was called. */
  private unused = false;
  private readonly marks: Table;
  private readonly media: Table;
  private readonly blocks: Table;
  private readonly memo: Table;
  private readonly recordTable: Table;
  private readonly recordKeys: Table;
  private readonly vectors: Table;
  private readonly blobs: Table;
  private readonly failureTable: Table;
  private readonly runTable: Table;
  private readonly paths: Table;

  private constructor(
    readonly dir: string,
    private readonly root: RootDatabase<Buffer, string>,
    private readonly lock: WriterLock | null,
    /** Folders that were made for this store, from the top; null: it was there before. */
    private readonly made: readonly string[] | null,
  ) {
    this.commits = new GroupCommit((body) => root.transaction(body));
    const table = (name: string): Table => root.openDB({ name, encoding: "binary" }) as unknown as Table;
    this.marks = table(FIRST_TABLE);
    this.media = table("media");
    this.blocks = table("blocks");
    this.memo = table("memo");
    this.recordTable = table("records");
    this.recordKeys = table("recordKeys");
    this.vectors = table("vectors");
    this.blobs = table("blobs");
    this.failureTable = table("failures");
    this.runTable = table("runs");
    this.paths = table("paths");
    this.identities = {
      get: (path) => this.read<Identity>(this.paths, pathKey(path)),
      // A reader may look at a file that no run has seen: it hashes again next time.
      put: (path, identity) => void (this.lock && this.putLater(this.paths, pathKey(path), pack(identity))),
    };
  }

  /** Opens or (writers only) makes the store in `dir`. */
  static async open(dir: string, options: { readOnly?: boolean } = {}): Promise<Store> {
    const path = resolve(dir);
    const file = join(path, DATA_FILE);
    mayRead(dir, file);
    const exists = existsSync(file) && statSync(file).size > 0;
    if (options.readOnly && !exists) {
      throw new FlowError("NO_STORE", `There is no store at ${dir}.`, { hint: "Make one with `flow run GRAPH INPUT`, or name another with --store DIR.", exit: EXIT.badInput });
    }
    let made: string[] = [];
    if (!options.readOnly) {
      if (existsSync(path) && !statSync(path).isDirectory()) {
        throw new FlowError("STORE_UNWRITABLE", `The store ${dir} is a file; a store is a folder.`, { hint: "Give a folder with --store.", exit: EXIT.environment });
      }
      if (!exists && existsSync(path) && readdirSync(path).some((name) => !OURS.test(name))) {
        throw new FlowError("STORE_INCOMPATIBLE", `${dir} exists, is not empty and is not a flow store.`, { hint: "Give an empty or new folder with --store.", exit: EXIT.environment });
      }
      try {
        made = makeFolder(path);
        for (const place of exists ? [path, file] : [path]) accessSync(place, constants.W_OK);
      } catch (cause) {
        throw new FlowError("STORE_UNWRITABLE", `The store ${dir} cannot be ${existsSync(path) ? "written" : "made"}: ${(cause as Error).message}`, { hint: "Check the path and its permissions, or give another --store.", cause, exit: EXIT.environment });
      }
    }
    const lock = options.readOnly ? null : await lockWriter(path);
    // Of a compaction that was killed.
    if (lock) rmSync(join(path, COMPACTING), { force: true });
    if (lock) holdBackCommitTraces();
    try {
      const wrong = exists ? inspectFile(file, FIRST_TABLE) : null;
      if (wrong !== null) {
        throw new FlowError("STORE_INCOMPATIBLE", `${dir} cannot be opened as a flow store: ${wrong}.`, { hint: "Give another folder with --store, or restore this one from a copy.", exit: EXIT.environment });
      }
      // eventTurnBatching off: it holds a promise of lmdb's own that a failed commit rejects and nobody can catch, which would end the process.
      const root = open<Buffer, string>({ path: file, noSubdir: true, encoding: "binary", maxDbs: 16, readOnly: options.readOnly ?? false, compression: false, eventTurnBatching: false });
      const store = new Store(path, root, lock, exists ? null : made);
      await store.checkVersion(options.readOnly ?? false);
      return store;
    } catch (cause) {
      if (lock) letTracesThrough();
      await lock?.release();
      if (cause instanceof FlowError) throw cause;
      throw new FlowError("STORE_INCOMPATIBLE", `${dir} cannot be opened as a flow store: ${(cause as Error).message}`, { hint: "Give another folder with --store.", cause, exit: EXIT.environment });
    }
  }

  private async checkVersion(readOnly: boolean): Promise<void> {
    const version = this.read<number>(this.marks, ["schema"]);
    if (version === undefined && !readOnly) await this.putNow(this.marks, ["schema"], pack(SCHEMA_VERSION));
    else if (version !== SCHEMA_VERSION) {
      throw new FlowError("STORE_INCOMPATIBLE", `The store ${this.dir} has layout ${version ?? "?"}; this flow reads layout ${SCHEMA_VERSION}.`, { hint: "Use the flow that made it, or make a new store.", exit: EXIT.environment });
    }
  }

  // -- stand-ins ------------------------------------------------------------------------------------------------------------

  /** Models that stand-ins played for what is in here, over all runs; null: a store of real results, or of none yet. */
  get standIns(): readonly string[] | null {
    return this.read<string[]>(this.marks, STAND_INS) ?? null;
  }

  /** From now on this is a store of stand-ins. */
  putStandIns(models: readonly string[]): Promise<void> {
    const before = this.standIns;
    const all = [...new Set([...(before ?? []), ...models])].sort();
    return before?.length === all.length ? Promise.resolve() : this.putNow(this.marks, STAND_INS, pack(all));
  }

  /** Whether a run has begun on any medium. */
  get holdsResults(): boolean {
    for (const _ of this.media.getKeys({ limit: 1 })) return true;
    for (const _ of this.marks.getKeys({ start: [STARTED], end: [STARTED, AFTER as unknown as string], limit: 1 })) return true;
    return false;
  }

  // -- media ----------------------------------------------------------------------------------------------------------------

  getMedium(id: string): MediumRow | undefined {
    return this.read<MediumRow>(this.media, id);
  }

  async putMedium(id: string, row: MediumRow): Promise<void> {
    const known = this.getMedium(id);
    const merged = { ...row, uris: [...new Set([...(known?.uris ?? []), ...row.uris])] };
    if (known && known.plan === row.plan && known.uris.length === merged.uris.length && known.complete === merged.complete && known.partial === merged.partial && known.info.uri === row.info.uri) return;
    await this.putNow(this.media, id, pack(merged));
  }

  /** Media in the order of their ids; those that are superseded only when asked for. */
  *mediaRows(options: { superseded?: boolean } = {}): IterableIterator<MediumRow & { id: string }> {
    const hidden = options.superseded ? NONE : this.superseded();
    for (const { key, value } of this.media.getRange({})) if (!hidden.has(key as string)) yield { id: key as string, ...(unpack(value) as MediumRow) };
  }

  /**
   * Media none of whose paths holds them any more → the content id that was found in the last one's place. Their results stay until `collect`, so that
   * a file that is put back is cached; readers do not show them unless asked.
   */
  superseded(): ReadonlyMap<string, string> {
    const rows = this.marks.getRange({ start: [SUPERSEDED], end: [SUPERSEDED, AFTER as unknown as string] });
    return new Map([...rows].map(({ key, value }) => [(key as [string, string])[1], (unpack(value) as { by: string }).by]));
  }

  /**
   * Each of these paths and addresses holds that content now, under that name if one is given: no other medium claims it any longer, one that has no other
   * path left is superseded, and one that is back is not. One transaction.
   */
  async claimPaths(found: ReadonlyMap<string, { id: string; name?: string }>): Promise<void> {
    const hidden = this.superseded();
    const moved: { row: MediumRow & { id: string }; uris: string[] }[] = [];
    const backUris = new Map<string, string[]>();
    for (const [uri, { id }] of found) if (hidden.has(id)) backUris.set(id, [...(backUris.get(id) ?? []), uri]);
    for (const row of this.mediaRows({ superseded: true })) {
      const uris = [...row.uris.filter((uri) => (found.get(uri)?.id ?? row.id) === row.id), ...(backUris.get(row.id) ?? []).filter((uri) => !row.uris.includes(uri))];
      const name = found.get(row.info.uri)?.name ?? row.info.name;
      if (uris.length !== row.uris.length || backUris.has(row.id) || (uris.includes(row.info.uri) && name !== row.info.name)) moved.push({ row, uris });
    }
    if (moved.length === 0) return;
    const writes = moved.map(({ row: { id, ...row }, uris }) => {
      const uri = uris.includes(row.info.uri) ? row.info.uri : (uris[0] ?? row.info.uri);
      const name = (uris.includes(uri) ? found.get(uri)?.name : undefined) ?? (uri === row.info.uri ? row.info.name : basename(uri));
      const [record] = this.records({ kind: "media", media: id });
      const by = uris.length > 0 ? null : (found.get(row.uris.find((lost) => found.has(lost))!)?.id ?? "");
      return {
        id, by, row: pack({ ...row, info: { ...row.info, uri, name }, uris } satisfies MediumRow),
        record: record && { id: record.id, key: [record.kind, id, record.startUs, record.id], bytes: pack({ ...record, fields: { ...record.fields, uri, name, uris } }) },
      };
    });
    await this.transact(() => {
      for (const { id, by, row, record } of writes) {
        this.put(this.media, id, row);
        if (record) this.put(this.recordTable, record.key, record.bytes);
        // The recorder must not take this record for the one it wrote.
        if (record) this.drop(this.memo, recordMemoKey(record.id));
        if (by !== null) this.put(this.marks, [SUPERSEDED, id], pack({ by }));
        else if (hidden.has(id)) this.drop(this.marks, [SUPERSEDED, id]);
      }
    });
  }

  // -- blocks and marks -----------------------------------------------------------------------------------------------------

  getBlock(medium: string, nodeKey: string, index: number): Block | undefined {
    // Not a copy but lmdb's own buffer, which holds more than the value and is overwritten by its next read: decodeBlock copies at once.
    const bytes = this.blocks.getBinaryFast([medium, nodeKey, index]);
    return bytes === undefined ? undefined : decodeBlock(bytes.subarray(0, bytes.length));
  }

  putBlock(medium: string, nodeKey: string, index: number, block: Block): Promise<void> {
    return this.putLater(this.blocks, [medium, nodeKey, index], encodeBlock(block));
  }

  /** Indices, ascending. */
  listBlocks(medium: string, nodeKey: string): number[] {
    return [...this.blocks.getKeys({ start: [medium, nodeKey], end: [medium, nodeKey, AFTER as unknown as string] })].map((key) => (key as [string, string, number])[2]);
  }

  async removeBlocks(medium: string, nodeKey: string): Promise<void> {
    const blocks = this.listBlocks(medium, nodeKey);
    const ends = [...this.marks.getKeys(endsOf(medium, nodeKey))];
    await this.transact(() => {
      for (const index of blocks) this.drop(this.blocks, [medium, nodeKey, index]);
      for (const key of ends) this.drop(this.marks, key);
    });
  }

  /** Set when every block of this node is there at this rate. */
  getGridEnd(medium: string, nodeKey: string, rate: string): { endUs: number; blocks: number } | undefined {
    return this.read(this.marks, ["end", medium, nodeKey, rate]);
  }

  /** Where the medium ended for this node at the rates that are there whole (µs). */
  gridEnds(medium: string, nodeKey: string): number[] {
    return [...this.marks.getRange(endsOf(medium, nodeKey))].map(({ value }) => (unpack(value) as { endUs: number }).endUs);
  }

  putGridEnd(medium: string, nodeKey: string, rate: string, end: { endUs: number; blocks: number }): Promise<void> {
    return this.putNow(this.marks, ["end", medium, nodeKey, rate], pack(end));
  }

  getDone(medium: string, planKey: string): unknown {
    return this.read(this.marks, ["done", medium, planKey]);
  }

  putDone(medium: string, planKey: string, mark: unknown): Promise<void> {
    return this.putNow(this.marks, ["done", medium, planKey], pack(mark));
  }

  /** What decoders complained about, over all runs; no result depends on it. */
  getHealth(medium: string): Complaint[] {
    return this.read<Complaint[]>(this.marks, ["health", medium]) ?? [];
  }

  putHealth(medium: string, health: readonly Complaint[]): Promise<void> {
    return this.putLater(this.marks, ["health", medium], pack(health));
  }

  /** What a plan computes, for `collect`. */
  putPlan(hash: string, note: PlanNote): Promise<void> {
    return this.marks.doesExist(["plan", hash]) ? Promise.resolve() : this.putLater(this.marks, ["plan", hash], pack(note));
  }

  /** The plan that was begun last on a medium. */
  putStarted(medium: string, planHash: string): Promise<void> {
    return this.read<string>(this.marks, [STARTED, medium]) === planHash ? Promise.resolve() : this.putLater(this.marks, [STARTED, medium], pack(planHash));
  }

  // -- memo -----------------------------------------------------------------------------------------------------------------

  getMemo(key: string): Outcome | undefined {
    return this.read<Outcome>(this.memo, key);
  }

  /** Whether this node has any result of this medium. */
  hasMemos(nodeKey: string, medium: string): boolean {
    for (const _ of this.memo.getKeys({ ...memosOf(nodeKey, medium), limit: 1 })) return true;
    return false;
  }

  async removeMemos(nodeKey: string, medium: string): Promise<void> {
    await this.transact(() => {
      for (const key of [...this.memo.getKeys(memosOf(nodeKey, medium))]) this.drop(this.memo, key);
    });
  }

  putMemo(key: string, outcome: Outcome): Promise<void> {
    return this.putLater(this.memo, key, pack(outcome));
  }

  // -- records --------------------------------------------------------------------------------------------------------------

  /** A record, its vectors, pictures and memo rows in one transaction; the same record again overwrites itself. */
  async commitRecord({ record, vectors, blobs, memo }: RecordCommit): Promise<void> {
    const key = [record.kind, record.media, record.startUs, record.id];
    // lmdb commits what a transaction wrote before it threw: everything that can throw comes first.
    const packedRecord = pack(record);
    const packedKey = pack(key);
    const packedMemo = (memo ?? []).map((row) => ({ key: row.key, bytes: pack(row.outcome) }));
    await this.transact(() => {
      const known = this.recordKeys.doesExist(record.id);
      const before = known ? this.getRecord(record.id) : undefined;
      for (const [name, { dims }] of Object.entries(before?.vectors ?? {})) if (record.vectors[name]?.dims !== dims) this.dropVector(`${record.kind}.${name}`, record.media, record.id);
      this.put(this.recordTable, key, packedRecord);
      this.put(this.recordKeys, record.id, packedKey);
      for (const [name, vector] of Object.entries(vectors)) this.appendVector(`${record.kind}.${name}`, record.media, record.id, vector, known);
      for (const [sha, bytes] of Object.entries(blobs ?? {})) this.put(this.blobs, sha, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      for (const row of packedMemo) this.put(this.memo, row.key, row.bytes);
    });
  }

  /**
   * Inside a write transaction: into the row of the same record (looked for only if the record is `known`: the search reads every chunk), else
   * behind the last row, else into a new chunk.
   */
  private appendVector(name: string, media: string, id: string, vector: Float32Array, known: boolean): void {
    const end = [name, media, AFTER as unknown as string];
    if (known) {
      for (const { key, value } of this.vectors.getRange({ start: [name, media], end })) {
        const chunk = decodeVectors(value);
        const row = chunk.ids.indexOf(id);
        if (row < 0 || chunk.dims !== vector.length) continue;
        chunk.data.set(vector, row * chunk.dims);
        this.put(this.vectors, key, encodeVectors(chunk));
        return;
      }
    }
    const [tail] = this.vectors.getKeys({ start: end, end: [name, media], reverse: true, limit: 1 });
    // lmdb's own buffer, as in getBlock: copied at once.
    const stored = tail === undefined ? undefined : this.vectors.getBinaryFast(tail);
    const longer = stored && appendRow(stored.subarray(0, stored.length), ROWS_PER_CHUNK, id, vector);
    if (longer) this.put(this.vectors, tail as [string, string, number], longer);
    else this.put(this.vectors, [name, media, tail === undefined ? 0 : (tail as [string, string, number])[2] + 1], encodeVectors({ ids: [id], dims: vector.length, data: vector }));
  }

  /** Inside a write transaction: a record that is written again without a vector, or with one of another length, leaves no row behind. */
  private dropVector(name: string, media: string, id: string): void {
    for (const { key, value } of this.vectors.getRange({ start: [name, media], end: [name, media, AFTER as unknown as string] })) {
      const { ids, dims, data } = decodeVectors(value);
      const row = ids.indexOf(id);
      if (row < 0) continue;
      if (ids.length === 1) return this.drop(this.vectors, key);
      const rest = new Float32Array(data.length - dims);
      rest.set(data.subarray(0, row * dims));
      rest.set(data.subarray((row + 1) * dims), row * dims);
      return this.put(this.vectors, key, encodeVectors({ ids: ids.filter((other) => other !== id), dims, data: rest }));
    }
  }

  /** Drops a medium's records of a kind that `keep` does not name (scenes of an old cut), with their vectors. */
  async removeRecords(media: string, kind: FlowRecord["kind"], keep: ReadonlySet<string>): Promise<number> {
    const gone = [...this.records({ kind, media })].filter((record) => !keep.has(record.id));
    if (gone.length === 0) return 0;
    const ids = new Set(gone.map((record) => record.id));
    await this.transact(() => {
      for (const record of gone) {
        this.drop(this.recordTable, [record.kind, record.media, record.startUs, record.id]);
        this.drop(this.recordKeys, record.id);
      }
      const names = new Set(gone.flatMap((record) => Object.keys(record.vectors).map((name) => `${kind}.${name}`)));
      for (const name of names) {
        const chunks = [...this.vectors.getRange({ start: [name, media], end: [name, media, AFTER as unknown as string] })].map(({ key, value }) => ({ key, rows: decodeVectors(value) }));
        for (const { key } of chunks) this.drop(this.vectors, key);
        for (const { rows } of chunks) rows.ids.forEach((id, i) => ids.has(id) || this.appendVector(name, media, id, rows.data.subarray(i * rows.dims, (i + 1) * rows.dims), false));
      }
    });
    return gone.length;
  }

  getRecord(id: string): FlowRecord | undefined {
    const key = this.read<(string | number)[]>(this.recordKeys, id);
    return key === undefined ? undefined : this.read<FlowRecord>(this.recordTable, key);
  }

  /** Records by (kind, medium, start), read lazily. */
  *records(query: RecordQuery = {}): IterableIterator<FlowRecord> {
    const start = query.kind ? [query.kind, ...(query.media ? [query.media] : [])] : [];
    const range = start.length > 0 ? { start, end: [...start, AFTER as unknown as string] } : {};
    const hidden = query.superseded || query.media !== undefined ? NONE : this.superseded();
    for (const { value } of this.recordTable.getRange(range)) {
      const record = unpack(value) as FlowRecord;
      if (hidden.has(record.media)) continue;
      if (query.media !== undefined && record.media !== query.media) continue;
      if (query.fromUs !== undefined && record.endUs <= query.fromUs && record.endUs !== record.startUs) continue;
      if (query.toUs !== undefined && record.startUs >= query.toUs) continue;
      yield record;
    }
  }

  /** One vector of a record. */
  vector(record: FlowRecord, name: string): Float32Array | undefined {
    const table = `${record.kind}.${name}`;
    for (const { value } of this.vectors.getRange({ start: [table, record.media], end: [table, record.media, AFTER as unknown as string] })) {
      const rows = decodeVectors(value);
      const row = rows.ids.indexOf(record.id);
      if (row >= 0) return rows.data.slice(row * rows.dims, (row + 1) * rows.dims);
    }
    return undefined;
  }

  /** All vectors of a name, packed as they are stored; `media` narrows. */
  *vectorChunks(kind: FlowRecord["kind"], name: string, media?: string): IterableIterator<VectorRows> {
    const start = [`${kind}.${name}`, ...(media ? [media] : [])];
    for (const { value } of this.vectors.getRange({ start, end: [...start, AFTER as unknown as string] })) yield decodeVectors(value);
  }

  getBlob(sha: string): Buffer | undefined {
    return this.blobs.getBinary(sha);
  }

  // -- failures and runs ----------------------------------------------------------------------------------------------------

  putFailure(failure: FailureRow): Promise<void> {
    return this.putLater(this.failureTable, [failure.medium || unopenedKey(failure.uri), failure.node, failure.startUs], pack(failure));
  }

  *failures(): IterableIterator<FailureRow> {
    const hidden = this.superseded();
    for (const { value } of this.failureTable.getRange({})) {
      const row = unpack(value) as FailureRow;
      if (!hidden.has(row.medium)) yield row;
    }
  }

  /** Of these nodes, or (null) of all. */
  async clearFailures(medium: string, nodes: ReadonlySet<string> | null = null): Promise<void> {
    await this.transact(() => {
      // Read in here: one that still waits to be written is among them.
      const keys = [...this.failureTable.getKeys({ start: [medium], end: [medium, AFTER as unknown as string] })] as [string, string, number][];
      for (const key of keys) if (nodes === null || nodes.has(key[1])) this.drop(this.failureTable, key);
    });
  }

  /** The medium at this path or address could be opened again. */
  async clearUnopened(uri: string): Promise<void> {
    await this.clearFailures(unopenedKey(uri));
  }

  putRun(run: RunRow): Promise<void> {
    return this.putNow(this.runTable, [run.startedMs, run.id], pack(run));
  }

  /** Newest first. */
  *runs(): IterableIterator<RunRow> {
    for (const { value } of this.runTable.getRange({ reverse: true })) yield unpack(value) as RunRow;
  }

  // -- upkeep ---------------------------------------------------------------------------------------------------------------

  /** Removes what nothing reaches (collect.ts says what that is); with `dryRun` only tells. */
  async collect({ dryRun, ...options }: Pick<SweepOptions, "isGone" | "missing"> & { dryRun: boolean }): Promise<Collected> {
    const tables = {
      marks: this.marks, media: this.media, blocks: this.blocks, memo: this.memo, records: this.recordTable, recordKeys: this.recordKeys, vectors: this.vectors, blobs: this.blobs,
      failures: this.failureTable, paths: this.paths,
    };
    const { groups, ...collected } = sweep(tables, { ...options, superseded: this.superseded() });
    if (!dryRun) {
      for (const group of groups) {
        await this.transact(() => {
          for (const { table, key } of group) this.drop(table, key as string);
        });
      }
    }
    return collected;
  }

  /** Bytes of the file, and those of them that hold nothing. */
  fileUse(): { bytes: number; freeBytes: number } {
    if (!this.isOpen) return { bytes: statSync(join(this.dir, DATA_FILE)).size, freeBytes: 0 };
    const tables = [this.root, this.marks, this.media, this.blocks, this.memo, this.recordTable, this.recordKeys, this.vectors, this.blobs, this.failureTable, this.runTable, this.paths] as unknown as { getStats(): PageStats }[];
    const used = tables.map((table) => table.getStats()).reduce((sum, s) => sum + (s.treeBranchPageCount + s.treeLeafPageCount + s.overflowPages) * s.pageSize, 0);
    const { size } = statSync(join(this.dir, DATA_FILE));
    return { bytes: size, freeBytes: Math.max(0, size - used) };
  }

  /**
   * Writes the data anew without free pages and puts it in the place of the old file at once; killed before, it leaves the old one. Readers that have the old file
   * open go on with it. Afterwards this store can only be closed. @throws FlowError STORE_WRITE_FAILED, STORE_COMPACT_FAILED (nothing is changed)
   */
  async compact(): Promise<void> {
    const copy = join(this.dir, COMPACTING);
    const lastTransaction = (): number => (this.root.getStats() as { lastTxnId: number }).lastTxnId;
    await this.flushed();
    // lmdb numbers the copy's one transaction like our last, made odd. The lock file that other processes hold open has our number: it must be the same.
    for (let n = 0; lastTransaction() % 2 === 0 && n < 8; n++) await this.putNow(this.marks, ["compacted"], pack([Date.now(), n]));
    await this.root.flushed;
    try {
      if (lastTransaction() % 2 === 0) throw new Error("its transactions cannot be numbered on");
      await this.root.backup(copy, true);
      const wrong = inspectFile(copy, FIRST_TABLE);
      if (wrong !== null) throw new Error(wrong);
      sync(copy);
    } catch (cause) {
      rmSync(copy, { force: true });
      throw new FlowError("STORE_COMPACT_FAILED", `The store's file could not be written anew: ${(cause as Error).message}`, { hint: "It needs as much free disk space as the data has bytes. The store is whole; its free pages are used by the next runs.", cause, exit: EXIT.environment });
    }
    await this.root.close();
    this.isOpen = false;
    renameSync(copy, join(this.dir, DATA_FILE));
    sync(this.dir);
  }

  // -- life -----------------------------------------------------------------------------------------------------------------

  /** Resolves when everything written so far is committed. @throws FlowError STORE_WRITE_FAILED */
  async flushed(): Promise<void> {
    this.commits.cut();
    await this.journal.flushed();
  }

  /** What was to be put here was refused before any work: `close` takes away a store that was not there before. */
  leaveNothing(): void {
    this.unused = true;
  }

  /** Ends in any case; @throws FlowError STORE_WRITE_FAILED if a write was lost. */
  async close(): Promise<void> {
    try {
      await this.flushed();
      if (this.lock && this.isOpen) await this.root.flushed;
    } finally {
      // After a failed commit lmdb's own close waits for ever for it; the process is about to end and the lock is what others wait for.
      if (!this.journal.failed && this.isOpen) await this.root.close();
      if (this.lock) letTracesThrough();
      // Before the lock is given back: whoever waits for it finds a folder without a store, not half of one.
      if (this.unused && this.made) for (const name of [DATA_FILE, `${DATA_FILE}-lock`]) rmSync(join(this.dir, name), { force: true });
      await this.lock?.release();
      if (this.unused) removeEmpty(this.made ?? []);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private transact(body: () => void): Promise<void> {
    return this.journal.watch(this.commits.now(body));
  }

  private putNow(table: Table, key: (string | number)[] | string, bytes: Buffer): Promise<void> {
    return this.transact(() => this.put(table, key, bytes));
  }

  private putLater(table: Table, key: (string | number)[] | string, bytes: Buffer): Promise<void> {
    return this.journal.watch(this.commits.later(() => this.put(table, key, bytes), bytes.byteLength));
  }

  /** Inside a transaction: what fails there fails the transaction, whose promise the journal watches. */
  private put(table: Table, key: (string | number)[] | string, bytes: Buffer): void {
    void Promise.resolve(table.put(key, bytes)).catch(() => undefined);
  }

  private drop(table: Table, key: (string | number)[] | string): void {
    void Promise.resolve(table.remove(key)).catch(() => undefined);
  }

  private read<T>(table: Table, key: (string | number)[] | string): T | undefined {
    const bytes = table.getBinary(key);
    return bytes === undefined ? undefined : (unpack(bytes) as T);
  }
}

/** What a store's folder may hold before its data: traces of a run that was killed at its very start, and reports. */
const OURS = /^(data\.mdb|lock\.mdb|writer\.pid|report)/;

const endsOf = (medium: string, nodeKey: string): { start: string[]; end: string[] } => ({ start: ["end", medium, nodeKey], end: ["end", medium, nodeKey, AFTER as unknown as string] });

const NONE: ReadonlyMap<string, string> = new Map();
const SUPERSEDED = "superseded";
const STARTED = "started";
const STAND_INS = ["stand-ins"];

/** Failures of media without a content id lie under their address. */
const unopenedKey = (uri: string): string => `uri ${createHash("sha256").update(uri).digest("hex").slice(0, 32)}`;

/** LMDB keys are bounded (1978 bytes); a path is not. */
const pathKey = (path: string): string => (path.length < 500 ? path : createHash("sha256").update(path).digest("hex"));
