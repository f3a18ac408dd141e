import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import sharp from "sharp";
import { abilities, ffmpegPath, identify, outputSize, probe, redactUri, requireAbilities, type CachedIdentity } from "../../src/media/index.js";
import { FlowError } from "../../src/contracts/errors.js";
import { BUNDLED_FFMPEG } from "../../src/media/binaries.js";
import { collect, usualSpec } from "./collect.js";
import { mediaFile, openMedium } from "./media-files.js";

const dir = mkdtempSync(join(tmpdir(), "flow-probe-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const ffmpeg = (...args: string[]): void => void execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", ...args]);
const write = (name: string, content: string | Buffer): string => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

const wide = mediaFile("video/issue-195-aspect-ratio.mp4");

test("non-square pixels, sound, times", { skip: wide.skip }, async () => {
  const info = await probe(wide.path);
  assert.deepEqual(info.video?.sar, [16, 11]);
  assert.equal(info.video?.frames, 628);
  assert.equal(info.audio?.sampleRate, 48000);
  assert.equal(info.startUs, 0);
  assert.equal(info.kind, "video");
  assert.deepEqual(outputSize(info.video, { size: { longest: 224 }, geometry: "display" }), [224, 126]);
  assert.deepEqual(outputSize(info.video, { size: { longest: 4000 }, geometry: "coded" }), [704, 576]);
});

test("a cover picture is not a video; it stays sound", async () => {
  await sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } }).jpeg().toFile(join(dir, "cover.jpg"));
  ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-i", join(dir, "cover.jpg"), "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic", join(dir, "song.mp3"));
  const info = await probe(join(dir, "song.mp3"));
  assert.equal(info.kind, "audio");
  assert.equal(info.video, null);
});

test("a turned video has the turned raster, and its frames are turned", async () => {
  ffmpeg("-f", "lavfi", "-i", "color=c=black:s=96x64:r=5:d=1,drawbox=x=0:y=0:w=96:h=16:c=white:t=fill", "-pix_fmt", "yuv420p", join(dir, "flat.mp4"));
  ffmpeg("-i", join(dir, "flat.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90", join(dir, "turned.mp4"));
  const info = await openMedium(join(dir, "turned.mp4"));
  assert.deepEqual([info.video?.rotation, info.video?.orientedWidth, info.video?.orientedHeight], [270, 64, 96]);
  let right = 0;
  let left = 0;
  await collect(info, { video: [{ key: "v", demand: { size: { longest: 96 }, fps: 1, geometry: "display" }, slots: 2, deliver: true, taps: [] }], audio: [] }, (delivery) => {
    const { buffer, byteOffset, width, height } = delivery.slot;
    assert.deepEqual([width, height], [64, 96]);
    const pixels = new Uint8Array(buffer, byteOffset);
    right = pixels[(48 * width + 60) * 3] as number;
    left = pixels[(48 * width + 4) * 3] as number;
    delivery.release();
  });
  assert.ok(left > 200 && right < 50, "the white top went to the left: 270 degrees clockwise");
});

test("odd sizes and several streams decode, the first of each kind", async () => {
  ffmpeg("-f", "lavfi", "-i", "testsrc=s=101x57:r=5:d=1", "-f", "lavfi", "-i", "color=c=red:s=64x64:r=5:d=1", "-f", "lavfi", "-i", "sine=d=1:r=44100", "-f", "lavfi", "-i", "sine=d=1:r=8000", "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "ffv1", "-c:a", "pcm_s16le", join(dir, "many.mkv"));
  const info = await openMedium(join(dir, "many.mkv"));
  assert.deepEqual([info.video?.width, info.video?.height, info.audio?.sampleRate], [101, 57, 44100]);
  const seen = await collect(info, usualSpec());
  assert.equal(seen.rows["mean"]?.length, 5);
  assert.equal(seen.items.filter((item) => item.output === "sound").length, 1);
});

for (const [name, make, code] of [
  ["an empty file", () => write("empty.mp4", ""), "MEDIA_EMPTY"],
  ["a text file", () => write("text.mp4", "hello world\n".repeat(99)), "MEDIA_UNREADABLE"],
  ["a text file with its own name", () => write("notes.txt", "hello world\n".repeat(99)), "MEDIA_UNREADABLE"],
  ["a subtitle file", () => write("only.srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n"), "MEDIA_UNREADABLE"],
  ["noise", () => write("noise.mkv", Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * i * 31) >> 4))), "MEDIA_UNREADABLE"],
  ["a missing file", () => join(dir, "nope.mp4"), "MEDIA_NOT_FOUND"],
  ["a folder", () => (mkdirSync(join(dir, "folder"), { recursive: true }), join(dir, "folder")), "MEDIA_IS_DIRECTORY"],
  ["a cut-off picture", () => write("half.jpg", Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16])), "MEDIA_UNREADABLE"],
] as const) {
  test(`${name} is ${code}, with a hint`, async () => {
    await assert.rejects(probe(make()), (error: unknown) => {
      assert.ok(error instanceof FlowError);
      assert.equal(error.code, code);
      assert.ok(error.hint.length > 10 && !error.message.includes("\n"));
      return true;
    });
  });
}

