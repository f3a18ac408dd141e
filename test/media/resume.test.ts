import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ffmpegPath } from "../../src/media/index.js";
import { remux } from "../clips.js";
import { collect, usualSpec, type Seen } from "./collect.js";
import { mediaFile, openMedium } from "./media-files.js";

const dir = mkdtempSync(join(tmpdir(), "flow-resume-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const later = (seen: Seen, fromUs: number): unknown => ({
  mean: seen.rows["mean"]?.filter((row) => row.ptsUs >= fromUs),
  energy: seen.rows["energy"]?.filter((row) => row.ptsUs >= fromUs),
  embed: seen.items.filter((item) => item.output === "embed" && item.ptsUs >= fromUs).map(({ ptsUs, hash }) => ({ ptsUs, hash })),
  sound: seen.items.filter((item) => item.output === "sound" && item.ptsUs >= fromUs).map(({ ptsUs, hash }) => ({ ptsUs, hash })),
});

for (const [name, from, container] of [
  ["mp4", "video/testvideo.mp4", null],
  ["mp4 with sound", "video/issue-195-aspect-ratio.mp4", null],
  ["webm with sound", "video/big_buck_bunny_0_30.webm", null],
  ["mkv with sound", "video/flipping_a_pancake.mkv", null],
  ["transport stream", "video/testvideo.mp4", "a.ts"],
  ["transport stream with sound", "video/issue-195-aspect-ratio.mp4", "b.ts"],
] as const) {
  const file = mediaFile(from);
  test(`a resumed decode of ${name} continues exactly`, { skip: file.skip }, async () => {
    const info = await openMedium(container ? remux(file.path, join(dir, container)) : file.path);
    const whole = await collect(info, usualSpec());
    const rows = whole.rows["mean"] ?? [];
    assert.ok(rows.length > 100);
    for (const share of [0.2, 0.65, 0.95]) {
      const last = rows[Math.floor(rows.length * share)];
      assert.ok(last && last.adler !== null);
      const fromUs = last.ptsUs + 1;
      const spec = { ...usualSpec(), resume: { fromUs, verify: { output: "scores", ptsUs: last.ptsUs, adler: last.adler } } };
      const resumed = await collect(info, spec);
      assert.deepEqual(later(resumed, fromUs), later(whole, fromUs));
      assert.deepEqual(later(resumed, -1), later(resumed, fromUs), "nothing before the resume point leaves the worker");
      if (share === 0.65 && !container) assert.ok(resumed.stats.framesDecoded < whole.stats.framesDecoded, "it did seek");
    }
  });
}

const file = mediaFile("video/testvideo.mp4");

test("a resume without a frame to verify starts at the first frame at or after its time", { skip: file.skip }, async () => {
  const info = await openMedium(file.path);
  const whole = await collect(info, usualSpec());
  const resumed = await collect(info, { ...usualSpec(), resume: { fromUs: 12_345_678, verify: null } });
  assert.deepEqual(later(resumed, 12_345_678), later(whole, 12_345_678));
});

test("a seek that finds no frame is tried from further back", { skip: file.skip }, async () => {
  const info = await openMedium(file.path);
  const whole = await collect(info, usualSpec());
  const last = whole.rows["mean"]!.at(-40)!;
  const spec = { ...usualSpec(), resume: { fromUs: last.ptsUs + 1, verify: { output: "scores", ptsUs: last.ptsUs, adler: last.adler! } } };
  // Finds nothing whenever it is asked to seek, as behind the last key frame of a transport stream.
  const wrapper = join(dir, "ffmpeg");
  writeFileSync(wrapper, `#!/bin/bash\nif [[ " $* " == *" -ss "* ]]; then exit 0; fi\nexec "${ffmpegPath()}" "$@"\n`, { mode: 0o755 });
  const before = process.env["FLOW_FFMPEG"];
  process.env["FLOW_FFMPEG"] = wrapper;
  try {
    const resumed = await collect(info, spec);
    assert.deepEqual(later(resumed, spec.resume.fromUs), later(whole, spec.resume.fromUs));
  } finally {
    if (before === undefined) delete process.env["FLOW_FFMPEG"];
    else process.env["FLOW_FFMPEG"] = before;
  }
});

test("a resume whose frame is not in the file fails as MEDIA_RESUME_MISMATCH after going back to the start", { skip: file.skip }, async () => {
  const info = await openMedium(file.path);
  const spec = { ...usualSpec(), resume: { fromUs: 12_000_001, verify: { output: "scores", ptsUs: 12_000_000, adler: 1 } } };
  await assert.rejects(collect(info, spec), { code: "MEDIA_RESUME_MISMATCH" });
});
