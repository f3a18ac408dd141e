import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { manifestOf } from "../../src/models/manifest.js";
import { verifyModelFiles } from "../../src/models/verify-model.js";
import { createLocate, importFolder, layout, lockKey, ModelsLock, pull as fetchAll, remove, type PullOptions, type PullResult } from "../../src/models/store/index.js";
import { onDisk } from "../../src/models/store/disk.js";
import { listHub } from "../../src/models/store/hub-listing.js";
import { bytes, COMMIT, HubServer, truncated } from "./hub-server.js";

const sha256 = (body: Buffer | string): string => createHash("sha256").update(body).digest("hex");

interface Place {
  root: string;
  cache: string;
  server: HubServer;
  model: (files: Record<string, unknown>[], more?: Record<string, unknown>) => ReturnType<typeof manifestOf>;
  pull: (files: Record<string, unknown>[], more?: PullOptions, manifest?: Record<string, unknown>) => Promise<PullResult>;
  environment: Record<string, string>;
}

async function place(t: test.TestContext): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), "flow-pull-"));
  const cache = join(root, "cache");
  const server = await HubServer.open();
  t.after(() => server[Symbol.asyncDispose]());
  const environment = { HF_ENDPOINT: server.endpoint, FLOW_GITHUB_ENDPOINT: server.endpoint };
  const lock = (): ModelsLock => new ModelsLock(cache, root);
  const model: Place["model"] = (files, more = {}) =>
    manifestOf(
      { id: "m", task: "none", summary: "s", licence: "MIT", limits: ["none"], runtime: "transformers", source: { huggingface: "org/name" }, files, ...more },
      join(root, "manifests", `${String(more["id"] ?? "m")}.yaml`),
      createLocate({ cache, folders: [], lock: lock() }),
    );
  return { root, cache, server, environment, model, pull: (files, more = {}, manifest = {}) => fetchAll([model(files, manifest)], { cache, lock: lock(), environment, backoffMs: 1, ...more }) };
}

const only = (result: PullResult): string => result.failed.map(({ error }) => error.code).join(",");
const partials = (cache: string): string[] => (existsSync(layout.partial(cache)) ? readdirSync(layout.partial(cache)) : []);

test("files are downloaded in parallel, checked, put under their hash and linked; the second pull asks nobody", async (t) => {
  const { server, cache, pull, model } = await place(t);
  const big = bytes(300_000);
  server.put("org/name", "onnx/model.onnx", big, true);
  server.put("org/name", "config.json", Buffer.from("{}"));
  const files = [{ path: "onnx/model.onnx", size: big.length, sha256: sha256(big) }, { path: "config.json" }];
  const result = await pull(files);
  assert.deepEqual(result.failed, []);
  assert.deepEqual(result.pulled.map(({ path }) => path).sort(), ["config.json", "onnx/model.onnx"]);
  const blob = layout.blob(cache, sha256(big));
  assert.deepEqual(readFileSync(blob), big);
  const linked = model(files).files[0]!.at;
  assert.equal(linked, join(cache, "models/m/onnx/model.onnx"));
  assert.equal(statSync(linked).ino, statSync(blob).ino);
  assert.equal(statSync(blob).mode & 0o222, 0);
  assert.deepEqual(partials(cache), []);
  const before = server.asked.length;
  assert.equal((await pull(files)).present, 2);
  assert.equal(server.asked.length, before);
});

test("the token goes to the hub and never to its storage; what is gated says where to ask", async (t) => {
  const { server, environment, pull } = await place(t);
  server.put("org/name", "model.onnx", bytes(1000), true);
  server.gated.add("org/name");
  const refused = await pull([{ path: "model.onnx" }]);
  const [{ error }] = refused.failed as [PullResult["failed"][number]];
  assert.equal(error.code, "MODEL_GATED");
  assert.match(error.hint, /^HF_ENDPOINT has 127\.0\.0\.1:\d+ asked: .* https:\/\/huggingface\.co\/org\/name .*HF_TOKEN/);
  const right = await pull([{ path: "model.onnx" }], { environment: { ...environment, HF_TOKEN: "hf_right" } });
  assert.equal(right.pulled.length, 1);
  for (const { where, headers } of server.asked.slice(-2)) assert.equal(headers.authorization, where === "hub" ? "Bearer hf_right" : undefined);
  assert.ok(server.asked.some(({ where }) => where === "storage"));
});

test("a truncated transfer goes on with Range and If-Range, and the whole is right", async (t) => {
  const { server, pull } = await place(t);
  // More than the sockets hold between them, so that the reader has had some of it when the writer breaks off.
  const body = bytes(24 << 20);
  server.put("org/name", "model.onnx", body, true);
  let cuts = 0;
  server.onStorage = (request, response) => {
    if (cuts++ > 0) return false;
    truncated(response, body, 20 << 20, `"${sha256(body)}"`);
    return true;
  };
  const result = await pull([{ path: "model.onnx" }]);
  assert.equal(result.pulled[0]?.sha256, sha256(body));
  const second = server.asked.filter(({ where }) => where === "storage")[1]!;
  const from = Number(/^bytes=(\d+)-$/.exec(second.headers.range ?? "")?.[1]);
  assert.ok(from > 0 && from <= 20 << 20, second.headers.range);
  assert.equal(second.headers["if-range"], `"${sha256(body)}"`);
});

