import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../models/build/lite.js';
import { measureAccuracy } from './accuracy.js';
import { soundClips, videoClips } from './clips.js';

const mediaDir = process.env['FLOW_MEDIA_DIR'];
const missing = mediaDir === undefined ? 'FLOW_MEDIA_DIR is not set' : videoClips(mediaDir).length < 9 || soundClips(mediaDir).length < 12 ? `not all given clips are in ${mediaDir}` : false;

/** The bars of the issue. Every figure is printed by bench/lite-accuracy.bench.ts. */
test('lite-image and lite-sound hold their bars on the given clips', { skip: missing }, async () => {
  const { image, sound } = await measureAccuracy(path.join(projectRoot(), 'models'), mediaDir!, 4);
  assert.equal(image.clips, 9);
  assert.ok(image.items > 500 && image.foreignPairs > 90_000, `${image.items} frames, ${image.foreignPairs} foreign pairs`);
  assert.ok(image.foreignAbove <= 0.01, `foreign frames at .72 or nearer: ${image.foreignAbove}`);
  assert.ok(image.auc >= 0.97, `image AUC ${image.auc}`);
  for (const name of ['jpegQ30', 'halfAndBack', 'brightness120']) assert.ok(image.copies[name]!.p5 >= 0.9, `${name}: ${image.copies[name]!.p5}`);
  assert.ok(image.copies['grey']!.median < 0.9, `a grey copy must not pass for the picture: ${image.copies['grey']!.median}`);
  assert.equal(sound.clips, 7);
  assert.ok(sound.auc >= 0.93, `sound AUC ${sound.auc}`);
  assert.ok(sound.foreignAbove <= 0.01, `foreign windows at .72 or nearer: ${sound.foreignAbove}`);
  assert.ok(sound.copies['halfLevel']!.p5 >= 0.999, `half the level: ${sound.copies['halfLevel']!.p5}`);
});
