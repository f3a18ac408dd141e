/** One read of a pipe takes at most this much: more than a pipe holds, so that one system call empties it. */
const READ_BYTES = 256 * 1024;

/**
 * What was read of one pipe and is not consumed yet: a ring of whole units (frames; for a stream of bytes: 1), read in place. The pipe's data goes
 * straight into it, so a byte is copied once, by the kernel, and nothing is allocated while a medium runs.
 *
 * It lets ffmpeg run ahead while a frame is being worked on. Whoever fills it stops the pipe when `hasRoom` says so; whoever empties it starts it again.
 */
export class PipeQueue {
  readonly #memory: Uint8Array;
  readonly #unitBytes: number;
  readonly #spilled: Uint8Array[] = [];
  #spilledOffset = 0;
  /** Counted from the start of the stream; the place in memory is the remainder. */
  #written = 0;
  #read = 0;

  /** Holds at least one unit beside one read, else `wantedBytes`. */
  constructor(unitBytes: number, wantedBytes: number) {
    this.#unitBytes = unitBytes;
    const units = Math.max(Math.ceil(READ_BYTES / unitBytes) + 1, Math.floor(wantedBytes / unitBytes));
    this.#memory = new Uint8Array(units * unitBytes);
  }

  get #nextBytes(): number {
    const { length } = this.#memory;
    return Math.min(length - (this.#written % length), READ_BYTES);
  }

  /** Where the next read goes. */
  target(): Uint8Array {
    const at = this.#written % this.#memory.length;
    return this.#memory.subarray(at, at + this.#nextBytes);
  }

  wrote(bytes: number): void {
    this.#written += bytes;
  }

  /** All of `target()` is free. */
  get hasRoom(): boolean {
    return this.#memory.length - (this.#written - this.#read) >= this.#nextBytes;
  }

  /** There is something to peek at. */
  get ready(): boolean {
    return this.#written - this.#read >= this.#unitBytes || this.#spilled.length > 0;
  }

  /** Received in all, bytes. */
  get received(): number {
    return this.#written;
  }

  /** The oldest unit (of a stream of bytes: as many as lie in a row), valid until `consumed`; null when there is none. */
  peek(): Uint8Array | null {
    const [oldest] = this.#spilled;
    if (oldest) return this.#spilledOffset === 0 ? oldest : oldest.subarray(this.#spilledOffset);
    return this.#front();
  }

  consumed(bytes: number): void {
    const [oldest] = this.#spilled;
    if (!oldest) this.#read += bytes;
    else if ((this.#spilledOffset += bytes) === oldest.length) {
      this.#spilled.shift();
      this.#spilledOffset = 0;
    }
  }

  /** Copies what is queued out of the ring's way: for a consumer that may not go on before another pipe has been read further. */
  spill(): void {
    for (let front = this.#front(); front !== null; front = this.#front()) {
      this.#spilled.push(front.slice());
      this.#read += front.length;
    }
  }

  #front(): Uint8Array | null {
    const { length } = this.#memory;
    const queued = this.#written - this.#read;
    const at = this.#read % length;
    const bytes = this.#unitBytes === 1 ? Math.min(queued, length - at) : queued < this.#unitBytes ? 0 : this.#unitBytes;
    return bytes === 0 ? null : this.#memory.subarray(at, at + bytes);
  }
}