test("a file that was swapped between two tries is not joined from two versions", async (t) => {
  const { server, pull } = await place(t);
  const [old, fresh] = [bytes(100_000, 1), bytes(120_000, 2)];
  const file = server.put("org/name", "model.onnx", old);
  let cuts = 0;
  server.onHub = (request, response) => {
    if (request.method === "HEAD" || cuts++ > 0) return false;
    response.setHeader("x-repo-commit", COMMIT);
    truncated(response, old, 50_000, '"old"');
    file.body = fresh;
    return true;
  };
  // No hash is known, so the validator alone must keep the versions apart.
  const result = await pull([{ path: "model.onnx" }]);
  assert.deepEqual(result.failed, []);
  assert.equal(result.pulled[0]?.sha256, sha256(fresh));
});

test("other bytes of the right size are refused, and nothing stays", async (t) => {
  const { server, cache, pull } = await place(t);
  server.put("org/name", "model.onnx", bytes(5000, 2), false);
  const result = await pull([{ path: "model.onnx", size: 5000, sha256: sha256(bytes(5000, 1)) }]);
  assert.equal(only(result), "MODEL_CORRUPT");
  assert.match(result.failed[0]!.error.message, new RegExp(`found sha256 ${sha256(bytes(5000, 2))}, expected ${sha256(bytes(5000, 1))}`));
  assert.deepEqual(partials(cache), []);
  assert.ok(!existsSync(join(cache, "blobs")) && !existsSync(join(cache, "models")));
});

test("a size that is not the manifest's is refused before a byte is written; a lying length is found out", async (t) => {
  const { server, cache, pull } = await place(t);
  const body = bytes(5000);
  server.put("org/name", "model.onnx", body, true);
  assert.equal(only(await pull([{ path: "model.onnx", size: 4000, sha256: sha256(body) }])), "MODEL_CORRUPT");
  // The storage announces another size than the hub.
  server.onStorage = (request, response) => {
    response.writeHead(200, { "content-length": 4999 });
    response.end(body.subarray(0, 4999));
    return true;
  };
  const lying = await pull([{ path: "model.onnx" }]);
  assert.match(lying.failed[0]!.error.message, /the hub announces 5000 bytes, its storage 4999/);
  // No length at all, and more bytes than the file has.
  server.onStorage = (request, response) => {
    response.writeHead(200);
    response.end(Buffer.concat([body, body]));
    return true;
  };
  const endless = await pull([{ path: "model.onnx" }]);
  assert.match(endless.failed[0]!.error.message, /sends more than the 5000 bytes/);
  // No length, and fewer.
  server.onStorage = (request, response) => {
    response.writeHead(200);
    response.end(body.subarray(0, 100));
    return true;
  };
  assert.equal(only(await pull([{ path: "model.onnx" }], { attempts: 2 })), "MODEL_NETWORK");
  assert.ok(!existsSync(join(cache, "blobs")));
});

test("5xx and 429 are tried again, 429 after what the server asked; in the end the code says which", async (t) => {
  const { server, pull } = await place(t);
  const body = bytes(1000);
  server.put("org/name", "model.onnx", body);
  const script: [number, Record<string, string>][] = [[500, {}], [503, {}], [429, { "retry-after": "0.2" }]];
  const times: number[] = [];
  server.onHub = (request, response) => {
    if (request.method === "HEAD") return false;
    times.push(performance.now());
    const next = script.shift();
    if (!next) return false;
    response.writeHead(next[0], next[1]).end();
    return true;
  };
  assert.equal((await pull([{ path: "model.onnx" }])).pulled.length, 1);
  assert.equal(times.length, 4);
  assert.ok(times[3]! - times[2]! >= 190, `waited ${times[3]! - times[2]!} ms`);
  for (const [status, code] of [[500, "MODEL_SERVER"], [429, "MODEL_RATE_LIMITED"]] as const) {
    server.onHub = (request, response) => void response.writeHead(status).end() === undefined;
    const before = server.asked.length;
    const result = await pull([{ path: "other.onnx" }], { attempts: 3 });
    assert.equal(only(result), code);
    assert.equal(server.asked.slice(before).filter(({ method }) => method === "GET").length, 3);
  }
});

test("a transfer that ends early says how far it came, not that nobody was reached", async (t) => {
  const { server, pull } = await place(t);
  const body = bytes(1 << 20);
  server.put("org/name", "model.onnx", body, true);
  server.onStorage = (_request, response) => truncated(response, body, 1000, `"${sha256(body)}"`) === undefined;
  const [failed] = (await pull([{ path: "model.onnx" }], { attempts: 1 })).failed;
  assert.equal(failed?.error.code, "MODEL_NETWORK");
  assert.match(failed.error.message, /^127\.0\.0\.1:\d+ ended the transfer after \d+ of 1048576 bytes: /);
  assert.match(failed.error.hint, /goes on where it stopped/);
});

