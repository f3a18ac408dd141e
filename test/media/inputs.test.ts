import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

for (const [name, input, code] of [
  ["a missing file", () => "gone.mp4", "INPUT_NOT_FOUND"],
  ["a pattern without a match", () => "*.zzz", "INPUT_EMPTY"],
  ["broken JSON", () => list("[{"), "INPUT_LIST_INVALID"],
  ["a list of the wrong shape", () => list([{ file: "b.mp4" }]), "INPUT_LIST_INVALID"],
  ["a scene that ends before it starts", () => list([{ path: "b.mp4", scenes: [{ start: 3, end: 1 }] }]), "INPUT_LIST_INVALID"],
  ["a list that names a missing file", () => list([{ path: "gone.mp4" }]), "INPUT_NOT_FOUND"],
] as const) {
  test(`${name} is ${code} and names the input`, async () => {
    const given = input();
    await assert.rejects(expandInputs([given], dir), (error: Error & { code?: string }) => error.code === code && error.message.includes(given));
  });
}
