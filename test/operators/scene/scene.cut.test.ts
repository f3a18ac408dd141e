import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Series } from "../../../src/contracts/items.js";
import type { MediumInfo } from "../../../src/contracts/media.js";
import type { SceneCut } from "../../../src/contracts/operator.js";
import { sceneCut } from "../../../src/operators/scene/scene.cut.js";
import { sceneScores } from "../../../src/operators/scene/scene.scores.js";
import { SCORE_COLUMNS } from "../../../src/operators/scene/scene.scores.columns.js";
import { mediumOf, scoreRows, slice } from "./score-rows.js";

const media = process.env["FLOW_MEDIA_DIR"];
const reference = media ? join(media, "../reference/scenes_pyscenedetect.json") : "";

function cut(config: object, medium: MediumInfo, series: Series, endUs: number, chunks: number[] = [series.ptsUs.length]): SceneCut[] {
  const fold = sceneCut.open!(sceneCut.config.parse(config), medium);
  const out: SceneCut[] = [];
  let at = 0;
  for (const n of chunks) out.push(...fold.push(slice(series, at, (at += n))));
  return [...out, ...fold.push(slice(series, at, series.ptsUs.length)), ...fold.end(endUs)];
}

/** Score rows from content values and frame times. */
function rows(values: number[], stepUs = 40_000): Series {
  const data = new Float32Array(values.length * SCORE_COLUMNS.length);
  values.forEach((value, i) => {
    for (const name of ["deltaHue", "deltaSat", "deltaLum"] as const) data[i * SCORE_COLUMNS.length + SCORE_COLUMNS.indexOf(name)] = value;
    data[i * SCORE_COLUMNS.length + SCORE_COLUMNS.indexOf("meanRgb")] = value > 5 ? 100 : 5;
    data[i * SCORE_COLUMNS.length + SCORE_COLUMNS.indexOf("histCorr")] = 1 - value / 100;
  });
  return { ptsUs: Float64Array.from(values, (_, i) => i * stepUs), width: SCORE_COLUMNS.length, columns: SCORE_COLUMNS, data };
}

function assertTiles(scenes: SceneCut[], endUs: number, frames: number): void {
  assert.equal(scenes[0]!.startUs, 0);
  assert.equal(scenes[0]!.startFrame, 0);
  assert.equal(scenes.at(-1)!.endUs, endUs);
  assert.equal(scenes.at(-1)!.endFrame, frames);
  scenes.forEach((scene, i) => {
    assert.ok(scene.endUs > scene.startUs);
    if (i > 0) assert.deepEqual([scene.startUs, scene.startFrame], [scenes[i - 1]!.endUs, scenes[i - 1]!.endFrame]);
  });
}

test("content, adaptive and threshold cut the given clips where PySceneDetect does, within one frame", { skip: !media || !existsSync(reference) ? "FLOW_MEDIA_DIR is not set" : false }, async (t) => {
  const videos = (JSON.parse(readFileSync(reference, "utf8")) as { videos: Record<string, Record<string, { cut_seconds: number[]; frames: number }>> }).videos;
  for (const name of ["testvideo.mp4", "goldeneye-vfr-drop3.mp4", "fades.mp4", "counter.mp4", "issue-195-aspect-ratio.mp4"]) {
    await t.test(name, async () => {
      const { series, endUs } = await scoreRows(join(media!, "video", name));
      // 15 frames at the rate of the file, as the reference ran it.
      const frameUs = Math.round((endUs - series.ptsUs[0]!) / series.ptsUs.length);
      for (const [detector, reference] of Object.entries(videos[name]!)) {
        // The two others are compared in test/math: on plain-coloured clips a single grey level decides them.
        if (detector === "hash" || detector === "histogram") continue;
        const expected = reference;
        const minScene = name.startsWith("goldeneye") ? (15 * 1001) / 24000 : (15 * frameUs) / 1e6;
        const scenes = cut({ detector, min_scene: minScene }, mediumOf("video", name), series, endUs);
        assertTiles(scenes, endUs, series.ptsUs.length);
        const cuts = scenes.slice(1).map((scene) => scene.startUs / 1e6);
        assert.equal(cuts.length, expected.cut_seconds.length, `${detector}: ${cuts.join(" ")} instead of ${expected.cut_seconds.join(" ")}`);
        cuts.forEach((at, i) => assert.ok(Math.abs(at - expected.cut_seconds[i]!) <= (1.05 * frameUs) / 1e6, `${detector}: ${at} instead of ${expected.cut_seconds[i]}`));
      }
    });
  }
});

