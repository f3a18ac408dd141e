import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FlowRecord, MediumInfo } from "../../src/contracts/index.js";
import { itemMemoKey, Store, type MediumRow } from "../../src/store/index.js";

const root = mkdtempSync(join(tmpdir(), "flow-collect-"));
after(() => rmSync(root, { recursive: true, force: true }));
const CHILD = fileURLToPath(new URL("./collect-child.js", import.meta.url));
const idOf = (letter: string): string => letter.repeat(64);
const info = (id: string, uri: string): MediumInfo => ({ id, uri, name: uri.slice(1), kind: "video", container: "mp4", sizeBytes: 1, durationUs: 2_000_000, startUs: 0, video: null, audio: null, subtitles: [], memoisable: true });
const record = (media: string, startUs: number, thumbnail: string): FlowRecord => ({ kind: "scene", id: `${media.slice(0, 4)}${String(startUs).padStart(12, "0")}`, parent: media.slice(0, 16), media, startUs, endUs: startUs + 1_000_000, fields: { keyframes: [{ ptsUs: startUs, thumbnail }] }, vectors: { video: { dims: 4, space: "s" } }, outcome: "done" });
const picture = (letter: string): string => letter.repeat(32);
const KEPT = "a".repeat(16);
const OLD = "b".repeat(16);
const DIGEST = "d".repeat(32);
const none = { missing: false, isGone: () => false };

/** A finished medium `a` of plan p with leftovers of another, an unfinished one `c`, and one `e` whose path holds `a` now. */
async function fill(dir: string, bulkBytes = 1000): Promise<void> {
  await using store = await Store.open(dir);
  const done = { kind: "done", value: new Uint8Array(bulkBytes) } as const;
  const block = (rows: number) => ({ ptsUs: new Float64Array(rows), width: 1, data: new Float32Array(rows), rates: { all: "all" as const }, adler: null, failures: [] });
  const nodes = { n: { op: "o", key: KEPT, rate: "all" } };
  const outputs: MediumRow["outputs"] = [{ kind: "scene", from: [], vectors: {}, fulltext: [], index: [] } as unknown as NonNullable<MediumRow["outputs"]>[number]];
  await store.putPlan("p", { nodes: [{ key: KEPT, blockKey: KEPT, level: "scene" }] });
  await store.putPlan("q", { nodes: [{ key: OLD, blockKey: OLD, level: "scene" }] });
  await store.putStarted(idOf("c"), "q");
  await store.putMedium(idOf("e"), { info: info(idOf("e"), "/a.mp4"), uris: ["/a.mp4"], complete: true, plan: "p", outputs, nodes });
  await store.putMedium(idOf("a"), { info: info(idOf("a"), "/a.mp4"), uris: ["/a.mp4"], complete: true, plan: "p", outputs, nodes });
  await store.putMedium(idOf("c"), { info: info(idOf("c"), "/c.mp4"), uris: ["/c.mp4"], complete: false });
  for (const letter of ["a", "e"]) {
    const media = idOf(letter);
    for (const startUs of [0, 1_000_000]) {
      await store.commitRecord({
        record: record(media, startUs, picture(letter)), vectors: { video: Float32Array.of(1, 2, 3, 4) }, blobs: { [picture(letter)]: new Uint8Array(bulkBytes) },
        memo: [{ key: itemMemoKey(KEPT, media, { startUs, endUs: startUs + 1_000_000 }, DIGEST), outcome: done }],
      });
    }
  }
  for (const media of [idOf("a"), idOf("c"), idOf("e")]) {
    for (const key of [KEPT, OLD]) {
      await store.putBlock(media, key, 0, block(bulkBytes));
      await store.putGridEnd(media, key, "all", { endUs: 1, blocks: 1 });
      await store.putMemo(itemMemoKey(key, media, { startUs: 5, endUs: 6 }, DIGEST), done);
    }
    await store.putDone(media, "p", {});
    await store.putDone(media, "older", {});
  }
  await store.putMemo(`${OLD}/${DIGEST}`, done);
  await store.putMemo("model/abc/1/2/x.onnx", done);
  await store.putMemo("somebody else's", done);
  await store.claimPaths(new Map([["/a.mp4", { id: idOf("a") }]]));
}

function isWhole(store: Store): void {
  assert.equal([...store.records()].length, 2);
  for (const row of store.records()) assert.deepEqual(store.vector(row, "video"), Float32Array.of(1, 2, 3, 4));
  assert.ok(store.getBlob(picture("a")));
  assert.ok(store.getBlock(idOf("a"), KEPT, 0) && store.getGridEnd(idOf("a"), KEPT, "all") && store.getDone(idOf("a"), "p"));
  assert.ok(store.getMemo(itemMemoKey(KEPT, idOf("a"), { startUs: 0, endUs: 1_000_000 }, DIGEST)));
  // Of the unfinished medium: what the plan begun on it stored.
  assert.ok(store.getBlock(idOf("c"), OLD, 0) && store.getGridEnd(idOf("c"), OLD, "all") && store.getMemo(itemMemoKey(OLD, idOf("c"), { startUs: 5, endUs: 6 }, DIGEST)));
  assert.ok(store.getMemo("model/abc/1/2/x.onnx") && store.getMemo("somebody else's"), "what a key does not tell is kept");
}

