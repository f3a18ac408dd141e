import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SRC = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src");

/** Room → the rooms it may import. ARCHITECTURE.md shows the same table. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  contracts: [],
  math: [],
  graph: ["contracts"],
  models: ["contracts"],
  media: ["contracts"],
  store: ["contracts"],
  inference: ["contracts", "models"],
  operators: ["contracts", "math", "media", "models"],
  engine: ["contracts", "graph", "inference", "media", "store"],
  report: ["contracts", "math", "store"],
  cli: ["contracts", "graph", "engine", "operators", "models", "inference", "media", "store", "report"],
};

const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => /\.c?ts$/.test(name));

test("imports run only in the directions that ARCHITECTURE.md draws", () => {
  const wrong: string[] = [];
  for (const name of sources) {
    const room = name.includes("/") ? name.split("/")[0]! : "";
    if (room === "") continue; // index.ts and sdk.ts put the rooms together
    assert.ok(MAY_IMPORT[room], `src/${room} is no room: add it to the table here and in ARCHITECTURE.md, or put the file into one`);
    for (const [, specifier] of readFileSync(join(SRC, name), "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      const target = relative(SRC, join(SRC, dirname(name), specifier!)).split("/")[0]!;
      if (target !== room && !MAY_IMPORT[room]!.includes(target)) wrong.push(`${name} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("an operator's file is named after it, one operator a file", () => {
  for (const name of sources.filter((file) => file.startsWith("operators/"))) {
    const defined = [...readFileSync(join(SRC, name), "utf8").matchAll(/defineOperator(?:<[^(]*>)?\(\{\s*name: "([^"]+)"/g)].map((match) => match[1]!);
    if (defined.length > 0) assert.deepEqual(defined, [name.split("/").at(-1)!.replace(/\.ts$/, "")], name);
  }
});

test("the pool's main-thread side and the command line load no native code before it is needed", () => {
  for (const name of sources.filter((file) => /^(cli\/(main|define|output)|inference\/(pool|batcher|index))\.ts$/.test(file))) {
    assert.doesNotMatch(readFileSync(join(SRC, name), "utf8"), /^import (?!type).*"(onnxruntime-node|sharp|lmdb)"/m, name);
  }
});

test("ARCHITECTURE.md names every room", () => {
  const text = readFileSync(join(SRC, "..", "ARCHITECTURE.md"), "utf8");
  for (const room of Object.keys(MAY_IMPORT)) assert.match(text, new RegExp(`\\b${room}/`), room);
});

// A store left behind by a trial run was once committed with everything else.
test("the top level holds the folders of the design and nothing else", (t) => {
  const root = join(SRC, "..");
  if (!existsSync(join(root, ".git"))) return t.skip("not a git checkout");
  const tracked = execFileSync("git", ["-C", root, "ls-files", "-z"], { encoding: "utf8" }).split("\0").filter(Boolean);
  const top = [...new Set(tracked.map((path) => path.split("/")[0]!))].filter((name) => !name.startsWith(".")).sort();
  assert.deepEqual(top, ["ARCHITECTURE.md", "LICENSE", "README.md", "bench", "graphs", "models", "package-lock.json", "package.json", "src", "test", "tsconfig.json"]);
  assert.deepEqual(tracked.filter((path) => /\.(mdb|mdb-lock|onnx|mp4|mkv|webm|log)$/.test(path) && !/^(models|graphs\/demo)\//.test(path)), []);
});
