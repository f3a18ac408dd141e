// Cost of one camera-motion measurement of a 256x144 luma frame. Budget: 0.30 ms. Prints JSON.
import { CameraMotion } from '../src/math/camera-motion.js';

const WIDTH = 256;
const HEIGHT = 144;
const frames = Array.from({ length: 16 }, (_, t) =>
  Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
    const x = (i % WIDTH) + 3 * t;
    const y = Math.floor(i / WIDTH);
    return 128 + 60 * Math.sin(x / 9 + Math.sin(y / 23)) + 50 * Math.sin(y / 8 + Math.sin(x / 31));
  }),
);
const motion = new CameraMotion(WIDTH, HEIGHT);
const rounds: number[] = [];
for (let i = 0; i < 60; i++) {
  const start = performance.now();
  for (const frame of frames) motion.next(frame);
  rounds.push((performance.now() - start) / frames.length);
}
rounds.splice(0, 10);
rounds.sort((a, b) => a - b);
const medianMs = +rounds[rounds.length >> 1]!.toFixed(4);
console.log(JSON.stringify({ bench: 'camera-motion', width: WIDTH, height: HEIGHT, budgetMs: 0.3, ok: medianMs <= 0.3, result: { medianMs, bestMs: +rounds[0]!.toFixed(4) } }));
