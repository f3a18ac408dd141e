import assert from "node:assert/strict";
import { createReadStream, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { identify } from "../../src/media/index.js";
import { collect, usualSpec } from "./collect.js";
import { mediaFile, openMedium } from "./media-files.js";

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

/** A file server with ranges; `etag` null: no validators; `gives`: how many bytes of the file it has, the connection ends behind them. */
async function serve(path: string, etag: string | null, gives = (): number => Infinity): Promise<string> {
  const server = createServer((request, response) => {
    if (!request.url?.startsWith("/clip.mp4")) return void response.writeHead(404).end();
    const { size } = statSync(path);
    const match = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
    const start = match ? Number(match[1]) : 0;
    const end = match?.[2] ? Number(match[2]) : size - 1;
    const headers = { "accept-ranges": "bytes", "content-length": end - start + 1, ...(etag ? { etag } : {}), ...(match ? { "content-range": `bytes ${start}-${end}/${size}` } : {}) };
    response.writeHead(match ? 206 : 200, headers);
    if (request.method === "HEAD") response.end();
    else if (start >= gives()) response.destroy();
    else if (end >= gives()) {
      createReadStream(path, { start, end: gives() - 1 })
        .on("end", () => response.destroy())
        .pipe(response, { end: false });
    } else createReadStream(path, { start, end }).on("error", () => response.destroy()).pipe(response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/clip.mp4?token=secret`;
}

const file = mediaFile("video/chaplin.mp4");
const transport = mediaFile("video/big_buck_bunny_0_30.webm");

test("a URL decodes like the file behind it", { skip: file.skip }, async () => {
  const url = await serve(file.path, '"v1"');
  const info = await openMedium(url);
  assert.equal(info.name, "clip.mp4");
  const [remote, local] = [await collect(info, usualSpec()), await collect(await openMedium(file.path), usualSpec())];
  assert.deepEqual(remote.rows, local.rows);
  assert.equal(remote.items.length, local.items.length);
});

test("a URL is identified by its validators; without them it is not memoised", { skip: file.skip }, async () => {
  const url = await serve(file.path, '"v1"');
  const first = await identify(url, null);
  assert.equal(first.memoisable, true);
  assert.deepEqual(await identify(url, null), first);
  const bare = await serve(file.path, null);
  assert.equal((await identify(bare, null)).memoisable, false);
  await assert.rejects(identify(url.replace("clip", "gone"), null), { code: "MEDIA_NOT_FOUND" });
  await assert.rejects(openMedium(url.replace("clip", "gone")), (error: Error & { code?: string }) => error.code === "MEDIA_UNREADABLE" && !error.message.includes("secret"));
});

test("a connection that is lost for good fails the decode, it is not the medium's end; the same address decodes whole afterwards", { skip: transport.skip }, async () => {
  let gives = Math.floor(statSync(transport.path).size * 0.6);
  const url = await serve(transport.path, '"v1"', () => gives);
  const info = await openMedium(url);
  await assert.rejects(collect(info, usualSpec()), (error: Error & { code?: string; permanent?: boolean }) => error.code === "MEDIA_CONNECTION_LOST" && error.permanent !== true && /lost \d+\.\d s into/.test(error.message));
  gives = Infinity;
  const [remote, local] = [await collect(info, usualSpec()), await collect(await openMedium(transport.path), usualSpec())];
  assert.deepEqual([remote.rows, remote.health], [local.rows, local.health]);
});

test("subtitles are read by an ffmpeg that ends with its process, though the server is silent", async () => {
  const server = createServer(() => {});
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.mkv`;
  const module = new URL("../../src/media/subtitles.js", import.meta.url).href;
  const info = { uri, startUs: 0, subtitles: [{ index: 0, text: true }] };
  const reader = spawn(process.execPath, ["--input-type=module", "-e", `import { readSubtitles } from ${JSON.stringify(module)}; await readSubtitles(${JSON.stringify(info)});`], { stdio: "ignore" });
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.resume().on("error", () => {});
  const gone = once(socket, "close");
  reader.kill("SIGKILL");
  // ffmpeg itself would wait 30 s for an answer.
  const late = new AbortController();
  const timer = delay(20_000, "late", { signal: late.signal }).catch(() => "");
  assert.notEqual(await Promise.race([gone, timer]), "late");
  late.abort();
});

test("credentials in a URL are sent with the question for its validators", async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(200, { etag: '"v1"', "content-length": 1 }).end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const found = await identify(`http://user:p%40ss@127.0.0.1:${(server.address() as AddressInfo).port}/clip.mp4`, null);
  assert.equal(found.memoisable, true);
  assert.deepEqual(asked, [`Basic ${Buffer.from("user:p@ss").toString("base64")}`]);
});