test("a server that asks to wait longer than anybody does says how long", async (t) => {
  const { server, pull } = await place(t);
  const hint = async (status: number, after: string): Promise<string> => {
    server.onHub = (_request, response) => void response.writeHead(status, { "retry-after": after }).end() === undefined;
    return (await pull([{ path: "model.onnx" }], { attempts: 1 })).failed[0]!.error.hint;
  };
  assert.match(await hint(429, "3600"), /^Wait 60 min, as the server asks, and pull again/);
  assert.match(await hint(503, "86400"), /^Pull again in 24 h, as the server asks:/);
  assert.match(await hint(429, "1"), /^Wait some minutes/);
});

test("a host that cannot be reached is waited for once, not once per file", async (t) => {
  const { pull, environment } = await place(t);
  const files = Array.from({ length: 20 }, (_, i) => ({ path: `${i}.onnx` }));
  const started = performance.now();
  const result = await pull(files, { environment: { ...environment, HF_ENDPOINT: "http://127.0.0.1:1" }, parallel: 1, attempts: 3, backoffMs: 400 });
  assert.deepEqual([...new Set(result.failed.map(({ error }) => error.code))], ["MODEL_NETWORK"]);
  assert.equal(result.failed.length, 20);
  // 0.4 s and 0.8 s once; for every file it would be 20 times that, 24 s.
  assert.ok(performance.now() - started < 20_000, `${performance.now() - started} ms`);
});

test("what is not there says what is not there, and is not tried again", async (t) => {
  const { server, pull } = await place(t);
  server.put("org/name", "model.onnx", bytes(10));
  const missing = await pull([{ path: "gone.onnx" }]);
  assert.equal(only(missing), "MODEL_NOT_FOUND");
  assert.match(missing.failed[0]!.error.message, /EntryNotFound/);
  assert.equal(server.asked.filter(({ method }) => method === "GET").length, 1);
  assert.equal(only(await pull([{ path: "model.onnx" }], {}, { source: { huggingface: "org/other" } })), "MODEL_NOT_FOUND");
  const revision = await pull([{ path: "model.onnx" }], {}, { source: { huggingface: "org/name", revision: "v2" } });
  assert.match(revision.failed[0]!.error.message, /RevisionNotFound/);
});

test("one file that fails does not keep the others; a file without a source says how to import it", async (t) => {
  const { server, pull } = await place(t);
  server.put("org/name", "a.onnx", bytes(10));
  const result = await pull([{ path: "a.onnx" }, { path: "b.onnx" }], {}, {});
  assert.deepEqual(result.pulled.map(({ path }) => path), ["a.onnx"]);
  assert.deepEqual(result.failed.map(({ path }) => path), ["b.onnx"]);
  const { source: _source, ...local } = { source: undefined, files: [{ path: "x.onnx", sha256: "a".repeat(64), size: 3 }] };
  const unpublished = await pull(local.files, {}, { source: undefined });
  assert.equal(only(unpublished), "MODEL_UNPUBLISHED");
  assert.match(unpublished.failed[0]!.error.hint, /flow models import DIR.*aaaa/);
});

test("the first download is locked with its commit; a change at the source is refused, and the commit is asked for by name", async (t) => {
  const { server, cache, root, pull, model } = await place(t);
  const file = server.put("org/name", "config.json", Buffer.from("[100]"));
  await pull([{ path: "config.json" }]);
  const source = { kind: "huggingface", repo: "org/name", revision: "main", path: "config.json" } as const;
  const locked = new ModelsLock(cache, root).get({ path: "config.json", source }, "m");
  assert.deepEqual(locked, { commit: COMMIT, size: 5, sha256: sha256("[100]") });
  assert.equal(lockKey(source, "m", "config.json"), "huggingface:org/name@main/config.json");
  await remove(model([{ path: "config.json" }]), { cache });
  file.body = Buffer.from("[200]");
  const changed = await pull([{ path: "config.json" }]);
  assert.equal(only(changed), "MODEL_LOCK");
  assert.match(changed.failed[0]!.error.hint, /--unlock/);
  assert.ok(server.asked.at(-1)!.path.includes(`/resolve/${COMMIT}/`), "the locked commit is asked for");
  // What the user accepts is a first use again.
  await remove(model([{ path: "config.json" }]), { cache, lock: new ModelsLock(cache, root), unlock: true });
  assert.equal((await pull([{ path: "config.json" }])).pulled[0]?.sha256, sha256("[200]"));
});

