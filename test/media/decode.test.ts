import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { lastValueFrom, tap } from "rxjs";
import type { DecodeSpec, Delivery } from "../../src/contracts/media.js";
import { ffmpegPath, openDecode } from "../../src/media/index.js";
import { decoding, left, needsProc } from "../processes.js";
import { collect, tapRef, usualSpec } from "./collect.js";
import { mediaFile, openMedium } from "./media-files.js";

const dir = mkdtempSync(join(tmpdir(), "flow-decode-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const ffmpeg = (...args: string[]): void => void execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", ...args]);

// Frame counts as ffprobe -count_frames gives them.
for (const [path, frames] of [
  ["video/testvideo.mp4", 720],
  ["video/goldeneye-vfr-drop3.mp4", 160],
  ["video/issue-195-aspect-ratio.mp4", 628],
  ["video/flipping_a_pancake.mkv", 310],
  ["video/intel_one-by-one-person-detection.mp4", 1394],
  ["video/big_buck_bunny_0_30.webm", 720],
  ["video/chaplin.mp4", 241],
  ["video/counter.mp4", 30],
  ["video/fades.mp4", 250],
] as const) {
  const file = mediaFile(path);
  test(`${path}: ${frames} frames, ascending times, samples from the same frames`, { skip: file.skip }, async () => {
    const info = await openMedium(file.path);
    const seen = await collect(info, usualSpec(2));
    const rows = seen.rows["mean"] ?? [];
    assert.equal(rows.length, frames);
    assert.equal(seen.stats.framesDecoded, frames);
    assert.equal(seen.ends["scores"]?.items, frames);
    const [dense, sampled] = [seen.ends["scores"]?.endUs ?? 0, seen.ends["embed"]?.endUs ?? 0];
    assert.ok(Math.abs(dense - sampled) <= 45_000, `the samples end with the video: ${sampled} and ${dense}`);
    assert.equal(seen.stats.leased, 0);
    assert.equal(seen.late, 0, "nothing comes behind its watermark");
    assert.ok(rows.every((row, i) => i === 0 || row.ptsUs > (rows[i - 1]?.ptsUs ?? Infinity)));
    const all = new Set(rows.map((row) => row.ptsUs));
    const two = seen.items.filter((item) => item.output === "embed").map((item) => item.ptsUs);
    assert.ok(two.every((ptsUs) => all.has(ptsUs)));
    assert.equal(new Set(two.map((ptsUs) => Math.floor((ptsUs + 0.5) / 500_000))).size, two.length, "one sample a cell");
    const one = (await collect(info, { ...usualSpec(1), audio: [] })).items.map((item) => item.ptsUs);
    assert.ok(one.length > 0 && one.every((ptsUs) => two.includes(ptsUs)), "fps 1 is a subset of fps 2");
    assert.equal((seen.ends["sound"]?.items ?? 0) > 0, info.audio !== null);
  });
}

const vfr = mediaFile("video/goldeneye-vfr-drop3.mp4");

test("times of a variable frame rate equal the reference", { skip: vfr.skip }, async () => {
  const reference = readFileSync(join(process.env["FLOW_MEDIA_DIR"] as string, "../reference/pts_goldeneye-vfr-drop3.csv"), "utf8");
  const expected = reference.trim().split("\n").map((line) => Math.round(Number(line.split(",")[0]) * 1e6));
  const seen = await collect(await openMedium(vfr.path), usualSpec());
  const actual = (seen.rows["mean"] ?? []).map((row) => row.ptsUs);
  assert.equal(actual.length, expected.length);
  for (const [i, ptsUs] of actual.entries()) assert.ok(Math.abs(ptsUs - (expected[i] as number)) <= 1, `frame ${i}: ${ptsUs} and ${expected[i]}`);
});

const wide = mediaFile("video/issue-195-aspect-ratio.mp4");

test("display geometry squares the pixels, coded keeps the raster", { skip: wide.skip }, async () => {
  const sizes = new Map<string, number[]>();
  const output = (key: string, geometry: "coded" | "display"): DecodeSpec["video"][number] => ({ key, demand: { size: { longest: 256 }, fps: 1, geometry }, slots: 4, deliver: true, taps: [] });
  await collect(await openMedium(wide.path), { video: [output("coded", "coded"), output("display", "display")], audio: [] }, (delivery) => {
    sizes.set(delivery.output, [delivery.slot.width, delivery.slot.height, delivery.slot.byteLength]);
    delivery.release();
  });
  assert.deepEqual(sizes.get("coded"), [256, 209, 256 * 209 * 3]);
  assert.deepEqual(sizes.get("display"), [256, 144, 256 * 144 * 3]);
});

