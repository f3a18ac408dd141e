import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { stringify } from "yaml";
import { OnnxGraph } from "../../models/build/onnx-writer.js";
import type { ModelDocument, ModelsAddDocument, ModelsCalibrateDocument, ModelsCalibrateResetDocument, ModelsImportDocument, ModelsListDocument, ModelsPartialDocument, ModelsPullDocument, ModelsRmDocument, ModelsVerifyDocument, ModelsWhereDocument, RunDocument } from "../../src/cli/json.js";
import { writeCalibration } from "../../src/models/store/calibration.js";
import { bytes, COMMIT, HubServer } from "../models/hub-server.js";
import { flow, MAIN, ROOT } from "./spawn.js";

const sha256 = (body: Buffer): string => createHash("sha256").update(body).digest("hex");
const LITE = join(ROOT, "models", "lite-image.onnx");

/** A folder with manifests of its own, an empty cache, and a hub. */
async function place(t: test.TestContext) {
  const root = mkdtempSync(join(tmpdir(), "flow-models-cli-"));
  const [cache, given] = [join(root, "cache"), join(root, "given")];
  mkdirSync(given);
  const server = await HubServer.open();
  t.after(() => server[Symbol.asyncDispose]());
  const env = { FLOW_CACHE_DIR: cache, FLOW_MODELS_DIR: given, HF_ENDPOINT: server.endpoint, HF_TOKEN: "", HTTP_PROXY: "", http_proxy: "" };
  const manifest = (id: string, files: Record<string, unknown>[], more: Record<string, unknown> = {}): void =>
    writeFileSync(join(given, `${id}.yaml`), stringify({ id, task: "captioning", summary: "s", licence: "MIT", runtime: "transformers", source: { huggingface: "org/name" }, files, limits: ["none"], ...more }));
  const run = (...args: string[]) => flow(["models", ...args], { env, cwd: root });
  const json = async <T>(...args: string[]): Promise<T & { code: number | null }> => {
    const { stdout, code, stderr } = await run(...args, "--json");
    assert.ok(stdout.trim().startsWith("{"), `${args.join(" ")}: ${stderr}`);
    return { ...(JSON.parse(stdout) as T), code };
  };
  return { root, cache, given, server, env, manifest, run, json };
}

test("pull, show, verify, where and rm of one model", async (t) => {
  const { server, cache, manifest, run, json } = await place(t);
  const body = bytes(100_000);
  server.put("org/name", "onnx/model.onnx", body, true);
  server.put("org/name", "config.json", Buffer.from("{}"));
  manifest("tiny", [{ path: "onnx/model.onnx", size: body.length, sha256: sha256(body) }, { path: "config.json" }]);
  assert.equal((await json<ModelDocument>("show", "tiny")).state, "missing");
  const pulled = await json<ModelsPullDocument>("pull", "tiny");
  assert.equal(pulled.code, 0);
  assert.deepEqual(pulled.models, ["tiny"]);
  assert.equal(pulled.bytes, 100_002);
  const shown = await json<ModelDocument>("show", "tiny");
  assert.equal(shown.state, "installed");
  assert.deepEqual(shown.files.map((file) => [file.path, file.present, file.sha256]), [["onnx/model.onnx", true, sha256(body)], ["config.json", true, sha256(Buffer.from("{}"))]]);
  assert.equal(shown.files[0]!.page, "https://huggingface.co/org/name");
  const listed = await json<ModelsListDocument>("list", "--installed");
  assert.deepEqual(listed.models.map(({ id }) => id).sort(), ["lite-image", "lite-sound", "lite-text", "tiny"]);
  const where = await json<ModelsWhereDocument & { dir: string }>("where", "tiny");
  assert.equal(where.dir, `${join(cache, "models", "tiny")}/`);
  assert.equal((await json<ModelsVerifyDocument>("verify", "tiny")).ok, true);
  writeFileSync(join(cache, "models", "tiny", "note.txt"), "");
  const blob = join(cache, "blobs", "sha256", sha256(body));
  chmodSync(blob, 0o644);
  writeFileSync(blob, bytes(100_000, 9));
  const broken = await json<ModelsVerifyDocument>("verify", "tiny");
  assert.equal(broken.code, 3);
  assert.match(broken.models[0]!.files[0]!.problem ?? "", new RegExp(`found sha256 [0-9a-f]{64}, expected ${sha256(body)}`));
  assert.deepEqual((await json<ModelsPullDocument>("pull", "tiny")).pulled.map(({ path }) => path), ["onnx/model.onnx"], "what verify advises puts it right");
  assert.equal((await json<ModelsVerifyDocument>("verify", "tiny")).ok, true);
  const removed = await json<ModelsRmDocument>("rm", "tiny");
  assert.ok(removed.freedBytes >= 100_000);
  assert.equal((await json<ModelDocument>("show", "tiny")).state, "missing");
  const text = await run("pull", "tiny");
  assert.equal(text.code, 0, text.stderr);
  assert.match(text.stdout, /^tiny: 2 files pulled, 100 kB in /m);
  assert.match(text.stderr, /^pulled tiny\/config\.json/m);
});

test("pull --lock records what is there already; where the manifests state all hashes it says so", async (t) => {
  const { root, server, manifest, json } = await place(t);
  const body = bytes(1000);
  server.put("org/name", "model.onnx", body, true);
  manifest("tiny", [{ path: "model.onnx" }]);
  manifest("stated", [{ path: "model.onnx", size: body.length, sha256: sha256(body) }]);
  await json<ModelsPullDocument>("pull", "tiny");
  const stated = await json<ModelsPullDocument>("pull", "stated", "--lock");
  assert.match(stated.notes.join(), /state every hash themselves/);
  const again = await json<ModelsPullDocument>("pull", "tiny", "--lock");
  assert.deepEqual([again.present, again.notes], [1, []]);
  const { files } = JSON.parse(readFileSync(join(root, "models.lock"), "utf8")) as { files: Record<string, { sha256: string }> };
  assert.deepEqual(Object.entries(files).map(([key, entry]) => [key, entry.sha256]), [["huggingface:org/name@main/model.onnx", sha256(body)]]);
});

test("a locked file in FLOW_MODELS_DIR that has changed is shown as changed; verify tells both hashes, pull brings the locked bytes, rm --unlock accepts the new ones", async (t) => {
  const { root, given, cache, server, manifest, run, json } = await place(t);
  const [body, other] = [bytes(1000), bytes(1200, 2)];
  server.put("org/name", "model.onnx", body, true);
  manifest("tiny", [{ path: "model.onnx" }]);
  mkdirSync(join(given, "tiny"));
  const at = join(given, "tiny", "model.onnx");
  writeFileSync(at, body);
  assert.equal((await json<ModelsPullDocument>("pull", "tiny", "--lock")).present, 1);
  writeFileSync(at, other);
  assert.match((await run("show", "tiny")).stdout, /state +changed, [^]*^ *changed +model\.onnx[^]*note: .*given\/tiny\/model\.onnx is not what .*models\.lock says/m);
  const verified = await run("verify", "tiny");
  assert.equal(verified.code, 3);
  const told = (await json<ModelsVerifyDocument>("verify", "tiny")).models[0]!.files[0]!;
  assert.equal(told.problem, `${at} has changed since it was locked: found 1200 bytes sha256 ${sha256(other)}, expected 1000 bytes sha256 ${sha256(body)} (${join(root, "models.lock")})`);
  assert.match(verified.stdout, /next: flow models pull tiny; flow models rm tiny --unlock accepts/);
  const pulled = await json<ModelsPullDocument>("pull", "tiny");
  assert.match(pulled.notes.join(), /is not what .*models\.lock says; it was left there/);
  assert.equal((await json<ModelsVerifyDocument>("verify", "tiny")).ok, true);
  assert.ok((await json<ModelDocument>("show", "tiny")).files[0]!.at.startsWith(cache));
  await json<ModelsRmDocument>("rm", "tiny", "--unlock");
  const accepted = (await json<ModelDocument>("show", "tiny")).files[0]!;
  assert.deepEqual([accepted.at, accepted.sha256, accepted.lock], [at, sha256(other), join(root, "models.lock")]);
});