test("a project's models.lock goes before the cache's and is kept up to date", async (t) => {
  const { server, cache, root, pull, environment } = await place(t);
  server.put("org/name", "config.json", Buffer.from("[10]"));
  new ModelsLock(cache, root).start();
  await pull([{ path: "config.json" }]);
  const written = JSON.parse(readFileSync(join(root, "models.lock"), "utf8")) as { files: Record<string, { sha256: string }> };
  assert.equal(written.files["huggingface:org/name@main/config.json"]?.sha256, sha256("[10]"));
  // A colleague's machine, which has only the project's lock: other bytes are refused there.
  const [theirs, desk] = [join(root, "their-cache"), join(root, "their-desk")];
  mkdirSync(desk);
  writeFileSync(join(desk, "models.lock"), JSON.stringify({ version: 1, files: { "huggingface:org/name@main/config.json": { commit: null, size: 4, sha256: sha256("[20]") } } }));
  const lock = new ModelsLock(theirs, desk);
  const manifest = { id: "m", task: "none", summary: "s", licence: "MIT", limits: ["none"], runtime: "transformers", source: { huggingface: "org/name" }, files: [{ path: "config.json" }] };
  const result = await fetchAll([manifestOf(manifest, join(root, "manifests", "m.yaml"), createLocate({ cache: theirs, folders: [], lock }))], { cache: theirs, lock, environment, backoffMs: 1 });
  assert.equal(only(result), "MODEL_LOCK");
  writeFileSync(join(root, "models.lock"), "not json");
  assert.throws(() => new ModelsLock(cache, root).get({ path: "config.json", source: null }, "m"), { code: "MODEL_LOCK_UNREADABLE" });
});

test("a models.lock that is made after the files came has them all; a cache that cannot be written does not keep it from that", async (t) => {
  const { server, cache, root, pull } = await place(t);
  server.put("org/name", "config.json", Buffer.from("[10]"));
  const key = "huggingface:org/name@main/config.json";
  await pull([{ path: "config.json" }]);
  new ModelsLock(cache, root).start();
  assert.equal((await pull([{ path: "config.json" }])).present, 1);
  const written = () => (JSON.parse(readFileSync(join(root, "models.lock"), "utf8")) as { files: Record<string, unknown> }).files;
  assert.deepEqual(written(), { [key]: { commit: COMMIT, size: 4, sha256: sha256("[10]") } });
  // Bytes that another model brought need no download, and are locked all the same.
  rmSync(join(root, "models.lock"));
  rmSync(join(cache, "models"), { recursive: true });
  new ModelsLock(cache, root).start();
  await pull([{ path: "config.json" }]);
  assert.deepEqual(Object.keys(written()), [key]);
  writeFileSync(join(root, "taken"), "");
  const source = { kind: "url", url: "https://example.org/x.onnx" } as const;
  new ModelsLock(join(root, "taken"), root).record({ path: "x.onnx", source }, "x", { commit: null, size: 1, sha256: sha256("x") });
  assert.deepEqual(Object.keys(written()), ["https://example.org/x.onnx", key]);
  const alone = new ModelsLock(join(root, "taken"), join(root, "elsewhere"));
  assert.throws(() => alone.record({ path: "x.onnx", source }, "x", { commit: null, size: 1, sha256: sha256("x") }), { code: "MODEL_LOCK_UNWRITABLE" });
});

test("all files of a moving revision come from the commit that it stood for at the first of them", async (t) => {
  const { server, pull } = await place(t);
  server.put("org/name", "a.json", Buffer.from("1"));
  server.put("org/name", "b.json", Buffer.from("2"));
  await pull([{ path: "a.json" }, { path: "b.json" }], { parallel: 1 });
  const gets = server.asked.filter(({ method }) => method === "GET").map(({ path }) => path);
  assert.deepEqual(gets, [`/org/name/resolve/${COMMIT}/a.json`, `/org/name/resolve/${COMMIT}/b.json`]);
});

