import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Series } from "../../../src/contracts/items.js";
import { qualityReportOperator, type QualityReport } from "../../../src/operators/quality/quality.report.js";
import { SCORE_COLUMNS } from "../../../src/operators/scene/scene.scores.columns.js";
import { runEach } from "../run-each.js";
import { mediumOf, scoreRows } from "../scene/score-rows.js";

const demo = fileURLToPath(new URL("../../../../graphs/demo/", import.meta.url));
const mediaDir = process.env["FLOW_MEDIA_DIR"];

async function report(inputs: Record<string, unknown>, endUs: number, config: object = {}): Promise<QualityReport> {
  return (await runEach(qualityReportOperator, inputs, config, { startUs: 0, endUs }))["report"] as QualityReport;
}

/** Score rows of still, lit frames at these times, with columns changed where `set` says so. */
function rows(ptsUs: number[], set: (column: string, i: number) => number | undefined): Series {
  const data = new Float32Array(ptsUs.length * SCORE_COLUMNS.length);
  ptsUs.forEach((_, i) => SCORE_COLUMNS.forEach((column, c) => (data[i * SCORE_COLUMNS.length + c] = set(column, i) ?? (column === "deltaLuma" ? 0.01 : 0))));
  return { ptsUs: Float64Array.from(ptsUs), width: SCORE_COLUMNS.length, columns: SCORE_COLUMNS, data };
}

test("the bundled clip: black and frozen spans where its truth says, within a frame", async () => {
  const truth = JSON.parse(readFileSync(join(demo, "truth.json"), "utf8")) as { black: Span[]; freeze: Span[]; durationUs: number };
  type Span = { startUs: number; endUs: number };
  const { series } = await scoreRows(join(demo, "clip.mp4"));
  const found = await report({ info: mediumOf("video"), scores: series }, truth.durationUs);
  const near = (spans: Span[], expected: Span[], toleranceUs: number): void => {
    assert.equal(spans.length, expected.length, JSON.stringify(spans));
    spans.forEach((span, i) => assert.ok(Math.abs(span.startUs - expected[i]!.startUs) <= toleranceUs && Math.abs(span.endUs - expected[i]!.endUs) <= toleranceUs, JSON.stringify(span)));
  };
  // The picture is black for some frames of the fades on both sides already.
  near(found.black, truth.black, 250_000);
  near(found.freeze, truth.freeze, 250_000);
  assert.equal(found.borders, null);
  assert.equal(found.timing!.variable, false);
  assert.deepEqual(found.timing!.gaps, []);
});

test("a variable frame rate is told from a constant one", { skip: mediaDir ? false : "FLOW_MEDIA_DIR is not set" }, async () => {
  for (const [name, variable] of [["goldeneye-vfr-drop3.mp4", true], ["big_buck_bunny_0_30.webm", false]] as const) {
    const { series, endUs } = await scoreRows(join(mediaDir!, "video", name));
    assert.equal((await report({ info: mediumOf("video"), scores: series }, endUs)).timing!.variable, variable, name);
  }
});

test("sound that ends with the medium ends there, not with its last row of levels", async () => {
  const scores = rows(Array.from({ length: 50 }, (_, i) => i * 40_000), () => undefined);
  const levels: Series = { ptsUs: Float64Array.from({ length: 36 }, (_, i) => i * 100_000), width: 1, columns: ["rmsDb"], data: new Float32Array(36).fill(-20) };
  assert.equal((await report({ info: mediumOf("video"), scores, levels }, 3_515_000)).audioEndOffsetUs, 1_515_000);
});

test("gaps, black bars, silence, offsets and a missing end are reported with times", async () => {
  const pts = Array.from({ length: 100 }, (_, i) => i * 40_000 + (i >= 50 ? 1_000_000 : 0));
  const scores = rows(pts, (column) => (column === "letterboxTop" || column === "letterboxBottom" ? 0.125 : undefined));
  const levels: Series = { ptsUs: Float64Array.from({ length: 30 }, (_, i) => i * 100_000), width: 1, columns: ["rmsDb"], data: Float32Array.from({ length: 30 }, (_, i) => (i >= 10 && i < 25 ? -90 : -20)) };
  const audio = { codec: "aac", sampleRate: 48_000, channels: 2, startUs: 100_000, endUs: null };
  const video = { codec: "h264", width: 64, height: 64, sar: [1, 1], rotation: 0, orientedWidth: 64, orientedHeight: 64, avgFps: 25, baseFps: 25, startUs: 0, endUs: null, frames: 100 };
  const found = await report({ info: { ...mediumOf("video"), audio, video, durationUs: 8_000_000 }, scores, levels }, 5_000_000);
  assert.deepEqual(found.timing!.gaps, [{ startUs: 1_960_000, endUs: 3_000_000 }]);
  assert.deepEqual(found.borders, { kind: "letterbox", top: 0.125, bottom: 0.125, left: 0, right: 0 });
  assert.deepEqual(found.silence, [{ startUs: 1_000_000, endUs: 2_500_000 }]);
  assert.equal(found.audioOffsetUs, 100_000);
  assert.equal(found.audioEndOffsetUs, -2_000_000);
  assert.deepEqual(found.missingEnd, { startUs: 5_000_000, endUs: 8_000_000 });
  assert.equal(found.findings.length, 6, found.findings.join("\n"));
});

test("audio alone, one picture, nothing at all: what cannot be told is null", async () => {
  const picture = await report({ info: mediumOf("image"), scores: rows([0], () => undefined) }, 1);
  assert.deepEqual([picture.timing, picture.freeze, picture.audioOffsetUs, picture.findings], [null, [], null, []]);
  const nothing = await report({ info: mediumOf("audio") }, 1_000_000);
  assert.deepEqual([nothing.black, nothing.borders, nothing.timing, nothing.silence], [[], null, null, []]);
});
