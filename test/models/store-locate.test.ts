import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import type { FlowError } from "../../src/contracts/index.js";
import { loadModels, manifestOf } from "../../src/models/manifest.js";
import { verifyModelFiles } from "../../src/models/verify-model.js";
import { cacheFolder, givenFolders, layout } from "../../src/models/store/folders.js";
import { createLocate } from "../../src/models/store/locate.js";
import { ModelsLock } from "../../src/models/store/lock.js";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function place() {
  const root = mkdtempSync(join(tmpdir(), "flow-locate-"));
  const [cache, given, manifests] = [join(root, "cache"), join(root, "given"), join(root, "manifests")];
  for (const dir of [cache, given, manifests]) mkdirSync(dir);
  const put = (path: string, text: string): string => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const locate = () => createLocate({ cache, folders: [given], lock: new ModelsLock(cache, root) });
  return { root, cache, given, manifests, put, locate };
}

const wire = (id: string, files: Record<string, unknown>[], more: Record<string, unknown> = {}) => ({
  id,
  task: "image-embedding",
  summary: "s",
  licence: "MIT",
  limits: ["none"],
  inputs: [{ name: "x", dims: ["n", 3, 4, 4] }],
  output: { name: "y", dims: 3, normalised: "unit" },
  files,
  ...more,
});
const known = (path: string, text: string) => ({ path, size: text.length, sha256: sha256(text) });

test("the cache is where the environment says", () => {
  assert.equal(cacheFolder({ FLOW_CACHE_DIR: "/x", XDG_CACHE_HOME: "/y" }), "/x");
  assert.equal(cacheFolder({ XDG_CACHE_HOME: "/y" }), "/y/flow");
  assert.match(cacheFolder({ XDG_CACHE_HOME: "relative" }), /\/\.cache\/flow$/);
  assert.deepEqual(givenFolders({ FLOW_MODELS_DIR: "/a:/b:" }), ["/a", "/b"]);
});

test("a cache whose place is taken by a file has nothing", () => {
  const { manifests, root, put } = place();
  const taken = put(join(root, "taken"), "a file");
  const manifest = manifestOf(wire("m", [{ ...known("m.onnx", "RIGHT"), source: { huggingface: "org/name" } }]), join(manifests, "m.yaml"), createLocate({ cache: taken, folders: [], lock: new ModelsLock(taken, root) }));
  assert.equal(existsSync(manifest.files[0]!.at), false);
});

test("a file of known hash is found under any name and in any depth, not one of the same size", async () => {
  const { given, manifests, cache, put, locate } = place();
  put(join(given, "a", "weights.bin"), "OTHER");
  const right = put(join(given, "z", "deep", "weights.bin"), "RIGHT");
  const manifest = manifestOf(wire("m", [known("m.onnx", "RIGHT")]), join(manifests, "m.yaml"), locate());
  // Under another name it is used through a link that has the manifest's.
  assert.equal(manifest.file, join(layout.model(cache, "m"), "m.onnx"));
  assert.equal(realpathSync(manifest.file), realpathSync(right));
  await verifyModelFiles(manifest);
});

test("a file under its own name is used where it lies, and the folder holds all the others", () => {
  const { given, manifests, cache, put, locate } = place();
  put(join(given, "hub", "onnx", "model.onnx"), "MODEL");
  put(join(given, "hub", "tokenizer.json"), "TOKENS");
  const manifest = manifestOf(wire("m", [known("onnx/model.onnx", "MODEL"), known("tokenizer.json", "TOKENS")], { runtime: "transformers" }), join(manifests, "m.yaml"), locate());
  assert.equal(manifest.dir, join(given, "hub") + "/");
  assert.ok(!existsSync(join(cache, "models")));
});