test("killed in mid-download with SIGKILL, the next pull goes on from there", async (t) => {
  const { server, root, cache, env, manifest, json } = await place(t);
  const body = bytes(2_000_000);
  server.put("org/name", "model.onnx", body, true);
  manifest("tiny", [{ path: "model.onnx" }]);
  let held: (() => void) | null = null;
  const half = new Promise<void>((resolve) => (held = resolve));
  server.onStorage = (request, response) => {
    if (request.headers.range) return false;
    response.writeHead(200, { etag: `"${sha256(body)}"`, "content-length": body.length });
    response.write(body.subarray(0, 1_000_000), () => held?.());
    return true;
  };
  const child = spawn(process.execPath, [MAIN, "models", "pull", "tiny"], { cwd: root, env: { ...process.env, ...env }, stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("close", resolve));
  await half;
  const part = await grown(join(cache, "partial"));
  child.kill("SIGKILL");
  await ended;
  assert.ok(!existsSync(join(cache, "blobs")));
  const kept = statSync(part).size;
  assert.ok(kept > 0 && kept <= 1_000_000);
  const again = await json<ModelsPullDocument>("pull", "tiny");
  assert.equal(again.code, 0);
  assert.equal(again.pulled[0]?.sha256, sha256(body));
  assert.equal(server.asked.at(-1)!.headers.range, `bytes=${kept}-`);
  assert.deepEqual(readdirSync(join(cache, "partial")), []);
});

/** The unfinished file once it has bytes: fs.watch tells of each write. */
async function grown(folder: string): Promise<string> {
  const { watch } = await import("node:fs/promises");
  const now = (): string | undefined => readdirSync(folder).filter((name) => !name.includes(".")).map((name) => join(folder, name)).find((path) => statSync(path).size > 0);
  const already = now();
  if (already) return already;
  for await (const _change of watch(folder)) {
    const path = now();
    if (path) return path;
  }
  throw new Error("never");
}

test("what cannot be pulled: exit 3, each cause told once with its hint; a mistyped name: exit 2 with the nearest", async (t) => {
  const { server, manifest, run, json } = await place(t);
  server.put("org/name", "a.onnx", bytes(10));
  server.gated.add("org/name");
  manifest("gated", [{ path: "a.onnx" }, { path: "b.onnx" }]);
  const text = await run("pull", "gated");
  assert.equal(text.code, 3);
  assert.match(text.stderr, /MODEL_GATED/);
  assert.match(text.stderr, /hint: .*huggingface\.co\/org\/name.*HF_TOKEN/);
  const document = await json<ModelsPullDocument>("pull", "gated");
  assert.equal(document.code, 3);
  assert.equal(document.error?.code, "MODEL_GATED");
  const logged = await run("pull", "gated", "--log", "json");
  assert.equal(logged.code, 3);
  assert.equal(logged.stdout, "");
  const lines = logged.stderr.trim().split("\n").map((line) => JSON.parse(line) as { event: string });
  assert.deepEqual([...new Set(lines.map(({ event }) => event))], ["pulled", "not-pulled", "pull-end"]);
  const typo = await run("pull", "gatd");
  assert.equal(typo.code, 2);
  assert.match(typo.stderr, /Did you mean gated/);
  assert.equal((await run("pul")).code, 2);
  assert.equal((await run("pull")).code, 2);
  assert.equal((await run("show", "nothing-like-it")).code, 2);
  for (const name of ["list", "show", "pull", "import", "verify", "rm", "where", "add", "calibrate"]) {
    const help = await run(name, "--help");
    assert.equal(help.code, 0, name);
    assert.match(help.stdout, /Examples:\n {2}flow models/, name);
  }
});

test("a graph's models: nothing to pull for the default profile", async (t) => {
  const { json, server } = await place(t);
  const document = await json<ModelsPullDocument>("pull", "graphs/ego.yaml");
  assert.equal(document.code, 0);
  assert.deepEqual(document.models.sort(), ["lite-image", "lite-sound", "lite-text"]);
  assert.equal(document.pulled.length, 0);
  assert.equal(server.asked.length, 0);
});

test("a graph whose input has no default: its models are pulled and imported without one; what else is missing is told", async (t) => {
  const { root, server, manifest, run, json } = await place(t);
  const readme = /^```yaml\n(flow: 1\nname: cuts\n[^]*?)^```/m.exec(readFileSync(join(ROOT, "README.md"), "utf8"))![1]!;
  const body = readFileSync(LITE);
  server.put("org/name", "eyes.onnx", body, true);
  manifest("eyes", [{ path: "eyes.onnx", size: body.length, sha256: sha256(body) }], {
    ...{ runtime: "onnx", task: "image-embedding", inputs: [{ name: "pixel_values", dims: ["n", 3, 224, 224] }], preprocess: { kind: "image", size: [224, 224] } },
    output: { name: "image_embeds", dims: 512, normalised: "unit" },
  });
  writeFileSync(join(root, "cuts.yaml"), readme);
  writeFileSync(join(root, "eyes.yaml"), readme.replace("image: lite-image", "image: eyes"));
  writeFileSync(join(root, "level.yaml"), readme.replace("default: 27", "min: 1"));
  mkdirSync(join(root, "stick"));
  writeFileSync(join(root, "stick", "x.bin"), body);
  const cuts = await json<ModelsPullDocument>("pull", "cuts.yaml");
  assert.deepEqual([cuts.code, cuts.models], [0, ["lite-image"]]);
  const imported = await json<ModelsImportDocument>("import", "stick", "--model", "eyes.yaml");
  assert.deepEqual([imported.code, imported.imported.map(({ model, path }) => `${model}/${path}`)], [0, ["eyes/eyes.onnx"]]);
  await json<ModelsRmDocument>("rm", "eyes");
  assert.deepEqual((await json<ModelsPullDocument>("pull", "eyes.yaml")).pulled.map(({ path }) => path), ["eyes.onnx"]);
  const level = await run("pull", "level.yaml");
  assert.deepEqual([level.code, /PARAM_MISSING.*threshold/.test(level.stderr)], [2, true], level.stderr);
});

test("import takes known files from a folder", async (t) => {
  const { root, manifest, run, json } = await place(t);
  const body = bytes(4000);
  manifest("tiny", [{ path: "model.onnx", size: 4000, sha256: sha256(body) }, { path: "other.onnx", size: 5000, sha256: "b".repeat(64) }]);
  mkdirSync(join(root, "stick"));
  writeFileSync(join(root, "stick", "x.bin"), body);
  const all = await json<ModelsImportDocument>("import", "stick");
  assert.equal(all.code, 0);
  assert.deepEqual(all.imported.map(({ model, path }) => `${model}/${path}`), ["tiny/model.onnx"]);
  assert.deepEqual(all.missing.map(({ path }) => path), ["other.onnx"]);
  assert.equal((await json<ModelsImportDocument>("import", "stick", "--model", "tiny")).code, 3);
  mkdirSync(join(root, "photos"));
  writeFileSync(join(root, "photos", "a.jpg"), "no model");
  assert.match((await run("import", "photos", "--model", "tiny")).stdout, /^Nothing in photos was wanted: it holds no missing file \(1 missing, 1 were there before\)\.$/m);
});

test("an import that is killed while it copies leaves only what `rm --partial` takes away", async (t) => {
  const { root, cache, manifest, env, json } = await place(t);
  const body = Buffer.alloc(64 << 20, 7);
  manifest("tiny", [{ path: "model.onnx", size: body.length, sha256: sha256(body) }]);
  mkdirSync(join(root, "stick"));
  writeFileSync(join(root, "stick", "x.bin"), body);
  const partial = join(cache, "partial");
  mkdirSync(partial, { recursive: true });
  const watcher = watch(partial);
  t.after(() => watcher.close());
  const child = spawn(process.execPath, [MAIN, "models", "import", "stick"], { cwd: root, env: { ...process.env, ...env }, stdio: "ignore" });
  const ended = once(child, "exit");
  const first = await Promise.race([once(watcher, "change").then(() => "copying"), ended.then(() => "ended")]);
  assert.equal(first, "copying");
  child.kill("SIGKILL");
  await ended;
  for (const name of readdirSync(join(cache, "blobs", "sha256"))) assert.match(name, /^[0-9a-f]{64}$/);
  assert.equal((await json<ModelsRmDocument>("rm", "--partial")).code, 0);
  assert.equal(existsSync(partial), false);
  assert.equal((await json<ModelsImportDocument>("import", "stick", "--model", "tiny")).code, 0);
  assert.equal((await json<ModelsVerifyDocument>("verify", "tiny")).models[0]!.files[0]!.ok, true);
});

test("add: a file's names and dimensions are read, what nothing tells is asked for by option", async (t) => {
  const { root, cache, run, json } = await place(t);
  writeFileSync(join(root, "eyes.onnx"), readFileSync(LITE));
  const needs = await run("add", "eyes.onnx");
  assert.equal(needs.code, 2);
  assert.match(needs.stderr, /give --task, --preprocess, --licence/);
  assert.ok(!existsSync(cache) || !existsSync(join(cache, "manifests")));
  const added = await json<ModelsAddDocument>("add", "eyes.onnx", "--task", "image-embedding", "--preprocess", "imagenet", "--licence", "MIT");
  assert.equal(added.code, 0);
  assert.equal(added.manifest, join(cache, "manifests", "eyes.yaml"));
  const shown = await json<ModelDocument>("show", "eyes");
  assert.equal(shown.state, "installed");
  assert.deepEqual(shown.inputs, [{ name: "pixel_values", dims: ["n", 3, 224, 224], type: "float32" }]);
  assert.deepEqual(shown.output, { name: "image_embeds", dims: 512, normalised: "unit", pooling: "none" });
  assert.ok(shown.preprocess.kind === "image" && shown.preprocess.mean[0] === 0.485 && shown.preprocess.size[0] === 224);
  assert.equal((await json<ModelsVerifyDocument>("verify", "eyes")).ok, true);
  const right = readFileSync(added.manifest, "utf8");
  writeFileSync(added.manifest, right.replaceAll("224", "225"));
  const contradicted = await run("verify", "eyes");
  assert.equal(contradicted.code, 3);
  assert.match(contradicted.stdout, /next: correct .*eyes\.yaml/, "other files would not help");
  writeFileSync(added.manifest, right.replace(/size: \d{4,}/, "size: 7"));
  assert.match((await run("verify", "eyes")).stdout, /next: flow models import DIR --model eyes/, "it is nowhere to be downloaded");
  writeFileSync(added.manifest, right);
  assert.equal((await run("add", "eyes.onnx", "--task", "image-embedding", "--preprocess", "imagenet", "--licence", "MIT", "--output", "image_embeds")).code, 2);
  writeFileSync(join(root, "broken.onnx"), "not a model");
  const broken = await run("add", "broken.onnx");
  assert.equal(broken.code, 2);
  assert.match(broken.stderr, /MODEL_CORRUPT/);
  for (const [options, said] of [[["--preprocess", "dim"], /BAD_ARGUMENTS --preprocess dim is neither a preset nor a YAML map/], [["--id", "Eyes/.."], /lower-case letters.*\nhint: Nothing was written/]] as const) {
    const wrong = await run("add", "eyes.onnx", "--task", "image-embedding", "--licence", "MIT", ...options, ...(options[0] === "--id" ? ["--preprocess", "imagenet"] : ["--id", "other"]));
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, said);
  }
  await json<ModelsRmDocument>("rm", "eyes");
  assert.equal((await run("show", "eyes")).code, 2);
  assert.ok(existsSync(join(root, "eyes.onnx")));
});

