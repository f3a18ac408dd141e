/**
 * One frame-level node over one medium: what arrives on the time grid (frames, audio windows, 100 ms rows), its results, and their blocks.
 *
 * Who paces: the decoder's ring (an item is open while its lease is). What bounds memory: open items ≤ slots; settled items stay only until
 * their block (16 s of the absolute grid) is committed, after which readers get them from the store. Who frees: `commit`.
 */
import type { Outcome, PlanNode, Series } from "../contracts/index.js";
import type { Block, Store } from "../store/index.js";
import type { Ledger } from "./ledger.js";

interface OpenItem {
  ptsUs: number;
  settled: boolean;
}

interface BlockDraft {
  pts: number[];
  values: (Float32Array | Uint8Array | null)[];
  failures: { ptsUs: number; outcome: Outcome }[];
  open: number;
  adler: number;
  committing: boolean;
}

/** Decoded blocks kept per stream, so that scene after scene does not unpack the same 16 s again. */
const CACHED_BLOCKS = 6;

export interface GridOptions {
  node: PlanNode;
  medium: string;
  /** "all" or frames a second, as the block's coverage names it. */
  rate: string;
  store: Store;
  blockUs: number;
  ledger: Ledger;
  /** Called whenever `settledUs` moved or a block was committed. */
  moved: () => void;
}

export class GridStream {
  readonly node: PlanNode;
  readonly rate: string;
  /** Items before this time are in the store for this rate; nothing before it has to be decoded for this node. */
  readonly resumeUs: number;
  /** The whole medium is in the store for this rate. */
  readonly complete: boolean;
  /** PTS and checksum of the last stored frame before `resumeUs`: how a seek is verified. */
  readonly verify: { ptsUs: number; adler: number } | null;

  private readonly drafts = new Map<number, BlockDraft>();
  private readonly open: OpenItem[] = [];
  private openHead = 0;
  private watermarkUs: number;
  private endedAtUs: number | null;
  private nextBlock: number;
  private readonly blockCache = new Map<number, Block | null>();
  private readonly writes = new Set<Promise<unknown>>();
  private failedItems = 0;

  constructor(private readonly options: GridOptions) {
    this.node = options.node;
    this.rate = options.rate;
    const { store, medium, node, blockUs } = options;
    let index = 0;
    let verify: { ptsUs: number; adler: number } | null = null;
    let rows = 0;
    for (const stored of store.listBlocks(medium, node.key)) {
      if (stored !== index) break;
      const block = store.getBlock(medium, node.key, index);
      const covered = block?.rates[this.rate];
      if (!block || covered === undefined) break;
      rows += covered === "all" ? block.ptsUs.length : covered.length;
      const last = block.ptsUs.at(-1);
      if (last !== undefined) verify = block.adler === null ? null : { ptsUs: last, adler: block.adler };
      index += 1;
    }
    const end = store.getGridEnd(medium, node.key, this.rate);
    this.complete = end !== undefined && index >= end.blocks;
    this.endedAtUs = this.complete ? end!.endUs : null;
    this.resumeUs = index * blockUs;
    this.nextBlock = index;
    this.verify = verify;
    this.watermarkUs = this.complete ? Number.POSITIVE_INFINITY : this.resumeUs;
    if (rows > 0) options.ledger.cached(node.name, rows);
  }

  /** End of the stream (µs), once known. */
  get endUs(): number | null {
    return this.endedAtUs;
  }

  /** Every item with pts below this has its outcome. */
  get settledUs(): number {
    const oldest = this.open[this.openHead];
    return oldest === undefined ? this.watermarkUs : Math.min(oldest.ptsUs, this.watermarkUs);
  }

  get finished(): boolean {
    return this.complete || (this.endedAtUs !== null && this.open.length === this.openHead && this.drafts.size === 0 && this.writes.size === 0);
  }

  /** A result stored earlier (by another rate of the same node) for exactly this frame. */
  stored(ptsUs: number): Float32Array | Uint8Array | null {
    const block = this.block(Math.floor(ptsUs / this.options.blockUs));
    const i = block ? indexOfPts(block.ptsUs, ptsUs) : -1;
    if (!block || i < 0 || block.failures.some((f) => f.ptsUs === ptsUs)) return null;
    return block.data ? block.data.slice(i * block.width, (i + 1) * block.width) : (block.bytes?.[i] ?? null);
  }