test("files from several places are brought together by links, so that a checkpoint opens from one folder", () => {
  const { given, manifests, cache, put, locate } = place();
  put(join(given, "one", "encoder.onnx"), "MODEL");
  put(join(given, "two", "tokenizer.json"), "TOKENS");
  put(layout.blob(cache, sha256("CONFIG")), "CONFIG");
  const files = [known("onnx/encoder.onnx", "MODEL"), known("tokenizer.json", "TOKENS"), known("config.json", "CONFIG")];
  const manifest = manifestOf(wire("m", files, { runtime: "transformers" }), join(manifests, "m.yaml"), locate());
  assert.equal(manifest.dir, layout.model(cache, "m") + "/");
  for (const [i, text] of ["MODEL", "TOKENS", "CONFIG"].entries()) {
    assert.equal(manifest.files[i]!.at, join(manifest.dir, files[i]!.path));
    assert.equal(readFileSync(manifest.files[i]!.at, "utf8"), text);
  }
  // What the cache has itself is a hard link: nothing that resolves links leaves the model's folder.
  assert.ok(!lstatSync(join(manifest.dir, "config.json")).isSymbolicLink());
});

test("what is nowhere has the place where it would lie: the cache if it is published, else beside the manifest", () => {
  const { manifests, cache, locate } = place();
  const source = { huggingface: "org/name" };
  const published = manifestOf(wire("m", [known("m.onnx", "MODEL")], { source }), join(manifests, "m.yaml"), locate());
  assert.equal(published.file, join(cache, "models", "m", "m.onnx"));
  const local = manifestOf(wire("l", [known("m.onnx", "MODEL")]), join(manifests, "l.yaml"), locate());
  assert.equal(local.file, join(manifests, "m.onnx"));
});

test("no file is hashed twice, unless it changed", () => {
  const { given, manifests, cache, put, locate } = place();
  const path = put(join(given, "m.onnx"), "RIGHT");
  utimesSync(path, 1, 1);
  const found = () => manifestOf(wire("m", [known("m.onnx", "RIGHT")], { source: { huggingface: "org/name" } }), join(manifests, "m.yaml"), locate()).file;
  assert.equal(found(), path);
  // Same size and time: the index answers, although the bytes are others now (what runs is checked again by pre-flight).
  writeFileSync(path, "WRONG");
  utimesSync(path, 1, 1);
  assert.equal(found(), path);
  utimesSync(path, 2, 2);
  assert.equal(found(), join(cache, "models", "m", "m.onnx"));
});

test("what another revision left in the cache is not taken for this one's, known hash or not", () => {
  const { manifests, root, cache, put, locate } = place();
  put(join(layout.model(cache, "m"), "config.json"), "OLD");
  const published = (file: Record<string, unknown>, revision: string) => manifestOf(wire("m", [file], { runtime: "transformers", source: { huggingface: "org/name", revision } }), join(manifests, "m.yaml"), locate());
  assert.equal(published(known("config.json", "NEW"), "main").installed, false);
  put(join(layout.model(cache, "m"), "config.json"), "OLD");
  const unlocked = published({ path: "config.json" }, "v2");
  assert.equal(unlocked.files[0]!.sha256, null);
  assert.equal(unlocked.installed, false);
  assert.equal(new ModelsLock(cache, root).get({ path: "config.json", source: unlocked.files[0]!.source }, "m"), null);
  // With the right bytes in the cache the link is made anew.
  put(layout.blob(cache, sha256("NEW")), "NEW");
  assert.equal(readFileSync(published(known("config.json", "NEW"), "main").files[0]!.at, "utf8"), "NEW");
});

