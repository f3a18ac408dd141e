import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import test from "node:test";
import { stringify } from "yaml";
import { checkedManifest } from "../../src/models/checked-manifests.js";
import { checkManifest, loadModels, parseManifest } from "../../src/models/manifest.js";
import { spacesOf } from "../../src/models/space.js";
import { missingModels, verifyModelFiles, verifyModelShape } from "../../src/models/verify-model.js";
import { manifestJsonSchema } from "../../src/models/manifest-json-schema.js";
import { modelsDir, tinyModel } from "../inference/fixtures.js";

const wire = {
  id: "m",
  task: "image-embedding",
  summary: "s",
  limits: ["one", "two"],
  files: [{ path: "m.onnx", size: 3, sha256: "a".repeat(64), licence: "MIT" }],
  inputs: [{ name: "x", type: "float32", dims: ["n", 3, 4, 4] }],
  preprocess: { kind: "image", size: [4, 4] },
  output: { name: "y", dims: 3, normalised: "unit" },
};

test("what the build has read of the manifests that come with flow is what they say; another text is read", () => {
  const names = readdirSync(modelsDir).filter((name) => name.endsWith(".yaml"));
  assert.ok(names.includes("lite-image.yaml"));
  for (const name of names) {
    const path = join(modelsDir, name);
    const text = readFileSync(path, "utf8");
    assert.deepEqual(checkedManifest(text), checkManifest(text, path), name);
    assert.equal(checkedManifest(`${text}# changed\n`), undefined);
    // Under another name it is as wrong as any.
    assert.throws(() => parseManifest(text, join(modelsDir, "other.yaml")), /expected the file's name/);
  }
});

test("each space has the numbers of the one model that fills it", () => {
  const spaces = spacesOf([...loadModels(modelsDir).values()]);
  assert.equal(new Set(spaces.map(({ name }) => name)).size, spaces.length);
  assert.deepEqual(spaces.find(({ name }) => name === "clip-vit-base-patch32")?.calibration, { foreignMedian: 0.5, identical: 1 });
});

test("a large file is hashed once, by whatever run, until it changes; a small one every time", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "flow-hashes-"));
  const before = process.env["FLOW_CACHE_DIR"];
  process.env["FLOW_CACHE_DIR"] = join(dir, "cache");
  t.after(() => rmSync(dir, { recursive: true }));
  t.after(() => (before === undefined ? delete process.env["FLOW_CACHE_DIR"] : (process.env["FLOW_CACHE_DIR"] = before)));
  for (const [size, remembered] of [[2 << 20, true], [1000, false]] as const) {
    const file = join(dir, `${size}.onnx`);
    const right = Buffer.alloc(size, 1);
    writeFileSync(file, right);
    const manifest = parseManifest(stringify({ ...wire, id: "m", files: [{ ...wire.files[0], path: `${size}.onnx`, size, sha256: createHash("sha256").update(right).digest("hex") }] }), join(dir, "m.yaml"));
    await verifyModelFiles(manifest);
    // Other bytes under the same time: only who reads them sees it.
    const { atime, mtime } = statSync(file);
    utimesSync(file, atime, mtime);
    await verifyModelFiles(manifest);
    writeFileSync(file, Buffer.alloc(size, 2));
    utimesSync(file, atime, mtime);
    if (remembered) await verifyModelFiles(manifest);
    else await assert.rejects(verifyModelFiles(manifest), { code: "MODEL_CORRUPT" });
    utimesSync(file, atime, new Date(mtime.getTime() + 1000));
    await assert.rejects(verifyModelFiles(manifest), { code: "MODEL_CORRUPT" });
  }
});

test("every manifest of the repository loads; the lite models lie beside theirs and are what they say", async () => {
  const models = loadModels(modelsDir);
  for (const manifest of models.values()) {
    assert.ok(isAbsolute(manifest.file), manifest.id);
    for (const file of manifest.files) assert.ok(file.source !== null || file.sha256 !== null || /models\/export/.test(manifest.limits), `${manifest.id}: ${file.path} can neither be downloaded nor recognised`);
    if (manifest.id.startsWith("lite-")) await verifyModelFiles(manifest);
  }
  assert.ok([...models.keys()].filter((id) => id.startsWith("lite-")).length === 3);
});

test("defaults are filled in and the first file is the model", () => {
  const manifest = parseManifest(stringify(wire), "/models/m.yaml");
  assert.equal(manifest.file, "/models/m.onnx");
  assert.equal(manifest.limits, "one; two");
  assert.equal(manifest.space, null);
  assert.deepEqual(manifest.preprocess, {
    ...{ kind: "image", size: [4, 4], fit: "fill", pad: 0, anchor: "centre", resample: "bilinear" },
    ...{ mean: [0, 0, 0], std: [1, 1, 1], color: "rgb", scale: 1 / 255, layout: "nchw" },
  });
  assert.deepEqual(manifest.outputs, []);
});