test("GitHub: a Git LFS pointer is followed to the bytes, and one for other bytes is refused", async (t) => {
  const { server, pull } = await place(t);
  const body = bytes(70_000);
  const commit = "d".repeat(40);
  const pointer = (oid: string, size: number): Buffer => Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`);
  server.plain.set(`/o/r/${commit}/x/model.onnx`, pointer(sha256(body), body.length));
  server.plain.set(`/media/o/r/${commit}/x/model.onnx`, body);
  const source = { github: "o/r", commit, path: "x/model.onnx" };
  const result = await pull([{ path: "model.onnx", size: body.length, sha256: sha256(body), source }]);
  assert.deepEqual(result.failed, []);
  assert.equal(result.pulled[0]?.sha256, sha256(body));
  server.plain.set(`/o/r/${commit}/x/model.onnx`, pointer("e".repeat(64), body.length));
  const swapped = await pull([{ path: "other.onnx", size: body.length, sha256: sha256(bytes(9, 9)), source }]);
  assert.equal(only(swapped), "MODEL_CORRUPT");
  // A small file is no pointer.
  server.plain.set(`/o/r/${commit}/labels.txt`, Buffer.from("cat\ndog\n"));
  const labels = await pull([{ path: "labels.txt", source: { github: "o/r", commit, path: "labels.txt" } }]);
  assert.equal(labels.pulled[0]?.size, 8);
});

test("bytes that the disk changed are fetched again, also those that another model shares", async (t) => {
  const { server, cache, pull } = await place(t);
  const body = bytes(9_000);
  server.put("org/name", "model.onnx", body, true);
  const files = [{ path: "model.onnx", size: body.length, sha256: sha256(body) }];
  const blob = layout.blob(cache, sha256(body));
  await pull(files);
  await pull(files, {}, { id: "other" });
  for (const damage of [Buffer.concat([Buffer.from("x"), body.subarray(1)]), body.subarray(0, 100)]) {
    chmodSync(blob, 0o644);
    writeFileSync(blob, damage);
    assert.deepEqual((await pull(files)).pulled.map(({ path }) => path), ["model.onnx"]);
    assert.deepEqual(readFileSync(blob), body);
    // Its link still stands for the changed bytes; those under the hash are right.
    await pull(files, {}, { id: "other" });
    assert.deepEqual(readFileSync(join(cache, "models/other/model.onnx")), body);
  }
});

test("a mirror that is no address is named", async (t) => {
  const { pull } = await place(t);
  for (const HF_ENDPOINT of ["nonsense", "ftp://mirror", "http://"]) {
    const [failed] = (await pull([{ path: "model.onnx" }], { environment: { HF_ENDPOINT } })).failed;
    assert.equal(failed?.error.code, "MODEL_NETWORK");
    assert.match(failed.error.message, /^HF_ENDPOINT is .*, which is no address$/);
  }
});

test("an empty answer is no file, and an empty file that was locked does not spoil the lock file", async (t) => {
  const { server, cache, root, pull, model } = await place(t);
  server.put("org/name", "config.json", Buffer.alloc(0));
  assert.equal(only(await pull([{ path: "config.json" }])), "MODEL_CORRUPT");
  new ModelsLock(cache, root).record(model([{ path: "config.json" }]).files[0]!, "m", { commit: null, size: 0, sha256: sha256("") });
  server.put("org/name", "model.onnx", bytes(100));
  assert.deepEqual((await pull([{ path: "model.onnx" }])).failed, []);
});

test("a disk that is full when the lock file is written is MODEL_DISK_FULL", async (t) => {
  const { server, cache, root, pull } = await place(t);
  server.put("org/name", "model.onnx", bytes(100));
  class FullLock extends ModelsLock {
    override record(): void {
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
    }
  }
  const [failed] = (await pull([{ path: "model.onnx" }], { lock: new FullLock(cache, root) })).failed;
  assert.equal(failed?.error.code, "MODEL_DISK_FULL");
  assert.match(failed.error.hint ?? "", /rm --partial/);
});

test("what the disk refuses has the cache's codes, whoever writes; other errors stay what they are", async () => {
  const fails = (code: string) => () => Promise.reject(Object.assign(new Error(`${code}: no`), { code, syscall: "mkdir" }));
  for (const code of ["ENOSPC", "EDQUOT"]) await assert.rejects(onDisk("/cache/x", fails(code)), { code: "MODEL_DISK_FULL", exit: 3, message: "/cache is full" });
  for (const code of ["EROFS", "ENOENT", "ENOTDIR", "EACCES"]) await assert.rejects(onDisk("/cache/x", fails(code)), { code: "MODEL_CACHE", exit: 3, message: `/cache/x cannot be written: ${code}: no` });
  await assert.rejects(onDisk("/cache/x", () => Promise.reject(new TypeError("ours"))), TypeError);
});

test("a page in the place of a file is refused and nothing of it recorded; the pull from the hub itself then works", async (t) => {
  const { server, cache, root, pull, model } = await place(t);
  const body = bytes(1000);
  const files = [{ path: "model.onnx" }, { path: "config.json" }, { path: "vocab.txt" }];
  server.put("org/name", "model.onnx", body, true);
  server.put("org/name", "config.json", Buffer.from("{}"));
  server.put("org/name", "vocab.txt", Buffer.from("cat\n"));
  const page = Buffer.from("\n<!DOCTYPE html><html>Sign in</html>");
  const portals: [headers: Record<string, string>, answer: Buffer, told: RegExp][] = [
    [{ "content-type": "text/html; charset=utf-8" }, Buffer.from("<p>Sign in"), /answers with an HTML page$/],
    [{ "x-repo-commit": COMMIT }, page, /answers with (an HTML page|something that is no JSON)/],
    [{}, bytes(50), /without the commit that it is of \(x-repo-commit\)/],
  ];
  for (const [headers, answer, told] of portals) {
    server.onHub = (_request, response) => void response.writeHead(200, headers).end(answer) === undefined;
    const { failed, pulled } = await pull(files);
    assert.deepEqual([failed.map(({ error }) => [error.code, error.exit, told.test(error.message)]), pulled], [files.map(() => ["MODEL_ANSWER", 3, true]), []], failed[0]?.error.message);
    assert.match(failed[0]!.error.hint, /in a browser, then pull again/);
    assert.deepEqual([existsSync(layout.lock(cache)), existsSync(join(cache, "models")), partials(cache)], [false, false, []]);
  }
  // Of what has been locked, a page is no change that anybody should accept.
  server.onHub = () => false;
  assert.deepEqual((await pull(files)).failed, []);
  await remove(model(files), { cache });
  server.onHub = (_request, response) => void response.writeHead(200, { "content-type": "text/html" }).end(page) === undefined;
  assert.deepEqual([...new Set((await pull(files)).failed.map(({ error }) => error.code))], ["MODEL_ANSWER"]);
  server.onHub = () => false;
  assert.deepEqual((await pull(files)).failed, []);
  assert.equal(new ModelsLock(cache, root).get(model(files).files[1]!, "m")?.sha256, sha256("{}"));
});

test("a .json that does not parse is refused, whoever sent it; what a manifest's hash confirms is taken under any type", async (t) => {
  const { server, cache, pull } = await place(t);
  server.put("org/name", "config.json", Buffer.from("{ not json"));
  const { failed } = await pull([{ path: "config.json" }]);
  assert.match(failed[0]?.error.message ?? "", /answers with something that is no JSON \(10 bytes\)/);
  assert.equal(existsSync(layout.lock(cache)), false);
  const body = bytes(100);
  server.plain.set("/x/model.onnx", body);
  const source = { url: `${server.endpoint}/x/model.onnx` };
  server.onHub = (_request, response) => void response.setHeader("content-type", "text/html") === null;
  assert.equal(only(await pull([{ path: "model.onnx" }], {}, { source })), "MODEL_ANSWER");
  assert.deepEqual((await pull([{ path: "model.onnx", sha256: sha256(body), size: 100 }], {}, { source })).failed, []);
});

test("a redirect that goes in a circle, or to no address, ends", async (t) => {
  const { server, pull } = await place(t);
  for (const location of [`${server.endpoint}/round`, "file:///etc/passwd", "http://"]) {
    server.onHub = (request, response) => void response.writeHead(302, { location }).end() === undefined;
    assert.equal(only(await pull([{ path: "model.onnx" }])), "MODEL_REDIRECT", location);
  }
});

test("a proxy is asked by its address, NO_PROXY goes around it", async (t) => {
  const { server, pull, environment } = await place(t);
  server.put("org/name", "model.onnx", bytes(100));
  const asked: string[] = [];
  const { createServer, request: ask } = await import("node:http");
  const proxy = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"] ?? ""}`);
    ask(request.url!, { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    }).end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise((resolve) => proxy.close(resolve)));
  const { port } = proxy.address() as { port: number };
  const through = { ...environment, HTTP_PROXY: `http://me:secret@127.0.0.1:${port}` };
  assert.equal((await pull([{ path: "model.onnx" }], { environment: through })).pulled.length, 1);
  assert.ok(asked.length > 0 && asked.every((line) => line.startsWith(`${server.endpoint}/org/name/resolve/`) && line.endsWith(` Basic ${Buffer.from("me:secret").toString("base64")}`)), asked.join("\n"));
  const before = asked.length;
  server.put("org/name", "more.onnx", bytes(100, 3));
  assert.equal((await pull([{ path: "more.onnx" }], { environment: { ...through, NO_PROXY: "localhost,127.0.0.1" } })).pulled.length, 1);
  assert.equal(asked.length, before);
  const dead = await pull([{ path: "third.onnx" }], { environment: { ...environment, http_proxy: "127.0.0.1:1" }, attempts: 1 });
  assert.equal(only(dead), "MODEL_NETWORK");
  assert.match(dead.failed[0]!.error.hint, /HTTPS_PROXY/);
});

