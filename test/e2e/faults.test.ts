import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FlowError, Store, runGraph } from "../../src/index.js";
import { smallClip } from "../clips.js";
import { EGO, ROOT, flow, inTemporaryFolder, start } from "./flow.js";

const SHORT = smallClip(30);

const failsWith = (code: string) => (error: unknown) => error instanceof FlowError && error.code === code && error.hint.length > 0;

describe("models", () => {
  /** A folder whose lite-image overrides the built-in one. */
  async function models(dir: string, change: (manifest: string, folder: string) => Promise<string>): Promise<string> {
    const folder = join(dir, "models");
    await mkdir(folder);
    for (const id of ["lite-image", "lite-sound", "lite-text"]) await copyFile(join(ROOT, "models", `${id}.onnx`), join(folder, `${id}.onnx`));
    await writeFile(join(folder, "lite-image.yaml"), await change(await readFile(join(ROOT, "models", "lite-image.yaml"), "utf8"), folder));
    return folder;
  }

  test("a missing file, a changed file and a file of another shape are named before the first frame", () =>
    inTemporaryFolder(async (dir) => {
      const cases: [string, (manifest: string, folder: string) => Promise<string>][] = [
        ["MODEL_MISSING", async (manifest, folder) => (await rm(join(folder, "lite-image.onnx")), manifest)],
        ["MODEL_CORRUPT", async (manifest, folder) => (await writeFile(join(folder, "lite-image.onnx"), Buffer.alloc(27_192)), manifest)],
        ["MODEL_SHAPE", async (manifest) => manifest.replaceAll("pixel_values", "pixels")],
      ];
      for (const [code, change] of cases) {
        const folder = join(dir, code);
        await mkdir(folder);
        await assert.rejects(runGraph(EGO, { store: join(folder, "store"), inputs: [SHORT], models: [await models(folder, change)] }), failsWith(code), code);
        assert.ok(!existsSync(join(folder, "store")), "nothing was done, nothing is left");
      }
    }));
});

describe("media from elsewhere", () => {
  test("a file over http is one medium; the second run asks for its validators only", () =>
    inTemporaryFolder(async (dir) => {
      const bytes = await readFile(SHORT);
      let gets = 0;
      const server = createServer((request, response) => {
        const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
        const from = range ? Number(range[1]) : 0;
        const to = range?.[2] ? Number(range[2]) : bytes.length - 1;
        response.writeHead(range ? 206 : 200, {
          "content-type": "video/mp4", "content-length": to - from + 1, "accept-ranges": "bytes", etag: '"v1"',
          ...(range ? { "content-range": `bytes ${from}-${to}/${bytes.length}` } : {}),
        });
        if (request.method === "GET") gets += 1;
        response.end(request.method === "HEAD" ? undefined : bytes.subarray(from, to + 1));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const url = `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}/clip.mp4`;
        const first = await flow(["run", EGO, url.replace("user:secret@", ""), "--store", dir, "--json"]);
        assert.equal(first.code, 0, first.stdout + first.stderr);
        assert.equal(first.json.records.scene, 5);
        const before = gets;
        const second = await flow(["run", EGO, url.replace("user:secret@", ""), "--store", dir, "--json"]);
        assert.deepEqual([second.json.framesDecoded, second.json.inferences, gets], [0, 0, before]);
        const missing = await flow(["run", EGO, `${url}.nothing-there`.replace("127.0.0.1", "127.0.0.1"), "--store", join(dir, "x"), "--json"]);
        assert.doesNotMatch(missing.stdout + missing.stderr, /secret/);
      } finally {
        server.close();
        server.closeAllConnections();
      }
    }));

  test("no scenes at all is a valid result", () =>
    inTemporaryFolder(async (dir) => {
      const list = join(dir, "list.json");
      await writeFile(list, JSON.stringify([{ path: SHORT, scenes: [] }]));
      const ran = await flow(["run", EGO, list, "--store", join(dir, "store"), "--json"]);
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      assert.deepEqual(ran.json.records, { media: 1, scene: 0 });
      for (const command of [["show"], ["search", "lighthouse"], ["export", "--format", "jsonl", "-o", join(dir, "out.jsonl")], ["report", "-o", join(dir, "r.html")]]) {
        const after = await flow([...command, "--store", join(dir, "store"), "--json"]);
        assert.equal(after.code, 0, command[0] + after.stdout + after.stderr);
      }
    }));
});

describe("stores", () => {
  test("a second writer is told to wait, with exit 3; nothing is lost", () =>
    inTemporaryFolder(async (dir) => {
      const store = await Store.open(dir);
      const refused = await flow(["run", EGO, SHORT, "--store", dir, "--json"]);
      assert.equal(refused.code, 3);
      assert.equal(refused.json.error.code, "STORE_LOCKED");
      await store.close();
      assert.equal((await flow(["run", EGO, SHORT, "--store", dir, "--json"])).code, 0);
    }));

  test("a store can be read while a run writes it", () =>
    inTemporaryFolder(async (dir) => {
      await flow(["run", EGO, SHORT, "--store", dir, "--json"]);
      const { ended } = start(["run", EGO, SHORT, "--store", dir, "--json", "-p", "fps=8"]);
      const shown = await flow(["show", "--store", dir, "--json"]);
      assert.equal(shown.code, 0, shown.stderr);
      assert.ok(shown.json.records.length > 0);
      assert.equal((await ended).code, 0);
    }));
});

test("a graph is data: ffmpeg protocols and paths outside of media are refused", () =>
  inTemporaryFolder(async (dir) => {
    const playlist = join(dir, "evil.m3u8");
    await writeFile(playlist, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n");
    const concat = join(dir, "evil.mp4");
    await writeFile(concat, "ffconcat version 1.0\nfile /etc/passwd\n");
    for (const medium of [playlist, concat]) {
      const ran = await flow(["run", EGO, medium, "--store", join(dir, "s"), "--json"]);
      assert.notEqual(ran.code, 0);
      assert.ok(ran.json.error ?? ran.json.failures.length > 0, ran.stdout);
      assert.doesNotMatch(ran.stdout + ran.stderr, /root:/);
    }
  }));
