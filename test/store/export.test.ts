import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import type { FlowRecord, MediumInfo } from "../../src/contracts/index.js";
import { Store, exportStore } from "../../src/store/index.js";

const DIMS = 5;
const info = (id: string, name: string): MediumInfo => ({ id, uri: `/${name}`, name, kind: "video", container: "mp4", sizeBytes: 1, durationUs: 1, startUs: 0, video: null, audio: null, subtitles: [], memoisable: true });
const MEDIA = ["a".repeat(64), "b".repeat(64)];
const vectorOf = (index: number, salt: number): Float32Array => Float32Array.from({ length: DIMS }, (_, i) => Math.fround(Math.sin(index * 7 + i + salt)));
const scene = (index: number, fields: Record<string, unknown>): FlowRecord => ({
  kind: "scene", id: index.toString(16).padStart(16, "0"), parent: null, media: MEDIA[index % 2]!, startUs: index * 1_500_000, endUs: (index + 1) * 1_500_000, fields,
  vectors: { video: { dims: DIMS, space: "s" }, ...(index % 3 === 0 ? { audio: { dims: DIMS, space: "t" } } : {}) }, outcome: "done",
});
const fieldsOf = (index: number): Record<string, unknown> => ({
  transcript: index % 4 === 0 ? null : `Line ${index}: <b>ü & "q"</b>\n\n--> next`, caption: `caption ${index}`, startFrame: index * 25, loudness: index % 2 ? -23.5 : -20, hasAudio: index % 2 === 0, attributes: [{ name: "luma", value: index / 4, label: null }], nothing: null, id: `own ${index}`,
});

async function inStore(count: number, work: (store: Store, dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "flow-export-"));
  const store = await Store.open(join(dir, "store"));
  try {
    for (const [i, id] of MEDIA.entries()) {
      await store.putMedium(id, { info: info(id, `talk ${i}.mp4`), uris: [`/talk ${i}.mp4`], complete: true });
      await store.commitRecord({ record: { ...scene(0, { uri: `/talk ${i}.mp4` }), kind: "media", id: id.slice(0, 16), media: id, vectors: {} }, vectors: {} });
    }
    await Promise.all(Array.from({ length: count }, (_, i) => store.commitRecord({ record: scene(i, fieldsOf(i)), vectors: { video: vectorOf(i, 0), ...(i % 3 === 0 ? { audio: vectorOf(i, 1) } : {}) } })));
    await work(store, dir);
    assert.deepEqual((await readdir(dir)).filter((name) => name.includes("partial")), []);
  } finally {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  }
}

const scenes = (store: Store): FlowRecord[] => [...store.records({ kind: "scene" })];
const numberOf = (record: { id: string }): number => parseInt(record.id, 16);

/** Entries of a ZIP64 archive by its central directory; checks each CRC and that both headers agree. */
function unzip(file: Buffer): Map<string, Buffer> {
  const locator = file.length - 22 - 20;
  assert.equal(file.readUInt32LE(locator), 0x07064b50);
  const end = Number(file.readBigUInt64LE(locator + 8));
  assert.equal(file.readUInt32LE(end), 0x06064b50);
  const entries = new Map<string, Buffer>();
  let at = Number(file.readBigUInt64LE(end + 48));
  for (let left = Number(file.readBigUInt64LE(end + 32)); left > 0; left--) {
    assert.equal(file.readUInt32LE(at), 0x02014b50);
    const nameLength = file.readUInt16LE(at + 28);
    const name = file.toString("utf8", at + 46, at + 46 + nameLength);
    const extra = at + 46 + nameLength + 4;
    const size = Number(file.readBigUInt64LE(extra));
    const local = Number(file.readBigUInt64LE(extra + 16));
    assert.equal(file.readUInt32LE(local), 0x04034b50);
    assert.equal(file.readUInt32LE(local + 14), file.readUInt32LE(at + 16));
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const data = file.subarray(start, start + size);
    assert.equal(crc32(data), file.readUInt32LE(at + 16), name);
    entries.set(name, data);
    at += 46 + nameLength + file.readUInt16LE(at + 30);
  }
  return entries;
}

function readNpy(file: Buffer): { descr: string; shape: number[]; data: Buffer } {
  assert.equal(file.toString("latin1", 0, 8), "\x93NUMPY\x01\x00");
  const length = file.readUInt16LE(8);
  assert.equal((10 + length) % 64, 0);
  const header = file.toString("latin1", 10, 10 + length);
  return { descr: /'descr': '([^']+)'/.exec(header)![1]!, shape: /'shape': \(([^)]*)\)/.exec(header)![1]!.split(",").filter((part) => part.trim() !== "").map(Number), data: file.subarray(10 + length) };
}

