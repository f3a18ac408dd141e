import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { OnnxGraph, type Dims } from "../../models/build/onnx-writer.js";
import { Random } from "../../models/build/random.js";
import type { Label } from "../../src/contracts/items.js";
import { InferencePool } from "../../src/inference/index.js";
import { imageTag } from "../../src/operators/image/image.tag.js";
import { frameRing } from "../inference/fixtures.js";
import { models } from "../operators/in-pool.js";
import { buildModel } from "./stand-ins/model-folder.js";

const EXPORT = fileURLToPath(new URL("../../../models/export/", import.meta.url));
const scripts = readdirSync(EXPORT).filter((name) => name.endsWith(".py") && name !== "common.py");
const python = spawnSync("python3", ["--version"]).status === 0 ? {} : { skip: "needs python3" };
const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());

describe("models/export", () => {
  for (const script of scripts) {
    const text = readFileSync(join(EXPORT, script), "utf8");
    const manifest = models.get(/^ID = "(.+)"$/m.exec(text)?.[1] ?? "");

    test(`${script} writes the files of a manifest of models/, under its names`, () => {
      assert.ok(manifest, "no manifest of that name");
      assert.match(manifest.limits, new RegExp(`models/export/${script}`), "the manifest does not say where its file comes from");
      const names = [...manifest.inputs, ...manifest.outputs, ...(manifest.output ? [manifest.output] : [])].map(({ name }) => name);
      for (const name of names) assert.match(text, new RegExp(`"${name}"`), `${script} does not mention ${name}`);
      for (const { path, source } of manifest.files) {
        assert.equal(source, null);
        if (!/token|vocab|special/.test(path)) assert.ok(text.includes(`"${path.split("/").at(-1)!}"`), `${script} does not write ${path}`);
      }
    });
  }

  test("the scripts compile, and their requirements are pinned", python, () => {
    for (const name of [...scripts, "common.py"]) {
      const { status, stderr } = spawnSync("python3", ["-c", "import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])", join(EXPORT, name)]);
      assert.equal(status, 0, String(stderr));
    }
    const lines = readFileSync(join(EXPORT, "requirements.txt"), "utf8").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    for (const line of lines) assert.match(line, /^[\w-]+==[\d.]+$/);
  });

  test("RAM++: a number for each of 4585 tags, 0.5 is the bar", async () => {
    const published = models.get("ram-plus-swin-large-14m")!;
    const [input] = published.inputs;
    const [output] = published.outputs;
    const classes = Number(output!.dims[1]);
    const random = new Random(3);
    const graph = new OnnxGraph("ram stand-in", "tests");
    const mean = graph.op("ReduceMean", [graph.input(input!.name, "float32", input!.dims as Dims)], { axes: [2, 3], keepdims: 0 });
    const weights = graph.constant([3, classes], Float32Array.from({ length: 3 * classes }, () => 5 * random.normal()));
    graph.output(graph.op("Sub", [graph.op("MatMul", [mean, weights]), graph.scalar(3)]), output!.name, "float32", ["n", classes]);
    const { task, family, inputs, outputs, preprocess, labels, settings } = published;
    const tags = Array.from({ length: classes }, (_, i) => `tag ${i}`).join("\n");
    const { manifest } = buildModel("ram-stand-in", { task, family, inputs, outputs, preprocess, labels, settings }, { "onnx/model.onnx": graph, "tags.txt": tags });
    assert.deepEqual(await pool.verify([manifest]), []);
    const results = await pool.run({ kind: "batch", module: imageTag.module, operator: imageTag.name, node: "tags", config: imageTag.config.parse({ top: 1000, min_score: 0.5 }), models: { tagger: manifest }, items: frameRing(2, 384, 384, 3) });
    for (const result of results) {
      assert.ok(result.ok, JSON.stringify(result));
      const found = result.value as Label[];
      assert.ok(found.length > 0 && found.length < classes / 2);
      assert.ok(found.every(({ label, score }) => /^tag \d+$/.test(label) && score >= 0.5 && score <= 1));
    }
  });
});
