import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { FlowRecord, MediumInfo } from "../../src/contracts/index.js";
import { Store, searchStore, wordIndex, type SearchOptions } from "../../src/store/index.js";
import { parseQuery } from "../../src/store/search/query.js";
import { TextIndex } from "../../src/store/search/text-index.js";
import { foldWord, tokenise } from "../../src/store/search/tokenise.js";

async function inStore<T>(work: (store: Store) => Promise<T> | T): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "flow-search-"));
  const store = await Store.open(dir);
  try {
    return await work(store);
  } finally {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  }
}

const info = (id: string): MediumInfo => ({ id, uri: `/videos/${id}.mp4`, name: `${id}.mp4`, kind: "video", container: "mp4", sizeBytes: 1, durationUs: 1, startUs: 0, video: null, audio: null, subtitles: [], memoisable: true });
const SECOND = 1_000_000;
let made = 0;
const scene = (media: string, second: number, fields: Record<string, unknown>, endSecond = second + 1): FlowRecord => ({
  kind: "scene", id: (made++).toString(16).padStart(16, "0"), parent: media, media, startUs: second * SECOND, endUs: endSecond * SECOND, fields, vectors: {}, outcome: "done",
});

async function fill(store: Store, rows: { record: FlowRecord; vectors?: Record<string, Float32Array> }[]): Promise<void> {
  for (const media of new Set(rows.map(({ record }) => record.media))) await store.putMedium(media, { info: info(media), uris: [`/videos/${media}.mp4`], complete: true });
  for (const { record, vectors } of rows) await store.commitRecord({ record, vectors: vectors ?? {} });
}

const said = (media: string, texts: string[]): { record: FlowRecord }[] => texts.map((transcript, i) => ({ record: scene(media, i, { transcript }) }));
const seconds = (store: Store, options: SearchOptions): number[] => searchStore(store, options).hits.map((hit) => hit.startUs / SECOND);

interface Truth {
  scenes: { name: string; startUs: number; endUs: number; segment: number; narration: string | null; light: string; motion: string; colours: string[] }[];
  queries: { query: string; scene: string; segment: number }[];
}
const truth = JSON.parse(await readFile(new URL("../../../graphs/demo/truth.json", import.meta.url), "utf8")) as Truth;
const label = (name: string, text: string): object => ({ name, value: 1, unit: "", label: text, synonyms: [`${text}-ish`] });

describe("the demo's queries", () => {
  test("each finds its scene first, with the words as evidence", () =>
    inStore(async (store) => {
      const records = truth.scenes.map(({ startUs, endUs, narration, light, motion, colours, name }) => {
        const attributes = [label("light", light), label("motion", motion), ...colours.map((colour) => label("colour", colour))];
        return { ...scene("demo", 0, { transcript: narration, attributes, caption: `A ${light} picture of ${colours.join(" and ")}.` }), startUs, endUs, id: name.slice(0, 16) };
      });
      await fill(store, records.map((record) => ({ record })));
      assert.ok(truth.queries.length >= 10);
      for (const { query, scene: name } of truth.queries) {
        const { hits, notUnderstood } = searchStore(store, { text: query });
        assert.equal(hits[0]?.id, name.slice(0, 16), query);
        assert.deepEqual(notUnderstood, [], query);
        for (const word of query.split(" ")) assert.match(hits[0]!.why, new RegExp(`transcript “.*${word}.*”`, "i"), query);
        assert.equal(hits[0]!.uri, "/videos/demo.mp4");
      }
    }));

  test("also with one record per cut, its transcript joined", () =>
    inStore(async (store) => {
      const segments = [...new Set(truth.scenes.map((entry) => entry.segment))];
      const record = (segment: number): FlowRecord => scene("demo", segment, { transcript: truth.scenes.filter((entry) => entry.segment === segment).map((entry) => entry.narration).filter(Boolean).join(" ") || null });
      await fill(store, segments.map((segment) => ({ record: record(segment) })));
      for (const { query, segment } of truth.queries) assert.equal(seconds(store, { text: query })[0], segment, query);
    }));
});