test("a full disk: told by name, nothing installed", async (t) => {
  const { server, cache, pull } = await place(t);
  const body = bytes(100_000);
  server.put("org/name", "model.onnx", body, true);
  // More than any disk has: refused before the first byte.
  await assert.rejects(pull([{ path: "huge.onnx", size: Number.MAX_SAFE_INTEGER, sha256: sha256("x") }]), { code: "MODEL_DISK_FULL" });
  assert.equal(server.asked.length, 0);
  if (!existsSync("/dev/full")) return t.skip("no /dev/full here");
  // The device that is always full stands where the unfinished file goes.
  mkdirSync(layout.partial(cache), { recursive: true });
  const name = createHash("sha256").update("huggingface:org/name@main/model.onnx").digest("hex").slice(0, 32);
  symlinkSync("/dev/full", join(layout.partial(cache), name));
  server.onHub = () => {
    // Removed as a beginning of unknown origin before the download; put back when it starts.
    if (!existsSync(join(layout.partial(cache), name))) symlinkSync("/dev/full", join(layout.partial(cache), name));
    return false;
  };
  const result = await pull([{ path: "model.onnx" }]);
  assert.equal(only(result), "MODEL_DISK_FULL");
  assert.match(result.failed[0]!.error.hint, /FLOW_CACHE_DIR/);
  assert.ok(!existsSync(join(cache, "blobs")));
});