test("a picture of too many pixels is refused before it is decoded", async () => {
  // A PNG header of 30000 × 30000 pixels: 41 bytes of file.
  const header = Buffer.from("89504e470d0a1a0a0000000d49484452000075300000753008020000009f5b2a100000000049454e44ae426082", "hex");
  await assert.rejects(probe(write("bomb.png", header)), (error: unknown) => error instanceof FlowError && ["MEDIA_IMAGE_TOO_LARGE", "MEDIA_UNREADABLE"].includes(error.code));
  const large = await sharp({ create: { width: 15000, height: 14000, channels: 3, background: "white" }, limitInputPixels: false }).png({ compressionLevel: 1 }).toBuffer();
  await assert.rejects(probe(write("large.png", large)), { code: "MEDIA_IMAGE_TOO_LARGE" });
});

test("no message shows the credentials of a URL", async () => {
  assert.equal(redactUri("open http://user:pw@host/x.mp4?key=1 failed"), "open http://***@host/x.mp4?*** failed");
  await assert.rejects(probe("http://user:secret@127.0.0.1:9/x.mp4?token=hidden"), (error: unknown) => {
    assert.ok(error instanceof FlowError && error.code === "MEDIA_UNREADABLE");
    assert.ok(!/secret|hidden/.test(JSON.stringify(error) + String((error.cause as Error).message)));
    return true;
  });
});

test("the content id is the SHA-256, kept while size, time and inode stay", async () => {
  const path = write("bytes.bin", "abc");
  const kept = new Map<string, CachedIdentity>();
  const cache = { get: (p: string) => kept.get(p), put: (p: string, identity: CachedIdentity) => void kept.set(p, identity) };
  const sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.deepEqual(await identify(path, cache), { id: sha, memoisable: true });
  kept.set(path, { ...(kept.get(path) as CachedIdentity), id: "from the cache" });
  assert.equal((await identify(path, cache)).id, "from the cache");
  writeFileSync(path, "abcd");
  assert.notEqual((await identify(path, cache)).id, "from the cache");
  assert.equal(readFileSync(path, "utf8"), "abcd");
});

test("the bundled ffmpeg can all that is needed; something else as FLOW_FFMPEG is FFMPEG_UNFIT", async () => {
  assert.deepEqual((await abilities()).missing, []);
  await assert.rejects(requireAbilities("/bin/true"), { code: "FFMPEG_UNFIT" });
});

test("keys name the bundled ffmpeg by the version that is installed and pinned", () => {
  const { version } = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg/package.json") as { version: string };
  const { dependencies } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { dependencies: Record<string, string> };
  assert.deepEqual([version, dependencies["@ffmpeg-installer/ffmpeg"]], [BUNDLED_FFMPEG, BUNDLED_FFMPEG]);
});