/** A file whose output is the mean of a picture's channels, in any type. */
function meanOf(root: string, name: string, pixels: (number | string)[], type: "float32" | "int64" = "float32", more: (graph: OnnxGraph, mean: string) => string = (_, mean) => mean): void {
  const graph = new OnnxGraph(name, "tests");
  const mean = graph.op("ReduceMean", [graph.input("pixels", "float32", pixels)], { axes: [2, 3], keepdims: 0 });
  graph.output(more(graph, type === "int64" ? graph.op("Cast", [mean], { to: 7 }) : mean), "mean", type, ["n", pixels[1]!]);
  writeFileSync(join(root, `${name}.onnx`), graph.encode());
}

test("add: what could not be run is refused before anything is written, in the words of what was typed", async (t) => {
  const { root, cache, run } = await place(t);
  meanOf(root, "mean", ["n", 3, 8, 8]);
  meanOf(root, "whole", ["n", 3, 8, 8], "int64");
  meanOf(root, "grey", ["n", 1, 8, 8]);
  meanOf(root, "free", ["n", 3, "h", "w"]);
  meanOf(root, "scaled", ["n", 3, 8, 8], "float32", (graph, mean) => graph.op("Mul", [mean, graph.input("scale", "float32", [1])]));
  writeFileSync(join(root, "labels.txt"), "red\ngreen\n");
  const embedding = ["--task", "image-embedding", "--licence", "MIT"];
  const classes = ["--task", "image-classification", "--licence", "MIT"];
  const bytes = ["--preprocess", "0..255"];
  const refused: [args: string[], said: RegExp][] = [
    [["mean.onnx", ...embedding, ...bytes, "--dims", "7"], /MODEL_SHAPE mean\.onnx .*found mean: float32\[n, 3\], expected mean: float32\[…, 7\] or float16/],
    [["mean.onnx", ...embedding, ...bytes, "--dims", "many"], /--dims many is no number/],
    [["mean.onnx", ...embedding, ...bytes, "--output", "max"], /MODEL_SHAPE .*output "max": not in the file, which has mean: float32\[n, 3\]/],
    [["whole.onnx", ...embedding, ...bytes], /MODEL_ADD_NEEDS .*None is float32 or float16 .*: mean: int64\[n, 3\]/],
    [["whole.onnx", ...embedding, ...bytes, "--output", "mean"], /MODEL_SHAPE .*found mean: int64\[n, 3\], .*\nhint: Nothing was written: .*read by model\.run/],
    [["scaled.onnx", ...embedding, ...bytes], /MODEL_INPUTS scaled\.onnx has 2 inputs, and image\.embed feeds pixels: nothing would go into scale: float32\[1\]\./],
    [["scaled.onnx", "--task", "anything", "--licence", "MIT", ...bytes], /MODEL_INPUTS .*model\.run feeds pixels/],
    [["grey.onnx", ...embedding, ...bytes], /--preprocess 0\.\.255 makes pictures of 3 channels, and the file takes pixels: float32\[n, 1, 8, 8\]/],
    [["grey.onnx", ...embedding], /MODEL_ADD_NEEDS .*Pictures have 3 channels here, so pixels: float32\[n, 1, 8, 8\] takes none/],
    [["free.onnx", ...embedding, ...bytes], /does not say how large the pictures are, and pixels: float32\[n, 3, h, w\] leaves it open\.\nhint: .*\{ kind: image, size: \[ 224, 224 \]/],
    [["free.onnx", ...embedding], /MODEL_ADD_NEEDS .*How large are the pictures of pixels/],
    [["mean.onnx", ...embedding, "--preprocess", "{ size: [8, 8] }"], /has no kind; image, audio, text, processor are known/],
    [["mean.onnx", ...embedding, ...bytes, "--id", "bad id/../x"], /--id bad id\/\.\.\/x is no id: it has lower-case letters/],
    [["mean.onnx", ...embedding, ...bytes, "--id", "lite-image"], /There is a model lite-image already, .*models\/lite-image\.yaml: .*would hide it from every graph\.\nhint: .*--force to have graphs mean the new one/],
    [["mean.onnx", ...classes, ...bytes, "--with", "labels.txt"], /labels\.txt names 2 classes, and mean: float32\[n, 3\] has 3/],
    [["hf:org/lite-image"], /There is a model lite-image already/],
    [["."], /\. is a folder, .*\nhint: Name one of those in it: free\.onnx, grey\.onnx/],
    [["given"], /given is a folder, .*\nhint: None lies in it/],
  ];
  for (const [args, said] of refused) {
    const { code, stderr } = await run("add", ...args);
    assert.deepEqual([code, said.test(stderr)], [2, true], `${args.join(" ")}: ${stderr}`);
    assert.ok(!stderr.includes(join(cache, "manifests", "bad")) && !existsSync(cache), args.join(" "));
  }
});

test("add: with --force it says which model graphs no longer mean; classes without names, and names without a class, are told", async (t) => {
  const { root, run, json } = await place(t);
  meanOf(root, "mean", ["n", 3, 8, 8]);
  const bytes = ["--preprocess", "0..255", "--licence", "MIT"];
  const forced = await json<ModelsAddDocument>("add", "mean.onnx", "--task", "image-embedding", ...bytes, "--id", "lite-image", "--force");
  assert.equal(forced.code, 0);
  assert.deepEqual(forced.notes, [`Graphs mean this one by lite-image from now on, and no longer ${join(ROOT, "models", "lite-image.yaml")}.`]);
  assert.equal((await json<ModelsVerifyDocument>("verify", "lite-image")).ok, true);
  const classes = ["mean.onnx", "--task", "image-classification", ...bytes, "--force"];
  assert.match((await json<ModelsAddDocument>("add", ...classes)).notes.join(), /Nothing names its classes, and image\.tag needs names/);
  const label = async (count: number): Promise<string[]> => {
    writeFileSync(join(root, "labels.txt"), Array.from({ length: count }, (_, i) => `class ${i}\n`).join(""));
    return (await json<ModelsAddDocument>("add", ...classes, "--with", "labels.txt")).notes;
  };
  assert.deepEqual(await label(3), []);
  assert.match((await label(4)).join(), /names 4 classes, and mean: float32\[n, 3\] has 3: .*labelOffset: 1/);
  assert.equal((await run("show", "mean")).code, 0);
});

test("add: a picture model of bytes needs no preset, one that does not fit is refused", async (t) => {
  const { root, run, json } = await place(t);
  const graph = new OnnxGraph("bytes", "tests");
  const pixels = graph.op("Cast", [graph.input("pixels", "uint8", [1, 8, 8, 3])], { to: 1 });
  graph.output(graph.op("ReduceMean", [pixels], { axes: [1, 2], keepdims: 0 }), "scores", "float32", [1, 3]);
  writeFileSync(join(root, "bytes.onnx"), graph.encode());
  const added = await json<ModelsAddDocument>("add", "bytes.onnx", "--task", "image-classification", "--licence", "MIT");
  assert.equal(added.inferred["preprocess"], "the ONNX file: uint8 pixels are 0..255");
  assert.deepEqual((await json<ModelsVerifyDocument>("verify", "bytes")).ok, true);
  const { preprocess, inputs } = await json<ModelDocument>("show", "bytes");
  assert.ok(preprocess.kind === "image");
  assert.deepEqual([inputs[0]!.type, preprocess.scale, preprocess.mean, preprocess.layout], ["uint8", 1, [0, 0, 0], "nhwc"]);
  const wrong = await run("add", "bytes.onnx", "--id", "other", "--task", "image-classification", "--licence", "MIT", "--preprocess", "imagenet");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /makes pixels of -2\.12…2\.64, input pixels takes whole numbers of 0…255 \(uint8\): `scale: 1` without mean and std.*\nhint: Nothing was written/);
  const swapped = await json<ModelsAddDocument>("add", "bytes.onnx", "--id", "swapped", "--task", "image-classification", "--licence", "MIT", "--preprocess", "0..255-bgr");
  assert.equal(swapped.code, 0, swapped.yaml);
});

