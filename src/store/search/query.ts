import { STOP_WORDS, tokenise, type Token } from "./tokenise.js";

/** One thing to look for: words that stand side by side, the last one perhaps only begun. */
export interface Term {
  words: string[];
  /** The last word is a prefix (light*). */
  prefix: boolean;
  /** Quoted: a record without it is no hit of the words. */
  required: boolean;
  /** As it was typed, for `notUnderstood`. */
  text: string;
}

export interface Query {
  terms: Term[];
  /** Neighbours of the query, outside quotes: a record that has them side by side too ranks higher. */
  neighbours: Term[];
  /** Words that were left out because they alone say nothing. */
  stopWords: string[];
}

const CHUNK = /["“”„«»]([^"“”„«»]*)(?:["“”„«»]|$)(\*?)|[^\s"“”„«»]+/gu;

/** Words, "quoted phrases", prefixes*. Never throws: what is no word is left out. */
export function parseQuery(text: string): Query {
  const query: Query = { terms: [], neighbours: [], stopWords: [] };
  let previous: Term | null = null;
  for (const match of text.matchAll(CHUNK)) {
    const phrase = match[1];
    if (phrase !== undefined) {
      previous = null;
      addPhrase(query, phrase, match[2] === "*" || phrase.trimEnd().endsWith("*"));
      continue;
    }
    const chunk = match[0];
    const groups = adjoining(tokenise(chunk));
    groups.forEach((group, i) => {
      const words = group.map((token) => token.word);
      const prefix = i === groups.length - 1 && chunk.endsWith("*");
      const typed = chunk.slice(group[0]!.start, group.at(-1)!.end) + (prefix ? "*" : "");
      if (!prefix && words.every((word) => STOP_WORDS.has(word))) {
        query.stopWords.push(typed);
        previous = null;
        return;
      }
      const term: Term = { words, prefix, required: false, text: typed };
      if (!query.terms.some((known) => known.text === typed && !known.required)) query.terms.push(term);
      if (previous && !previous.prefix) query.neighbours.push({ words: [...previous.words, ...words], prefix, required: false, text: `${previous.text} ${typed}` });
      previous = term;
    });
  }
  return query;
}

function addPhrase(query: Query, phrase: string, prefix: boolean): void {
  const words = tokenise(phrase).map((token) => token.word);
  if (words.length === 0) return;
  if (!prefix && words.every((word) => STOP_WORDS.has(word))) query.stopWords.push(phrase.trim());
  else query.terms.push({ words, prefix, required: true, text: phrase.trim() });
}

/** Tokens with nothing between them (a run of Han characters) belong together. */
function adjoining(tokens: readonly Token[]): Token[][] {
  const groups: Token[][] = [];
  for (const token of tokens) {
    const last = groups.at(-1);
    if (last && last.at(-1)!.end === token.start) last.push(token);
    else groups.push([token]);
  }
  return groups;
}
