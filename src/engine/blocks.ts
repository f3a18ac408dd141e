/** What a block is: 16 s of one node's results on the absolute grid. */
import type { Outcome, Series } from "../contracts/index.js";
import type { Block, Store } from "../store/index.js";

/** Rows of numbers one behind the other. */
export interface Run {
  ptsUs: Float64Array;
  data: Float32Array;
  width: number;
}

/** What a block is made of while its items are open: of a batch node item by item, of a tap in the runs that came. */
export interface BlockDraft {
  pts: number[];
  values: (Float32Array | Uint8Array | null)[];
  runs: Run[];
  failures: { ptsUs: number; outcome: Outcome }[];
  open: number;
  adler: number;
}

export const newDraft = (): BlockDraft => ({ pts: [], values: [], runs: [], failures: [], open: 0, adler: 0 });

export function indexOfPts(ptsUs: Float64Array, wanted: number): number {
  let low = 0;
  let high = ptsUs.length - 1;
  while (low <= high) {
    const mid = (low + high) >> 1;
    const at = ptsUs[mid]!;
    if (at === wanted) return mid;
    if (at < wanted) low = mid + 1;
    else high = mid - 1;
  }
  return -1;
}

/** Rows of a block that belong to a rate. */
export function* rowsAt(block: Block, rate: string): Generator<number> {
  const covered = block.rates[rate] ?? [];
  if (covered !== "all") yield* covered;
  else for (let i = 0; i < block.ptsUs.length; i++) yield i;
}

export const valueAt = (block: Block, i: number): Float32Array | Uint8Array => (block.data ? block.data.subarray(i * block.width, (i + 1) * block.width) : block.bytes![i]!);

