/**
 * One frame-level node over one medium: what arrives on the time grid (frames, audio windows, 100 ms rows), its results, and their blocks.
 *
 * Who paces: the decoder's ring (an item is open while its lease is). What bounds memory: open items ≤ slots; settled items stay only until
 * their block (16 s of the absolute grid) is committed, after which readers get them from the store. Who frees: `commit`.
 */
import type { Outcome, PlanNode, Series } from "../contracts/index.js";
import type { Block, Store } from "../store/index.js";
import { assemble, coverage, indexOfPts, mergeBlocks, newDraft, pieceOfBlock, piecesOfDraft, valueAt, type BlockDraft, type Piece } from "./blocks.js";
import type { Ledger } from "./ledger.js";

export type GridOutcome = Outcome<Float32Array | Uint8Array>;

interface OpenItem {
  ptsUs: number;
  settled: boolean;
}

/** Blocks kept per stream as they were made or read, so that scene after scene does not unpack the same 16 s again. */
const CACHED_BLOCKS = 6;

export interface GridOptions {
  node: PlanNode;
  /** Under what its blocks are stored. */
  key: string;
  medium: string;
  /** "all" or frames a second, as the block's coverage names it. */
  rate: string;
  store: Store;
  blockUs: number;
  ledger: Ledger;
  /** Called whenever `settledUs` moved or a block was committed. */
  moved: () => void;
  /** A block could not be written: going on would only fill memory. */
  broken: (error: unknown) => void;
}

export class GridStream {
  readonly node: PlanNode;
  readonly rate: string;
  /** Items before this time are in the store for this rate; nothing before it has to be decoded for this node. */
  readonly resumeUs: number;
  /** The whole medium is in the store for this rate. */
  readonly complete: boolean;
  /** Items in the store that failed for good. */
  readonly failures: readonly { ptsUs: number; outcome: Outcome }[];

  private readonly drafts = new Map<number, BlockDraft>();
  private readonly open: OpenItem[] = [];
  private openHead = 0;
  private watermarkUs: number;
  private endedAtUs: number | null;
  private nextBlock: number;
  private endMarked: boolean;
  private readonly blockCache = new Map<number, Block | null>();
  private readonly writes = new Set<Promise<unknown>>();
  private retryable = 0;
  /** Items at this rate without a result because they failed, in this run or for good in an earlier one. */
  failedItems = 0;