const floats = (data: Buffer): number[] => Array.from({ length: data.length / 4 }, (_, i) => data.readFloatLE(i * 4));
const longs = (data: Buffer): number[] => Array.from({ length: data.length / 8 }, (_, i) => Number(data.readBigInt64LE(i * 8)));
const numpy = spawnSync("python3", ["-c", "import numpy"]).status === 0;
const python = (code: string, ...args: string[]): unknown => {
  const { status, stdout, stderr } = spawnSync("python3", ["-c", code, ...args], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
};

describe("jsonl", () => {
  test("a record a line, vectors when asked", () =>
    inStore(40, async (store, dir) => {
      const out = join(dir, "out.jsonl");
      const result = await exportStore(store, { format: "jsonl", out });
      const lines = (await readFile(out, "utf8")).trimEnd().split("\n").map((line) => JSON.parse(line) as FlowRecord);
      assert.deepEqual(lines, [...store.records()]);
      assert.deepEqual([result.records, result.files.length, result.files[0]!.bytes], [42, 1, (await readFile(out)).length]);
      await exportStore(store, { format: "jsonl", out, kind: "scene", media: [MEDIA[1]!], where: (record) => record.startUs > 0, vectors: ["video"] });
      const some = (await readFile(out, "utf8")).trimEnd().split("\n").map((line) => JSON.parse(line) as { id: string; media: string; vectors: Record<string, { values?: number[] }> });
      assert.equal(some.length, 20);
      for (const record of some) {
        assert.equal(record.media, MEDIA[1]);
        assert.deepEqual(record.vectors["video"]!.values, [...vectorOf(numberOf(record), 0)]);
        assert.equal(record.vectors["audio"]?.values, undefined);
      }
    }));

  test("bytes and typed arrays in fields survive as base64 and lists", () =>
    inStore(0, async (store, dir) => {
      await store.commitRecord({ record: { ...scene(1, { jpeg: Buffer.from("hi"), curve: Float32Array.of(1, 2.5) }), vectors: {} }, vectors: {} });
      const out = join(dir, "out.jsonl");
      await exportStore(store, { format: "jsonl", out, kind: "scene" });
      const { fields } = JSON.parse(await readFile(out, "utf8")) as FlowRecord;
      assert.deepEqual(fields, { jpeg: "aGk=", curve: [1, 2.5] });
    }));
});

describe("npz", () => {
  test("holds a matrix per vector name, with ids, media and times in the same order", () =>
    inStore(75, async (store, dir) => {
      const out = join(dir, "out.npz");
      const { records } = await exportStore(store, { format: "npz", out });
      assert.equal(records, 75);
      const entries = unzip(await readFile(out));
      for (const [name, salt] of [["video", 0], ["audio", 1]] as const) {
        const rows = scenes(store).filter((record) => record.vectors[name]);
        const matrix = readNpy(entries.get(`${name}.npy`)!);
        assert.deepEqual([matrix.descr, matrix.shape], ["<f4", [rows.length, DIMS]]);
        assert.deepEqual(floats(matrix.data), rows.flatMap((record) => [...vectorOf(numberOf(record), salt)]));
        const ids = readNpy(entries.get(`${name}.ids.npy`)!);
        assert.equal(ids.descr, "<U16");
        assert.deepEqual(Array.from({ length: rows.length }, (_, i) => ids.data.subarray(i * 64, i * 64 + 64).filter((_byte, at) => at % 4 === 0).toString()), rows.map((record) => record.id));
        assert.deepEqual(longs(readNpy(entries.get(`${name}.endUs.npy`)!).data), rows.map((record) => record.endUs));
      }
    }));

  test("numpy reads it", { skip: numpy ? false : "python3 with numpy is missing" }, () =>
    inStore(10, async (store, dir) => {
      const out = join(dir, "out.npz");
      await exportStore(store, { format: "npz", out });
      const read = python("import numpy, json, sys\nz = numpy.load(sys.argv[1])\nprint(json.dumps({k: z[k].tolist() for k in z.files}))", out) as Record<string, unknown[]>;
      assert.deepEqual(Object.keys(read).sort(), ["audio", "video"].flatMap((name) => [name, ...["endUs", "ids", "media", "startUs"].map((column) => `${name}.${column}`)]));
      assert.deepEqual(read["video.ids"], scenes(store).map((record) => record.id));
      assert.deepEqual(read["video.media"], scenes(store).map((record) => record.media));
      assert.deepEqual(read["video"], scenes(store).map((record) => [...vectorOf(numberOf(record), 0)]));
    }));
});

interface TensorHeader {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

describe("safetensors", () => {
  test("has aligned tensors without holes that hold the vectors", () =>
    inStore(33, async (store, dir) => {
      const out = join(dir, "out.safetensors");
      await exportStore(store, { format: "safetensors", out });
      const file = await readFile(out);
      const length = Number(file.readBigUInt64LE(0));
      assert.equal(length % 8, 0);
      const { __metadata__: metadata, ...tensors } = JSON.parse(file.toString("utf8", 8, 8 + length)) as Record<string, TensorHeader>;
      assert.ok(Object.values(metadata as unknown as Record<string, unknown>).every((value) => typeof value === "string"));
      const size = { I64: 8, F32: 4, U8: 1 } as Record<string, number>;
      let end = 0;
      for (const { dtype, shape, data_offsets: [from, to] } of Object.values(tensors).sort((a, b) => a.data_offsets[0] - b.data_offsets[0])) {
        assert.equal(from, end);
        assert.equal(to - from, shape.reduce((product, n) => product * n, size[dtype]!));
        assert.equal(from % size[dtype]!, 0);
        end = to;
      }
      assert.equal(file.length, 8 + length + end);
      const data = (name: string): Buffer => file.subarray(8 + length + tensors[name]!.data_offsets[0], 8 + length + tensors[name]!.data_offsets[1]);
      assert.deepEqual(floats(data("video")), scenes(store).flatMap((record) => [...vectorOf(numberOf(record), 0)]));
      assert.deepEqual(longs(data("video.startUs")), scenes(store).map((record) => record.startUs));
      assert.equal(data("video.ids").toString(), scenes(store).map((record) => record.id).join(""));
    }));
});

describe("parquet", () => {
  test("has typed columns, JSON text for the rest, vectors as lists; over several row groups", () =>
    inStore(1100, async (store, dir) => {
      const out = join(dir, "out.parquet");
      const { records } = await exportStore(store, { format: "parquet", out });
      const rows = await parquetReadObjects({ file: await asyncBufferFromFile(out) });
      assert.equal(records, 1100);
      assert.equal(rows.length, 1100);
      scenes(store).forEach((record, i) => {
        const row = rows[i]!;
        const index = numberOf(record);
        const fields = fieldsOf(index);
        assert.deepEqual([row["id"], row["media"], row["startUs"], row["endUs"], row["parent"], row["field_id"]], [record.id, record.media, BigInt(record.startUs), BigInt(record.endUs), null, fields["id"]].map((value) => value ?? row["parent"]));
        assert.ok(row["parent"] === null || row["parent"] === undefined);
        assert.equal(row["transcript"] ?? null, fields["transcript"]);
        assert.deepEqual([row["startFrame"], row["loudness"], row["hasAudio"]], [BigInt(index * 25), fields["loudness"], fields["hasAudio"]]);
        assert.deepEqual(JSON.parse(row["attributes"] as string), fields["attributes"]);
        assert.deepEqual(row["video"], [...vectorOf(index, 0)]);
        assert.deepEqual(row["audio"] ?? null, index % 3 === 0 ? [...vectorOf(index, 1)] : null);
      });
    }));

  test("a field of mixed types becomes JSON text, a vector named like a field gets a suffix", () =>
    inStore(0, async (store, dir) => {
      const rows = [{ mixed: 1, video: "v" }, { mixed: "one" }, { mixed: null }, {}];
      for (const [i, fields] of rows.entries()) await store.commitRecord({ record: { ...scene(i * 2 + 1, fields), vectors: { video: { dims: DIMS, space: "s" } } }, vectors: { video: vectorOf(i, 0) } });
      const out = join(dir, "out.parquet");
      await exportStore(store, { format: "parquet", out });
      const read = await parquetReadObjects({ file: await asyncBufferFromFile(out) });
      assert.deepEqual(read.map((row) => row["mixed"] ?? null), ["1", '"one"', null, null]);
      assert.deepEqual([read[0]!["video"], read[3]!["video_vector"]], ["v", [...vectorOf(3, 0)]]);
    }));
});

/** Cues by the block structure of the format, entities undone. */
function readVtt(text: string): { id: string; startMs: number; endMs: number; text: string }[] {
  const [head, ...blocks] = text.split("\n\n");
  assert.equal(head, "WEBVTT");
  const ms = (time: string): number => time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * 1000;
  return blocks.filter((block) => !block.startsWith("NOTE")).map((block) => {
    const [id, times, ...lines] = block.trimEnd().split("\n");
    assert.ok(lines.length > 0 && !lines.join("").includes("-->"));
    const [, start, end] = /^(\d{2,}:\d\d:\d\d\.\d{3}) --> (\d{2,}:\d\d:\d\d\.\d{3})$/.exec(times!)!;
    return { id: id!, startMs: Math.round(ms(start!)), endMs: Math.round(ms(end!)), text: lines.join("\n").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&") };
  });
}

describe("webvtt", () => {
  test("shows transcripts as cues, one file per medium; captions when asked", () =>
    inStore(20, async (store, dir) => {
      const { files, records } = await exportStore(store, { format: "webvtt", out: join(dir, "out.vtt") });
      assert.deepEqual(files.map(({ path }) => path), [join(dir, "out.1.talk-0.vtt"), join(dir, "out.2.talk-1.vtt")]);
      const cues = (await Promise.all(files.map(({ path }) => readFile(path, "utf8")))).flatMap(readVtt);
      const spoken = scenes(store).filter((record) => record.fields["transcript"] !== null);
      assert.equal(records, spoken.length);
      assert.deepEqual(cues, spoken.map((record) => ({ id: record.id, startMs: record.startUs / 1000, endMs: record.endUs / 1000, text: String(record.fields["transcript"]).replace("\n\n", "\n") })));
      const captions = await exportStore(store, { format: "webvtt", out: join(dir, "c.vtt"), media: [MEDIA[0]!], text: "caption" });
      assert.deepEqual(captions.files.map(({ path }) => path), [join(dir, "c.vtt")]);
      assert.equal(readVtt(await readFile(join(dir, "c.vtt"), "utf8")).length, 10);
    }));

  test("cues of a record keep their own times; any text and time stays one cue", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.record({ startUs: fc.nat(2 ** 40), length: fc.nat(10_000_000), text: fc.string({ unit: "grapheme" }) }), { minLength: 1, maxLength: 5 }), (made) =>
        inStore(0, async (store, dir) => {
          const cues = made.map(({ startUs, length, text }, i) => ({ startUs, endUs: startUs + length, text: `${i}${text}` }));
          await store.commitRecord({ record: { ...scene(2, { transcript: "x", cues }), vectors: {} }, vectors: {} });
          await exportStore(store, { format: "webvtt", out: join(dir, "o.vtt") });
          const read = readVtt(await readFile(join(dir, "o.vtt"), "utf8"));
          assert.deepEqual(read.map((cue) => cue.startMs), cues.map((cue) => Math.round(cue.startUs / 1000)));
          assert.ok(read.every((cue) => cue.endMs > cue.startMs));
        }),
      ),
      { numRuns: 15 },
    ));
});