test("add hf: a repository's configuration tells task, preprocessing and licence; the manifest is pinned to the commit", async (t) => {
  const { server, cache, json, run } = await place(t);
  server.put("org/eyes", "onnx/model_quantized.onnx", readFileSync(LITE), true);
  server.put("org/eyes", "onnx/model.onnx", bytes(10), true);
  server.put("org/eyes", "config.json", Buffer.from(JSON.stringify({ architectures: ["Dinov2Model"], hidden_size: 512 })));
  const processor = { do_resize: true, size: { shortest_edge: 256 }, do_center_crop: true, crop_size: { height: 224, width: 224 }, resample: 3, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean: [0.1, 0.2, 0.3], image_std: [0.4, 0.5, 0.6] };
  server.put("org/eyes", "preprocessor_config.json", Buffer.from(JSON.stringify(processor)));
  const added = await json<ModelsAddDocument>("add", "hf:org/eyes");
  assert.equal(added.code, 0);
  assert.match(added.yaml, new RegExp(`revision: ${COMMIT}`));
  const shown = await json<ModelDocument>("show", "eyes");
  assert.deepEqual([shown.task, shown.licence, shown.state, shown.output?.name], ["image-embedding", "apache-2.0", "installed", "image_embeds"]);
  assert.ok(shown.preprocess.kind === "image");
  assert.deepEqual({ ...shown.preprocess }, { kind: "image", size: [224, 224], fit: "cover", resize: 256, pad: 0, anchor: "centre", resample: "bicubic", mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6], color: "rgb", scale: 1 / 255, layout: "nchw" });
  assert.ok(!server.asked.some(({ path }) => path.endsWith("onnx/model.onnx")), "the other precision is not downloaded");
  assert.deepEqual(readdirSync(join(cache, "models")), ["eyes"]);
  server.put("org/evil", "../../escape.onnx", bytes(10), true);
  const evil = await run("add", "hf:org/evil");
  assert.equal(evil.code, 3);
  assert.match(evil.stderr, /MODEL_LISTING/);
});