describe("collect", () => {
  test("removes what nothing reaches, keeps the rest, and finds nothing the second time; a dry run says the same and removes nothing", async () => {
    const dir = join(root, "one");
    await fill(dir);
    let told;
    {
      await using reader = await Store.open(dir, { readOnly: true });
      told = await reader.collect({ ...none, dryRun: true });
      assert.ok(reader.getBlob(picture("e")));
    }
    await using store = await Store.open(dir);
    const collected = await store.collect({ ...none, dryRun: false });
    assert.deepEqual(collected, told);
    assert.deepEqual(collected.media, [{ id: idOf("e"), uri: "/a.mp4", why: "superseded" }]);
    isWhole(store);
    assert.equal(store.getMedium(idOf("e")), undefined);
    assert.equal([...store.records({ superseded: true })].length, 2);
    for (const [medium, key] of [["a", OLD], ["c", KEPT], ["e", KEPT], ["e", OLD]] as const) {
      assert.equal(store.getBlock(idOf(medium), key, 0), undefined, `${medium} ${key}`);
      assert.equal(store.getGridEnd(idOf(medium), key, "all"), undefined);
    }
    for (const gone of [itemMemoKey(KEPT, idOf("a"), { startUs: 5, endUs: 6 }, DIGEST), itemMemoKey(OLD, idOf("a"), { startUs: 5, endUs: 6 }, DIGEST), itemMemoKey(KEPT, idOf("e"), { startUs: 0, endUs: 1_000_000 }, DIGEST), `${OLD}/${DIGEST}`]) assert.equal(store.getMemo(gone), undefined, gone);
    assert.equal(store.getDone(idOf("a"), "older"), undefined);
    assert.equal(store.getBlob(picture("e")), undefined);
    assert.deepEqual([...store.vectorChunks("scene", "video", idOf("e"))], []);
    const again = await store.collect({ ...none, dryRun: true });
    assert.deepEqual([again.media, Object.values(again.removed).filter(({ count }) => count > 0)], [[], []]);
  });

  test("media whose files are gone go only when asked for; failures of files that never opened go with the file", async () => {
    const dir = join(root, "two");
    await fill(dir);
    await using store = await Store.open(dir);
    for (const uri of ["/gone.mp4", "/there.mp4"]) await store.putFailure({ node: "media", operator: "media.open", medium: "", uri, startUs: 0, endUs: 0, error: { code: "X", message: "", hint: "" }, permanent: false, atMs: 0 });
    const isGone = (uri: string): boolean => uri !== "/there.mp4";
    await store.collect({ missing: false, isGone, dryRun: false });
    isWhole(store);
    assert.deepEqual([...store.failures()].map((row) => row.uri), ["/there.mp4"]);
    const { media } = await store.collect({ missing: true, isGone, dryRun: false });
    assert.deepEqual(media.map(({ uri, why }) => [uri, why]), [["/a.mp4", "missing"], ["/c.mp4", "missing"]]);
    assert.deepEqual([[...store.mediaRows({ superseded: true })], [...store.records({ superseded: true })]], [[], []]);
  });
});

describe("compact", () => {
  test("the file shrinks; another process that has it open reads on, new readers and writers see everything", async () => {
    const dir = join(root, "three");
    await fill(dir, 300_000);
    const reader = spawn(process.execPath, [CHILD, dir, "read"], { stdio: ["pipe", "pipe", "inherit"] });
    const answers = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
    const ask = async (): Promise<string> => (reader.stdin.write("?\n"), (await answers.next()).value as string);
    assert.equal(await ask(), "2");
    // Twice: with an even and an odd number of transactions behind it.
    for (let round = 0; round < 2; round++) {
      const store = await Store.open(dir);
      await store.collect({ ...none, dryRun: false });
      const before = store.fileUse();
      await store.compact();
      const after = store.fileUse();
      await store.close();
      assert.ok(round > 0 || after.bytes <= before.bytes - before.freeBytes + 100_000, `${before.bytes} (${before.freeBytes} free) → ${after.bytes}`);
      assert.equal(await ask(), "2");
      for (let n = 0; n <= round; n++) {
        await using writer = await Store.open(dir);
        isWhole(writer);
        await writer.putMemo(`after ${round} ${n}`, { kind: "done", value: n });
      }
      await using fresh = await Store.open(dir, { readOnly: true });
      isWhole(fresh);
      assert.ok(fresh.getMemo(`after ${round} 0`));
      assert.equal(await ask(), "2");
    }
    reader.stdin.end();
    await ended(reader);
  });

  test("killed at any moment, the store is whole, and the next writer leaves no copy behind", async () => {
    for (const delayMs of [0, 1, 2, 4, 6, 9, 12, 16, 20, 30]) {
      const dir = join(root, `kill-${delayMs}`);
      await fill(dir, 200_000);
      const child = spawn(process.execPath, [CHILD, dir, "collect"], { stdio: ["ignore", "pipe", "inherit"] });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      setTimeout(() => child.kill("SIGKILL"), delayMs);
      await ended(child);
      await using store = await Store.open(dir);
      isWhole(store);
      assert.ok(!existsSync(join(dir, "data.mdb.compacting")));
      await store.collect({ ...none, dryRun: false });
      isWhole(store);
    }
  });
});

const ended = (child: ChildProcess): Promise<unknown> => (child.exitCode === null && child.signalCode === null ? new Promise((resolve) => child.once("exit", resolve)) : Promise.resolve());
