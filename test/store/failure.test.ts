import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { open } from "lmdb";
import { FlowError } from "../../src/contracts/index.js";
import { Store } from "../../src/store/index.js";

const index = JSON.stringify(new URL("../../src/store/index.js", import.meta.url).href);

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "flow-store-"));
  try {
    await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const code = (expected: string) => (error: unknown) => error instanceof FlowError && error.code === expected && error.hint.length > 0;

async function refused(dir: string): Promise<void> {
  for (const readOnly of [true, false]) await assert.rejects(Store.open(dir, { readOnly }), code("STORE_INCOMPATIBLE"));
}

describe("a data.mdb that is no store's is refused before LMDB maps it", () => {
  test("another kind of file", () => inFolder(async (dir) => {
    await writeFile(join(dir, "data.mdb"), "not a database ".repeat(2000));
    await refused(dir);
  }));

  test("another program's LMDB file", () => inFolder(async (dir) => {
    const other = open({ path: join(dir, "data.mdb"), noSubdir: true });
    await other.openDB({ name: "theirs" }).put("key", "value");
    await other.close();
    await refused(dir);
  }));

  test("a store that was cut short; whole, it opens", () => inFolder(async (dir) => {
    const store = await Store.open(dir);
    for (let i = 0; i < 20; i++) await store.putMemo(`k${i}`, { kind: "done", value: new Float32Array(20_000) });
    await store.close();
    await (await Store.open(dir, { readOnly: true })).close();
    for (const bytes of [1_000_000, 50_000, 9_000, 5_000, 100]) {
      await truncate(join(dir, "data.mdb"), bytes);
      await refused(dir);
    }
  }));
});

test("a second writer is told the pid of the first", () => inFolder(async (dir) => {
  const store = await Store.open(dir);
  await assert.rejects(Store.open(dir), (error: unknown) => code("STORE_LOCKED")(error) && (error as Error).message.includes(`pid ${process.pid}`));
  await store.close();
  await (await Store.open(dir)).close();
}));

test("a write that is lost surfaces at flushed and close, even if nobody awaited it", { skip: process.platform === "win32" ? "needs ulimit" : false }, () => inFolder(async (dir) => {
  const script = `import { Store } from ${index};
    const store = await Store.open(${JSON.stringify(join(dir, "s"))});
    for (let i = 0; i < 40; i++) void store.putMemo("k" + i, { kind: "done", value: new Float32Array(50000) });
    const codes = [];
    await store.flushed().catch((e) => codes.push(e.code));
    console.error("still printed");
    await store.close().catch((e) => codes.push(e.code, /the commit failed/.exec(e.message)?.[0]));
    console.log(codes.join(" "));
    process.exit(0);`;
  // The file size limit stands in for a full disk: the kernel refuses the write in the same place.
  const child = spawn("sh", ["-c", 'ulimit -f 1500; exec "$0" --input-type=module -e "$1"', process.execPath, script], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let noise = "";
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (noise += String(chunk)));
  const exit = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(out.trim(), "STORE_WRITE_FAILED STORE_WRITE_FAILED the commit failed");
  assert.equal(noise, "still printed\n", "no trace of lmdb's own, everything else as ever");
  assert.equal(exit, 0);
}));

test("a store path that is a file or cannot be made is refused with a typed error", () => inFolder(async (dir) => {
  await writeFile(join(dir, "file"), "");
  await assert.rejects(Store.open(join(dir, "file")), { code: "STORE_UNWRITABLE", exit: 3 });
  await assert.rejects(Store.open(join(dir, "file", "below")), code("STORE_UNWRITABLE"));
  if (process.platform === "linux") await assert.rejects(Store.open("/proc/flow-store/below"), code("STORE_UNWRITABLE"));
}));

test("a store that may be read and not written is refused to writers only", { skip: process.platform === "win32" && "no permissions here" }, () => inFolder(async (dir) => {
  const store = join(dir, "s");
  await (await Store.open(store)).close();
  await chmod(dir, 0o755);
  for (const name of await readdir(store)) await chmod(join(store, name), 0o444);
  await chmod(store, 0o555);
  const script = `import { Store } from ${index};
    await Store.open(${JSON.stringify(store)}).catch((e) => console.log(e.code, e.exit));
    await (await Store.open(${JSON.stringify(store)}, { readOnly: true })).close();
    console.log("read");`;
  // Root may write anywhere.
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", ...(process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}) });
  await chmod(store, 0o755);
  assert.equal(child.stdout, "STORE_UNWRITABLE 3\nread\n", child.stderr);
}));
