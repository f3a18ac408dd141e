// How long a command takes to start is what it loads. No clock here: packages and files are counted.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { RunDocument } from "../../src/cli/json.js";
import { loadedBy, type Loaded } from "./loaded.js";

/** Of the bundled program; file by file the same commands read 60 to 700. */
const FILES = { help: 20, lint: 50, stored: 90 };

const only = ({ packages }: Loaded, ...allowed: string[]): void => assert.deepEqual([...packages].filter((name) => !allowed.includes(name)), []);
const none = ({ packages }: Loaded, ...refused: string[]): void => assert.deepEqual(refused.filter((name) => packages.has(name)), []);

const MODELS = ["onnxruntime-node", "sharp", "@huggingface/transformers"];
const LINE = ["commander", "picocolors"];
const GRAPH = [...LINE, "zod", "yaml", "@marcbachmann/cel-js"];

test("help knows nothing but the command line", async () => {
  for (const args of [["--help"], ["run", "--help"], ["search", "--help"]]) {
    const { code, main } = await loadedBy(args);
    assert.equal(code, 0);
    only(main, ...LINE);
    assert.ok(main.files.length <= FILES.help, `${args.join(" ")} reads ${main.files.length} files`);
  }
});

test("a graph is checked without store, engine or native code", async () => {
  const { code, stderr, main, workers } = await loadedBy(["lint", "graphs/ego.yaml"]);
  assert.equal(code, 0, stderr);
  only(main, ...GRAPH);
  assert.deepEqual(workers, []);
  assert.ok(main.files.length <= FILES.lint, `lint reads ${main.files.length} files`);
});

describe("with a store", () => {
  const dir = mkdtempSync(join(tmpdir(), "flow-start-"));
  const run = ["run", "graphs/ego.yaml", "graphs/demo/clip.mp4", "-p", "fps=0.5", "--store", dir, "--json"];
  let first: Awaited<ReturnType<typeof loadedBy>>;
  before(async () => {
    first = await loadedBy(run);
    assert.equal(first.code, 0, first.stderr);
  });
  after(() => rmSync(dir, { recursive: true }));

  test("workers load what they run: models in the pool, nothing but our own files beside ffmpeg", () => {
    const pool = first.workers.filter(({ packages }) => packages.has("piscina"));
    const media = first.workers.filter(({ packages }) => !packages.has("piscina"));
    assert.ok(pool.some(({ packages }) => packages.has("onnxruntime-node")), "models ran in the pool");
    assert.ok(media.length > 0, "a media worker decoded");
    for (const worker of pool) none(worker, "yaml", "lmdb", "rxjs", "commander", "@huggingface/transformers");
    for (const worker of media) only(worker);
  });

  test("a run that finds everything starts no worker and loads no model runtime", async () => {
    const { code, stdout, stderr, main, workers } = await loadedBy(run);
    assert.equal(code, 0, stderr);
    const { inferences, framesDecoded } = JSON.parse(stdout) as RunDocument;
    assert.deepEqual({ inferences, framesDecoded }, { inferences: 0, framesDecoded: 0 });
    assert.deepEqual(workers, []);
    none(main, ...MODELS, "piscina", "hyparquet-writer", "@ffmpeg-installer/ffmpeg", "@ffprobe-installer/ffprobe");
    assert.ok(main.files.length <= FILES.stored, `the rerun reads ${main.files.length} files`);
  });

  test("reading the store loads neither models nor the engine's packages", async () => {
    for (const args of [["show"], ["search", "lighthouse"]]) {
      const { code, stderr, main } = await loadedBy([...args, "--store", dir]);
      assert.equal(code, 0, stderr);
      none(main, ...MODELS, "piscina", "rxjs", "cockatiel", "hyparquet-writer");
    }
  });
});
