/*
 * A ring of slots in shared memory. The media worker fills a slot and lends it; the main thread frees it by writing its state and waking the
 * worker. Bounds memory: a worker without a free slot stops reading its pipe, and the full pipe stops ffmpeg.
 */
const FREE = 0;
const LENT = 1;
const ALIGN = 64;
/** Rings up to this are touched as a whole at the start. */
const TOUCHED_BYTES = 32 << 20;

export interface RingMemory {
  data: SharedArrayBuffer;
  /** [0] counts releases (what a waiting worker sleeps on), [1 + i] is the state of slot i. */
  state: SharedArrayBuffer;
  slots: number;
  strideBytes: number;
}

export function createRing(slots: number, slotBytes: number): RingMemory {
  const strideBytes = Math.ceil(slotBytes / ALIGN) * ALIGN;
  return { data: new SharedArrayBuffer(slots * strideBytes), state: new SharedArrayBuffer(4 * (slots + 1)), slots, strideBytes };
}

/** Gives a slot back; false when it was free already. */
export function releaseSlot(ring: RingMemory, slot: number): boolean {
  const state = new Int32Array(ring.state);
  if (Atomics.compareExchange(state, 1 + slot, LENT, FREE) !== LENT) return false;
  Atomics.add(state, 0, 1);
  Atomics.notify(state, 0);
  return true;
}

/** A page for every so many bytes, or more. */
const PAGE_BYTES = 4096;

/**
 * The system gives a page when it is first written: what a run takes is then there at once, and not when in its fortieth minute all slots happen to be
 * lent for the first time. Writes what is there: a second attempt's writer finds frames of the first that are still being read.
 */
function touch(data: SharedArrayBuffer): void {
  const bytes = new Uint8Array(data);
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) Atomics.or(bytes, at, 0);
}

/** The worker's end. */
export class RingWriter {
  readonly #state: Int32Array;

  constructor(readonly memory: RingMemory) {
    this.#state = new Int32Array(memory.state);
    if (memory.data.byteLength <= TOUCHED_BYTES) touch(memory.data);
  }

  /** The lowest free slot, taken; −1 when all are lent. Lowest: pages of slots of a large ring that are never needed at once are never touched, and cost nothing. */
  take(): number {
    const { slots } = this.memory;
    for (let slot = 0; slot < slots; slot++) if (Atomics.compareExchange(this.#state, 1 + slot, FREE, LENT) === FREE) return slot;
    return -1;
  }

  /** Puts back a slot that was taken and never lent. */
  putBack(slot: number): void {
    Atomics.store(this.#state, 1 + slot, FREE);
  }

  /** Number of releases so far: read it before the failed take() that leads to waitForRelease. */
  get releases(): number {
    return Atomics.load(this.#state, 0);
  }

  /** Resolves when the release count has moved on from `seen`. */
  async waitForRelease(seen: number): Promise<void> {
    const result = Atomics.waitAsync(this.#state, 0, seen);
    if (result.async) await result.value;
  }
}
