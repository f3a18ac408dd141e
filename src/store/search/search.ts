import type { FlowRecord } from "../../contracts/index.js";
import type { Store } from "../store.js";
import { wordEvidence } from "./evidence.js";
import { parseQuery, type Term } from "./query.js";
import { rankVectors, type VectorQuery } from "./rank-vectors.js";
import { TextIndex } from "./text-index.js";

/** The space of BM25 over words, beside the vectors' names. */
export const WORDS_SPACE = "words";
/** Hits of one space that take part in the fusion, at least. */
const DEPTH = 200;

export interface SearchOptions {
  /** Words, "quoted phrases" (required), prefixes*. */
  text?: string;
  /** Vector name → the query as that space reads it; several (a picture and words in a space that reads both) are ranked each on its own. */
  vectors?: Record<string, VectorQuery | readonly VectorQuery[]>;
  where?: (record: FlowRecord) => boolean;
  /** Content ids. */
  media?: readonly string[];
  /** Also superseded media, whose files hold other bytes now; one that `media` names is always searched. */
  superseded?: boolean;
  /** Hits overlap [fromUs, toUs). */
  fromUs?: number;
  toUs?: number;
  /** Default 10. */
  top?: number;
  /** Only these spaces: vector names, or "words". */
  space?: readonly string[];
  /** Constant of reciprocal rank fusion; default 60. */
  k?: number;
  /** Fields whose text is searched, besides attributes; default every text field. */
  fulltext?: readonly string[];
  /** Weight of the words in the fusion; default 1. */
  wordsWeight?: number;
  /** Kinds of records whose words are searched; default all but media. */
  kinds?: readonly FlowRecord["kind"][];
  /** An index made before (`wordIndex`), for several searches of an unchanged store. */
  index?: TextIndex;
}

export interface SearchHit {
  id: string;
  kind: FlowRecord["kind"];
  media: string;
  uri: string;
  startUs: number;
  endUs: number;
  /** Σ weight / (k + rank) over `spaces`. */
  score: number;
  /** `score` here: BM25, or a calibrated similarity (0 = typical foreign pair, 1 = identical). */
  spaces: { name: string; rank: number; score: number }[];
  why: string;
  /** As in the record: models that stand-ins played for it. */
  mocked?: string[];
}

export interface SearchResult {
  hits: SearchHit[];
  /** Words and phrases of the query that no record has, as typed. */
  notUnderstood: string[];
  /** Why there is no hit. */
  reason?: string;
}

const TEXT_KINDS: readonly FlowRecord["kind"][] = ["scene", "frame", "detection", "item", "event"];

/** An index over the words of a store's records as they are now. */
export function wordIndex(store: Store, options: Pick<SearchOptions, "fulltext" | "kinds" | "media" | "superseded"> = {}): TextIndex {
  const hidden = store.superseded();
  const superseded = options.superseded === true || (options.media ?? []).some((id) => hidden.has(id));
  return new TextIndex(recordsOf(store, options.kinds ?? TEXT_KINDS, superseded), { fulltext: options.fulltext });
}

/**
 * Records that words and vectors give evidence for, fused by reciprocal ranks (Cormack, Clarke, Büttcher 2009). Without evidence there are no hits
 * and `reason` says why. Deterministic: equal scores in the order of medium, start, id.
 */
export function searchStore(store: Store, options: SearchOptions): SearchResult {
  const { top = 10, k = 60 } = options;
  const asked = (name: string): boolean => !options.space || options.space.includes(name);
  const admit = admission(store, options);
  const depth = Math.max(DEPTH, top * 4);
  const lists: Ranked[] = [];
  const reasons: string[] = [];
  let notUnderstood: string[] = [];
  let fulltext: ReadonlySet<string> | undefined;

  if (options.text !== undefined && asked(WORDS_SPACE)) {
    const query = parseQuery(options.text);
    const index = options.index ?? wordIndex(store, options);
    const result = index.search(query);
    ({ fulltext } = index);
    ({ notUnderstood } = result);
    const list = ranked(WORDS_SPACE, options.wordsWeight ?? 1, result.hits, admit, depth);
    lists.push(list);
    if (list.hits.length === 0) reasons.push(wordsReason(options.text, query.terms, query.stopWords, notUnderstood, result.hits.length));
  }
  for (const [name, query] of Object.entries(options.vectors ?? {}).flatMap(([name, queries]) => [queries].flat().map((query) => [name, query] as const))) {
    if (!asked(name)) continue;
    const result = rankVectors(store, name, query, options.media);
    const list = ranked(name, query.weight ?? 1, result.hits, admit, depth);
    lists.push(list);
    if (list.hits.length === 0) reasons.push(vectorReason(name, query, result.compared, result.foreignDims, result.hits.length));
  }
  if (lists.length === 0) reasons.push(options.space ? `None of the spaces asked (${options.space.join(", ")}) can read this query.` : "Nothing was asked: give words or a vector.");

  const hits = fuse(lists, k).slice(0, top).map((hit) => describe(store, hit, fulltext));
  return hits.length > 0 ? { hits, notUnderstood } : { hits, notUnderstood, reason: reasons.join(" ") };
}