test("two at a time on one file: the second is told who holds it; one that died does not hold", async (t) => {
  const { server, cache, pull } = await place(t);
  server.put("org/name", "model.onnx", bytes(100));
  const name = createHash("sha256").update("huggingface:org/name@main/model.onnx").digest("hex").slice(0, 32);
  mkdirSync(layout.partial(cache), { recursive: true });
  writeFileSync(join(layout.partial(cache), `${name}.pid`), "1");
  assert.equal(only(await pull([{ path: "model.onnx" }])), "MODEL_BUSY");
  writeFileSync(join(layout.partial(cache), `${name}.pid`), "999999999");
  assert.equal((await pull([{ path: "model.onnx" }])).pulled.length, 1);
});

test("a beginning that is not the file's is found out at the end and started over", async (t) => {
  const { server, cache, pull } = await place(t);
  const body = bytes(50_000);
  server.put("org/name", "model.onnx", body, true);
  const name = createHash("sha256").update("huggingface:org/name@main/model.onnx").digest("hex").slice(0, 32);
  mkdirSync(layout.partial(cache), { recursive: true });
  writeFileSync(join(layout.partial(cache), name), bytes(20_000, 7));
  writeFileSync(join(layout.partial(cache), `${name}.json`), JSON.stringify({ source: "huggingface:org/name@main/model.onnx", etag: `"${sha256(body)}"`, sha256: sha256(body), size: body.length }));
  const result = await pull([{ path: "model.onnx", size: body.length, sha256: sha256(body) }]);
  assert.deepEqual(result.failed, []);
  assert.equal(result.pulled[0]?.sha256, sha256(body));
});

test("stopped in mid-download: what is there stays for the next time", async (t) => {
  const { server, cache, pull } = await place(t);
  const body = bytes(400_000);
  server.put("org/name", "model.onnx", body, true);
  const stop = new AbortController();
  server.onStorage = (request, response) => {
    if (request.headers.range) return false;
    response.writeHead(200, { etag: `"${sha256(body)}"`, "content-length": body.length });
    response.write(body.subarray(0, 100_000));
    return true;
  };
  const stopped = await pull([{ path: "model.onnx" }], { signal: stop.signal, onProgress: ([file]) => void ((file?.bytes ?? 0) > 0 && stop.abort()) });
  assert.equal(only(stopped), "INTERRUPTED");
  assert.equal(partials(cache).length, 2);
  const result = await pull([{ path: "model.onnx" }]);
  assert.equal(result.pulled[0]?.sha256, sha256(body));
  assert.match(server.asked.at(-1)!.headers.range ?? "", /^bytes=[1-9]\d*-$/);
  assert.deepEqual(partials(cache), []);
});

test("a listing whose paths leave their folder is refused", async (t) => {
  const { server, environment } = await place(t);
  server.put("org/name", "onnx/model.onnx", bytes(10), true);
  const listing = await listHub("org/name", "main", { environment });
  assert.deepEqual(listing, { commit: COMMIT, licence: "apache-2.0", files: [{ path: "onnx/model.onnx", size: 10, sha256: sha256(bytes(10)) }] });
  for (const path of ["../../.bashrc", "/etc/cron.d/x", "a\\..\\b", "onnx/./x"]) {
    server.put("org/evil", path, bytes(10));
    await assert.rejects(listHub("org/evil", "main", { environment }), { code: "MODEL_LISTING", message: /would leave/ }, path);
    server.repos.delete("org/evil");
  }
  server.onHub = (request, response) => void response.end("<html>") === undefined;
  await assert.rejects(listHub("org/name", "main", { environment }), { code: "MODEL_LISTING" });
});

test("import finds files by their bytes under any name; without a hash the folder's name must say whose they are", async (t) => {
  const { root, cache, model } = await place(t);
  const stick = join(root, "stick");
  mkdirSync(join(stick, "a", "name", "onnx"), { recursive: true });
  const body = bytes(3000);
  writeFileSync(join(stick, "a", "renamed.bin"), body);
  writeFileSync(join(stick, "decoy.onnx"), bytes(3000, 5));
  const known = model([{ path: "model.onnx", size: body.length, sha256: sha256(body) }]);
  const found = await importFolder(stick, [known], { cache });
  assert.deepEqual(found.imported.map(({ path, from }) => [path, from]), [["model.onnx", join(stick, "a", "renamed.bin")]]);
  assert.deepEqual(readFileSync(join(cache, "models/m/model.onnx")), body);
  writeFileSync(join(stick, "a", "name", "onnx", "x.onnx"), "weights");
  const unknown = [{ path: "onnx/x.onnx" }, { path: "onnx/y.onnx" }];
  const second = await importFolder(stick, [model(unknown)], { cache, lock: new ModelsLock(cache, root), how: "link" });
  assert.deepEqual(second.imported.map(({ path }) => path), ["onnx/x.onnx"]);
  assert.deepEqual(second.missing.map(({ path }) => path), ["onnx/y.onnx"]);
  assert.equal(new ModelsLock(cache, root).get(model(unknown).files[0]!, "m")?.sha256, sha256("weights"));
});