  /** An item arrived. Returns what must be called exactly once with its outcome; null when the item was settled before (pre-roll of another node). */
  take(ptsUs: number, adler: number): ((outcome: Outcome<Float32Array | Uint8Array>) => void) | null {
    if (ptsUs < this.resumeUs) return null;
    const { ledger, node } = this.options;
    ledger.open(node.name);
    const draft = this.draft(Math.floor(ptsUs / this.options.blockUs));
    draft.open += 1;
    draft.adler = adler;
    const position = draft.pts.length;
    draft.pts.push(ptsUs);
    draft.values.push(null);
    const item: OpenItem = { ptsUs, settled: false };
    this.open.push(item);
    return (outcome) => {
      if (item.settled) throw new Error(`${node.name}: two outcomes for the item at ${ptsUs} µs`);
      item.settled = true;
      ledger.close(node.name, outcome);
      if (outcome.kind === "done") draft.values[position] = outcome.value;
      else {
        draft.failures.push({ ptsUs, outcome });
        if (outcome.kind === "failed" && !outcome.permanent) this.failedItems += 1;
      }
      draft.open -= 1;
      this.advance();
    };
  }

  /** Rows of a tap: done as they come. */
  takeRows(series: Series, adler: Int32Array | null): void {
    const { blockUs, ledger, node } = this.options;
    let taken = 0;
    for (let i = 0; i < series.ptsUs.length; i++) {
      const ptsUs = series.ptsUs[i]!;
      if (ptsUs < this.resumeUs) continue;
      const draft = this.draft(Math.floor(ptsUs / blockUs));
      draft.pts.push(ptsUs);
      draft.values.push(series.data!.subarray(i * series.width, (i + 1) * series.width));
      draft.adler = adler?.[i] ?? 0;
      taken += 1;
    }
    if (taken > 0) ledger.done(node.name, taken);
  }

  watermark(ptsUs: number): void {
    if (ptsUs > this.watermarkUs) this.watermarkUs = ptsUs;
    this.advance();
  }

  end(endUs: number): void {
    this.endedAtUs = endUs;
    this.watermarkUs = Number.POSITIVE_INFINITY;
    this.advance();
  }

  /** Results with startUs ≤ pts < endUs at this node's rate; failed and skipped items are left out. */
  series(startUs: number, endUs: number): Series {
    const { blockUs } = this.options;
    const width = this.width();
    const pts: number[] = [];
    const values: (Float32Array | Uint8Array)[] = [];
    const lastBlock = Number.isFinite(endUs) ? Math.floor(Math.max(startUs, endUs - 1) / blockUs) : Math.max(this.nextBlock - 1, ...this.drafts.keys());
    for (let index = Math.floor(startUs / blockUs); index <= lastBlock; index++) {
      const draft = this.drafts.get(index);
      if (draft) {
        for (let i = 0; i < draft.pts.length; i++) {
          const value = draft.values[i];
          if (value && draft.pts[i]! >= startUs && draft.pts[i]! < endUs) pts.push(draft.pts[i]!), values.push(value);
        }
        continue;
      }
      const block = this.block(index);
      if (!block) continue;
      const covered = block.rates[this.rate] ?? [];
      const failed = new Set(block.failures.map((f) => f.ptsUs));
      const visit = (i: number): void => {
        const ptsUs = block.ptsUs[i]!;
        if (ptsUs < startUs || ptsUs >= endUs || failed.has(ptsUs)) return;
        pts.push(ptsUs);
        values.push(block.data ? block.data.subarray(i * block.width, (i + 1) * block.width) : block.bytes![i]!);
      };
      if (covered === "all") for (let i = 0; i < block.ptsUs.length; i++) visit(i);
      else for (const i of covered) visit(i);
    }
    return assemble(pts, values, width, this.columns());
  }

  /** Waits until everything settled so far is committed. */
  async flushed(): Promise<void> {
    while (this.writes.size > 0) await Promise.all(this.writes);
  }

  private columns(): readonly string[] | undefined {
    const run = this.node.op.run;
    return run.form === "tap" ? run.columns : undefined;
  }

  private width(): number {
    return this.columns()?.length ?? Object.values(this.node.outputs)[0]?.dims ?? 0;
  }

  private block(index: number): Block | null {
    const cached = this.blockCache.get(index);
    if (cached !== undefined) return cached;
    const block = this.options.store.getBlock(this.options.medium, this.node.key, index) ?? null;
    if (this.blockCache.size >= CACHED_BLOCKS) this.blockCache.delete(this.blockCache.keys().next().value!);
    this.blockCache.set(index, block);
    return block;
  }

  private draft(index: number): BlockDraft {
    let draft = this.drafts.get(index);
    if (!draft) this.drafts.set(index, (draft = { pts: [], values: [], failures: [], open: 0, adler: 0, committing: false }));
    return draft;
  }