test("add hf: what was downloaded before an answer was missing is shown, taken up by the next add, and can be removed", async (t) => {
  const { server, cache, run, json } = await place(t);
  const [body, half] = [readFileSync(LITE), bytes(5000, 3)];
  server.put("org/eyes", "model.onnx", body, true);
  server.put("org/eyes", "model_fp16.onnx", bytes(4000), true);
  server.put("org/eyes", "config.json", Buffer.from("{}"));
  const needs = await run("add", "hf:org/eyes");
  assert.equal(needs.code, 2);
  assert.match(needs.stderr, /MODEL_ADD_NEEDS[^]*give --task, --preprocess\. .* of it are downloaded and wait for the next `flow models add hf:org\/eyes`; `flow models rm hf:org\/eyes` removes them/);
  const listed = await json<ModelsPartialDocument>("list", "--partial");
  assert.deepEqual(listed.partial.map(({ source, bytes: here, paths, next }) => [source, here, paths.length, next]), [["hf:org/eyes", body.length + 2, 2, "flow models add hf:org/eyes"]]);
  assert.equal(listed.bytes, body.length + 2);
  assert.match((await run("list", "--partial")).stdout, /hf:org\/eyes .*flow models add hf:org\/eyes/);
  assert.match((await run("list")).stdout, /1 unfinished download, .*: flow models list --partial/);
  assert.equal((await run("list", "--partial", "--missing")).code, 2);
  assert.match((await run("add", "hf:org/eyes", "--dtype", "fp16")).stderr, /MODEL_CORRUPT/);
  const asked = server.asked.length;
  const added = await json<ModelsAddDocument>("add", "hf:org/eyes", "--task", "image-embedding", "--preprocess", "imagenet");
  assert.equal(added.code, 0);
  assert.deepEqual(server.asked.slice(asked).map(({ path }) => path.split("?")[0]), ["/api/models/org/eyes/revision/main"], "nothing is downloaded twice");
  assert.deepEqual(readdirSync(join(cache, "models")), ["eyes"]);
  assert.equal(readdirSync(join(cache, "blobs", "sha256")).length, 2, "the other precision, which nobody took, is gone");
  assert.deepEqual((await json<ModelsPartialDocument>("list", "--partial")).partial, []);
  // Another repository, each way to remove it; a file's beginning beside it.
  server.put("org/more", "model.onnx", body, true);
  server.put("org/more", "config.json", Buffer.from("[1]"));
  await json<ModelsRmDocument>("rm", "eyes");
  for (const removal of ["hf:org/more", "--partial"]) {
    const failed = await run("add", "hf:org/more");
    assert.equal(failed.code, 2);
    assert.match(failed.stderr, /MODEL_CONFIG config\.json of org\/more at c{40} cannot be read: it holds no JSON object\nhint: .*try another revision.*rm hf:org\/more/);
    writeFileSync(join(cache, "partial", "a".repeat(32)), half);
    writeFileSync(join(cache, "partial", `${"a".repeat(32)}.json`), JSON.stringify({ source: "huggingface:org/name@main/x.onnx", etag: null, sha256: null, size: 9000 }));
    const { partial } = await json<ModelsPartialDocument>("list", "--partial");
    assert.deepEqual(partial.map(({ source, totalBytes }) => [source, totalBytes]), [["hf:org/more", null], ["huggingface:org/name@main/x.onnx", 9000]]);
    const removed = await json<ModelsRmDocument>("rm", removal);
    assert.ok(removed.freedBytes >= body.length, `${removal}: ${removed.freedBytes}`);
    assert.deepEqual((await json<ModelsPartialDocument>("list", "--partial")).partial.length, removal === "--partial" ? 0 : 1);
    assert.deepEqual(readdirSync(join(cache, "blobs", "sha256")), []);
  }
  const none = await run("rm", "hf:org/more");
  assert.equal(none.code, 2);
  assert.match(none.stderr, /no unfinished add of hf:org\/more/);
});

test("add: configuration that is no JSON is refused by its name where it is the model's, and left out with a note where it is not", async (t) => {
  const { root, run, json } = await place(t);
  const put = (path: string, text: string | Buffer): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const options = ["--task", "image-embedding", "--preprocess", "imagenet", "--licence", "MIT"];
  for (const [onnx, config] of [["a/eyes.onnx", "a/config.json"], ["b/onnx/eyes.onnx", "b/preprocessor_config.json"]] as const) {
    put(onnx, readFileSync(LITE));
    put(config, "{ not json");
    const refused = await run("add", onnx, ...options);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, new RegExp(`MODEL_CONFIG ${join(root, config)} cannot be read: it is no JSON \\(.*\nhint: .*put eyes\\.onnx into a folder of its own`));
  }
  put("c/models/eyes.onnx", readFileSync(LITE));
  put("c/config.json", "// of another program");
  const needs = await run("add", "c/models/eyes.onnx");
  assert.match(needs.stderr, /MODEL_ADD_NEEDS[^]*c\/config\.json is not read: it is no JSON/, "it may be why there are questions");
  const added = await json<ModelsAddDocument>("add", "c/models/eyes.onnx", ...options);
  assert.deepEqual([added.code, added.notes.length, added.next], [0, 1, "flow models show eyes"]);
  assert.ok(added.notes[0]!.startsWith(`${join(root, "c", "config.json")} is not read: it is no JSON`));
  put("d/up/eyes.onnx", readFileSync(LITE));
  put("d/config.json", "null");
  put("d/my/config.json", "[]");
  assert.match((await run("add", "d/up/eyes.onnx", "--id", "with", "--with", "d/my/config.json", ...options)).stderr, /MODEL_CONFIG .*d\/my\/config\.json cannot be read: it holds no JSON object/);
});

test("add --out: the next step that is printed works, graphs' way to it is told, and its files leave the cache by the command that is named", async (t) => {
  const { root, cache, given, run, json } = await place(t);
  writeFileSync(join(root, "eyes.onnx"), readFileSync(LITE));
  const options = ["--task", "image-embedding", "--preprocess", "imagenet", "--licence", "MIT"];
  const manifest = join(root, "out", "eyes.yaml");
  const added = await run("add", "eyes.onnx", ...options, "--out", "out");
  assert.equal(added.code, 0, added.stderr);
  const next = /next: flow models (.*)/.exec(added.stdout)![1]!;
  const remove = /`flow models (rm .*?)`/.exec(added.stdout)![1]!;
  assert.match(added.stdout, new RegExp(`Graphs find eyes once FLOW_MODELS_DIR names ${join(root, "out")}\\.`));
  assert.deepEqual([next, remove], [`show ${manifest}`, `rm ${manifest}`]);
  const shown = await json<ModelDocument>(...next.split(" "));
  assert.deepEqual([shown.id, shown.state, shown.origin], ["eyes", "installed", manifest]);
  assert.equal((await json<ModelsVerifyDocument>("verify", "out/eyes.yaml")).ok, true);
  assert.equal((await json<ModelsPullDocument>("pull", "out/eyes.yaml")).present, 1);
  assert.equal((await json<ModelsWhereDocument & { id: string }>("where", "out/eyes.yaml")).id, "eyes");
  const removed = await json<ModelsRmDocument>(...remove.split(" "));
  assert.deepEqual([removed.removed.map(({ path }) => path), removed.kept.map(({ path }) => path)], [[join(cache, "models", "eyes", "eyes.onnx")], [manifest]]);
  assert.deepEqual(readdirSync(join(cache, "blobs", "sha256")), []);
  assert.equal((await json<ModelDocument>("show", "out/eyes.yaml")).state, "missing");
  assert.match((await run("show", "out/none.yaml")).stderr, /FILE_NOT_FOUND out\/none\.yaml/);
  // A folder that is searched needs none of this; one whose model another manifest hides says which.
  const found = await json<ModelsAddDocument>("add", "eyes.onnx", ...options, "--out", given);
  assert.deepEqual([found.notes, found.next], [[], "flow models show eyes"]);
  const refused = await run("add", "eyes.onnx", ...options);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, new RegExp(`BAD_ARGUMENTS There is a model eyes already, ${join(given, "eyes.yaml")}: graphs would go on to mean that one.*\nhint: .*--force to write it all the same`));
  const hidden = await json<ModelsAddDocument>("add", "eyes.onnx", ...options, "--force");
  assert.match(hidden.notes.join(), new RegExp(`Graphs mean ${join(given, "eyes.yaml")} by eyes`));
  assert.equal(hidden.next, `flow models show ${join(cache, "manifests", "eyes.yaml")}`);
});

