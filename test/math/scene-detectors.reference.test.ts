import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FRAME_SCORE_INDEX as C, FrameScorer } from '../../src/math/frame-scores.js';
import * as scenes from '../../src/math/scene-detectors.js';
import { opencvResize } from './opencv-resize.js';
import { analysisSize, decodeVideo, mediaDir, missing, probeVideo, referenceDir, scaledBy } from './reference-media.js';

interface Reference {
  videos: Record<string, Record<Detector, { cut_frames: number[]; cut_seconds: number[]; frames: number }>>;
}
type Detector = 'content' | 'adaptive' | 'threshold' | 'histogram' | 'hash';
interface Scored {
  rows: Float32Array[];
  ptsUs: number[];
  rate: number;
}

const referenceFile = join(referenceDir, 'scenes_pyscenedetect.json');
const skip = missing(referenceFile);
const videos = skip ? {} : (JSON.parse(readFileSync(referenceFile, 'utf8')) as Reference).videos;

/** PySceneDetect's minimum scene length of 15 frames at the stream's nominal rate. */
const minSceneUsAt = (framesPerSecond: number): number => Math.round(15e6 / framesPerSecond);

const detectors: Record<Detector, (minSceneUs: number) => scenes.SceneDetector> = {
  content: (minSceneUs) => scenes.contentDetector({ minSceneUs }),
  adaptive: (minSceneUs) => scenes.adaptiveDetector({ minSceneUs }),
  threshold: (minSceneUs) => scenes.thresholdDetector({ minSceneUs }),
  histogram: (minSceneUs) => scenes.histogramDetector({ minSceneUs }),
  hash: (minSceneUs) => scenes.hashDetector({ minSceneUs }),
};

function cutsOf(detector: scenes.SceneDetector, scored: Scored): scenes.Cut[] {
  const cuts: scenes.Cut[] = [];
  let settledUs = Number.NEGATIVE_INFINITY;
  const take = (found: scenes.Cut[]): void => {
    for (const cut of found) assert.ok(cut.ptsUs >= settledUs, `a cut at ${cut.ptsUs} after everything before ${settledUs} was final`);
    cuts.push(...found);
    assert.ok(detector.settledUs >= settledUs, 'what is final stays final');
    settledUs = detector.settledUs;
  };
  scored.rows.forEach((row, i) => take(detector.push(scored.ptsUs[i]!, i, row)));
  take(detector.end());
  assert.equal(detector.settledUs, Number.POSITIVE_INFINITY);
  return cuts;
}

/** Whether two lists name the same places: within one frame, or 2 ms where a variable rate moves frame numbers. */
function assertSame(cuts: scenes.Cut[], scored: Scored, expected: { cut_frames: number[]; cut_seconds: number[] }, what: string): void {
  const frames = cuts.map((cut) => cut.frame);
  assert.equal(frames.length, expected.cut_frames.length, `${what}: ${frames.join()} for ${expected.cut_frames.join()}`);
  expected.cut_frames.forEach((frame, i) => assert.ok(Math.abs(frame - frames[i]!) <= 1, `${what}: ${frames[i]} for ${frame}`));
  expected.cut_seconds.forEach((seconds, i) => {
    const own = (cuts[i]!.ptsUs - scored.ptsUs[0]!) / 1e6;
    const tolerance = frames[i] === expected.cut_frames[i] ? 0.002 : 0.002 + 1 / scored.rate;
    assert.ok(Math.abs(seconds - own) <= tolerance, `${what}: ${own} s for ${seconds} s`);
  });
}