describe("words", () => {
  test("are folded: case, diacritics, compatibility forms, scripts without spaces", () => {
    for (const [typed, folded] of [["ÉTÉ", "ete"], ["e\u0301te\u0301", "ete"], ["Straße", "strasse"], ["Łódź", "lodz"], ["ﬁsh", "fish"], ["Ёлка", "елка"], ["한국", "한국"]] as const) assert.equal(foldWord(typed), folded);
    assert.deepEqual(tokenise("L'été, 2nd-hand 東京!").map((token) => token.word), ["l", "ete", "2nd", "hand", "東", "京"]);
  });

  test("spans point at the word, whatever the text", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => tokenise(text).every(({ word, start, end }) => foldWord(text.slice(start, end)) === word)));
  });

  test("any text is a query", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => parseQuery(text).terms.every((term) => term.words.length > 0)));
  });

  test("phrases are required and in order; prefixes begin words; both together", () =>
    inStore(async (store) => {
      await fill(store, said("m", ["a red car passes", "the car is red", "a red carpet", "lighthouse keepers", "light rain", "delightful"]));
      assert.deepEqual(seconds(store, { text: '"red car"' }), [0]);
      assert.deepEqual(seconds(store, { text: "red car" }).slice(0, 2), [0, 1], "side by side ranks higher");
      assert.deepEqual(seconds(store, { text: '"red car*"' }).sort(), [0, 2]);
      assert.deepEqual(seconds(store, { text: "light*" }).sort(), [3, 4]);
      assert.deepEqual(seconds(store, { text: '"red car" rain' }), [0]);
      assert.deepEqual(searchStore(store, { text: '"car red"' }).notUnderstood, ["car red"]);
    }));

  test("a phrase spans neither two fields nor two synonyms", () =>
    inStore(async (store) => {
      const attributes = [{ name: "light", value: 1, unit: "", label: "red", synonyms: ["car", "quick brown"] }];
      await fill(store, [{ record: scene("m", 0, { caption: "all is red", transcript: "car stops", attributes }) }]);
      assert.deepEqual(seconds(store, { text: '"red car"' }), []);
      assert.deepEqual(seconds(store, { text: '"quick brown"' }), [0]);
    }));

  test("of scripts without spaces are found inside a run", () =>
    inStore(async (store) => {
      await fill(store, said("m", ["昨日東京に行った", "京都と東北"]));
      assert.deepEqual(seconds(store, { text: "東京" }), [0]);
    }));

  test("labels and synonyms count, unlabelled numbers and file names do not", () =>
    inStore(async (store) => {
      const attribute = (text: string | null): object => ({ name: "luma", value: 0.1, unit: "", label: text, synonyms: text ? ["dark", "low light"] : [] });
      await fill(store, [{ record: scene("m", 0, { attributes: [attribute("night")], name: "harbour.mp4" }) }, { record: scene("m", 1, { attributes: [attribute(null)], transcript: "A dark harbour" }) }]);
      assert.deepEqual(seconds(store, { text: "dark" }), [1, 0], "spoken words weigh more than measured ones");
      assert.match(searchStore(store, { text: "dark" }).hits[1]!.why, /^attributes: dark$/);
      assert.deepEqual(seconds(store, { text: "harbour" }), [1]);
      assert.deepEqual(seconds(store, { text: "luma" }), []);
      assert.deepEqual(seconds(store, { text: "harbour", fulltext: ["caption"] }), []);
      assert.deepEqual(seconds(store, { text: "night", fulltext: ["caption"] }), [0]);
    }));

  test("rare ones weigh more, long texts less", () =>
    inStore(async (store) => {
      await fill(store, said("m", ["street", "street", "street", "fox", `fox ${"filler ".repeat(60)}`]));
      assert.equal(seconds(store, { text: "street fox" })[0], 3);
      assert.deepEqual(seconds(store, { text: "fox" }), [3, 4]);
    }));

  test("the index agrees with reading every record", () => {
    const word = fc.constantFrom("red", "car", "cars", "the", "night", "ride");
    const text = fc.array(word, { maxLength: 6 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), fc.array(word, { minLength: 1, maxLength: 3 }), fc.boolean(), (texts, phrase, prefix) => {
        fc.pre(prefix || phrase.some((entry) => entry !== "the"));
        const index = new TextIndex(texts.map((transcript, i) => ({ ...scene("m", i, { transcript }), id: String(i) })));
        const found = index.search(parseQuery(`"${phrase.join(" ")}${prefix ? "*" : ""}"`)).hits.map((hit) => Number(hit.id)).sort();
        const wanted = texts.flatMap((entry, i) => (` ${entry} `.includes(` ${phrase.join(" ")}${prefix ? "" : " "}`) ? [i] : []));
        assert.deepEqual(found, wanted);
      }),
    );
  });
});

describe("no evidence", () => {
  test("unknown words are named, and nothing else is made up", () =>
    inStore(async (store) => {
      await fill(store, said("m", ["a lighthouse", "a harbour"]));
      const partly = searchStore(store, { text: "purple lighthouse" });
      assert.deepEqual(partly.notUnderstood, ["purple"]);
      assert.equal(partly.hits.length, 1);
      assert.equal(partly.reason, undefined);
      const none = searchStore(store, { text: "purple elephant" });
      assert.deepEqual(none, { hits: [], notUnderstood: ["purple", "elephant"], reason: "No record has “purple”, “elephant”." });
      assert.match(searchStore(store, { text: "the of a" }).reason!, /alone says nothing/);
      assert.match(searchStore(store, { text: '"the of"' }).reason!, /alone says nothing/);
      assert.match(searchStore(store, { text: "?!*" }).reason!, /no word/);
      assert.match(searchStore(store, {}).reason!, /Nothing was asked/);
      assert.match(searchStore(store, { text: "lighthouse", space: ["video"] }).reason!, /None of the spaces/);
      assert.match(searchStore(store, { text: "lighthouse", fromUs: 60 * SECOND }).reason!, /filters/);
    }));

  test("an empty store says so", () => inStore((store) => assert.match(searchStore(store, { text: "dog", vectors: { video: { query: Float32Array.of(1) } } }).reason!, /No record has “dog”.*video: the store has no such vectors/)));
});