test("the scenes do not depend on how the rows are handed over, and tile the time", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(30) }, { weight: 2, arbitrary: fc.double({ min: 0, max: 60, noNaN: true }) }), { minLength: 1, maxLength: 120 }),
      fc.array(fc.nat(20), { maxLength: 20 }),
      fc.constantFrom("content", "adaptive", "histogram", "threshold", "windows"),
      fc.constantFrom("0.1s", "0.6s", "0s"),
      fc.constantFrom("0.5s", "1.7s", "300s"),
      (values, sizes, detector, min_scene, max_length) => {
        const series = rows(values);
        const endUs = values.length * 40_000;
        const config = { detector, min_scene, max_length, window: "1s", keep_last: "0s" };
        const whole = cut(config, mediumOf("video"), series, endUs);
        const chunks: number[] = [];
        for (const n of sizes) if (chunks.reduce((a, b) => a + b, 0) + n <= values.length) chunks.push(n);
        assert.deepEqual(cut(config, mediumOf("video"), series, endUs, chunks), whole);
        assertTiles(whole, endUs, values.length);
        for (const scene of whole) assert.ok(scene.endUs - scene.startUs <= sceneCut.config.parse(config).max_length);
      },
    ),
    { numRuns: 300 },
  );
});

test("a scene is given as soon as it is final", () => {
  const fold = sceneCut.open!(sceneCut.config.parse({}), mediumOf("video"));
  const values = new Array<number>(40).fill(0);
  values[20] = 50;
  const series = rows(values);
  assert.deepEqual(fold.push(slice(series, 0, 20)), []);
  assert.deepEqual(fold.push(slice(series, 20, 21)), [{ startUs: 0, endUs: 800_000, startFrame: 0, endFrame: 20 }]);
  assert.deepEqual(fold.push(slice(series, 21, 40)), []);
  assert.deepEqual(fold.end(1_600_000), [{ startUs: 800_000, endUs: 1_600_000, startFrame: 20, endFrame: 40 }]);
});

test("windows: a last one of at most 0.3 s is dropped, a longer one kept, a short medium has one scene", () => {
  const config = { detector: "windows", window: "1s" };
  const of = (frames: number): number[] => cut(config, mediumOf("video"), rows(new Array<number>(frames).fill(0)), frames * 40_000).map((scene) => scene.endUs);
  assert.deepEqual(of(57), [1_000_000, 2_000_000]);
  assert.deepEqual(of(58), [1_000_000, 2_000_000, 2_320_000]);
  assert.deepEqual(of(3), [120_000]);
});

test("no rows: one scene over the medium, none for a medium without length", () => {
  const none = rows([]);
  assert.deepEqual(cut({}, mediumOf("video"), none, 5_000_000), [{ startUs: 0, endUs: 5_000_000, startFrame: null, endFrame: null }]);
  assert.deepEqual(cut({}, mediumOf("video"), none, 0), []);
  assert.equal(cut({}, mediumOf("image"), rows([0]), 0).length, 1);
});

test("audio without picture is cut in the middle of pauses, at the latest after a window", () => {
  const loud = (seconds: number): number[] => new Array<number>(seconds * 10).fill(-20);
  const quiet = (tenths: number): number[] => new Array<number>(tenths).fill(-120);
  const levels = (values: number[]): Series => ({ ptsUs: Float64Array.from(values, (_, i) => i * 100_000), width: 1, columns: ["rmsDb"], data: Float32Array.from(values) });
  const medium = mediumOf("audio", "talk.wav");
  const ends = (values: number[], config = {}): number[] => cut(config, medium, levels(values), values.length * 100_000).map((scene) => scene.endUs / 1e6);
  assert.deepEqual(ends([...loud(5), ...quiet(20), ...loud(5)]), [6, 12]);
  // No pause of 1 s: the longest of those in the second half of the window.
  assert.deepEqual(ends([...loud(10), ...quiet(8), ...loud(10), ...quiet(4), ...loud(10)]), [21, 31.2]);
  assert.deepEqual(ends(loud(70)), [30, 60, 70]);
  assert.deepEqual(ends(loud(70), { audio: "windows", window: "20s" }), [20, 40, 60, 70]);
  const scenes = cut({}, medium, levels(loud(3)), 3_000_000);
  assert.deepEqual(scenes, [{ startUs: 0, endUs: 3_000_000, startFrame: null, endFrame: null }]);
});