test("full rings stop the decoder; when slots come back nothing is missing", { skip: wide.skip }, async () => {
  const info = await openMedium(wide.path);
  const spec: DecodeSpec = {
    video: [{ key: "every", demand: { size: [64, 64], fps: "all", geometry: "coded" }, slots: 5, deliver: true, taps: [{ key: "mean", tap: tapRef("meanTap") }] }],
    audio: [{ key: "sound", demand: { sampleRate: 16000, channels: 2, windowUs: 2_000_000, hopUs: 1_000_000 }, slots: 4, deliver: true, taps: [] }],
  };
  const free = await collect(info, spec);
  let held: Delivery[] = [];
  let most = 0;
  // Slots come back only when the decoder says that it has none left.
  const giveBack = (output: string): void => {
    for (const delivery of held) if (delivery.output === output) delivery.release();
    held = held.filter((delivery) => delivery.output !== output);
  };
  const hold = (delivery: Delivery): void => {
    held.push(delivery);
    most = Math.max(most, held.filter((d) => d.output === "every").length);
  };
  const seen = await collect(info, spec, hold, giveBack);
  for (const delivery of held) delivery.release();
  assert.equal(most, 5);
  assert.ok(seen.starving >= Math.floor(627 / 5), `starving told ${seen.starving} times`);
  const strip = (items: typeof seen.items): unknown => ["every", "sound"].map((output) => items.filter((item) => item.output === output));
  assert.deepEqual(strip(seen.items), strip(free.items));
  assert.deepEqual(seen.rows, free.rows);
  assert.deepEqual(seen.items.filter((item) => item.output === "every").map((item) => item.frame), Array.from({ length: 628 }, (_, i) => i));
  assert.equal(seen.stats.leased, 0);
});

test("the pixels in a slot stay while it is leased", { skip: wide.skip }, async () => {
  const info = await openMedium(wide.path);
  const spec = usualSpec(4);
  const decode = openDecode(info, { video: [{ ...(spec.video[1] as DecodeSpec["video"][number]), slots: 3 }], audio: [] });
  const copy = (d: Delivery): string => Buffer.from(new Uint8Array(d.slot.buffer, d.slot.byteOffset, d.slot.byteLength)).toString("latin1");
  let kept: { delivery: Delivery; pixels: string } | null = null;
  let count = 0;
  await new Promise<void>((resolve, reject) => {
    decode.events.subscribe({
      next: (event) => {
        if (event.type !== "delivery") return;
        count++;
        if (kept === null) kept = { delivery: event.delivery, pixels: copy(event.delivery) };
        else event.delivery.release();
      },
      error: reject,
      complete: resolve,
    });
  });
  const { delivery, pixels } = kept as unknown as { delivery: Delivery; pixels: string };
  assert.ok(count > 50);
  assert.equal(copy(delivery), pixels);
  assert.equal(decode.stats.leased, 1, "a leak shows");
  delivery.release();
  assert.equal(decode.stats.leased, 0);
  assert.throws(() => delivery.release(), { code: "LEASE_DOUBLE_RELEASE" });
});

const speech = mediaFile("speech/jfk.wav");

test("sound only: windows on the grid, the last one short, the same samples as the file", { skip: speech.skip }, async () => {
  const info = await openMedium(speech.path);
  assert.equal(info.kind, "audio");
  const spec: DecodeSpec = { video: [], audio: [{ key: "sound", demand: { sampleRate: 16000, channels: 1, windowUs: 3_000_000, hopUs: 3_000_000 }, slots: 2, deliver: true, taps: [{ key: "energy", tap: tapRef("energyTap") }] }] };
  const pcm = new Float32Array(4 * 48000);
  const seen = await collect(info, spec, (delivery) => {
    pcm.set(new Float32Array(delivery.slot.buffer, delivery.slot.byteOffset, 48000), (delivery.ptsUs / 1e6) * 16000);
    delivery.release();
  });
  assert.deepEqual(seen.items.map(({ ptsUs, samples }) => [ptsUs, samples]), [[0, 48000], [3_000_000, 48000], [6_000_000, 48000], [9_000_000, 32000]]);
  assert.equal(seen.ends["sound"]?.endUs, 11_000_000);
  assert.equal(seen.rows["energy"]?.length, 110);
  const file = readFileSync(speech.path);
  const wav = new Int16Array(file.buffer.slice(file.byteOffset + file.indexOf("data") + 8, file.byteOffset + file.indexOf("data") + 8 + 2 * 176000));
  assert.equal(wav.length, 176000);
  for (let i = 0; i < wav.length; i++) if (Math.abs(pcm[i] as number - (wav[i] as number) / 32768) > 1e-6) assert.fail(`sample ${i}`);
  assert.ok(pcm.subarray(176000).every((sample) => sample === 0));
});