/** Rows of the same frames a little darker and brighter: a column that swings across its threshold decides nothing. */
async function brightnessVariants(file: string, size: { width: number; height: number }): Promise<Float32Array[][]> {
  const offsets = [0, -2, -1, 1, 2];
  const scorers = offsets.map(() => new FrameScorer(size.width, size.height, { hash: true }));
  const shifted = new Uint8Array(size.width * size.height * 3);
  const variants: Float32Array[][] = offsets.map(() => []);
  await decodeVideo(file, size, scaledBy(size), (rgb) => {
    offsets.forEach((offset, v) => {
      for (let i = 0; i < rgb.length; i++) shifted[i] = Math.max(0, Math.min(255, rgb[i]! + offset));
      variants[v]!.push(scorers[v]!.score(shifted));
    });
  });
  return variants;
}

for (const [name, expected] of Object.entries(videos)) {
  const file = join(mediaDir, 'video', name);

  // What the detectors are judged by: the frames the reference saw (decoded at full size, resized as OpenCV does).
  test(`${name}: all five detectors cut where PySceneDetect does, on its frames`, { skip: missing(file) }, async () => {
    const info = await probeVideo(file);
    const size = analysisSize(info.width, info.height);
    const resize = opencvResize(info.width, info.height, size.width, size.height);
    const scorer = new FrameScorer(size.width, size.height, { hash: true });
    const rows: Float32Array[] = [];
    const ptsUs = await decodeVideo(file, info, 'format=bgr24,format=rgb24', (rgb) => rows.push(scorer.score(resize(rgb))));
    const scored = { rows, ptsUs, rate: info.rate };
    for (const key of Object.keys(detectors) as Detector[]) {
      assert.equal(rows.length, expected[key].frames);
      const cuts = cutsOf(detectors[key](minSceneUsAt(info.rate)), scored);
      assertSame(cuts, scored, expected[key], key);
      if (name.includes('vfr')) continue; // the reference numbers a variable rate's frames by time
      assert.deepEqual(cuts.map((cut) => cut.frame), expected[key].cut_frames, key);
    }
  });

  test(`${name}: content and adaptive cut there on frames scaled by ffmpeg too, the others where the scores decide`, { skip: missing(file) }, async () => {
    const info = await probeVideo(file);
    const size = analysisSize(info.width, info.height);
    const scorer = new FrameScorer(size.width, size.height, { hash: true });
    const rows: Float32Array[] = [];
    const ptsUs = await decodeVideo(file, size, scaledBy(size), (rgb) => rows.push(scorer.score(rgb)));
    const scored = { rows, ptsUs, rate: info.rate };
    const minSceneUs = minSceneUsAt(info.rate);
    assertSame(cutsOf(detectors.content(minSceneUs), scored), scored, expected.content, 'content');
    assertSame(cutsOf(detectors.adaptive(minSceneUs), scored), scored, expected.adaptive, 'adaptive');
    const sides: [Detector, number, number][] = [
      ['histogram', C.histCorr, 0.8],
      ['hash', C.hashDistance, 0.35],
      ['threshold', C.meanRgb, 12],
    ];
    for (const [key, column, threshold] of sides) {
      const own = cutsOf(detectors[key](minSceneUs), scored).map((cut) => cut.frame);
      const theirs = expected[key].cut_frames;
      const near = (frame: number, list: number[]): boolean => list.some((other) => Math.abs(other - frame) <= 1);
      const differing = [...own.filter((f) => !near(f, theirs)), ...theirs.filter((f) => !near(f, own))];
      // The first difference must be a matter of the score; later ones follow from the minimum length after it.
      differing.sort((a, b) => a - b);
      if (differing.length === 0) continue;
      const first = differing[0]!;
      const variants = await brightnessVariants(file, size);
      const values = variants.flatMap((rows) => [rows[first - 1]?.[column], rows[first]![column], rows[first + 1]?.[column]]);
      const known = values.filter((value) => value !== undefined);
      const straddles = Math.min(...known) <= threshold && Math.max(...known) >= threshold;
      assert.ok(straddles, `${key} differs at frame ${first}: ${known.join(' ')} against ${threshold}`);
    }
  });
}

test('the reference cuts are there', { skip }, () => assert.ok(Object.keys(videos).length >= 9));
