import type { FlowRecord } from "../../contracts/index.js";
import type { Term } from "./query.js";
import { recordTexts } from "./record-texts.js";
import { tokenise, type Token } from "./tokenise.js";

const WORDS_AROUND = 8;

/** Where the terms stand in the record: `transcript “…a red car drives…” (red, car) · attributes: night (dark)`. One quotation a field. */
export function wordEvidence(record: FlowRecord, terms: readonly Term[], fulltext?: ReadonlySet<string>): string {
  const parts: string[] = [];
  for (const { field, pieces, measured } of recordTexts(record, fulltext)) {
    const found = pieces.map((piece) => ({ piece, ...matches(piece, terms) })).filter(({ words }) => words.length > 0);
    const best = found.sort((a, b) => b.words.length - a.words.length)[0];
    if (!best) continue;
    const words = [...new Set((measured ? found : [best]).flatMap((entry) => entry.words))].join(", ");
    parts.push(measured ? `${field}: ${words}` : `${field} “${snippet(best.piece, best.tokens, best.first)}” (${words})`);
  }
  return parts.join(" · ");
}

/** The words of a text that a term matched, as they stand there. */
function matches(text: string, terms: readonly Term[]): { words: string[]; tokens: Token[]; first: number } {
  const tokens = tokenise(text);
  const words: string[] = [];
  let first = -1;
  for (const term of terms) {
    const at = tokens.findIndex((_, i) => startsAt(tokens, i, term));
    if (at < 0) continue;
    words.push(text.slice(tokens[at]!.start, tokens[at + term.words.length - 1]!.end));
    if (first < 0 || at < first) first = at;
  }
  return { words, tokens, first };
}

const startsAt = (tokens: readonly Token[], at: number, { words, prefix }: Term): boolean =>
  words.every((word, i) => {
    const token = tokens[at + i]?.word;
    return token !== undefined && (prefix && i === words.length - 1 ? token.startsWith(word) : token === word);
  });

function snippet(text: string, tokens: readonly Token[], first: number): string {
  const from = Math.max(0, first - WORDS_AROUND);
  const to = Math.min(tokens.length - 1, first + WORDS_AROUND);
  const start = from === 0 ? 0 : tokens[from]!.start;
  const end = to === tokens.length - 1 ? text.length : tokens[to]!.end;
  return `${from > 0 ? "…" : ""}${text.slice(start, end).replace(/\s+/g, " ").trim()}${end < text.length ? "…" : ""}`;
}