test("audio cuts do not depend on chunks and tile the time", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(-90, -90, -20, -20, -20), { minLength: 1, maxLength: 200 }), fc.array(fc.nat(30), { maxLength: 10 }), (values, sizes) => {
      const series: Series = { ptsUs: Float64Array.from(values, (_, i) => i * 100_000), width: 1, columns: ["rmsDb"], data: Float32Array.from(values) };
      const config = { silence: "0.5s", window: "3s" };
      const endUs = values.length * 100_000;
      const whole = cut(config, mediumOf("audio"), series, endUs);
      const chunks: number[] = [];
      for (const n of sizes) if (chunks.reduce((a, b) => a + b, 0) + n <= values.length) chunks.push(n);
      assert.deepEqual(cut(config, mediumOf("audio"), series, endUs, chunks), whole);
      assert.equal(whole[0]!.startUs, 0);
      assert.equal(whole.at(-1)!.endUs, endUs);
      whole.forEach((scene, i) => {
        assert.ok(scene.endUs > scene.startUs && scene.endUs - scene.startUs <= 3_000_000);
        if (i > 0) assert.equal(scene.startUs, whole[i - 1]!.endUs);
      });
    }),
    { numRuns: 300 },
  );
});

test("given scenes: every form of the file, gaps, frame numbers, the medium's end; overlaps are refused", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "flow-scenes-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, "scenes.json");
  const run = (content: unknown): SceneCut[] => {
    writeFileSync(file, JSON.stringify(content));
    return cut({ detector: "file", file }, mediumOf("video"), rows(new Array<number>(50).fill(0)), 2_000_000, [7, 13]);
  };
  const list = [{ start: 1, end: 9 }, { start: "00:00:00.2", end: 0.6 }];
  const expected = [
    { startUs: 200_000, endUs: 600_000, startFrame: 5, endFrame: 15 },
    { startUs: 1_000_000, endUs: 2_000_000, startFrame: 25, endFrame: 50 },
  ];
  for (const content of [list, { "clip.mp4": list, "other.mp4": [] }, [{ path: "/elsewhere/clip.mp4", scenes: list }, { path: "b.mp4" }]]) assert.deepEqual(run(content), expected);
  assert.throws(() => run([{ start: 0, end: 1 }, { start: 0.5, end: 2 }]), { code: "SCENES_FILE" });
  assert.throws(() => run({ "other.mp4": list }), { code: "SCENES_FILE" });
  assert.throws(() => run({ start: 1 }), { code: "SCENES_FILE" });
});

test("detector hash on scores made without hashes is refused, not silently without cuts", () => {
  const series = rows([0, 0]);
  for (let i = 0; i < 2; i++) series.data![i * series.width + SCORE_COLUMNS.indexOf("hashDistance")] = -1;
  assert.throws(() => cut({ detector: "hash" }, mediumOf("video"), series, 80_000), { code: "SCORES_LACK_HASH" });
});

test("27 stands for each detector's default; scores are the same for all detectors but hash", () => {
  assert.equal(sceneCut.config.parse({ detector: "adaptive", threshold: 27 }).threshold, 3);
  assert.equal(sceneCut.config.parse({ detector: "adaptive", threshold: 3.5 }).threshold, 3.5);
  assert.deepEqual(sceneScores.config.parse({ detector: "content" }), sceneScores.config.parse({ detector: "adaptive" }));
  assert.notDeepEqual(sceneScores.config.parse({ detector: "content" }), sceneScores.config.parse({ detector: "hash" }));
  assert.equal(sceneCut.config.safeParse({ detector: "file" }).success, false);
});