interface Ranked {
  name: string;
  weight: number;
  hits: { record: FlowRecord; score: number; terms?: Term[] }[];
}

type Admit = (id: string) => FlowRecord | undefined;

/** The record of an id, if the filters let it through; each is read and judged once. */
function admission(store: Store, { where, media, fromUs, toUs, superseded }: SearchOptions): Admit {
  const hidden = superseded || media ? null : store.superseded();
  const known = new Map<string, FlowRecord | undefined>();
  const passes = (record: FlowRecord): boolean =>
    (media ? media.includes(record.media) : !hidden?.has(record.media)) &&
    (fromUs === undefined || record.endUs > fromUs || (record.endUs === record.startUs && record.startUs >= fromUs)) &&
    (toUs === undefined || record.startUs < toUs) &&
    (!where || where(record));
  return (id) => {
    if (!known.has(id)) {
      const record = store.getRecord(id);
      known.set(id, record && passes(record) ? record : undefined);
    }
    return known.get(id);
  };
}

function ranked(name: string, weight: number, hits: readonly { id: string; score: number; terms?: Term[] }[], admit: Admit, depth: number): Ranked {
  const list: Ranked = { name, weight, hits: [] };
  for (const { id, ...hit } of hits) {
    if (list.hits.length === depth) break;
    const record = admit(id);
    if (record) list.hits.push({ record, ...hit });
  }
  list.hits.sort((a, b) => b.score - a.score || order(a.record, b.record));
  return list;
}

const order = (a: FlowRecord, b: FlowRecord): number => compare(a.media, b.media) || a.startUs - b.startUs || compare(a.id, b.id);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

interface Fused {
  record: FlowRecord;
  score: number;
  spaces: SearchHit["spaces"];
  terms: Term[];
}

function fuse(lists: readonly Ranked[], k: number): Fused[] {
  const fused = new Map<string, Fused>();
  for (const { name, weight, hits } of lists) {
    hits.forEach(({ record, score, terms }, i) => {
      const entry = fused.get(record.id) ?? { record, score: 0, spaces: [], terms: [] };
      entry.score += weight / (k + i + 1);
      entry.spaces.push({ name, rank: i + 1, score });
      if (terms) entry.terms = terms;
      fused.set(record.id, entry);
    });
  }
  return [...fused.values()].sort((a, b) => b.score - a.score || order(a.record, b.record));
}

function describe(store: Store, { record, score, spaces, terms }: Fused, fulltext: ReadonlySet<string> | undefined): SearchHit {
  const parts = spaces.map((space) => (space.name === WORDS_SPACE ? wordEvidence(record, terms, fulltext) : `${space.name} ${Math.round(space.score * 100)} % alike`));
  const { id, kind, media, startUs, endUs, mocked } = record;
  return { id, kind, media, uri: store.getMedium(media)?.info.uri ?? "", startUs, endUs, score, spaces, why: parts.filter((part) => part !== "").join(" · "), ...(mocked && { mocked }) };
}

function wordsReason(text: string, terms: readonly Term[], stopWords: readonly string[], missing: readonly string[], found: number): string {
  if (terms.length === 0) return stopWords.length > 0 ? `“${stopWords.join(" ")}” alone says nothing to search for.` : `“${text}” has no word to search for.`;
  if (found > 0) return "The words are in records, but in none that the filters let through.";
  if (missing.length === terms.length) return `No record has ${missing.map((word) => `“${word}”`).join(", ")}.`;
  const phrases = terms.filter((term) => term.required);
  return `No record has ${phrases.map((term) => `“${term.text}”`).join(" together with ")}.`;
}

function vectorReason(name: string, { query }: VectorQuery, compared: number, foreignDims: number | null, found: number): string {
  if (found > 0) return `${name}: what is alike is in none of the records that the filters let through.`;
  if (compared > 0) return `${name}: nothing is more alike than two foreign ones are.`;
  if (query.every((value) => value === 0)) return `${name}: the query is empty (an all-zero vector).`;
  return foreignDims === null ? `${name}: the store has no such vectors.` : `${name}: the stored vectors have ${foreignDims} dims, the query ${query.length}.`;
}

function* recordsOf(store: Store, kinds: readonly FlowRecord["kind"][], superseded: boolean): IterableIterator<FlowRecord> {
  for (const kind of kinds) yield* store.records({ kind, superseded });
}