test("sound that starts late and has a gap lies where its times say", async () => {
  // 1 s tone · 2 s nothing · 1 s tone, all 0.5 s late beside a picture that starts at 0.
  const path = join(dir, "gap.mkv");
  ffmpeg("-f", "lavfi", "-i", "color=c=gray:s=64x48:r=10:d=5", "-f", "lavfi", "-i", "sine=f=440:r=16000:d=4,aselect='lt(t,1)+gte(t,3)',asetpts=PTS+0.5/TB", "-copyts", "-map", "0:v", "-map", "1:a", "-c:v", "ffv1", "-c:a", "pcm_s16le", path);
  const info = await openMedium(path);
  const pcm = new Float32Array(16000 * 6);
  const spec: DecodeSpec = { video: [], audio: [{ key: "sound", demand: { sampleRate: 16000, channels: 1, windowUs: 1_000_000, hopUs: 1_000_000 }, slots: 2, deliver: true, taps: [] }] };
  const seen = await collect(info, spec, (delivery) => {
    pcm.set(new Float32Array(delivery.slot.buffer, delivery.slot.byteOffset, 16000), (delivery.ptsUs / 1e6) * 16000);
    delivery.release();
  });
  const loud = (fromS: number, toS: number): number => pcm.subarray(fromS * 16000, toS * 16000).reduce((sum, sample) => sum + Math.abs(sample), 0) / ((toS - fromS) * 16000);
  assert.ok(loud(0, 0.49) === 0 && loud(0.55, 1.45) > 0.03, "late start");
  assert.ok(loud(1.55, 3.4) === 0 && loud(3.55, 4.45) > 0.03, "gap");
  assert.ok(seen.health.some((message) => message.includes("gap")), seen.health.join());
});

test("mono sound is measured as it is, not spread over two channels 3 dB lower; equal channels measure the same peak and twice the power", async () => {
  const levels = { key: "levels", tap: { module: new URL("../../src/operators/audio/audio.levels.tap.js", import.meta.url).href, export: "audioLevelsTap", config: null } };
  const spec: DecodeSpec = { video: [], audio: [{ key: "sound", demand: { sampleRate: 48000, channels: 2, windowUs: 100_000, hopUs: 100_000 }, slots: 0, deliver: false, taps: [levels] }] };
  const measured = await Promise.all(
    ["mono", "stereo"].map(async (layout) => {
      const path = join(dir, `${layout}.wav`);
      ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*1000*t):s=48000:d=2", "-af", layout === "mono" ? "aformat=channel_layouts=mono" : "pan=stereo|c0=c0|c1=c0", path);
      const rows = (await collect(await openMedium(path), spec)).rows["levels"] ?? [];
      return rows[10]!.values.map((value) => Math.round(value * 10) / 10);
    }),
  );
  // momentaryLufs, meanSquareK, rmsDb, truePeakDb of a sine of −6 dBFS at 1 kHz, which K-weighting raises by 0.7 dB.
  assert.deepEqual(measured.map(([lufs, , rms, peak]) => [lufs, rms, peak]), [[-9, -9, -6], [-6, -9, -6]]);
});

test("a delayed container: times count from its start", async () => {
  const path = join(dir, "late.ts");
  ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=2", "-c:v", "mpeg2video", path);
  const info = await openMedium(path);
  assert.ok(info.startUs > 1_000_000);
  const seen = await collect(info, usualSpec());
  assert.equal(seen.rows["mean"]?.[0]?.ptsUs, 0);
  assert.equal(seen.rows["mean"]?.length, 20);
});

const source = mediaFile("video/testvideo.mp4");

test("a file cut off at 60 % gives what it has and tells its health", { skip: source.skip }, async () => {
  const whole = join(dir, "whole.mp4");
  ffmpeg("-i", source.path, "-c", "copy", "-movflags", "+faststart", whole);
  const bytes = readFileSync(whole);
  const cut = join(dir, "cut.mp4");
  writeFileSync(cut, bytes.subarray(0, Math.floor(bytes.length * 0.6)));
  const seen = await collect(await openMedium(cut), usualSpec());
  const frames = seen.rows["mean"]?.length ?? 0;
  assert.ok(frames > 300 && frames < 720, `${frames} frames`);
  assert.ok(seen.health.length > 0 && seen.health.length < 60);
  assert.equal(seen.ends["scores"]?.items, frames);
});

test("damage in the middle yields health, not a crash", { skip: source.skip }, async () => {
  const whole = join(dir, "damaged.mp4");
  ffmpeg("-i", source.path, "-c", "copy", "-movflags", "+faststart", whole);
  const bytes = readFileSync(whole);
  for (let i = 600_000; i < 700_000; i += 97) bytes[i] = (bytes[i] as number) ^ 0xa5;
  writeFileSync(whole, bytes);
  const seen = await collect(await openMedium(whole), usualSpec());
  assert.ok((seen.rows["mean"]?.length ?? 0) > 600);
  assert.ok(seen.health.length > 0 && seen.health.length < 60);
});

