/** What nobody waits for is committed this much later, unless something goes before and takes it along. */
const WINDOW_MS = 100;
/** Memory of what waits is bounded by this and one value. */
const WAITING_BYTES = 1_000_000;

interface Waiting {
  body: () => void;
  resolve(): void;
  reject(cause: unknown): void;
}

/**
 * Group commit: what is written within a window is one transaction, since a transaction costs the event loop several wake-ups however little is in it. Order is kept,
 * across groups too. A body runs inside the transaction, reads what was written before it, and is as a whole in that transaction.
 */
export class GroupCommit {
  readonly #transaction: (body: () => void) => Promise<unknown>;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Immediate | null = null;

  constructor(transaction: (body: () => void) => Promise<unknown>) {
    this.#transaction = transaction;
  }

  /** With the next group. `bytes`: about what the body writes. The promise resolves when that is committed; it rejects when the body throws (what it wrote before stays) or the commit fails. */
  later(body: () => void, bytes: number): Promise<void> {
    const written = this.#add(body);
    this.#waitingBytes += bytes;
    if (this.#waitingBytes >= WAITING_BYTES) this.cut();
    else this.#timer ??= setTimeout(() => this.cut(), WINDOW_MS);
    return written;
  }

  /** At the end of this turn of the event loop, with all that waits. */
  now(body: () => void): Promise<void> {
    const written = this.#add(body);
    this.#soon ??= setImmediate(() => this.cut());
    return written;
  }

  /** What waits is committed next. */
  cut(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#soon !== null) clearImmediate(this.#soon);
    this.#timer = this.#soon = null;
    this.#waitingBytes = 0;
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    const bodies = (): void => {
      for (const { body, reject } of group) {
        try {
          body();
        } catch (cause) {
          reject(cause);
        }
      }
    };
    // What was rejected stays so.
    this.#transaction(bodies).then(
      () => group.forEach(({ resolve }) => resolve()),
      (cause: unknown) => group.forEach(({ reject }) => reject(cause)),
    );
  }

  #add(body: () => void): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ body, resolve, reject }));
  }
}