  private advance(): void {
    while (this.openHead < this.open.length && this.open[this.openHead]!.settled) this.openHead += 1;
    if (this.openHead > 1024 && this.openHead * 2 > this.open.length) this.open.splice(0, this.openHead), (this.openHead = 0);
    const { blockUs } = this.options;
    // A block is whole when the stream has passed its end and each of its items has an outcome. Empty ones are written too: a gap is known, not missing.
    const ended = this.endedAtUs !== null;
    const lastDraft = Math.max(-1, ...this.drafts.keys());
    while (ended ? this.nextBlock <= Math.max(lastDraft, Math.ceil(this.endedAtUs! / blockUs) - 1) : this.watermarkUs >= (this.nextBlock + 1) * blockUs) {
      const draft = this.draft(this.nextBlock);
      if (draft.open > 0) break;
      this.commit(this.nextBlock, draft, ended);
      this.nextBlock += 1;
    }
    this.options.moved();
  }

  private commit(index: number, draft: BlockDraft, last: boolean): void {
    if (draft.committing) return;
    draft.committing = true;
    const { store, medium, node } = this.options;
    const earlier = store.getBlock(medium, node.key, index);
    const retryable = draft.failures.some((f) => f.outcome.kind === "failed" && !f.outcome.permanent);
    const block = mergeBlocks(earlier, draft, this.rate, this.width(), this.columns(), !retryable);
    const blocks = this.nextBlock + 1;
    const write = store.putBlock(medium, node.key, index, block).then(async () => {
      if (last && index === this.lastBlockIndex() && this.failedItems === 0) await store.putGridEnd(medium, node.key, this.rate, { endUs: this.endedAtUs!, blocks });
      this.blockCache.delete(index);
      this.drafts.delete(index);
    });
    this.writes.add(write);
    void write.finally(() => {
      this.writes.delete(write);
      this.options.moved();
    });
  }

  private lastBlockIndex(): number {
    return Math.max(this.nextBlock - 1, Math.ceil((this.endedAtUs ?? 0) / this.options.blockUs) - 1);
  }
}

function indexOfPts(ptsUs: Float64Array, wanted: number): number {
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

/** Union of what the block held (other rates) and what this run made; a failed item keeps a zero row, its pts stands in `failures`. */
function mergeBlocks(earlier: Block | undefined, draft: BlockDraft, rate: string, width: number, columns: readonly string[] | undefined, covered: boolean): Block {
  const byPts = new Map<number, Float32Array | Uint8Array | null>();
  if (earlier) earlier.ptsUs.forEach((ptsUs, i) => byPts.set(ptsUs, earlier.data ? earlier.data.subarray(i * earlier.width, (i + 1) * earlier.width) : (earlier.bytes?.[i] ?? null)));
  draft.pts.forEach((ptsUs, i) => {
    const value = draft.values[i];
    if (value || !byPts.has(ptsUs)) byPts.set(ptsUs, value ?? null);
  });
  const pts = [...byPts.keys()].sort((a, b) => a - b);
  const isBytes = [...byPts.values()].some((v) => v instanceof Uint8Array);
  const rates: Block["rates"] = {};
  const position = new Map(pts.map((p, i) => [p, i]));
  for (const [name, indices] of Object.entries(earlier?.rates ?? {})) {
    rates[name] = indices === "all" && pts.length === earlier!.ptsUs.length ? "all" : (indices === "all" ? [...earlier!.ptsUs] : indices.map((i) => earlier!.ptsUs[i]!)).map((p) => position.get(p)!);
  }
  if (covered) rates[rate] = draft.pts.length === pts.length ? "all" : draft.pts.map((p) => position.get(p)!);
  const failures = [...(earlier?.failures ?? []).filter((f) => !draft.pts.includes(f.ptsUs)), ...draft.failures];
  const block: Block = { ptsUs: Float64Array.from(pts), width, rates, adler: draft.pts.length > 0 ? draft.adler : null, failures };
  if (columns) block.columns = columns;
  if (isBytes) block.bytes = pts.map((p) => (byPts.get(p) as Uint8Array | null) ?? new Uint8Array(0));
  else {
    const data = new Float32Array(pts.length * width);
    pts.forEach((p, i) => {
      const value = byPts.get(p);
      if (value) data.set(value as Float32Array, i * width);
    });
    block.data = data;
  }
  return block;
}

function assemble(pts: number[], values: (Float32Array | Uint8Array)[], width: number, columns: readonly string[] | undefined): Series {
  const series: Series = { ptsUs: Float64Array.from(pts), width };
  if (columns) series.columns = columns;
  if (values[0] instanceof Uint8Array) series.bytes = values as Uint8Array[];
  else {
    series.data = new Float32Array(values.length * width);
    values.forEach((value, i) => series.data!.set(value as Float32Array, i * width));
  }
  return series;
}
