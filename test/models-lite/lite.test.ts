import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Tensor } from 'onnxruntime-node';
import { parse } from 'yaml';
import { drawing } from '../../models/build/drawings.js';
import { fit } from '../../models/build/fit.js';
import { buildLite, projectRoot, readConstants } from '../../models/build/lite.js';
import { SENTENCES } from '../../models/build/sentences.js';
import { synthesised } from '../../models/build/sounds.js';
import { hashedNgrams } from '../../src/models/tokenizers/hashed-ngrams.js';
import { cosine, embed, open } from './measure.js';

const models = path.join(projectRoot(), 'models');
interface Manifest {
  readonly id: string;
  readonly files: readonly { path: string; size: number; sha256: string }[];
  readonly inputs: readonly { name: string; dims: readonly (string | number)[] }[];
  readonly output: { name: string; dims: number };
}
const manifest = (id: string): Manifest => parse(readFileSync(path.join(models, `${id}.yaml`), 'utf8')) as Manifest;

const KINDS = {
  'lite-image': { dims: [3, 224, 224], row: (i: number) => drawing(1000 + i) },
  'lite-sound': { dims: [96_000], row: (i: number) => synthesised(5000 + i) },
  'lite-text': { dims: [2048], row: (i: number) => hashedNgrams(SENTENCES[i]!, 2048) },
} as const;

test('the committed files are what models/build/lite.ts makes of the committed constants', () => {
  for (const [name, bytes] of buildLite(readConstants())) {
    const committed = readFileSync(path.join(models, name));
    assert.ok(committed.equals(bytes), `models/${name} is stale: run node dist/models/build/lite.js`);
  }
});

test('the committed constants are what the drawings and sounds give', async () => {
  // A tenth of the fit, so the sample differs; a changed generator or feature lies far outside. `lite.js --check` repeats the whole fit, exactly.
  const [all, few] = [readConstants(), await fit(70, 120)];
  const correlation = (a: readonly number[], b: readonly number[]): number => {
    const [ma, mb] = [a, b].map((v) => v.reduce((s, x) => s + x, 0) / v.length) as [number, number];
    return cosine(Float32Array.from(a, (x) => x - ma), Float32Array.from(b, (x) => x - mb));
  };
  assert.equal(all.image.drawings, 600);
  assert.ok(correlation(all.image.mean, few.image.mean) > 0.97, `image mean: ${correlation(all.image.mean, few.image.mean)}`);
  assert.ok(correlation(all.sound.mean, few.sound.mean) > 0.99, `sound mean: ${correlation(all.sound.mean, few.sound.mean)}`);
  assert.ok(correlation(all.sound.deviation, few.sound.deviation) > 0.99, `sound deviation: ${correlation(all.sound.deviation, few.sound.deviation)}`);
});

for (const [id, { dims, row }] of Object.entries(KINDS)) {
  test(`${id}: manifest and file agree; rows have length 1 and the same bits at batch 1, 3, 16`, async () => {
    const m = manifest(id);
    const [file] = m.files;
    const bytes = readFileSync(path.join(models, file!.path));
    assert.equal(bytes.length, file!.size);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), file!.sha256);
    const session = await open(path.join(models, file!.path));
    assert.deepEqual([...session.inputNames], m.inputs.map((i) => i.name));
    assert.deepEqual([...session.outputNames], [m.output.name]);
    assert.deepEqual(m.inputs[0]!.dims, ['n', ...dims]);
    const rows = Array.from({ length: 16 }, (_, i) => row(i));
    const [one, three, sixteen] = [await embed(session, rows, dims, 1), await embed(session, rows, dims, 3), await embed(session, rows, dims, 16)];
    one.forEach((v, i) => {
      assert.equal(v.length, m.output.dims);
      assert.ok(Math.abs(cosine(v, v) - 1) < 1e-9 && Math.abs(Math.hypot(...v) - 1) < 1e-5);
      for (const [size, rowsAt] of [[3, three], [16, sixteen]] as const)
        assert.equal(v.findIndex((x, k) => !Object.is(x, rowsAt[i]![k])), -1, `row ${i} at batch ${size}: first number that differs`);
    });
    assert.ok(cosine(one[0]!, one[1]!) < 0.95, 'different rows differ');
    // A batch that is a view into a larger buffer starts anywhere: the alignment of the input must not show either.
    const width = rows[0]!.length;
    for (const offset of [1, 3]) {
      const view = new Float32Array(3 * width + offset).subarray(offset);
      rows.slice(0, 3).forEach((r, i) => view.set(r, i * width));
      const result = await session.run({ [session.inputNames[0]!]: new Tensor('float32', view, [3, ...dims]) });
      const flat = result[m.output.name]!.data as Float32Array;
      assert.ok(one.slice(0, 3).every((v, i) => v.every((x, k) => Object.is(x, flat[i * v.length + k]))), `input at an offset of ${offset} floats`);
    }
    await session.release();
  });
}

test('lite-image: black, white and plain frames give finite unit vectors', async () => {
  const session = await open(path.join(models, 'lite-image.onnx'));
  const plain = [0, 1, 0.5].map((v) => new Float32Array(3 * 224 * 224).fill(v));
  for (const v of await embed(session, plain, [3, 224, 224])) assert.ok(Math.abs(Math.hypot(...v) - 1) < 1e-5);
  await session.release();
});

test('lite-sound: silence gives the zero vector, loudness changes nothing', async () => {
  const session = await open(path.join(models, 'lite-sound.onnx'));
  const loud = synthesised(5001);
  const rms = Math.hypot(...loud.subarray(0, 48_000), ...loud.subarray(48_000)) / Math.sqrt(96_000);
  const at = (dbfs: number): Float32Array => loud.map((v) => (v / rms) * Math.pow(10, dbfs / 20));
  const [silent, faint, audible, normal] = await embed(session, [new Float32Array(96_000), at(-62), at(-58), at(-20)], [96_000]);
  assert.ok(silent!.every((v) => v === 0));
  assert.ok(faint!.every((v) => v === 0));
  assert.ok(cosine(audible!, normal!) > 0.9999);
  await session.release();
});

test('lite-text: spelling decides, case and accents do not, nothing gives nothing', async () => {
  const session = await open(path.join(models, 'lite-text.onnx'));
  const texts = ['A red car waits at the crossing.', 'a RED cár waits, at the crossing', 'Two red cars are waiting at a crossing', 'Fresh bread and honey', '… !?', '信号で赤い車が待つ'];
  const [a, same, near, far, empty, japanese] = await embed(session, texts.map((t) => hashedNgrams(t, 2048)), [2048]);
  assert.ok(cosine(a!, same!) > 0.9999);
  assert.ok(cosine(a!, near!) > 0.3 && cosine(a!, near!) < 0.95, `near: ${cosine(a!, near!)}`);
  assert.ok(Math.abs(cosine(a!, far!)) < 0.2, `far: ${cosine(a!, far!)}`);
  assert.ok(empty!.every((v) => v === 0));
  assert.ok(Math.abs(Math.hypot(...japanese!) - 1) < 1e-5);
  await session.release();
});
