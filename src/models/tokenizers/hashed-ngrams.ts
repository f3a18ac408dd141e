/**
 * Text as a hashed bag: `dims` numbers, each the signed sum of the words, word pairs and 3- and 4-letter pieces that hash there (Weinberger et al.
 * 2009, feature hashing; the pieces as in fastText). Reads letters and digits of any script, blind to case and accents. Counts are damped by a square
 * root. No letters or digits: all zeros. It knows spelling, not meaning.
 */
export function hashedNgrams(text: string, dims: number): Float32Array {
  const words = text.normalize('NFKD').replace(/\p{M}+/gu, '').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const counts = new Map<string, number>();
  const count = (gram: string, weight: number): void => void counts.set(gram, (counts.get(gram) ?? 0) + weight * weight);
  words.forEach((word, i) => {
    const weight = wordWeight(word);
    count(`w:${word}`, weight);
    const next = words[i + 1];
    if (next !== undefined) count(`b:${word} ${next}`, 0.5 * Math.min(weight, wordWeight(next)));
    const letters = [...`^${word}$`];
    for (const size of [3, 4]) {
      const pieces = letters.length - size + 1;
      // All pieces of a word together weigh less than the word: "running" is near "runner", but nearer to "running".
      for (let k = 0; k < pieces; k++) count(`c:${letters.slice(k, k + size).join('')}`, (0.5 * weight) / Math.sqrt(pieces));
    }
  });
  const bag = new Float32Array(dims);
  for (const [gram, squared] of counts) {
    const hash = fnv1a(gram);
    const slot = hash % dims;
    // The top bit is far from those that the remainder uses, so sign and slot are independent and collisions cancel on average.
    bag[slot] = bag[slot]! + (hash >>> 31 === 1 ? -1 : 1) * Math.sqrt(squared);
  }
  return bag;
}

/** Short words are mostly grammar, in any language that separates words; ideographs are words of one letter and keep their weight. */
function wordWeight(word: string): number {
  if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{N}]/u.test(word)) return 1;
  return word.length <= 2 ? 0.3 : word.length === 3 ? 0.6 : 1;
}

/** FNV-1a over UTF-8, with the final mix of MurmurHash3: plain FNV leaves the high bits of short strings poorly spread. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
