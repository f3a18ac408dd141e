/** A queue of several sources that takes turns, so that one with much to do cannot keep the others waiting. */

interface Line<T> {
  source: string;
  first: Entry<T>;
  last: Entry<T>;
}

interface Entry<T> {
  value: T;
  number: number;
  next: Entry<T> | null;
}

/**
 * Values go out round robin over the sources that wait, in the order in which those came; each source's own stay in their order. A source that comes, or
 * comes back, is behind those that wait: between two values of one source each other one gives at most one.
 */
export class Turns<T> {
  readonly #lines = new Map<string, Line<T>>();
  /** The same lines; whose turn it is comes first. */
  readonly #order: Line<T>[] = [];
  #count = 0;
  #added = 0;

  add(source: string, value: T): void {
    const entry: Entry<T> = { value, number: ++this.#added, next: null };
    this.#count++;
    const line = this.#lines.get(source);
    if (line) line.last = line.last.next = entry;
    else {
      const opened = { source, first: entry, last: entry };
      this.#lines.set(source, opened);
      this.#order.push(opened);
    }
  }

  /** The next `count`, or all if there are fewer. */
  take(count: number): T[] {
    const taken: T[] = [];
    while (taken.length < count) {
      const line = this.#order.shift();
      if (!line) break;
      const { value, next } = line.first;
      taken.push(value);
      if (next) {
        line.first = next;
        this.#order.push(line);
      } else this.#lines.delete(line.source);
    }
    this.#count -= taken.length;
    return taken;
  }

  /** Values that wait. */
  get count(): number {
    return this.#count;
  }

  /** Values that ever came; the number of the latest. */
  get added(): number {
    return this.#added;
  }

  /** The number of the value that has waited longest; Infinity when none waits. */
  get oldest(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { first } of this.#order) oldest = Math.min(oldest, first.number);
    return oldest;
  }
}
