// Cost of one 256x144 frame score in this process, per set of columns. Budget: content <= 0.30 ms. Prints JSON.
import { FRAME_SCORE_COLUMNS, FrameScorer, type FrameScoreOptions } from '../src/math/frame-scores.js';

const WIDTH = 256;
const HEIGHT = 144;
const FRAMES = 32;
const ROUNDS = 40;

const OFF: FrameScoreOptions = { content: false, luma: false, histogram: false, letterbox: false };
const CASES: Record<string, FrameScoreOptions> = {
  content: { ...OFF, content: true },
  luma: { ...OFF, luma: true },
  default: {},
  'content+hash': { ...OFF, content: true, hash: true },
  'content+laplacian': { ...OFF, content: true, laplacian: true },
  'content+edges': { ...OFF, content: true, edges: true },
};

/** Textured frames with a moving pattern and noise: no value repeats predictably, as in decoded video. */
function frames(): Uint8Array[] {
  let state = 1;
  return Array.from({ length: FRAMES }, (_, t) => {
    const frame = new Uint8Array(WIDTH * HEIGHT * 3);
    for (let i = 0; i < frame.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const x = (i / 3) % WIDTH;
      frame[i] = 128 + 90 * Math.sin((x + t * 3) / (9 + (i % 3) * 7)) + ((state >>> 24) % 32);
    }
    return frame;
  });
}

const input = frames();
const row = new Float32Array(FRAME_SCORE_COLUMNS.length);
const result: Record<string, { medianMs: number; bestMs: number }> = {};
for (const [name, options] of Object.entries(CASES)) {
  const scorer = new FrameScorer(WIDTH, HEIGHT, options);
  for (let i = 0; i < 3; i++) for (const frame of input) scorer.score(frame, row);
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    for (const frame of input) scorer.score(frame, row);
    rounds.push((performance.now() - start) / FRAMES);
  }
  rounds.sort((a, b) => a - b);
  result[name] = { medianMs: +rounds[ROUNDS >> 1]!.toFixed(4), bestMs: +rounds[0]!.toFixed(4) };
}
console.log(
  JSON.stringify({ bench: 'content-score', width: WIDTH, height: HEIGHT, budgetMs: 0.3, ok: result['content']!.medianMs <= 0.3, result }),
);