/** Position of the first time that is not before `ptsUs`. */
function firstFrom(times: Float64Array, ptsUs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (times[mid]! < ptsUs) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** Rows of a block at a rate, with their values, that lie inside an interval. */
function* rowsOf(block: Block, rate: string, from: number, to: number): Generator<[number, Float32Array | Uint8Array]> {
  for (const i of rowsAt(block, rate)) if (i >= from && i < to) yield [block.ptsUs[i]!, valueAt(block, i)];
}

/** The unbroken run of blocks from the start that a rate has in the store, and what failed in them for good. */
export function coverage(store: Store, medium: string, key: string, rate: string): { blocks: number; rows: number; failures: { ptsUs: number; outcome: Outcome }[] } {
  let blocks = 0;
  let rows = 0;
  const failures: { ptsUs: number; outcome: Outcome }[] = [];
  for (const index of store.listBlocks(medium, key)) {
    const block = index === blocks ? store.getBlock(medium, key, index) : undefined;
    if (!block || block.rates[rate] === undefined) break;
    const failed = new Map(block.failures.map((f) => [f.ptsUs, f]));
    for (const i of rowsAt(block, rate)) {
      const failure = failed.get(block.ptsUs[i]!);
      if (failure) failures.push(failure);
      else rows += 1;
    }
    blocks += 1;
  }
  return { blocks, rows, failures };
}

/** What a reader gets of some rows of one block: rows one behind the other as they lie in the block, or one by one. */
export type Piece = ({ failed: number } & Run) | { failed: number; ptsUs: number[]; values: (Float32Array | Uint8Array)[] };

/** Rows of a block at a rate inside an interval. Not a copy where the block is of this rate alone and nothing in it failed, which is what most are. */
export function pieceOfBlock(block: Block, rate: string, startUs: number, endUs: number): Piece {
  const [from, to] = [firstFrom(block.ptsUs, startUs), firstFrom(block.ptsUs, endUs)];
  if (block.rates[rate] === "all" && block.failures.length === 0 && block.data) {
    const { width } = block;
    return { failed: 0, ptsUs: block.ptsUs.subarray(from, to), data: block.data.subarray(from * width, to * width), width };
  }
  return pieceOf(block.failures, rowsOf(block, rate, from, to));
}

/** The same of a block that is not whole yet, in the order in which its items came. */
export function* piecesOfDraft({ pts, values, runs, failures }: BlockDraft, startUs: number, endUs: number): Generator<Piece> {
  for (const { ptsUs, data, width } of runs) {
    for (let from = 0, to; from < ptsUs.length; from = to) {
      const inside = ptsUs[from]! >= startUs && ptsUs[from]! < endUs;
      for (to = from + 1; to < ptsUs.length && (ptsUs[to]! >= startUs && ptsUs[to]! < endUs) === inside; ) to += 1;
      if (inside) yield { failed: 0, ptsUs: ptsUs.subarray(from, to), data: data.subarray(from * width, to * width), width };
    }
  }
  if (pts.length === 0) return;
  const piece: RowPiece = { ptsUs: [], values: [], failed: 0 };
  const failed = failedAt(failures);
  for (let i = 0; i < pts.length; i++) if (pts[i]! >= startUs && pts[i]! < endUs) addTo(piece, failed, pts[i]!, values[i] ?? null);
  yield piece;
}

type RowPiece = Extract<Piece, { values: unknown }>;

function pieceOf(failures: BlockDraft["failures"], rows: Iterable<[number, Float32Array | Uint8Array | null]>): Piece {
  const piece: RowPiece = { ptsUs: [], values: [], failed: 0 };
  const failed = failedAt(failures);
  for (const [ptsUs, value] of rows) addTo(piece, failed, ptsUs, value);
  return piece;
}

/** PTS → whether it failed or is only missing. */
const failedAt = (failures: BlockDraft["failures"]): ReadonlyMap<number, boolean> => new Map(failures.map((f) => [f.ptsUs, f.outcome.kind === "failed"]));

function addTo(piece: RowPiece, failed: ReadonlyMap<number, boolean>, ptsUs: number, value: Float32Array | Uint8Array | null): void {
  const failure = failed.get(ptsUs);
  if (failure !== undefined) piece.failed += failure ? 1 : 0;
  else if (value) piece.ptsUs.push(ptsUs), piece.values.push(value);
}

/** Union of what the block held (other rates) and what this run made; a failed item keeps a zero row, its pts stands in `failures`. */
export function mergeBlocks(earlier: Block | undefined, made: BlockDraft, rate: string, declaredWidth: number, columns: readonly string[] | undefined, covered: boolean): Block {
  const alone = !earlier && covered ? (blockOfRuns(made, rate, columns) ?? blockOfRows(made, rate, declaredWidth, columns)) : null;
  if (alone) return alone;
  const draft = rowByRow(made);
  const byPts = new Map<number, Float32Array | Uint8Array | null>();
  const mine = new Set(draft.pts);
  if (earlier) earlier.ptsUs.forEach((ptsUs, i) => byPts.set(ptsUs, earlier.data || earlier.bytes ? valueAt(earlier, i) : null));
  draft.pts.forEach((ptsUs, i) => {
    const value = draft.values[i];
    if (value || !byPts.has(ptsUs)) byPts.set(ptsUs, value ?? null);
  });
  const pts = [...byPts.keys()].sort((a, b) => a - b);
  const position = new Map(pts.map((p, i) => [p, i]));
  const rates: Block["rates"] = {};
  for (const [name, indices] of Object.entries(earlier?.rates ?? {})) {
    rates[name] = indices === "all" && pts.length === earlier!.ptsUs.length ? "all" : (indices === "all" ? [...earlier!.ptsUs] : indices.map((i) => earlier!.ptsUs[i]!)).map((p) => position.get(p)!);
  }
  if (covered) rates[rate] = mine.size === pts.length ? "all" : [...mine].map((p) => position.get(p)!);
  const failures = [...(earlier?.failures ?? []).filter((f) => !mine.has(f.ptsUs)), ...draft.failures];
  const values = pts.map((p) => byPts.get(p) ?? null);
  const first = values.find((v) => v !== null);
  const width = declaredWidth || (first instanceof Float32Array ? first.length : 0);
  const block: Block = { ptsUs: Float64Array.from(pts), width, rates, adler: lastAdler(pts.at(-1), earlier, draft), failures };
  if (columns) block.columns = columns;
  if (first instanceof Uint8Array) block.bytes = values.map((value) => (value as Uint8Array | null) ?? new Uint8Array(0));
  else {
    block.data = new Float32Array(pts.length * width);
    values.forEach((value, i) => value && block.data!.set(value as Float32Array, i * width));
  }
  return block;
}

/** A tap's rows, in order. null: another block. */
function blockOfRuns({ pts, runs, adler }: BlockDraft, rate: string, columns: readonly string[] | undefined): Block | null {
  if (runs.length === 0 || pts.length > 0) return null;
  const { ptsUs, data, width } = assemble(runs, 0, columns);
  for (let i = 1; i < ptsUs.length; i++) if (ptsUs[i]! <= ptsUs[i - 1]!) return null;
  return { ptsUs, width, rates: { [rate]: "all" }, adler, failures: [], ...(columns ? { columns } : {}), data: data! };
}

function rowByRow({ runs, ...draft }: BlockDraft): BlockDraft {
  const rows = runs.map(({ ptsUs, data, width }) => [...ptsUs].map((pts, i) => ({ pts, value: data.subarray(i * width, (i + 1) * width) }))).flat();
  return { ...draft, runs: [], pts: [...rows.map(({ pts }) => pts), ...draft.pts], values: [...rows.map(({ value }) => value), ...draft.values] };
}

/** What most blocks are: rows of numbers in order, nothing of another rate, nothing failed. null: another one. */
function blockOfRows({ pts, values, failures, adler }: BlockDraft, rate: string, declaredWidth: number, columns: readonly string[] | undefined): Block | null {
  const [first] = values;
  if (failures.length > 0 || !(first instanceof Float32Array)) return null;
  const width = declaredWidth || first.length;
  const data = new Float32Array(pts.length * width);
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < pts.length; i++) {
    const value = values[i];
    if (pts[i]! <= last || !(value instanceof Float32Array)) return null;
    last = pts[i]!;
    data.set(value, i * width);
  }
  return { ptsUs: Float64Array.from(pts), width, rates: { [rate]: "all" }, adler, failures: [], ...(columns ? { columns } : {}), data };
}

