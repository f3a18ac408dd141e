/** Scripts without spaces between words: each character is a token, and a run of them in a query is a phrase. */
const UNSPACED = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const TOKEN = new RegExp(`[${UNSPACED}]|(?:(?![${UNSPACED}])[\\p{L}\\p{N}\\p{M}])+`, "gu");
const DIACRITICS = /[\u0300-\u036f]/g;
const ASCII_ONLY = /^[\x00-\x7f]*$/;
/** Letters that no Unicode decomposition takes apart. */
const LETTERS: Record<string, string> = { ß: "ss", æ: "ae", œ: "oe", ø: "o", đ: "d", ð: "d", ł: "l", ı: "i", þ: "th" };
const LETTER = new RegExp(`[${Object.keys(LETTERS).join("")}]`, "g");

/** English words that say nothing about a scene. Alone they are no evidence; inside a quoted phrase they keep their place. */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  ("a an the and or but nor so if then than as of to in on at by for from with into onto up over out off about is are was were be been being am do does did done has have had having " +
    "it its he him his she her hers they them their theirs we us our ours you your yours i me my mine this that these those there here what which who whom whose when where why how not no " +
    "can could will would shall should may might must just also too very s t d ll re ve m")
    .split(" "),
);

/** Lower case, compatibility forms unified, diacritics removed. */
export function foldWord(word: string): string {
  if (ASCII_ONLY.test(word)) return word.toLowerCase();
  return word.normalize("NFKD").replace(DIACRITICS, "").toLowerCase().replace(LETTER, (letter) => LETTERS[letter] ?? letter).normalize("NFC");
}

/**
 * Calls `visit` for each word in order: the folded word is folded[from, to), and stands at [start, end) in `text` (UTF-16 units). Spans and no strings:
 * an index sees millions of words, few of them new.
 */
export function eachWord(text: string, visit: (folded: string, from: number, to: number, start: number, end: number) => void): void {
  if (!ASCII_ONLY.test(text)) {
    for (const match of text.matchAll(TOKEN)) {
      const word = foldWord(match[0]);
      visit(word, 0, word.length, match.index, match.index + match[0].length);
    }
    return;
  }
  // Nearly all text of a store: no match objects, no substrings.
  const lower = text.toLowerCase();
  let start = -1;
  for (let i = 0; i <= lower.length; i++) {
    const code = i < lower.length ? lower.charCodeAt(i) : 32;
    const inWord = (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
    if (inWord && start < 0) start = i;
    else if (!inWord && start >= 0) {
      visit(lower, start, i, start, i);
      start = -1;
    }
  }
}

export interface Token {
  word: string;
  start: number;
  end: number;
}

export function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  eachWord(text, (folded, from, to, start, end) => tokens.push({ word: folded.slice(from, to), start, end }));
  return tokens;
}
