import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ffmpegPath } from "../../src/media/index.js";
import { collectAudio, readAudio, wholeMedium } from "../../src/media/read-clip.js";
import { left, naming, needsProc } from "../processes.js";
import { collect, usualSpec } from "./collect.js";
import { mediaFile, openMedium } from "./media-files.js";

const dir = mkdtempSync(join(tmpdir(), "flow-read-clip-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const maxDifference = (a: Float32Array, b: Float32Array): number => {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

// What a seek may change: nothing where times are exact; AAC's noise is random; in Matroska a start that is rounded to a millisecond shifts the samples.
for (const [path, tolerance] of [
  ["speech/silero_test.wav", 0],
  ["video/issue-195-aspect-ratio.mp4", 1e-3],
  ["video/big_buck_bunny_0_30.webm", null],
  ["speech/jfk.flac", 0],
  ["video/chaplin.mp4", 0],
] as const) {
  const file = mediaFile(path);
  test(`intervals of ${path} are slices of the whole, and the same every time`, { skip: file.skip }, async () => {
    const info = await openMedium(file.path);
    for (const sampleRate of [16_000, 48_000]) {
      const whole = await collectAudio(info, wholeMedium, { sampleRate });
      assert.ok(whole.length > 5 * sampleRate);
      const endUs = Math.floor((whole.length * 1e6) / sampleRate);
      for (const [startUs, stopUs] of [[0, 2_000_000], [1_234_567, 4_000_001], [Math.floor(endUs * 0.6), Math.floor(endUs * 0.6) + 1_500_000], [endUs - 700_000, endUs + 5_000_000]] as const) {
        const interval = { startUs, endUs: stopUs };
        const [from, to] = [Math.round((startUs * sampleRate) / 1e6), Math.round((stopUs * sampleRate) / 1e6)];
        const part = await collectAudio(info, interval, { sampleRate });
        const expected = whole.subarray(from, to);
        const shorter = Math.abs(part.length - expected.length);
        assert.ok(shorter <= (tolerance === null ? 1 : 0), `${path}: ${part.length} samples, ${expected.length} expected`);
        const length = Math.min(part.length, expected.length);
        const difference = maxDifference(part.subarray(0, length), expected.subarray(0, length));
        if (tolerance !== null) assert.ok(difference <= tolerance, `${path} ${startUs} at ${sampleRate} Hz: ${difference}`);
        else assert.ok(correlation(part, expected) > 0.99, `${path} ${startUs} at ${sampleRate} Hz: ${correlation(part, expected)}`);
        assert.deepEqual(await collectAudio(info, interval, { sampleRate }), part);
      }
    }
  });
}

function correlation(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return ab / Math.sqrt(aa * bb);
}

for (const path of ["speech/jfk.wav", "video/chaplin.mp4", "video/big_buck_bunny_0_30.webm", "video/flipping_a_pancake.mkv", "video/issue-195-aspect-ratio.mp4"]) {
  const file = mediaFile(path);
  test(`${path}: the same samples as those of the medium's one decode`, { skip: file.skip }, async () => {
    const info = await openMedium(file.path);
    const windows = (await collect(info, { ...usualSpec(), video: [] })).items.filter((item) => item.output === "sound");
    const whole = await collectAudio(info, wholeMedium, { sampleRate: 16_000 });
    assert.ok(windows.length >= 9);
    assert.equal(windows.reduce((sum, window) => sum + window.samples, 0), whole.length);
    for (const [k, window] of windows.entries()) {
      const samples = new Float32Array(16_000);
      samples.set(whole.subarray(k * 16_000, (k + 1) * 16_000));
      assert.equal(createHash("sha1").update(new Uint8Array(samples.buffer)).digest("hex"), window.hash, `window ${k}`);
    }
  });
}

/** A clicking second each second: tells where a sample lies. */
function clicks(name: string, args: string[]): string {
  const path = join(dir, name);
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "aevalsrc='if(lt(mod(t\\,1)\\,0.05)\\,0.8*sin(2*PI*440*t)\\,0)':s=16000:d=30", ...args, path]);
  return path;
}