describe("errors", () => {
  const code = (wanted: string) => (error: { code: string; hint: string }): boolean => error.code === wanted && error.hint !== "";

  test("nothing selected, no such vector, other dims, no such folder; nothing is left behind", () =>
    inStore(3, async (store, dir) => {
      const where = (): boolean => false;
      for (const format of ["jsonl", "npz", "parquet", "safetensors", "webvtt"] as const) {
        await assert.rejects(exportStore(store, { format, out: join(dir, "none"), where }), code("EXPORT_EMPTY"));
        await assert.rejects(exportStore(store, { format, out: join(dir, "missing", "folder", "out"), media: [MEDIA[1]!] }), code("OUTPUT_UNWRITABLE"), format);
      }
      await assert.rejects(exportStore(store, { format: "npz", out: join(dir, "none"), vectors: ["face"] }), code("EXPORT_EMPTY"));
      await store.commitRecord({ record: scene(7, {}), vectors: { video: new Float32Array(2) } });
      await assert.rejects(exportStore(store, { format: "npz", out: join(dir, "none") }), code("EXPORT_DIMS"));
      assert.deepEqual(await readdir(dir), ["store"]);
    }));

  test("a file that is there stays as it is when an export fails", () =>
    inStore(3, async (store, dir) => {
      const out = join(dir, "out.jsonl");
      await exportStore(store, { format: "jsonl", out });
      const before = await readFile(out);
      let seen = 0;
      await assert.rejects(exportStore(store, { format: "jsonl", out, where: () => { if (seen++ > 1) throw new Error("condition"); return true; } }), /condition/);
      assert.deepEqual(await readFile(out), before);
    }));
});
