import type { WorkerMessage } from "./decode-protocol.js";

const ROWS = 256;
const MAX_AGE_MS = 500;

/** Rows of one tap on their way to the main thread: sent when 256 are together or the first is half a second old. */
export class RowBatch {
  #pts = new Float64Array(ROWS);
  #data: Float32Array<ArrayBuffer>;
  #adler: Int32Array<ArrayBuffer> | null;
  #count = 0;
  #since = 0;

  constructor(
    readonly track: number,
    readonly tap: string,
    readonly columns: readonly string[],
    readonly withAdler: boolean,
    readonly post: (message: WorkerMessage, transfer: ArrayBuffer[]) => void,
  ) {
    this.#data = new Float32Array(ROWS * columns.length);
    this.#adler = withAdler ? new Int32Array(ROWS) : null;
  }

  /** Time of the oldest row not sent yet; Infinity when there is none. */
  get pendingUs(): number {
    return this.#count === 0 ? Infinity : (this.#pts[0] as number);
  }

  add(ptsUs: number, row: Float32Array, adler: number): void {
    if (this.#count === 0) this.#since = performance.now();
    this.#pts[this.#count] = ptsUs;
    this.#data.set(row, this.#count * this.columns.length);
    if (this.#adler) this.#adler[this.#count] = adler;
    this.#count++;
    if (this.#count === ROWS) this.flush();
  }

  flushOld(now: number): void {
    if (this.#count > 0 && now - this.#since >= MAX_AGE_MS) this.flush();
  }

  flush(): void {
    const n = this.#count;
    if (n === 0) return;
    const width = this.columns.length;
    const ptsUs = n === ROWS ? this.#pts : this.#pts.slice(0, n);
    const data = n === ROWS ? this.#data : this.#data.slice(0, n * width);
    const adler = this.#adler === null ? null : n === ROWS ? this.#adler : this.#adler.slice(0, n);
    const transfer = [ptsUs.buffer, data.buffer];
    if (adler) transfer.push(adler.buffer);
    this.post({ type: "rows", track: this.track, tap: this.tap, columns: this.columns, ptsUs, data, adler }, transfer);
    if (n === ROWS) {
      this.#pts = new Float64Array(ROWS);
      this.#data = new Float32Array(ROWS * width);
      if (this.withAdler) this.#adler = new Int32Array(ROWS);
    }
    this.#count = 0;
  }
}
