import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { expandInputs } from "../../src/media/index.js";

const dir = mkdtempSync(join(tmpdir(), "flow-inputs-"));
after(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(join(dir, "sub/deep"), { recursive: true });
for (const name of ["b.mp4", "a.MKV", "note.txt", "sub/c.wav", "sub/deep/d.jpg", "we[ird].mp4"]) writeFileSync(join(dir, name), "x");
const list = (content: unknown): string => {
  writeFileSync(join(dir, "list.json"), typeof content === "string" ? content : JSON.stringify(content));
  return join(dir, "list.json");
};
const names = async (...inputs: string[]): Promise<string[]> => (await expandInputs(inputs, dir)).map((item) => item.uri.replace(`${dir}/`, ""));

test("folders are searched to the bottom, by known extensions, in one order", async () => {
  assert.deepEqual(await names("."), ["a.MKV", "b.mp4", "sub/c.wav", "sub/deep/d.jpg", "we[ird].mp4"]);
});

test("globs, brace sets and deep globs", async () => {
  assert.deepEqual(await names("*.{mp4,MKV}"), ["a.MKV", "b.mp4", "we[ird].mp4"]);
  assert.deepEqual(await names("**/*.[jw]*"), ["sub/c.wav", "sub/deep/d.jpg"]);
  assert.deepEqual(await names("?.mp4"), ["b.mp4"]);
  assert.deepEqual(await names("we[ird].mp4"), ["we[ird].mp4"], "a file of that very name is no pattern");
});

test("files stay in the order given, twice the same stays twice, URLs pass", async () => {
  assert.deepEqual(await names("b.mp4", "a.MKV", "b.mp4", "https://host/x/y.mp4?t=1"), ["b.mp4", "a.MKV", "b.mp4", "https://host/x/y.mp4?t=1"]);
  assert.equal((await expandInputs(["https://host/x/y%20z.mp4?t=1"]))[0]?.name, "y z.mp4");
});

test("a JSON list: paths from the list's folder, names, scenes in seconds, narration", async () => {
  const path = list([{ path: "sub/c.wav", name: "C", scenes: [{ start: 0, end: 1.5 }, { start: 1.5, end: 2 }], narration: "words" }, { path: "b.mp4" }]);
  assert.deepEqual(await expandInputs([path], "/"), [
    { uri: join(dir, "sub/c.wav"), name: "C", scenes: [{ startUs: 0, endUs: 1_500_000 }, { startUs: 1_500_000, endUs: 2_000_000 }], narration: "words" },
    { uri: join(dir, "b.mp4"), name: "b.mp4" },
  ]);
});

test("folders pass over what is hidden and over links to folders; a link that leads nowhere is a medium that is missing", async () => {
  const folder = join(dir, "odd");
  for (const sub of [".cache", "in", "out.mp4"]) mkdirSync(join(folder, sub), { recursive: true });
  for (const name of ["a.mp4", "._a.mp4", ".b.mp4", ".cache/c.mp4", "out.mp4/d.mp4"]) writeFileSync(join(folder, name), "x");
  for (const [target, name] of [["a.mp4", "l.mp4"], ["in", "dir.mp4"], ["..", "in/up.mp4"], ["gone.mp4", "lost.mp4"]] as const) symlinkSync(target, join(folder, name));
  assert.deepEqual(await names("odd"), ["odd/a.mp4", "odd/l.mp4", "odd/lost.mp4", "odd/out.mp4/d.mp4"]);
  rmSync(folder, { recursive: true });
});

test("a folder with brackets in its name is found by it, pattern or not", async () => {
  mkdirSync(join(dir, "b[1]"));
  writeFileSync(join(dir, "b[1]/x.mp4"), "x");
  assert.deepEqual(await names("b[1]/*.mp4"), ["b[1]/x.mp4"]);
  rmSync(join(dir, "b[1]"), { recursive: true });
});

test("a list may begin with a byte order mark and names lists; a key that means nothing is told", async () => {
  writeFileSync(join(dir, "inner.json"), JSON.stringify([{ path: "b.mp4", scene: [{ start: 0, end: 1 }] }]));
  assert.deepEqual(await expandInputs([list("\uFEFF[\"inner.json\"]")], dir), [{ uri: join(dir, "b.mp4"), name: "b.mp4", unread: ["scene"] }]);
  await assert.rejects(expandInputs([list([{ path: "b.mp4", name: 5 }])], dir), /\[0\]\.name: .*string/);
});

for (const [name, input, code] of [
  ["a missing file", () => "gone.mp4", "INPUT_NOT_FOUND"],
  ["a pattern without a match", () => "*.zzz", "INPUT_EMPTY"],
  ["broken JSON", () => list("[{"), "INPUT_LIST_INVALID"],
  ["a list of the wrong shape", () => list([{ file: "b.mp4" }]), "INPUT_LIST_INVALID"],
  ["a scene that ends before it starts", () => list([{ path: "b.mp4", scenes: [{ start: 3, end: 1 }] }]), "INPUT_LIST_INVALID"],
  ["a list that lists itself", () => list(["list.json"]), "INPUT_LIST_INVALID"],
  ["a pipe", () => (execFileSync("mkfifo", [join(dir, "pipe.mp4")]), "pipe.mp4"), "INPUT_NOT_A_FILE"],
  ["a device", () => "/dev/zero", "INPUT_NOT_A_FILE"],
  ["a list that names a missing file", () => list([{ path: "gone.mp4" }]), "INPUT_NOT_FOUND"],
] as const) {
  test(`${name} is ${code} and names the input`, async () => {
    const given = input();
    await assert.rejects(expandInputs([given], dir), (error: Error & { code?: string }) => error.code === code && error.message.includes(given));
  });
}