test("pictures that are prepared in another shape than the input takes are refused with both", () => {
  const given = (preprocess: Record<string, unknown>, dims: (number | string)[] = ["n", 3, 4, 4]) => parseManifest(stringify({ ...wire, inputs: [{ name: "x", dims }], preprocess: { kind: "image", ...preprocess } }), "/models/m.yaml");
  assert.throws(() => given({ size: [5, 4] }), { code: "MODEL_MANIFEST", message: /makes nchw \[3, 4, 5\], input x takes \[3, 4, 4\]/ });
  assert.throws(() => given({ size: [4, 4], layout: "nhwc" }), { code: "MODEL_MANIFEST", message: /makes nhwc/ });
  given({ size: [5, 4] }, ["n", 3, "h", "w"]);
  given({ size: [5, 4], fit: "edges" });
  given({ size: [5, 4] }, ["n", 8, 3, 4, 5]);
});

test("a file's path cannot leave its folder", () => {
  for (const path of ["../m.onnx", "/etc/passwd", "a/../../m.onnx", "a\\..\\m.onnx", "a//m.onnx", "./m.onnx"]) {
    assert.throws(() => parseManifest(stringify({ ...wire, files: [{ path, licence: "MIT" }] }), "/models/m.yaml"), { code: "MODEL_MANIFEST", message: /without `\.\.`/ }, path);
    const source = { huggingface: "org/name", path };
    assert.throws(() => parseManifest(stringify({ ...wire, files: [{ path: "m.onnx", licence: "MIT", source }] }), "/models/m.yaml"), { code: "MODEL_MANIFEST" }, path);
  }
  for (const huggingface of ["../x/y", "org/..", "org", "org/name/more", "/org/name"]) {
    assert.throws(() => parseManifest(stringify({ ...wire, source: { huggingface } }), "/models/m.yaml"), { code: "MODEL_MANIFEST" }, huggingface);
  }
});

