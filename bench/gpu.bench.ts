// The pool on a graphics card (frames in a shared ring → batches → normalising → ONNX Runtime → rows) against a loop that only calls ONNX Runtime on the
// same provider, each in a process of its own, on a ViT-B/32-shaped model with random weights. Alternating pairs; the ratio is the median of the pairs.
// Also: how far the device is from the CPU, where a batch's time goes, and what nvidia-smi says the pool takes. BENCH_DEVICE (webgpu), BENCH_BATCHES (16,64), BENCH_SECONDS per side (1),
// BENCH_PAIRS (9), BENCH_LAYERS (12). Prints JSON.
import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Device, GridItem } from '../src/contracts/index.js';
import { Batcher, InferencePool, type PoolCall, type PoolResult } from '../src/inference/index.js';
import { unavailable } from '../src/inference/devices.js';
import { imageBatch, imagePreprocess } from '../src/models/preprocess-image.js';
import { imageEmbed } from '../src/operators/image/image.embed.js';
import { median, round, spread } from './child.js';
import { frames as ring } from './frames.js';
import { writeVit } from './vit.js';

const DEVICE = (process.env['BENCH_DEVICE'] ?? 'webgpu') as Device;
const BATCHES = (process.env['BENCH_BATCHES'] ?? '16,64').split(',').map(Number);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 1);
const PAIRS = Number(process.env['BENCH_PAIRS'] ?? 9);
const SIZE = 224;

const why = unavailable(DEVICE, process.env['BENCH_SOFTWARE'] === undefined);
if (why !== null) {
  console.log(JSON.stringify({ bench: 'gpu', skipped: why }));
  process.exit(0);
}

async function peerOf(file: string, batch: number): Promise<ChildProcess> {
  const peer = fork(fileURLToPath(new URL('./inference-peer.js', import.meta.url)), [JSON.stringify({ file, batch, input: 'pixel_values', size: SIZE, providers: [DEVICE] })]);
  await once(peer, 'message');
  return peer;
}

/** Video memory in use on the card, by whomever. */
function videoMB(): number | null {
  try {
    return Number(execFileSync('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits'], { encoding: 'utf8' }).split('\n')[0]);
  } catch {
    return null;
  }
}

const folder = mkdtempSync(path.join(tmpdir(), 'flow-bench-'));
const pool = new InferencePool({ workers: 2, intraOpThreads: 1 });
try {
  const image = writeVit(path.join(folder, 'vit.onnx'), 1, Number(process.env['BENCH_LAYERS'] ?? 12));
  const choice = await pool.device(image, [DEVICE]);
  const preprocess = imagePreprocess(image);
  const batches: Record<string, unknown>[] = [];
  for (const batch of BATCHES) {
    const frames = ring(4 * batch, SIZE, SIZE);
    const call = (items: GridItem[]): PoolCall => ({ kind: 'batch', module: imageEmbed.module, operator: imageEmbed.name, node: 'bench', config: {}, models: { image }, items, runtime: { devices: { image: [DEVICE] } } });
    const engine = async (calls: number): Promise<void> => {
      const batcher = new Batcher<GridItem, PoolResult>({ size: batch, inFlight: 3, call: (items) => pool.run(call(items)) });
      const results = Array.from({ length: calls * batch }, (_, i) => batcher.submit(frames[i % frames.length]!));
      batcher.flush();
      await Promise.all(results);
    };
    await engine(8);
    const vramMB = videoMB();
    const peer = await peerOf(image.file, batch);
    const peerRuns = async (calls: number): Promise<void> => {
      peer.send(calls);
      await once(peer, 'message');
    };
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const start = performance.now();
      await work();
      return performance.now() - start;
    };
    await peerRuns(8);
    const calls = Math.max(2, Math.ceil((SECONDS * 1000) / ((await timed(() => peerRuns(4))) / 4)));
    const pairs: { engine: number; peer: number }[] = [];
    for (let i = 0; i < PAIRS; i++) {
      // ABBA: a drift of the machine falls on both.
      if (i % 2 === 0) pairs.push({ engine: await timed(() => engine(calls)), peer: await timed(() => peerRuns(calls)) });
      else {
        const first = await timed(() => peerRuns(calls));
        pairs.push({ engine: await timed(() => engine(calls)), peer: first });
      }
    }
    peer.kill();
    const perSecond = (ms: number): number => round((calls * batch * 1000) / ms, 1);
    const normalise: number[] = [];
    for (let i = 0; i < 25; i++) {
      const start = performance.now();
      imageBatch(frames.slice(0, batch).map((f) => f.slot), preprocess);
      normalise.push(performance.now() - start);
    }
    batches.push({
      batch,
      calls,
      vramMB,
      ratio: spread(pairs.map((p) => p.peer / p.engine)),
      engineItemsPerSecond: perSecond(median(pairs.map((p) => p.engine))),
      onnxruntimeItemsPerSecond: perSecond(median(pairs.map((p) => p.peer))),
      msPerCall: { engine: round(median(pairs.map((p) => p.engine)) / calls, 2), onnxruntime: round(median(pairs.map((p) => p.peer)) / calls, 2), normalising: round(median(normalise), 2) },
    });
  }
  const worst = Math.min(...batches.map(({ ratio }) => (ratio as { median: number }).median));
  console.log(JSON.stringify({ bench: 'gpu', device: choice.device, difference: choice.difference, ok: worst >= 0.95, ratio: worst, batches }));
} finally {
  await pool.destroy();
  rmSync(folder, { recursive: true, force: true });
}