test("rm gives back what no other model shares", async (t) => {
  const { server, root, cache, pull } = await place(t);
  const [shared, own] = [bytes(1000, 1), bytes(2000, 2)];
  server.put("org/name", "shared.bin", shared);
  server.put("org/name", "own.bin", own);
  await pull([{ path: "shared.bin" }, { path: "own.bin" }]);
  const other = manifestOf({ id: "n", task: "none", summary: "s", licence: "MIT", limits: ["none"], runtime: "transformers", source: { huggingface: "org/name" }, files: [{ path: "shared.bin" }] }, join(root, "manifests", "n.yaml"), createLocate({ cache, folders: [], lock: new ModelsLock(cache, root) }));
  // Looking for it was enough: the bytes are there under their hash, and get this model's link.
  assert.equal(readFileSync(other.files[0]!.at).compare(shared), 0);
  const removed = await remove({ ...other, id: "m" }, { cache });
  assert.equal(removed.files.length, 2);
  assert.equal(removed.freedBytes, 2000);
  assert.ok(existsSync(layout.blob(cache, sha256(shared))));
  assert.equal((await remove(other, { cache })).freedBytes, 1000);
  assert.ok(!existsSync(layout.blob(cache, sha256(shared))));
});


test("a damaged file of the right size beside its manifest is fetched again: it stays, and the cache's goes before it", async (t) => {
  const { server, root, cache, pull, model } = await place(t);
  const [body, other] = [bytes(9_000, 1), bytes(9_000, 2)];
  server.put("org/name", "model.onnx", body, true);
  const files = [{ path: "model.onnx", size: body.length, sha256: sha256(body) }];
  const beside = join(root, "manifests", "model.onnx");
  mkdirSync(join(root, "manifests"));
  writeFileSync(beside, body);
  assert.deepEqual([(await pull(files)).present, model(files).files[0]!.at], [1, beside]);
  writeFileSync(beside, other);
  assert.equal(model(files).files[0]!.at, beside, "it is refused by name as long as there is no other");
  const result = await pull(files);
  assert.deepEqual([result.present, result.pulled.map(({ path }) => path), result.damaged.map(({ at }) => at), result.failed], [0, ["model.onnx"], [beside], []]);
  const { at } = model(files).files[0]!;
  assert.ok(at.startsWith(cache), at);
  assert.deepEqual([readFileSync(at), readFileSync(beside)], [body, other]);
  const asked = server.asked.length;
  assert.deepEqual([(await pull(files)).present, server.asked.length], [1, asked]);
});

test("what a run found damaged under its old time of change, the pull that its hint names fetches again", async (t) => {
  const { server, root, cache, pull, model } = await place(t);
  const before = process.env["FLOW_CACHE_DIR"];
  t.after(() => (before === undefined ? delete process.env["FLOW_CACHE_DIR"] : (process.env["FLOW_CACHE_DIR"] = before)));
  process.env["FLOW_CACHE_DIR"] = cache;
  const body = bytes(9_000, 1);
  server.put("org/name", "model.onnx", body, true);
  const files = [{ path: "model.onnx", size: body.length, sha256: sha256(body) }];
  const beside = join(root, "manifests", "model.onnx");
  mkdirSync(join(root, "manifests"));
  writeFileSync(beside, body);
  utimesSync(beside, 1, 1);
  assert.equal((await pull(files)).present, 1);
  writeFileSync(beside, bytes(9_000, 2));
  utimesSync(beside, 1, 1);
  await assert.rejects(verifyModelFiles(model(files)), { code: "MODEL_CORRUPT", hint: "flow models pull m" });
  assert.equal((await pull(files)).pulled.length, 1);
  await verifyModelFiles(model(files));
});

test("a damaged file that nobody publishes is named; import brings the right bytes", async (t) => {
  const { root, cache, pull, model } = await place(t);
  const [body, other] = [bytes(9_000, 1), bytes(9_000, 2)];
  const files = [{ path: "model.onnx", size: body.length, sha256: sha256(body) }];
  const local = { source: undefined };
  const beside = join(root, "manifests", "model.onnx");
  for (const dir of ["manifests", "stick"]) mkdirSync(join(root, dir));
  writeFileSync(beside, other);
  writeFileSync(join(root, "stick", "any.bin"), body);
  const [{ error }] = (await pull(files, {}, local)).failed as [PullResult["failed"][number]];
  assert.equal(error.code, "MODEL_UNPUBLISHED");
  assert.match(error.message, /manifests\/model\.onnx is damaged, and model\.onnx is nowhere to be downloaded/);
  const { imported, missing } = await importFolder(join(root, "stick"), [model(files, local)], { cache });
  assert.deepEqual([imported.length, missing], [1, []]);
  assert.deepEqual(readFileSync(model(files, local).files[0]!.at), body);
});
