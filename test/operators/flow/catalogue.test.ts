import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { AudioTapFactory, FrameTapFactory } from "../../../src/contracts/media.js";
import type { OperatorDefinition } from "../../../src/contracts/operator.js";
import { catalogue } from "../../../src/operators/index.js";

const sources = fileURLToPath(new URL("../../../../src/operators/", import.meta.url));

test("one operator a file, named after it", () => {
  for (const [name, op] of catalogue) {
    assert.equal(op.name, name);
    const family = name.includes(".") ? name.split(".")[0]! : "flow";
    assert.ok(existsSync(join(sources, family, `${name}.ts`)), `${family}/${name}.ts`);
    assert.ok(basename(fileURLToPath(op.module)).startsWith(`${name}.`), op.module);
    assert.ok(op.examples.length > 0 && op.summary.endsWith("."), name);
  }
});

test("every tap's module exports its factory, and rows have the columns that definition and port promise", async () => {
  const taps = [...catalogue.values()].filter((op) => op.run.form === "tap");
  assert.deepEqual(taps.map((op) => op.name).sort(), ["audio.levels", "scene.scores", "video.motion"]);
  for (const op of taps) {
    if (op.run.form !== "tap") continue;
    const config = structuredClone(op.config.parse({}));
    const factory = ((await import(op.module)) as Record<string, unknown>)[op.run.factory];
    const tap =
      op.run.stream === "frames"
        ? (factory as FrameTapFactory)(config, { width: 64, height: 36 })
        : (factory as AudioTapFactory)(config, { sampleRate: 48_000, channels: 2, startUs: 0 });
    assert.deepEqual(tap.columns, op.run.columns, op.name);
    assert.deepEqual(promised(op, {}), op.run.columns.filter((column) => column !== "hashDistance"), op.name);
    if (op.run.stream === "frames") {
      const row = new Float32Array(tap.columns.length);
      for (let i = 0; i < 3; i++) (tap as ReturnType<FrameTapFactory>).push(Uint8Array.from({ length: 64 * 36 * 3 }, (_, k) => (k * (i + 3)) % 256), i * 40_000, row);
      assert.ok(row.every(Number.isFinite), `${op.name}: ${[...row].join(" ")}`);
    }
  }
});

test("scores promise the hash's distance where they were made for it", () => {
  const op = catalogue.get("scene.scores")!;
  assert.ok(op.run.form === "tap" && op.run.columns.includes("hashDistance"));
  assert.deepEqual(promised(op, { detector: "hash" }), op.run.columns);
});

/** Columns of the operator's first output under these options. */
function promised(op: OperatorDefinition, options: unknown): readonly string[] | undefined {
  const { outputs } = op;
  const [port] = Object.values(typeof outputs === "function" ? outputs({ config: op.config.parse(options), models: {}, inputs: {} }) : outputs);
  return port?.columns;
}

test("a tap's worker loads neither models nor images nor the graph", async () => {
  const { readFileSync } = await import("node:fs");
  const seen = new Set<string>();
  const follow = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, spec] of readFileSync(file, "utf8").matchAll(/^import (?!type)[^;]*? from "([^"]+)"/gm)) {
      assert.ok(spec!.startsWith("."), `${file} imports ${spec}`);
      follow(fileURLToPath(new URL(spec!, `file://${file}`)));
    }
  };
  for (const op of catalogue.values()) if (op.run.form === "tap") follow(fileURLToPath(op.module));
  assert.ok(seen.size >= 6);
});