test("nothing decodable is MEDIA_DECODE_FAILED, and no output is said to have ended empty: a rerun would believe it", { skip: source.skip }, async () => {
  const info = await openMedium(source.path);
  const ended: string[] = [];
  const decode = openDecode({ ...info, uri: join(dir, "gone.mp4") }, usualSpec());
  await assert.rejects(lastValueFrom(decode.events.pipe(tap((event) => event.type === "end" && ended.push(event.output))), { defaultValue: null }), { code: "MEDIA_DECODE_FAILED" });
  assert.deepEqual(ended.filter((output) => usualSpec().video.some(({ key }) => key === output)), []);
  await assert.rejects(collect({ ...info, uri: join(dir, "gone.mp4") }, usualSpec()), { code: "MEDIA_DECODE_FAILED" });
});

test("a tap that throws or cannot be loaded fails this decode with its message", { skip: source.skip }, async () => {
  const info = await openMedium(source.path);
  const spec = (name: string): DecodeSpec => ({ video: [{ ...(usualSpec().video[0] as DecodeSpec["video"][number]), taps: [{ key: "t", tap: tapRef(name) }] }], audio: [] });
  await assert.rejects(collect(info, spec("throwingTap")), /this tap throws/);
  await assert.rejects(collect(info, spec("noSuchTap")), { code: "TAP_UNLOADABLE" });
});

test("stop() in the middle completes without the ends and leaves no ffmpeg", { skip: source.skip || needsProc }, async () => {
  // Under a name of its own, so that its ffmpeg can be told from others.
  const path = join(dir, "stopped.mp4");
  symlinkSync(source.path, path);
  const decode = openDecode(await openMedium(path), usualSpec());
  const ends: string[] = [];
  let stopped: Promise<void> | null = null;
  await new Promise<void>((resolve, reject) => {
    decode.events.subscribe({
      next: (event) => {
        if (event.type === "end") ends.push(event.output);
        if (event.type !== "delivery") return;
        event.delivery.release();
        if (stopped === null) assert.equal(decoding(path).length, 1);
        stopped ??= decode.stop();
      },
      error: reject,
      complete: resolve,
    });
  });
  await stopped;
  assert.deepEqual(ends, ["sound"], "only the output that this medium cannot feed had ended");
  assert.deepEqual(await left(() => decoding(path)), []);
});

for (const path of ["images/CLIP.png", "images/faces/bbt1.jpg"]) {
  const file = mediaFile(path);
  test(`${path} is a medium of one frame`, { skip: file.skip }, async () => {
    const info = await openMedium(file.path);
    assert.equal(info.kind, "image");
    const seen = await collect(info, usualSpec());
    assert.deepEqual(seen.items.map(({ output, ptsUs, frame }) => [output, ptsUs, frame]), [["embed", 0, 0]]);
    assert.equal(seen.rows["mean"]?.length, 1);
    assert.equal(seen.ends["sound"]?.items, 0);
    assert.equal(seen.stats.leased, 0);
  });
}

test("timestamps that jump back are said once, for all outputs, with what mends them; an overlap of sound alone is still an overlap", async () => {
  const part = (name: string, ...more: string[]): Buffer => {
    const file = join(dir, name);
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3", "-pix_fmt", "yuv420p", "-c:a", "aac", ...more, file);
    return readFileSync(file);
  };
  const joined = join(dir, "joined.ts");
  writeFileSync(joined, Buffer.concat([part("a.ts"), part("b.ts")]));
  const seen = await collect(await openMedium(joined), usualSpec(2));
  assert.equal(seen.health.length, 1, seen.health.join("\n"));
  assert.match(seen.health[0]!, /^behind 3\.0 s the timestamps jump back, .*`ffmpeg -i IN -c copy OUT\.mkv`/);

  const mended = join(dir, "mended.mkv");
  ffmpeg("-i", joined, "-c", "copy", mended);
  const whole = await collect(await openMedium(mended), usualSpec(2));
  // The first part's sound is a packet longer than its picture.
  assert.deepEqual([whole.health.filter((message) => !message.startsWith("audio overlap of 23 ms")), whole.stats.framesDecoded], [[], 150]);
  assert.ok(Math.abs(whole.ends["scores"]!.endUs - 6_000_000) < 100_000);

  writeFileSync(joined, Buffer.concat([part("a.ts"), part("c.ts", "-output_ts_offset", "2.95")]));
  const { health } = await collect(await openMedium(joined), usualSpec(2));
  assert.ok(health.some((message) => message.startsWith("audio overlap of")) && !health.some((message) => message.includes("jump back")), health.join("\n"));
});
