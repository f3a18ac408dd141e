import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Span } from "../../../src/contracts/items.js";
import { audioChanges, type SoundChange } from "../../../src/operators/audio/audio.changes.js";
import { audioLoudness, type LoudnessSummary } from "../../../src/operators/audio/audio.loudness.js";
import { runEach } from "../run-each.js";
import { ebur128, levelRows, pcmOf } from "./level-rows.js";

const demo = fileURLToPath(new URL("../../../../graphs/demo/", import.meta.url));
const mediaDir = process.env["FLOW_MEDIA_DIR"];

const tone = (seconds: number, amplitude: number): Float32Array => Float32Array.from({ length: Math.round(seconds * 48_000) * 2 }, (_, i) => amplitude * Math.sin((2 * Math.PI * 997 * (i >> 1)) / 48_000));
const joined = (...parts: Float32Array[]): Float32Array => Float32Array.from(parts.flatMap((part) => [...part]));

test("loudness of real sound equals ffmpeg's ebur128 within 0.1 LU, range within 0.3, peak within 0.3 dB", { skip: mediaDir ? false : "FLOW_MEDIA_DIR is not set" }, async () => {
  for (const name of ["speech/jfk.wav", "video/chaplin.mp4", "video/issue-195-aspect-ratio.mp4", "video/big_buck_bunny_0_30.webm"]) {
    const file = join(mediaDir!, name);
    const expected = ebur128(file);
    const { summary } = (await runEach(audioLoudness, { levels: levelRows(pcmOf(file)) })) as { summary: LoudnessSummary };
    assert.ok(Math.abs(summary.integratedLufs! - expected.integrated) <= 0.1, `${name}: ${summary.integratedLufs} LUFS instead of ${expected.integrated}`);
    assert.ok(Math.abs(summary.rangeLu! - expected.range) <= 0.3, `${name}: ${summary.rangeLu} LU instead of ${expected.range}`);
    assert.ok(Math.abs(summary.truePeakDb - expected.peak) <= 0.3, `${name}: ${summary.truePeakDb} dBTP instead of ${expected.peak}`);
  }
});

test("rows lie on the 100 ms grid whatever the start and the chunks", () => {
  const pcm = tone(1.03, 0.5);
  const rows = levelRows(pcm, 0, 999);
  assert.deepEqual([...rows.ptsUs], Array.from({ length: 11 }, (_, i) => i * 100_000));
  assert.deepEqual(levelRows(pcm, 0, 48_000), rows);
  assert.deepEqual([...levelRows(pcm, 1_521_000).ptsUs].slice(0, 2), [1_500_000, 1_600_000]);
  assert.deepEqual([...levelRows(pcm, -21_333).ptsUs].slice(0, 2), [0, 100_000]);
});

test("the bundled clip: silence where its truth says, to a tenth of a second", async () => {
  const truth = JSON.parse(readFileSync(join(demo, "truth.json"), "utf8")) as { silence: Span[]; audio: { endUs: number } };
  const levels = levelRows(pcmOf(join(demo, "clip.mp4")));
  const { silence, summary } = (await runEach(audioLoudness, { levels }, { silence: "2s" }, { startUs: 0, endUs: truth.audio.endUs })) as { silence: Span[]; summary: LoudnessSummary };
  assert.equal(silence.length, truth.silence.length, JSON.stringify(silence));
  silence.forEach((span, i) => {
    // Sound fades in and out around digital zero: below -50 dBFS it counts as silent a little earlier and later.
    assert.ok(span.startUs >= truth.silence[i]!.startUs - 600_000 && span.startUs <= truth.silence[i]!.startUs + 100_000, JSON.stringify(span));
    assert.ok(Math.abs(span.endUs - truth.silence[i]!.endUs) <= 600_000, JSON.stringify(span));
  });
  assert.equal(summary.silent, false);
});

test("digital silence has no loudness and is silent; no rows are a skip", async () => {
  const { summary, silence } = (await runEach(audioLoudness, { levels: levelRows(new Float32Array(96_000)) }, {}, { startUs: 0, endUs: 1_000_000 })) as { summary: LoudnessSummary; silence: Span[] };
  assert.deepEqual(summary, { integratedLufs: null, rangeLu: null, truePeakDb: -120, rmsDb: -120, silent: true });
  assert.deepEqual(silence, [{ startUs: 0, endUs: 1_000_000 }]);
  assert.ok("skipped" in (await runEach(audioLoudness, { levels: levelRows(new Float32Array(0)) })));
});

test("audio.changes: loud and silent spans and onsets with their times, at most `top`, in time order", async () => {
  const pcm = joined(tone(3, 0.05), tone(1, 0.5), tone(3, 0.05), new Float32Array(2 * 48_000), tone(3, 0.05));
  const { events } = (await runEach(audioChanges, { levels: levelRows(pcm) })) as { events: SoundChange[] };
  const brief = events.map(({ label, startUs, endUs }) => [label, startUs / 1e6, endUs / 1e6]);
  assert.deepEqual(brief, [["onset", 3, 3.1], ["loud", 3, 4], ["silence", 7, 8], ["onset", 8, 8.1]]);
  assert.ok(Math.abs(events[1]!.value - 20) < 0.2);
  const { events: one } = (await runEach(audioChanges, { levels: levelRows(pcm) }, { top: 1 })) as { events: SoundChange[] };
  assert.deepEqual(one.map((event) => event.label), ["silence"]);
  assert.deepEqual((await runEach(audioChanges, { levels: levelRows(tone(5, 0.1)) }))["events"], []);
});