test("add hf: several ONNX files without a config.json are named, one is to be chosen", async (t) => {
  const { server, cache, run } = await place(t);
  server.put("org/name", "left.onnx", readFileSync(LITE));
  server.put("org/name", "right.onnx", readFileSync(LITE));
  const { code, stderr } = await run("add", "hf:org/name");
  assert.equal(code, 2);
  assert.match(stderr, /MODEL_NO_ONNX .*several and no config\.json[^]*left\.onnx, right\.onnx: choose with --file/);
  assert.ok(!existsSync(cache));
  assert.equal((await run("add", "hf:org/name", "--file", "left.onnx", "--task", "image-embedding", "--preprocess", "imagenet")).code, 0);
});

test("calibrate: median and threshold are those of the store's unrelated pairs; kept for the user only when asked", async (t) => {
  const { root, cache, run, json } = await place(t);
  const { Store } = await import("../../src/store/index.js");
  const dir = join(root, "store");
  // Unit vectors on a circle: the cosine of two scenes is that of their angles' difference, so that every pair's is known.
  const angle = (medium: number, scene: number): number => medium * 0.5 + scene * 0.01;
  const store = await Store.open(dir, {});
  for (let medium = 0; medium < 4; medium++) {
    const media = String(medium).repeat(64);
    const commits = Array.from({ length: 10 }, (_, scene) => {
      const values = new Float32Array(512);
      values[0] = Math.cos(angle(medium, scene));
      values[1] = Math.sin(angle(medium, scene));
      const record = { kind: "scene" as const, id: `${medium}${scene}`.padEnd(16, "0"), parent: null, media, startUs: scene * 1_000_000, endUs: (scene + 1) * 1_000_000, fields: {}, vectors: { video: { dims: 512, space: "lite-image-v1" } }, outcome: "done" as const };
      return { record, vectors: { video: values } };
    });
    for (const commit of commits) await store.commitRecord(commit);
  }
  await store.close();
  const cosines: number[] = [];
  for (let a = 0; a < 40; a++) for (let b = a + 1; b < 40; b++) if ((a / 10 | 0) !== (b / 10 | 0)) cosines.push(Math.cos(angle(b / 10 | 0, b % 10) - angle(a / 10 | 0, a % 10)));
  cosines.sort((x, y) => x - y);
  const told = await json<ModelsCalibrateDocument>("calibrate", "lite-image", "--store", dir, "--false-positives", "0.05");
  assert.equal(told.code, 0);
  assert.deepEqual([told.records, told.media, told.pairs, told.written], [40, 4, 600, null]);
  assert.ok(Math.abs(told.foreignMedian - (cosines[299]! + cosines[300]!) / 2) < 1e-3);
  const passing = cosines.filter((cosine) => cosine >= told.threshold).length;
  assert.ok(passing <= 30 && passing >= 15, `${passing} of 600 pairs pass`);
  assert.equal(told.neighbours.pairs, 36);
  assert.ok(told.notes.some((note) => note.startsWith("4 media are few")));
  const manifests = async () => (await json<ModelDocument>("show", "lite-image")).space!;
  assert.equal((await manifests()).threshold, told.before.threshold);
  await json<ModelsCalibrateDocument>("calibrate", "lite-image-v1", "--store", dir, "--false-positives", "0.05", "--write");
  assert.deepEqual([(await manifests()).threshold, (await manifests()).calibration.foreignMedian], [told.threshold, told.foreignMedian]);
  assert.ok(existsSync(join(cache, "calibration.json")));
  const reset = await json<ModelsCalibrateResetDocument>("calibrate", "lite-image", "--reset");
  assert.deepEqual(reset, { space: "lite-image-v1", model: "lite-image", before: { foreignMedian: told.foreignMedian, threshold: told.threshold }, now: told.before, code: 0 });
  assert.equal((await manifests()).threshold, told.before.threshold);
  // CLIP's text half reads words into the space that its picture half fills: their cosines with pictures are none of these pairs.
  const space = async (id: string) => (await json<ModelDocument>("show", id)).space!;
  const words = await space("clip-vit-base-patch32-text");
  writeCalibration(cache, "clip-vit-base-patch32", { threshold: 0.8, foreignMedian: 0.55, falsePositives: 0.001, pairs: 600, media: 4 });
  assert.deepEqual([(await space("clip-vit-base-patch32")).calibration.foreignMedian, await space("clip-vit-base-patch32-text")], [0.55, words]);
  for (const word of ["clip-vit-base-patch32", "clip-vit-base-patch32-text"]) {
    writeCalibration(cache, "clip-vit-base-patch32", { threshold: 0.8, foreignMedian: 0.55, falsePositives: 0.001, pairs: 600, media: 4 });
    const back = await json<ModelsCalibrateResetDocument>("calibrate", word, "--reset");
    assert.deepEqual([back.model, back.before.foreignMedian, back.now.foreignMedian], ["clip-vit-base-patch32", 0.55, 0.5], word);
  }
  const none = await run("calibrate", "lite-sound", "--store", dir);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /MODEL_CALIBRATION_DATA/);
  assert.equal((await run("calibrate", "yolox-nano", "--store", dir)).code, 2);
});

