const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * Words ↔ ids. A hash table over the characters of the text itself (FNV-1a, linear probing): a Map would need a string of its own for each
 * of millions of tokens, all but the new ones garbage.
 */
export class WordTable {
  private readonly words: string[] = [];
  private readonly hashes: number[] = [];
  /** Id + 1; 0 is free. At most half full. */
  private slots = new Int32Array(1 << 12);

  get size(): number {
    return this.words.length;
  }

  /** Id of the word text[from, to), which is added if it is new. */
  add(text: string, from: number, to: number): number {
    const hash = hashOf(text, from, to);
    const slot = this.slot(hash, text, from, to);
    const known = this.slots[slot]!;
    if (known > 0) return known - 1;
    this.words.push(text.slice(from, to));
    this.hashes.push(hash);
    this.slots[slot] = this.words.length;
    if (this.words.length * 2 > this.slots.length) this.grow();
    return this.words.length - 1;
  }

  /** −1: no text has this word. */
  find(word: string): number {
    return this.slots[this.slot(hashOf(word, 0, word.length), word, 0, word.length)]! - 1;
  }

  all(): readonly string[] {
    return this.words;
  }

  private slot(hash: number, text: string, from: number, to: number): number {
    const mask = this.slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.slots[slot]! - 1;
      if (id < 0) return slot;
      const word = this.words[id]!;
      if (this.hashes[id] === hash && word.length === to - from && text.startsWith(word, from)) return slot;
    }
  }

  private grow(): void {
    this.slots = new Int32Array(this.slots.length * 2);
    const mask = this.slots.length - 1;
    this.hashes.forEach((hash, id) => {
      let slot = hash & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = id + 1;
    });
  }
}

function hashOf(text: string, from: number, to: number): number {
  let hash = FNV_OFFSET;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  // The low bits choose the slot: let the high ones take part.
  return (hash ^ (hash >>> 15)) & 0x3fffffff;
}