/** The checksum of the block's last frame, whichever rate it came from: a checksum of another frame would fail every seek. */
function lastAdler(lastUs: number | undefined, earlier: Block | undefined, draft: BlockDraft): number | null {
  if (lastUs === undefined) return null;
  if (draft.pts.at(-1) === lastUs) return draft.adler;
  return earlier?.ptsUs.at(-1) === lastUs ? earlier.adler : null;
}

/** One series of all pieces; a copy. `declaredWidth` 0: the port promises no length, the first value tells. */
export function assemble(pieces: readonly (Run | RowPiece)[], declaredWidth: number, columns: readonly string[] | undefined): Series {
  const rows = pieces.reduce((sum, { ptsUs }) => sum + ptsUs.length, 0);
  const filled = pieces.filter(({ ptsUs }) => ptsUs.length > 0);
  const width = declaredWidth || (filled[0] ? widthOf(filled[0]) : 0);
  const series: Series = { ptsUs: new Float64Array(rows), width };
  if (columns) series.columns = columns;
  if (filled[0] && "values" in filled[0] && filled[0].values[0] instanceof Uint8Array) series.bytes = [];
  else series.data = new Float32Array(rows * width);
  let at = 0;
  for (const piece of filled) {
    series.ptsUs.set(piece.ptsUs, at);
    if ("data" in piece) series.data!.set(piece.data, at * width);
    else for (let i = 0; i < piece.values.length; i++) series.bytes ? series.bytes.push(piece.values[i] as Uint8Array) : series.data!.set(piece.values[i] as Float32Array, (at + i) * width);
    at += piece.ptsUs.length;
  }
  return series;
}

/** Numbers in the first value; 0 for bytes. */
function widthOf(piece: Run | RowPiece): number {
  if ("data" in piece) return piece.width;
  const [first] = piece.values;
  return first instanceof Float32Array ? first.length : 0;
}
