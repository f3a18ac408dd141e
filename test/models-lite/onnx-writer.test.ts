import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { OnnxGraph } from '../../models/build/onnx-writer.js';

test('a written graph loads and computes what it says, with every kind of attribute and constant', async () => {
  const g = new OnnxGraph('small', 'doc with ü');
  const x = g.input('x', 'float32', ['n', 4]);
  const weights = g.op('Cast', [g.constant([4], Int8Array.of(1, -2, 3, -128))], { to: 1 });
  const product = g.op('LeakyRelu', [g.op('Mul', [x, weights])], { alpha: { float: 0.25 } });
  const padded = g.op('Pad', [product, g.ints(0, 1, 0, 0)], { mode: 'reflect' });
  const [a, b] = g.ops('Split', [padded, g.ints(2, 3)], 2, { axis: -1 });
  g.output(g.op('Concat', [b!, a!], { axis: 1 }), 'y', 'float32', ['n', 5]);
  g.output(g.op('ReduceSum', [padded, g.ints(-1)], { keepdims: 0 }), 'sum', 'float32', ['n']);
  const session = await InferenceSession.create(g.encode());
  assert.deepEqual([...session.inputNames], ['x']);
  assert.deepEqual([...session.outputNames], ['y', 'sum']);
  const result = await session.run({ x: new Tensor('float32', Float32Array.of(1, 1, 1, 1, 0, -1, 0, 2), [2, 4]) });
  // Row 1: 1, -2, 3, -128 → 1, -0.5, 3, -32 → mirrored -0.5 in front; row 2: 0, 2, 0, -256 → 0, 2, 0, -64 → 2 in front.
  assert.deepEqual([...(result['y']!.data as Float32Array)], [-0.5, 3, -32, -0.5, 1, 2, 0, -64, 2, 0]);
  assert.deepEqual([...(result['sum']!.data as Float32Array)], [-29, -60]);
  await session.release();
});

test('the same calls give the same bytes', () => {
  const build = (): Uint8Array => {
    const g = new OnnxGraph('one', '');
    g.output(g.op('Relu', [g.input('x', 'float32', ['n', 300])]), 'y', 'float32', ['n', 300]);
    return g.encode();
  };
  assert.deepEqual(build(), build());
});

test('a constant of the wrong size and a bare fraction are refused', () => {
  const g = new OnnxGraph('bad', '');
  assert.throws(() => g.constant([2, 3], new Float32Array(5)), /2×3 needs 6 numbers, got 5/);
  assert.throws(() => g.op('LeakyRelu', ['x'], { alpha: 0.25 }), /attribute alpha/);
});