test("a medium that starts late or has a gap keeps its times, with zeros where nothing is", async () => {
  const plain = clicks("plain.wav", []);
  const info = await openMedium(plain);
  const whole = await collectAudio(info, wholeMedium, { sampleRate: 16_000 });
  assert.equal(whole.length, 30 * 16_000);
  // Seconds 5 to 12 are taken out of the packets; their times stay.
  const gap = join(dir, "gap.mkv");
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-i", plain, "-af", "aselect='not(between(t\\,5\\,12))'", "-c:a", "pcm_s16le", gap]);
  const holed = await openMedium(gap);
  const samples = await collectAudio(holed, wholeMedium, { sampleRate: 16_000 });
  assert.equal(Math.round(samples.length / 16_000), 30);
  const loud = (from: number): boolean => samples.subarray(from * 16_000, from * 16_000 + 800).some((x) => Math.abs(x) > 0.5);
  assert.deepEqual([3, 4, 7, 10, 13, 20].map(loud), [true, true, false, false, true, true]);
  const inGap = await collectAudio(holed, { startUs: 6_000_000, endUs: 10_000_000 }, { sampleRate: 16_000 });
  assert.equal(inGap.length, 4 * 16_000);
  assert.ok(inGap.every((x) => x === 0));
  // Behind a gap, reached by seeking.
  const behind = await collectAudio(holed, { startUs: 20_000_000, endUs: 21_000_000 }, { sampleRate: 16_000 });
  assert.ok(maxDifference(behind, samples.subarray(20 * 16_000, 21 * 16_000)) < 0.01);
});

test("behind the end there is nothing, and a medium without sound gives nothing", async () => {
  const info = await openMedium(clicks("short.wav", ["-t", "12"]));
  assert.equal((await collectAudio(info, { startUs: 40_000_000, endUs: 41_000_000 }, { sampleRate: 16_000 })).length, 0);
  assert.equal((await collectAudio({ ...info, audio: null }, wholeMedium, { sampleRate: 16_000 })).length, 0);
});

test("two channels are interleaved", async () => {
  const path = join(dir, "two.wav");
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "aevalsrc='0.25|0.5':s=16000:d=1", path]);
  const samples = await collectAudio(await openMedium(path), wholeMedium, { sampleRate: 16_000, channels: 2 });
  assert.equal(samples.length, 32_000);
  assert.ok(Math.abs(samples[1000]! - 0.25) < 1e-3 && Math.abs(samples[1001]! - 0.5) < 1e-3);
});

test("who stops reading, and an abort, end ffmpeg", { skip: needsProc }, async () => {
  const path = clicks("long.wav", []);
  const info = await openMedium(path);
  const ended = async (): Promise<void> => assert.deepEqual(await left(() => naming(path)), []);
  for await (const part of readAudio(info, wholeMedium, { sampleRate: 48_000 })) {
    assert.ok(part.length > 0);
    assert.ok(naming(path).length > 0, "it waits for its reader");
    break;
  }
  await ended();
  const abort = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of readAudio(info, wholeMedium, { sampleRate: 48_000, signal: abort.signal })) abort.abort(new Error("enough"));
  }, /enough/);
  await ended();
});

test("what cannot be decoded is an error, and a playlist reaches no network", async () => {
  const info = await openMedium(clicks("good.wav", ["-t", "1"]));
  const bad = join(dir, "bad.wav");
  writeFileSync(bad, "not a sound at all");
  await assert.rejects(collectAudio({ ...info, uri: bad }, wholeMedium, { sampleRate: 16_000 }), { code: "MEDIA_DECODE_FAILED" });
  const list = join(dir, "list.m3u8");
  writeFileSync(list, "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n");
  await assert.rejects(collectAudio({ ...info, uri: list }, wholeMedium, { sampleRate: 16_000 }), { code: "MEDIA_DECODE_FAILED" });
});