  constructor(private readonly options: GridOptions) {
    this.node = options.node;
    this.rate = options.rate;
    const { store, medium, key, blockUs, ledger } = options;
    const { blocks: index, rows, failures } = coverage(store, medium, key, this.rate);
    const end = store.getGridEnd(medium, key, this.rate);
    this.complete = end !== undefined && index >= end.blocks;
    this.endMarked = this.complete;
    this.endedAtUs = this.complete ? end!.endUs : null;
    this.resumeUs = index * blockUs;
    this.nextBlock = index;
    this.failures = failures;
    this.failedItems = failures.length;
    this.watermarkUs = this.complete ? Number.POSITIVE_INFINITY : this.resumeUs;
    if (rows > 0) ledger.cached(this.node.name, rows);
    for (const { outcome } of failures) {
      ledger.open(this.node.name);
      ledger.close(this.node.name, outcome);
    }
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

  /**
   * PTS and checksum of the last stored frame before `fromUs`, a boundary of blocks at or before `resumeUs`: how a seek is verified. Null when
   * no frame of this rate with a checksum lies there.
   */
  witness(fromUs: number): { ptsUs: number; adler: number } | null {
    for (let index = Math.floor(Math.min(fromUs, this.resumeUs) / this.options.blockUs) - 1; index >= 0; index--) {
      const block = this.block(index);
      if (!block || block.ptsUs.length === 0 || block.adler === null) continue;
      const last = block.ptsUs.length - 1;
      // The checksum is of the last frame of all rates; at this one it may never be seen.
      const covered = block.rates[this.rate];
      if (covered === "all" || covered?.at(-1) === last) return { ptsUs: block.ptsUs[last]!, adler: block.adler };
    }
    return null;
  }

  /** An outcome stored earlier (by another rate of the same node) for exactly this frame; null: it has to be made. */
  stored(ptsUs: number): GridOutcome | null {
    const block = this.block(Math.floor(ptsUs / this.options.blockUs));
    const i = block ? indexOfPts(block.ptsUs, ptsUs) : -1;
    if (!block || i < 0) return null;
    const failure = block.failures.find((f) => f.ptsUs === ptsUs);
    if (!failure) return { kind: "done", value: valueAt(block, i).slice(), cached: true };
    return failure.outcome.kind === "failed" && failure.outcome.permanent ? failure.outcome : null;
  }

  /** An item arrived. Returns what must be called exactly once with its outcome; null when the item was settled before (pre-roll of another node). */
  take(ptsUs: number, adler: number): ((outcome: GridOutcome) => void) | null {
    if (ptsUs < this.resumeUs) return null;
    const { ledger, node } = this.options;
    const index = Math.floor(ptsUs / this.options.blockUs);
    ledger.open(node.name);
    if (index < this.nextBlock) {
      ledger.close(node.name, LATE);
      return null;
    }
    const draft = this.draft(index);
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
        if (outcome.kind === "failed") this.failedItems += 1;
        if (outcome.kind === "failed" && !outcome.permanent) this.retryable += 1;
      }
      draft.open -= 1;
      this.advance();
    };
  }

  /** Rows of a tap: done as they come. Kept as they came, in runs of one block. */
  takeRows({ ptsUs, data, width }: Series, adler: Int32Array | null): void {
    const { blockUs, ledger, node } = this.options;
    let taken = 0;
    for (let from = 0, to; from < ptsUs.length; from = to) {
      const index = Math.floor(ptsUs[from]! / blockUs);
      for (to = from + 1; to < ptsUs.length && Math.floor(ptsUs[to]! / blockUs) === index; ) to += 1;
      // Stored by an earlier run: whole blocks.
      if (ptsUs[from]! < this.resumeUs) continue;
      if (index < this.nextBlock) {
        for (let i = from; i < to; i++) {
          ledger.open(node.name);
          ledger.close(node.name, LATE);
        }
        continue;
      }
      const draft = this.draft(index);
      draft.runs.push({ ptsUs: ptsUs.subarray(from, to), data: data!.subarray(from * width, to * width), width });
      draft.adler = adler?.[to - 1] ?? 0;
      taken += to - from;
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

  /**
   * The decode broke off: what is settled of open blocks is kept. Such a block covers no rate, so the next run decodes its 16 s again, and finds
   * the results made. A tap's rows cost nothing but that decode.
   */
  breakOff(): void {
    if (this.endedAtUs !== null || this.node.op.run.form !== "batch") return;
    for (const [index, draft] of this.drafts) if (index >= this.nextBlock && draft.open === 0) this.commit(index, draft, false);
  }

  /** Results with startUs ≤ pts < endUs at this node's rate; failed and skipped items are left out. */
  series(startUs: number, endUs: number): Series {
    return assemble([...this.pieces(startUs, endUs)], this.width(), this.columns());
  }

  /** The same, block by block: for readers of a whole medium. */
  *parts(startUs: number, endUs: number): Generator<Series> {
    for (const piece of this.pieces(startUs, endUs)) if (piece.ptsUs.length > 0) yield assemble([piece], this.width(), this.columns());
  }

  /** Items of the interval without a result because they failed. */
  failedIn(startUs: number, endUs: number): number {
    let failed = 0;
    for (const piece of this.pieces(startUs, endUs)) failed += piece.failed;
    return failed;
  }

  /** Waits until everything settled so far is committed. @throws FlowError STORE_WRITE_FAILED */
  async flushed(): Promise<void> {
    while (this.writes.size > 0) await Promise.all(this.writes);
  }

  private *pieces(startUs: number, endUs: number): Generator<Piece> {
    const { blockUs } = this.options;
    const lastBlock = Number.isFinite(endUs) ? Math.floor(Math.max(startUs, endUs - 1) / blockUs) : Math.max(this.nextBlock - 1, ...this.drafts.keys());
    for (let index = Math.floor(startUs / blockUs); index <= lastBlock; index++) {
      const draft = this.drafts.get(index);
      const block = draft ? null : this.block(index);
      if (draft) yield* piecesOfDraft(draft, startUs, endUs);
      else if (block) yield pieceOfBlock(block, this.rate, startUs, endUs);
    }
  }

  private columns(): readonly string[] | undefined {
    const run = this.node.op.run;
    return run.form === "tap" ? run.columns : undefined;
  }

  /** 0: the port promises no length; the first value tells. */
  private width(): number {
    return this.columns()?.length ?? Object.values(this.node.outputs)[0]?.dims ?? 0;
  }

  private block(index: number): Block | null {
    const cached = this.blockCache.get(index);
    if (cached !== undefined) return cached;
    return this.remember(index, this.options.store.getBlock(this.options.medium, this.options.key, index) ?? null);
  }

  private remember(index: number, block: Block | null): Block | null {
    this.blockCache.delete(index);
    if (this.blockCache.size >= CACHED_BLOCKS) this.blockCache.delete(this.blockCache.keys().next().value!);
    this.blockCache.set(index, block);
    return block;
  }

  private draft(index: number): BlockDraft {
    let draft = this.drafts.get(index);
    if (!draft) this.drafts.set(index, (draft = newDraft()));
    return draft;
  }

  private advance(): void {
    while (this.openHead < this.open.length && this.open[this.openHead]!.settled) this.openHead += 1;
    if (this.openHead > 1024 && this.openHead * 2 > this.open.length) this.open.splice(0, this.openHead), (this.openHead = 0);
    const { blockUs } = this.options;
    // A block is whole when the stream has passed its end and each of its items has an outcome. Empty ones are written too: a gap is known, not missing.
    const last = this.endedAtUs === null ? Math.floor(this.watermarkUs / blockUs) - 1 : Math.max(...this.drafts.keys(), Math.ceil(this.endedAtUs / blockUs) - 1);
    while (!this.complete && this.nextBlock <= last) {
      const draft = this.draft(this.nextBlock);
      if (draft.open > 0) break;
      this.commit(this.nextBlock, draft);
      this.nextBlock += 1;
    }
    if (this.endedAtUs !== null && this.nextBlock > last) this.markEnd(this.endedAtUs);
    this.options.moved();
  }

  /** `whole`: nothing of the block is still to come. */
  private commit(index: number, draft: BlockDraft, whole = true): void {
    const { store, medium, key } = this.options;
    const retryable = draft.failures.some((f) => f.outcome.kind === "failed" && !f.outcome.permanent);
    const block = mergeBlocks(store.getBlock(medium, key, index), draft, this.rate, this.width(), this.columns(), whole && !retryable);
    this.write(
      store.putBlock(medium, key, index, block).then(() => {
        // Scenes read it next.
        this.remember(index, block);
        this.drafts.delete(index);
      }),
    );
  }

  /** Behind the blocks in the store's queue, so it is never there without them. A medium without a single item has a mark and no block. */
  private markEnd(endUs: number): void {
    if (this.endMarked || this.retryable > 0) return;
    this.endMarked = true;
    const { store, medium, key } = this.options;
    this.write(store.putGridEnd(medium, key, this.rate, { endUs, blocks: this.nextBlock }));
  }

  private write(write: Promise<void>): void {
    this.writes.add(write);
    const settled = (): void => {
      this.writes.delete(write);
      this.options.moved();
    };
    write.then(settled, (error: unknown) => {
      this.options.broken(error);
      settled();
    });
  }
}

/** Timestamps that run backwards over a whole block: its results are stored, this one cannot join them. */
const LATE: GridOutcome = { kind: "dropped", reason: "timestamp behind what is stored" };
