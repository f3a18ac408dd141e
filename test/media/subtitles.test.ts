import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { cutClip, ffmpegPath, parseSrt, probe, readSubtitles } from "../../src/media/index.js";
import { mediaFile, openMedium } from "./media-files.js";

const dir = mkdtempSync(join(tmpdir(), "flow-subtitles-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const SRT = `1\r\n00:00:00,500 --> 00:00:01,250\r\n<i>Hello</i> &amp; {\\an8}welcome\r\n\r\n2\r\n00:00:01,500 --> 00:00:02,000\r\ntwo\r\nlines\r\n`;
const CUES = [
  { startUs: 500_000, endUs: 1_250_000, text: "Hello & welcome" },
  { startUs: 1_500_000, endUs: 2_000_000, text: "two\nlines" },
];

test("SubRip is parsed, tags go", () => {
  assert.deepEqual(parseSrt(SRT), CUES);
  assert.deepEqual(parseSrt("no cue at all"), []);
});

for (const [name, codec] of [["a.mkv", "subrip"], ["b.mp4", "mov_text"], ["c.webm", "webvtt"]] as const) {
  test(`embedded subtitles of ${name} (${codec}) are read`, async () => {
    writeFileSync(join(dir, "in.srt"), SRT);
    const video = name.endsWith("webm") ? ["-c:v", "libvpx"] : ["-c:v", "libx264"];
    execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "color=s=64x48:r=5:d=3", "-i", join(dir, "in.srt"), "-map", "0", "-map", "1", ...video, "-c:s", codec, join(dir, name)]);
    const info = await openMedium(join(dir, name));
    assert.equal(info.subtitles[0]?.text, true);
    assert.deepEqual(await readSubtitles(info), CUES);
  });
}

const source = mediaFile("video/issue-195-aspect-ratio.mp4");

test("a clip is cut to its times with sound, and appears whole or not at all", { skip: source.skip }, async () => {
  const out = join(dir, "clip.mp4");
  await cutClip({ uri: source.path, startUs: 5_000_000, endUs: 8_000_000, out });
  const info = await probe(out);
  assert.equal(info.video?.frames, 75);
  assert.ok(info.audio && Math.abs((info.durationUs ?? 0) - 3_000_000) < 60_000);
  const bad = join(dir, "bad.mp4");
  await assert.rejects(cutClip({ uri: join(dir, "gone.mp4"), startUs: 0, endUs: 1_000_000, out: bad }), { code: "CLIP_FAILED" });
  assert.ok(!existsSync(bad) && readdirSync(dir).every((name) => !name.includes(".part")));
  await assert.rejects(cutClip({ uri: source.path, startUs: 2, endUs: 1, out }), { code: "CLIP_INVALID" });
});