test("completion knows the subcommands", async () => {
  const { stdout } = await flow(["completion", "bash"]);
  assert.match(stdout, /models\) if \[ "\$COMP_CWORD" -eq 2 \]; then COMPREPLY=\(\$\(compgen -W "list show pull import verify where rm add calibrate"/);
});

test("a graph's optional models are pulled too; one that nobody publishes is a note", async (t) => {
  const { root, server, manifest, json } = await place(t);
  const body = readFileSync(LITE);
  server.put("org/name", "eyes.onnx", body, true);
  const onnx = {
    ...{ runtime: "onnx", task: "image-embedding", inputs: [{ name: "pixel_values", dims: ["n", 3, 224, 224] }], preprocess: { kind: "image", size: [224, 224] } },
    output: { name: "image_embeds", dims: 512, normalised: "unit" },
  };
  manifest("eyes", [{ path: "eyes.onnx" }], onnx);
  manifest("nowhere", [{ path: "nowhere.onnx", size: 5, sha256: "a".repeat(64) }], { ...onnx, source: undefined });
  const graph = {
    flow: 1,
    name: "seen",
    params: { input: { type: "media", default: "clip.mp4", positional: true } },
    models: { a: { model: "eyes", optional: true }, b: { model: "nowhere", optional: true } },
    nodes: {
      media: { op: "media.open", with: { uri: "${params.input}" } },
      first: { op: "image.embed", in: { frames: { from: "media.frames", fps: 1 } }, model: "a" },
      second: { op: "image.embed", in: { frames: { from: "media.frames", fps: 1 } }, model: "b" },
      firstmean: { op: "vectors.mean", over: "media", in: { vectors: "first" } },
      secondmean: { op: "vectors.mean", over: "media", in: { vectors: "second" } },
      medium: { op: "join", by: "media", in: { one: "firstmean", two: "secondmean" } },
    },
    outputs: { media: { from: "medium" } },
  };
  writeFileSync(join(root, "seen.yaml"), stringify(graph));
  const document = await json<ModelsPullDocument>("pull", "seen.yaml");
  assert.equal(document.code, 0, JSON.stringify(document, null, 1));
  assert.deepEqual(document.pulled.map(({ model }) => model), ["eyes"]);
  assert.match(document.notes.join(), /nowhere\.onnx is nowhere to be downloaded; the graph does without it/);
  // Named itself, it is wanted.
  assert.equal((await json<ModelsPullDocument>("pull", "nowhere")).error?.code, "MODEL_UNPUBLISHED");
});

test("a role's other model while the wanted one is not installed: run, said with the command, refused by --strict; pulled, the wanted one runs", async (t) => {
  const { root, server, manifest, run, env } = await place(t);
  const clip = join(ROOT, "graphs", "demo", "clip.mp4");
  const body = readFileSync(LITE);
  server.put("org/name", "eyes.onnx", body, true);
  manifest("eyes", [{ path: "eyes.onnx" }], {
    ...{ runtime: "onnx", task: "image-embedding", inputs: [{ name: "pixel_values", dims: ["n", 3, 224, 224] }], preprocess: { kind: "image", size: [224, 224] } },
    output: { name: "image_embeds", dims: 512, normalised: "unit" },
  });
  const graph = {
    ...{ flow: 1, name: "seen", params: { input: { type: "media", default: clip, positional: true } }, models: { image: { model: "eyes", else: "lite-image" } } },
    nodes: {
      media: { op: "media.open", with: { uri: "${params.input}" } },
      frames: { op: "image.embed", in: { frames: { from: "media.frames", fps: 0.5 } }, model: "image" },
      mean: { op: "vectors.mean", over: "media", in: { vectors: "frames" } },
      medium: { op: "join", by: "media", in: { seen: "mean" } },
    },
    outputs: { media: { from: "medium", vectors: { seen: {} } } },
  };
  writeFileSync(join(root, "seen.yaml"), stringify(graph));
  const start = (...more: string[]) => flow(["run", "seen.yaml", "--json", ...more], { env, cwd: root });
  const strict = await start("--strict");
  assert.equal(strict.code, 2);
  assert.match(strict.stdout, /MODEL_ELSE/);
  const first = JSON.parse((await start()).stdout) as RunDocument;
  assert.deepEqual(Object.keys(first.loads), ["lite-image"]);
  assert.deepEqual(first.notes, ["image is lite-image, because eyes is not installed. flow models pull eyes"]);
  assert.equal((await run("pull", "seen.yaml")).code, 0);
  const second = JSON.parse((await start("--strict")).stdout) as RunDocument;
  assert.deepEqual([Object.keys(second.loads), second.notes], [["eyes"], []]);
});

test("Ctrl-C: exit 130, the command that goes on, and the beginning of the file stay", async (t) => {
  const { server, root, cache, env, manifest } = await place(t);
  const body = bytes(2_000_000);
  server.put("org/name", "model.onnx", body, true);
  manifest("tiny", [{ path: "model.onnx" }]);
  let held: (() => void) | null = null;
  const half = new Promise<void>((resolve) => (held = resolve));
  server.onStorage = (_request, response) => {
    response.writeHead(200, { etag: `"${sha256(body)}"`, "content-length": body.length });
    response.write(body.subarray(0, 1_000_000), () => held?.());
    return true;
  };
  const child = spawn(process.execPath, [MAIN, "models", "pull", "tiny", "--profile", "my films"], { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await half;
  const part = await grown(join(cache, "partial"));
  child.kill("SIGINT");
  assert.equal(await ended, 130, stderr);
  assert.match(stderr, /resume: flow models pull tiny --profile 'my films'/);
  assert.doesNotMatch(stderr, /error/);
  assert.ok(statSync(part).size > 0);
  assert.ok(!existsSync(join(cache, "blobs")));
});

test("add hf: a checkpoint of several graphs is one model for @huggingface/transformers, and only its configuration is read", async (t) => {
  const { server, json, run } = await place(t);
  for (const name of ["encoder_model", "decoder_model", "decoder_with_past_model", "decoder_model_merged"]) for (const suffix of ["", "_quantized", "_fp16"]) server.put("org/ears", `onnx/${name}${suffix}.onnx`, bytes(100), true);
  server.put("org/ears", "config.json", Buffer.from(JSON.stringify({ architectures: ["WhisperForConditionalGeneration"] })));
  server.put("org/ears", "preprocessor_config.json", Buffer.from("{}"));
  server.put("org/ears", "README.md", Buffer.from("# ears"));
  const added = await json<ModelsAddDocument>("add", "hf:org/ears", "--id", "ears-q8");
  assert.equal(added.code, 0);
  const shown = await json<ModelDocument>("show", "ears-q8");
  assert.deepEqual([shown.task, shown.family, shown.runtime, shown.state], ["speech-recognition", "whisper", "transformers", "partial"]);
  assert.deepEqual(shown.files.map(({ path }) => path).sort(), ["config.json", "onnx/decoder_model_merged_quantized.onnx", "onnx/encoder_model_quantized.onnx", "preprocessor_config.json"]);
  assert.ok(!server.asked.some(({ path }) => path.endsWith(".onnx")));
  assert.equal((await json<ModelsPullDocument>("pull", "ears-q8")).pulled.length, 2);
  assert.equal((await run("add", "hf:org/ears", "--dtype", "q4")).code, 2);
  assert.equal((await run("add", "hf:org/none")).code, 3);
  assert.equal((await run("add", "hf:not a repo")).code, 2);
});

test("add, add hf: and calibrate where the cache cannot be written: exit 3 with the cache's own errors, and no model without a manifest", async (t) => {
  const { root, cache, server, env } = await place(t);
  writeFileSync(join(root, "eyes.onnx"), readFileSync(LITE));
  server.put("org/eyes", "onnx/model.onnx", readFileSync(LITE), true);
  const answers = ["--id", "eyes", "--task", "image-embedding", "--preprocess", "imagenet", "--licence", "MIT"];
  const refused = async (args: readonly string[], folder: string, code = "MODEL_CACHE"): Promise<void> => {
    const { code: exit, stdout, stderr } = await flow(["models", ...args, "--json"], { cwd: root, env: { ...env, FLOW_CACHE_DIR: folder } });
    assert.equal(exit, 3, stdout + stderr);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
    assert.deepEqual([error.code, /FLOW_CACHE_DIR|--out/.test(error.hint)], [code, true], JSON.stringify(error));
  };
  // A file where the cache should be: ENOTDIR for all of it.
  writeFileSync(join(root, "file"), "");
  await refused(["add", "eyes.onnx", ...answers], join(root, "file", "cache"));
  await refused(["add", "hf:org/eyes", ...answers], join(root, "file", "cache"));
  // Only the manifest cannot be written: nothing of the model stays, what came over the network waits for the next try.
  mkdirSync(cache);
  writeFileSync(join(cache, "manifests"), "");
  await refused(["add", "eyes.onnx", ...answers], cache);
  await refused(["add", "eyes.onnx", ...answers, "--out", join(root, "file")], cache, "OUTPUT_UNWRITABLE");
  assert.equal(existsSync(join(cache, "models", "eyes")), false);
  mkdirSync(join(root, "out", "eyes.yaml"), { recursive: true });
  await refused(["add", "eyes.onnx", ...answers, "--out", join(root, "out"), "--force"], cache, "OUTPUT_UNWRITABLE");
  assert.equal(existsSync(join(cache, "models", "eyes")), false);
  assert.deepEqual(readdirSync(join(cache, "blobs", "sha256")), []);
  await refused(["add", "hf:org/eyes", ...answers, "--out", join(root, "out"), "--force"], cache, "OUTPUT_UNWRITABLE");
  assert.deepEqual(readdirSync(join(cache, "models")), ["hub-org-eyes"]);
});

test("a calibration that cannot be written is an error of the cache", async (t) => {
  const { cache } = await place(t);
  mkdirSync(join(cache, "calibration.json"), { recursive: true });
  assert.throws(() => writeCalibration(cache, "space", null), { code: "MODEL_CACHE", exit: 3 });
});

test("verify: a model that does not open and whose hash was only learned is unlocked and pulled again, not its manifest corrected", async (t) => {
  const { given, server, manifest, run, json } = await place(t);
  const eyes = { runtime: "onnx", task: "image-embedding", inputs: [{ name: "pixel_values", dims: ["n", 3, 224, 224] }], preprocess: { kind: "image", size: [224, 224] }, output: { name: "image_embeds", dims: 512, normalised: "unit" } };
  const file = server.put("org/name", "model.onnx", bytes(500), true);
  manifest("tiny", [{ path: "model.onnx" }], eyes);
  assert.equal((await json<ModelsPullDocument>("pull", "tiny")).code, 0);
  const broken = await run("verify", "tiny");
  assert.equal(broken.code, 3);
  assert.match(broken.stdout, /does not open/);
  assert.match(broken.stdout, /next: flow models rm tiny --unlock && flow models pull tiny \(/);
  assert.doesNotMatch(broken.stdout, /correct /);
  // As an earlier version of flow may have installed it.
  const page = join(given, "paged", "config.json");
  mkdirSync(join(given, "paged"));
  writeFileSync(page, "<html>Sign in</html>");
  manifest("paged", [{ path: "config.json" }]);
  assert.match((await run("verify", "paged")).stdout, /no +paged\/config\.json +is an HTML page, as it came first\nnext: take .*given\/paged\/config\.json away, then flow models rm paged --unlock && flow models pull paged \(/);
  rmSync(page);
  server.put("org/name", "config.json", Buffer.from("{}"));
  assert.equal((await run("rm", "paged", "--unlock")).code, 0);
  assert.equal((await run("pull", "paged")).code, 0);
  assert.equal((await json<ModelsVerifyDocument>("verify", "paged")).ok, true);
  file.body = readFileSync(LITE);
  assert.equal((await run("rm", "tiny", "--unlock")).code, 0);
  assert.equal((await run("pull", "tiny")).code, 0);
  assert.equal((await json<ModelsVerifyDocument>("verify", "tiny")).ok, true);
});

test("a file that was cut short is damaged in list, show and verify, with or without its bytes under their hash; pull brings it back", async (t) => {
  const { cache, server, manifest, run, json } = await place(t);
  const body = bytes(10_000);
  server.put("org/name", "model.bin", body, true);
  manifest("tiny", [{ path: "model.bin", size: body.length, sha256: sha256(body) }]);
  const at = join(cache, "models", "tiny", "model.bin");
  const cut = {
    "the bytes themselves": () => (chmodSync(at, 0o644), truncateSync(at, 1000)),
    "a copy in the link's place": () => (rmSync(at), rmSync(join(cache, "blobs"), { recursive: true }), writeFileSync(at, body.subarray(0, 1000))),
  };
  for (const [how, damage] of Object.entries(cut)) {
    assert.equal((await json<ModelsPullDocument>("pull", "tiny")).pulled.length, 1, how);
    damage();
    assert.deepEqual((await json<ModelsListDocument>("list")).models.filter(({ id }) => id === "tiny").map(({ state, missing }) => [state, missing]), [["damaged", ["model.bin"]]], how);
    assert.match((await run("show", "tiny")).stdout, /state +damaged, [^]*^ *damaged +model\.bin/m);
    for (const named of [[], ["tiny"]]) {
      const verified = await json<ModelsVerifyDocument>("verify", ...named);
      assert.deepEqual([verified.code, verified.models.find(({ id }) => id === "tiny")?.files[0]?.problem], [3, "damaged: found 1000 bytes, expected 10000"], how);
    }
  }
  const told = await run("verify");
  assert.match(told.stdout, /tiny\/model\.bin +damaged: found 1000 bytes, expected 10000[^]*next: flow models pull tiny/);
  assert.doesNotMatch(told.stdout, /models verified/);
  assert.equal((await run("pull", "tiny")).code, 0);
  assert.equal((await json<ModelsVerifyDocument>("verify", "tiny")).ok, true);
});

test("a manifest of the cache that cannot be read: list has the others and names it, rm takes it away by its id or path", async (t) => {
  const { root, cache, env, run, json } = await place(t);
  const manifests = join(cache, "manifests");
  mkdirSync(manifests, { recursive: true });
  mkdirSync(join(cache, "models", "torn"), { recursive: true });
  writeFileSync(join(cache, "models", "torn", "x.onnx"), "x");
  for (const id of ["torn", "half"]) writeFileSync(join(manifests, `${id}.yaml`), "id: [unclosed\n");
  const listed = await run("list");
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /lite-image/);
  assert.match(listed.stderr, /error MODEL_MANIFEST .*manifests\/torn\.yaml: .*\nhint: .*`flow models rm torn` removes it/);
  assert.deepEqual((await json<ModelsListDocument>("list")).unreadable.map(({ id, error }) => [id, error.code]), [["half", "MODEL_MANIFEST"], ["torn", "MODEL_MANIFEST"]]);
  assert.match((await run("verify")).stdout, /^3 models verified\.$/m);
  assert.equal((await run("import", root)).code, 0);
  const doctor = await flow(["doctor"], { env, cwd: root });
  assert.deepEqual([doctor.code, /model torn.*manifests\/torn\.yaml: /.test(doctor.stdout)], [3, true], doctor.stdout);
  // What reads all models for their spaces goes on without these.
  const store = join(root, "store");
  const { Store } = await import("../../src/store/index.js");
  {
    await using _made = await Store.open(store, {});
  }
  for (const words of [["search", "harbour", "--store", store], ["report", "--store", store], ["list"]]) {
    const ran = await flow([...words, "--json"], { env, cwd: root });
    assert.deepEqual([ran.code, ran.stderr.match(/error MODEL_MANIFEST/g)?.length], [0, 2], ran.stderr);
  }
  // What asks for some models asks for these only.
  const planned = await flow(["plan", join(ROOT, "graphs/ego.yaml"), "--mock-models", "--store", store, "--json"], { env });
  assert.deepEqual([planned.code, planned.stderr], [0, ""], planned.stdout);
  assert.equal((await flow(["completion", "words", "--", "run", join(ROOT, "graphs/ego.yaml"), "--until", "keyf"], { env })).stdout, "keyframes\n");
  assert.equal((await run("calibrate", "torn")).stderr.match(/error MODEL_MANIFEST/g)?.length, 1);
  assert.match((await run("calibrate", "lite-image", "--reset")).stdout, /the manifest's numbers hold again/);
  const removed = await json<ModelsRmDocument>("rm", "torn");
  assert.deepEqual(removed.removed.map(({ model, path }) => [model, path]), [["torn", join(cache, "models", "torn", "x.onnx")], ["torn", join(manifests, "torn.yaml")]]);
  assert.equal((await run("rm", join(manifests, "half.yaml"))).code, 0);
  assert.deepEqual([readdirSync(manifests), (await json<ModelsListDocument>("list")).unreadable], [[], []]);
  // One of the user's own is not flow's to delete.
  writeFileSync(join(root, "mine.yaml"), "id: [unclosed\nfiles:\n");
  assert.equal((await run("rm", "./mine.yaml")).code, 2);
  assert.equal(existsSync(join(root, "mine.yaml")), true);
});