test("a catalogue looks for no file until somebody asks, and for none in folders when all lie beside", () => {
  const { manifests, cache, put, locate } = place();
  put(join(manifests, "m.onnx"), "MODEL");
  const manifest = manifestOf(wire("m", [known("m.onnx", "MODEL")]), join(manifests, "m.yaml"), locate());
  assert.equal(manifest.file, join(manifests, "m.onnx"));
  assert.ok(!existsSync(layout.hashes(cache)));
  let asked = 0;
  const lazy = manifestOf(wire("m", [known("m.onnx", "MODEL")]), join(manifests, "m.yaml"), () => ({ at: `/${++asked}` }));
  assert.equal(lazy.task, "image-embedding");
  assert.equal(asked, 0);
  assert.equal(lazy.file, "/1");
  assert.equal(lazy.files[0]!.at, "/1");
});

test("a manifest is read when it is asked for: a broken one troubles only those who want it", () => {
  const { manifests, put } = place();
  put(join(manifests, "good.yaml"), JSON.stringify(wire("good", [known("m.onnx", "MODEL")])));
  put(join(manifests, "bad.yaml"), "id: bad");
  const models = loadModels(manifests);
  assert.deepEqual([[...models.keys()], models.size, models.has("bad"), models.has("none")], [["bad", "good"], 2, true, false]);
  assert.equal(models.get("good")?.task, "image-embedding");
  assert.equal(models.get("good"), models.get("good"));
  assert.throws(() => models.get("bad"), { code: "MODEL_MANIFEST" });
  assert.throws(() => [...models.values()], { code: "MODEL_MANIFEST" });
});

test("a published file without a hash is recognised by the hub's folders, hashed, and locked", async () => {
  const { given, manifests, root, cache, put, locate } = place();
  const wanted = wire("m", [{ path: "onnx/model.onnx" }], { source: { huggingface: "org/name", revision: "main" } });
  const found = () => manifestOf(wanted, join(manifests, "m.yaml"), locate());
  const before = found().sha256;
  const path = put(join(given, "models--org--name", "snapshots", "abc", "onnx", "model.onnx"), "MODEL");
  const after = found();
  assert.equal(after.file, path);
  assert.equal(after.sha256, sha256("MODEL"));
  assert.equal(after.sizeBytes, 5);
  assert.notEqual(before, after.sha256);
  assert.equal(new ModelsLock(cache, root).get({ path: "onnx/model.onnx", source: { kind: "huggingface", repo: "org/name", revision: "main", path: "onnx/model.onnx" } }, "m")?.sha256, sha256("MODEL"));
  // From now on only these bytes are the model.
  for (const text of ["OTHER-MODEL", "LEDOM"]) {
    writeFileSync(path, text);
    assert.equal(found().sha256, after.sha256);
    await assert.rejects(verifyModelFiles(found()), (error: FlowError) => {
      assert.equal(error.code, "MODEL_LOCK");
      for (const part of [path, `${text.length} bytes sha256 ${sha256(text)}`, `5 bytes sha256 ${sha256("MODEL")}`, layout.lock(cache)]) assert.ok(error.message.includes(part), `${part}: ${error.message}`);
      assert.match(error.hint, /flow models pull m`.*flow models rm m --unlock.*huggingface:org\/name@main\/onnx\/model\.onnx/);
      return true;
    });
  }
  // The right bytes in the cache go before it.
  put(layout.blob(cache, sha256("MODEL")), "MODEL");
  await verifyModelFiles(found());
  assert.ok(found().file.startsWith(cache));
});

test("a locked file beside its manifest that has changed is told as such, of whatever size it is", async () => {
  const { manifests, root, cache, put, locate } = place();
  const wanted = wire("m", [{ path: "m.onnx" }], { source: { huggingface: "org/name", revision: "main" } });
  const found = () => manifestOf(wanted, join(manifests, "m.yaml"), locate());
  new ModelsLock(cache, root).start();
  const path = put(join(manifests, "m.onnx"), "MODEL");
  await verifyModelFiles(found());
  for (const text of ["OTHER-MODEL", "LEDOM"]) {
    put(path, text);
    await assert.rejects(verifyModelFiles(found()), (error: FlowError) => error.code === "MODEL_LOCK" && error.message.includes(join(root, "models.lock")));
  }
});