describe("vectors", () => {
  const at = (degrees: number): Float32Array => Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180), 0);
  const rows = (): { record: FlowRecord; vectors: Record<string, Float32Array> }[] => [0, 20, 40, 70, 90, 180].map((degrees, i) => ({ record: scene("m", i, { transcript: i === 2 ? "a red car" : "" }), vectors: { video: at(degrees) } }));

  test("rank by calibrated cosine; at or below the foreign median is no evidence", () =>
    inStore(async (store) => {
      await fill(store, [...rows(), { record: scene("m", 9, {}), vectors: { video: new Float32Array(3) } }, { record: scene("m", 10, {}), vectors: { video: Float32Array.of(NaN, 0, 0) } }]);
      const { hits } = searchStore(store, { vectors: { video: { query: at(0), calibration: { foreignMedian: 0.5, identical: 1 } } } });
      assert.deepEqual(hits.map((hit) => hit.startUs / SECOND), [0, 1, 2]);
      assert.ok(Math.abs(hits[0]!.spaces[0]!.score - 1) < 1e-6);
      assert.ok(Math.abs(hits[1]!.spaces[0]!.score - (Math.cos(Math.PI / 9) - 0.5) / 0.5) < 1e-6);
      assert.equal(hits[1]!.why, "video 88 % alike");
    }));

  test("a zero query matches nothing; other dims are told", () =>
    inStore(async (store) => {
      await fill(store, rows());
      assert.match(searchStore(store, { vectors: { video: { query: new Float32Array(3) } } }).reason!, /all-zero/);
      assert.match(searchStore(store, { vectors: { video: { query: new Float32Array(4).fill(1) } } }).reason!, /3 dims, the query 4/);
      assert.match(searchStore(store, { vectors: { video: { query: Float32Array.of(0, 0, 1) } } }).reason!, /more alike/);
    }));

  test("and words are fused by reciprocal ranks or weights", () =>
    inStore(async (store) => {
      await fill(store, rows());
      const vectors = { video: { query: at(0) } };
      const { hits } = searchStore(store, { text: "car", vectors });
      assert.equal(hits[0]!.startUs, 2 * SECOND);
      assert.ok(Math.abs(hits[0]!.score - (1 / 61 + 1 / 63)) < 1e-12);
      assert.deepEqual(hits[0]!.spaces.map(({ name, rank }) => [name, rank]), [["words", 1], ["video", 3]]);
      assert.equal(hits[0]!.why, "transcript “a red car” (car) · video 77 % alike");
      assert.equal(seconds(store, { text: "car", vectors: { video: { query: at(0), weight: 100 } } })[0], 0);
      assert.deepEqual(seconds(store, { text: "car", vectors, space: ["words"] }), [2]);
      assert.deepEqual(seconds(store, { text: "car", vectors, top: 2 }).length, 2);
    }));

  test("filters hold for every space", () =>
    inStore(async (store) => {
      await fill(store, [...rows(), ...rows().map(({ record, vectors }) => ({ record: { ...record, media: "n" }, vectors }))]);
      const query = { text: "car", vectors: { video: { query: at(0) } } };
      assert.ok(searchStore(store, { ...query, media: ["n"] }).hits.every((hit) => hit.media === "n"));
      assert.deepEqual(new Set(seconds(store, { ...query, fromUs: 1 * SECOND, toUs: 3 * SECOND })), new Set([1, 2]));
      assert.deepEqual(new Set(seconds(store, { ...query, where: (record) => record.startUs === 3 * SECOND })), new Set([3]));
    }));
});

test("20,000 records are indexed in a fifth of 100,000's second, with room for a busy machine", () => {
  const words = Array.from({ length: 5000 }, (_, i) => `word${(i * 7919) % 5000}`);
  const records = Array.from({ length: 20_000 }, (_, i) => scene("m", i, { transcript: Array.from({ length: 40 }, (_, j) => words[(i * 31 + j * j * 17) % 5000]).join(" ") }));
  const started = process.cpuUsage();
  const index = new TextIndex(records);
  const cpuMs = process.cpuUsage(started).user / 1000;
  assert.equal(index.ids.length, 20_000);
  assert.ok(index.search(parseQuery("word42")).hits.length > 0);
  assert.ok(cpuMs < 2000, `${cpuMs} ms`);
});

test("an index serves several searches", () =>
  inStore(async (store) => {
    await fill(store, said("m", ["one fox", "two foxes"]));
    const index = wordIndex(store);
    assert.deepEqual(seconds(store, { text: "fox", index }), [0]);
    assert.deepEqual(seconds(store, { text: "fox*", index }), [0, 1]);
  }));
