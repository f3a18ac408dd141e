/**
 * How well the lite models tell things apart and know them again, on the given clips: `node dist/bench/lite-accuracy.bench.js` with FLOW_MEDIA_DIR set.
 * Prints one JSON document. Image: frames at 2 fps; sound: windows of 2 s without overlap. adjacent = neighbours in one medium (cuts included),
 * foreign = pairs of different media. copies: cosine to a changed copy of the same item. Times: one thread, batches of 8.
 */
import path from 'node:path';
import { projectRoot } from '../models/build/lite.js';
import { hashedNgrams } from '../src/models/tokenizers/hashed-ngrams.js';
import { measureAccuracy } from '../test/models-lite/accuracy.js';
import { embed, open } from '../test/models-lite/measure.js';
import { SENTENCES } from '../models/build/sentences.js';

const mediaDir = process.env['FLOW_MEDIA_DIR'];
if (mediaDir === undefined) {
  console.error('FLOW_MEDIA_DIR is not set: the clips to measure on are missing');
  process.exitCode = 2;
} else {
  const models = path.join(projectRoot(), 'models');
  const accuracy = await measureAccuracy(models, mediaDir);
  const session = await open(path.join(models, 'lite-text.onnx'));
  const texts = Array.from({ length: 25 }, () => SENTENCES).flat();
  const start = performance.now();
  await embed(session, texts.map((t) => hashedNgrams(t, 2048)), [2048]);
  const text = { items: texts.length, msPerItem: (performance.now() - start) / texts.length };
  console.log(JSON.stringify({ ...accuracy, text }, (_, v: unknown) => (typeof v === 'number' ? Math.round(v * 1e4) / 1e4 : v), 2));
}