test("every problem of a manifest is named with its place", () => {
  const broken = stringify({ ...wire, colour: 1, output: { name: "y", dims: 0, normalised: "maybe" } });
  assert.throws(() => parseManifest(broken, "/models/m.yaml"), (error: Error & { code: string; exit: number }) => {
    assert.equal(error.code, "MODEL_MANIFEST");
    assert.equal(error.exit, 2);
    for (const part of ["/models/m.yaml", "output.dims", "output.normalised", "colour"]) assert.ok(error.message.includes(part), `${part} in ${error.message}`);
    return true;
  });
  const { limits: _, ...unlimited } = wire;
  assert.throws(() => parseManifest(stringify(unlimited), "/models/m.yaml"), { message: "/models/m.yaml: limits: is missing (array)" });
  assert.throws(() => parseManifest("a: [", "/models/m.yaml"), { code: "MODEL_MANIFEST", message: /line 1/ });
  assert.throws(() => parseManifest(stringify(wire), "/models/other.yaml"), /found "m", expected the file's name/);
});

test("a later folder overrides an earlier one", () => {
  const dir = mkdtempSync(join(tmpdir(), "flow-models-"));
  writeFileSync(join(dir, "lite-image.yaml"), stringify({ ...wire, id: "lite-image", summary: "mine" }));
  const models = loadModels([modelsDir, dir]);
  assert.equal(models.get("lite-image")?.summary, "mine");
  assert.equal(models.size, loadModels(modelsDir).size);
});

test("what is missing is told at once, with sizes and one command", async () => {
  const dir = mkdtempSync(join(tmpdir(), "flow-models-"));
  const source = { huggingface: "org/name" };
  const published = parseManifest(stringify({ ...wire, files: [{ ...wire.files[0], size: 2_000_000 }, { path: "labels.txt", licence: "MIT" }], source }), join(dir, "m.yaml"));
  const local = parseManifest(stringify({ ...wire, id: "n" }), join(dir, "n.yaml"));
  const error = (await missingModels([published, local]))!;
  assert.equal(error.code, "MODEL_MISSING");
  assert.equal(error.exit, 3);
  assert.match(error.message, /^3 files of 2 models are missing \(at least 2\.0 MB\):\nmodel m lacks m\.onnx \(2\.0 MB\), labels\.txt\nmodel n lacks \/.*m\.onnx \(1 kB\)$/);
  assert.match(error.hint, /^flow models pull m; then flow models import DIR for n/);
  writeFileSync(join(dir, "m.onnx"), "abc");
  assert.equal(await missingModels([local]), null);
});

test("shapes: a symbolic dimension of the file takes any size, a fixed one only its own, batch apart", () => {
  const manifest = tinyModel();
  const input = (dims: (number | string)[], type = "float32") => [{ name: "pixels", type, dims }];
  const output = [{ name: "vector", type: "float32", dims: ["n", 3] }];
  for (const dims of [["n", 3, 4, 4], [1, 3, 4, 4], ["n", "c", "h", "w"]]) verifyModelShape(manifest, input(dims), output);
  for (const dims of [["n", 3, 4, 5], ["n", 3, 4], ["n", 1, 4, 4]]) assert.throws(() => verifyModelShape(manifest, input(dims), output), { code: "MODEL_SHAPE" });
  assert.throws(() => verifyModelShape(manifest, input(["n", 3, 4, 4], "float16"), output), { code: "MODEL_SHAPE", message: /float16/, hint: new RegExp(`Correct inputs/output in ${manifest.origin}`) });
  assert.throws(() => verifyModelShape(manifest, [...input(["n", 3, 4, 4]), { name: "mask", type: "int64", dims: ["n"] }], output), /mask/);
});

test("types: what cannot hold pixels or samples is refused, a half-precision vector is none the worse", () => {
  const manifest = tinyModel();
  const [pixels] = manifest.inputs;
  const of = (type: string, vector = "float32"): void => verifyModelShape({ ...manifest, inputs: [{ ...pixels!, type }] }, [{ name: "pixels", type, dims: ["n", 3, 4, 4] }], [{ name: "vector", type: vector, dims: ["n", 3] }]);
  for (const type of ["float32", "float16", "uint8", "int32", "int64"]) of(type);
  assert.throws(() => of("bool"), { code: "MODEL_SHAPE", message: /input: found pixels: bool\[n, 3, 4, 4\], expected pixels as float32, float16, uint8, int32 or int64/ });
  of("float32", "float16");
  assert.throws(() => of("float32", "int64"), { code: "MODEL_SHAPE", message: /output: found vector: int64\[n, 3\], expected vector: float32\[…, 3\] or float16/ });
});

test("an input of whole numbers gets numbers that rounding leaves different", () => {
  const image = (type: string, preprocess: object): string => problems([{ name: "x", type, dims: ["n", 3, 8, 8] }], { kind: "image", size: [8, 8], ...preprocess });
  const audio = (type: string, preprocess: object): string => problems([{ name: "x", type, dims: ["n", 16000] }], { kind: "audio", sampleRate: 16000, windowSeconds: 1, ...preprocess });
  function problems(inputs: object[], preprocess: object): string {
    try {
      parseManifest(stringify({ ...wire, inputs, preprocess }), "/models/m.yaml");
      return "";
    } catch (thrown) {
      return (thrown as Error).message;
    }
  }
  for (const type of ["uint8", "int32", "int64"]) {
    assert.equal(image(type, { scale: 1 }), "");
    assert.match(image(type, {}), new RegExp(`preprocess: makes pixels of 0…1, input x takes whole numbers.*\\(${type}\\): \`scale: 1\` without mean and std`));
  }
  assert.equal(image("int32", { scale: 1, mean: [128, 128, 128] }), "");
  assert.match(image("uint8", { scale: 1, mean: [128, 128, 128] }), /makes pixels of -128…127, input x takes whole numbers of 0…255/);
  assert.match(image("int32", { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }), /pixels of -1…1/);
  for (const type of ["float32", "float16", "bool"]) assert.equal(image(type, {}), "");
  assert.match(audio("int32", {}), /makes samples of −1…1, input x takes whole numbers \(int32\): `scale: 32768` makes those of 16-bit sound/);
  assert.equal(audio("int64", { scale: 32768 }), "");
  assert.match(audio("uint8", { scale: 128 }), /sound goes into float32, float16, int32 or int64 only/);
  assert.equal(audio("int32", { features: "processor" }), "");
});

test("models/manifest.schema.json is the schema of today, and describes every field a person writes", () => {
  const written = JSON.parse(readFileSync(join(modelsDir, "manifest.schema.json"), "utf8")) as Record<string, unknown>;
  assert.deepEqual(written, JSON.parse(JSON.stringify(manifestJsonSchema())), "stale: npm run generate");
  const readme = readFileSync(join(modelsDir, "README.md"), "utf8");
  for (const field of Object.keys(written["properties"] as object)) assert.match(readme, new RegExp(`\\| \`${field}\``), `models/README.md does not speak of ${field}`);
});
