import assert from "node:assert/strict";
import { createServer } from "node:http";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { ModelManifest } from "../../src/contracts/model.js";
import { loadTransformers, openModel, openOptions, openPipeline, openProcessor, openTokenizer } from "../../src/models/transformers.js";
import { needsBpe, qwen2Vl, vitGpt2 } from "./stand-ins/generative-models.js";
import { buildModel } from "./stand-ins/model-folder.js";

/** The same manifest as it crosses to a worker, with some fields changed. */
const changed = (manifest: ModelManifest, fields: Partial<ModelManifest>): ModelManifest => ({ ...(JSON.parse(JSON.stringify(manifest)) as ModelManifest), ...fields });

describe("checkpoints from a folder", needsBpe, () => {
  test("what is opened stays: one object a worker, shared by manifests of the same files", async () => {
    const { manifest } = qwen2Vl();
    let opened = 0;
    const handle = { manifest, opened: () => void (opened += 1) };
    const model = await openModel(handle, "AutoModelForImageTextToText");
    assert.equal(await openModel({ ...handle, manifest: changed(manifest, { id: "another-name" }) }, "AutoModelForImageTextToText"), model);
    assert.equal(opened, 1);
    assert.notEqual(await openModel({ manifest: changed(manifest, { sha256: "f".repeat(64) }) }, "AutoModelForImageTextToText"), model);
    assert.equal(await openTokenizer(manifest), await openTokenizer(manifest));
    assert.equal((await openProcessor(manifest)).constructor.name, "Qwen2VLProcessor");
  });

  test("a missing file is named before the library looks for it, and when the manifest does not list it", async () => {
    const { manifest, dir } = vitGpt2("gone-stand-in");
    rmSync(join(dir, "onnx/decoder_model_merged.onnx"));
    await assert.rejects(openModel({ manifest }, "AutoModelForVision2Seq"), { code: "MODEL_MISSING", message: /gone-stand-in.*decoder_model_merged\.onnx/ });
    const unlisted = changed(manifest, { files: manifest.files.filter((file) => !file.path.includes("decoder")) });
    await assert.rejects(openModel({ manifest: unlisted }, "AutoModelForVision2Seq"), { code: "MODEL_MISSING", message: /gone-stand-in.*decoder_model_merged\.onnx/ });
    rmSync(join(dir, "tokenizer.json"));
    await assert.rejects(openTokenizer(unlisted), { code: "MODEL_MISSING", message: /tokenizer\.json/ });
  });

  test("a damaged file is named: a graph, a JSON", async () => {
    const { manifest, dir } = vitGpt2("broken-stand-in");
    writeFileSync(join(dir, "onnx/encoder_model.onnx"), "this is no graph");
    await assert.rejects(openModel({ manifest }, "AutoModelForVision2Seq"), { code: "MODEL_CORRUPT", message: /broken-stand-in.*encoder_model\.onnx/, hint: /flow models pull/ });
    writeFileSync(join(dir, "tokenizer.json"), "{ half");
    await assert.rejects(openTokenizer(manifest), { code: "MODEL_CORRUPT", message: /broken-stand-in.*tokenizer\.json/ });
  });

  test("a failed attempt is not kept", async () => {
    const { manifest, dir } = vitGpt2("mended-stand-in");
    const config = manifest.files.find(({ path }) => path === "config.json")!;
    rmSync(config.at);
    await assert.rejects(openModel({ manifest, opened: () => assert.fail("it has not been opened") }, "AutoModelForVision2Seq"), { code: "MODEL_MISSING" });
    const whole = vitGpt2("whole-stand-in");
    writeFileSync(join(dir, "config.json"), JSON.stringify((await openModel(whole, "AutoModelForVision2Seq")).config));
    assert.ok(await openModel({ manifest }, "AutoModelForVision2Seq"));
  });

  test("an architecture that the library does not know is the model's fault, not the user's", async () => {
    const { manifest } = buildModel("strange", { task: "x", runtime: "transformers" }, { "config.json": { model_type: "strange" }, "preprocessor_config.json": { image_processor_type: "StrangeImageProcessor" } });
    await assert.rejects(openModel({ manifest }, "AutoModelForVision2Seq"), { code: "MODEL_TASK", message: /strange/ });
    await assert.rejects(openProcessor(manifest), { code: "MODEL_TASK", message: /StrangeImageProcessor/ });
    await assert.rejects(openPipeline({ manifest }, "image-to-text"), { code: /MODEL_TASK/ });
  });

  test("nothing is ever fetched", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url!);
      response.end("{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { env } = await loadTransformers();
    const host = env.remoteHost;
    const fetched = globalThis.fetch;
    env.remoteHost = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
    try {
      globalThis.fetch = (input) => assert.fail(`fetched ${String(input)}`);
      const { manifest } = buildModel("absent", { task: "x", runtime: "transformers" }, { "config.json": { model_type: "vision-encoder-decoder", is_encoder_decoder: true, decoder: { model_type: "gpt2" } } });
      await assert.rejects(openModel({ manifest }, "AutoModelForVision2Seq"), { code: "MODEL_MISSING" });
      await assert.rejects(openPipeline({ manifest }, "image-to-text"), { code: "MODEL_MISSING" });
      await assert.rejects(openProcessor(manifest), { code: "MODEL_MISSING" });
    } finally {
      globalThis.fetch = fetched;
      env.remoteHost = host;
      server.close();
    }
    assert.deepEqual(asked, []);
  });
});

test("the precision of each graph is read off its file's name; settings.dtype says otherwise; parts of large files are counted", () => {
  const manifest = (settings: object, ...paths: string[]): ModelManifest => ({ files: paths.map((path) => ({ path })), settings }) as unknown as ModelManifest;
  const found = openOptions(manifest({}, "config.json", "onnx/vision_encoder_quantized.onnx", "onnx/embed_tokens.onnx", "onnx/decoder_model_merged_q4f16.onnx", "onnx/decoder_model_merged_q4f16.onnx_data", "onnx/decoder_model_merged_q4f16.onnx_data_1"));
  assert.deepEqual(found.dtype, { vision_encoder: "q8", embed_tokens: "fp32", decoder_model_merged: "q4f16" });
  assert.deepEqual(found.use_external_data_format, { "decoder_model_merged_q4f16.onnx": 2 });
  assert.equal(found.subfolder, "onnx");
  assert.equal(openOptions(manifest({ dtype: "fp16" }, "model.onnx")).dtype, "fp16");
  assert.equal(openOptions(manifest({}, "model.onnx")).subfolder, "");
});
