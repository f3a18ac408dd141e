// The pool (frames in a shared ring → batches → normalising → ONNX Runtime → rows by key) against a loop that only calls ONNX Runtime, with the same
// threads and batches, on a ViT-B/32-shaped model with random weights made on the spot. Alternating pairs in one process; the ratio is the median of the
// pairs. Budget: >= 0.95. Also: the round trip of a call that does nothing, which is dispatch (budget: <= 1 % of a batch of that model), and of normalising a 224x224 frame. Prints JSON.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { GridItem, ModelManifest, OperatorDefinition } from '../src/contracts/index.js';
import { Batcher, InferencePool, type PoolCall, type PoolResult } from '../src/inference/index.js';
import { imageBatch, imagePreprocess } from '../src/models/preprocess-image.js';
import { imageEmbed } from '../src/operators/image/image.embed.js';
import { benchNothing } from './nothing.js';
import { frames as ring } from './frames.js';
import { writeVit } from './vit.js';

const WORKERS = 2;
const BATCH = 16;
const SIZE = 224;
const RUNS = Number(process.env['BENCH_RUNS'] ?? 2);
const PAIRS = Number(process.env['BENCH_PAIRS'] ?? 9);

const call = (op: Pick<OperatorDefinition, 'module' | 'name'>, items: GridItem[], models: Record<string, ModelManifest>): PoolCall => ({
  kind: 'batch',
  module: op.module,
  operator: op.name,
  node: 'bench',
  config: {},
  models,
  items,
});
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const round = (value: number, digits = 3): number => +value.toFixed(digits);

const folder = mkdtempSync(path.join(tmpdir(), 'flow-bench-'));
const pool = new InferencePool({ workers: WORKERS, intraOpThreads: 1 });
try {
  const frames = ring(2 * WORKERS * BATCH, SIZE, SIZE);

  const roundTrips = async (items: GridItem[]): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 3000; i++) {
      const start = performance.now();
      await pool.run(call(benchNothing, items, {}));
      if (i >= 1000) times.push((performance.now() - start) * 1000);
    }
    return round(median(times), 1);
  };
  const dispatchUs = { items1: await roundTrips(frames.slice(0, 1)), items16: await roundTrips(frames.slice(0, 16)) };

  const image = writeVit(path.join(folder, 'vit.onnx'));
  const preprocess = imagePreprocess(image);
  const normaliseMs = Math.min(
    ...Array.from({ length: 25 }, () => {
      const start = performance.now();
      imageBatch(frames.slice(0, 16).map((f) => f.slot), preprocess);
      return (performance.now() - start) / 16;
    }),
  );

  const peers = Array.from({ length: WORKERS }, () => new Worker(new URL('./inference-peer.js', import.meta.url), { workerData: { file: image.file, batch: BATCH, input: 'pixel_values', size: SIZE } }));
  await Promise.all(peers.map((p) => once(p, 'message')));
  await pool.warm([image]);
  await Promise.all(Array.from({ length: WORKERS }, () => pool.run(call(imageEmbed, frames.slice(0, BATCH), { image }))));

  const items = RUNS * WORKERS * BATCH;
  const timed = async (work: () => Promise<unknown>): Promise<{ wallMs: number; cpuMs: number }> => {
    const start = performance.now();
    const cpu = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(cpu);
    return { wallMs: performance.now() - start, cpuMs: (user + system) / 1000 };
  };
  const engine = async (): Promise<void> => {
    const batcher = new Batcher<GridItem, PoolResult>({ size: BATCH, inFlight: WORKERS + 1, call: (batch) => pool.run(call(imageEmbed, batch, { image })) });
    const results = Array.from({ length: items }, (_, i) => batcher.submit(frames[i % frames.length]!));
    batcher.flush();
    await Promise.all(results);
  };
  const peer = async (): Promise<void> => {
    await Promise.all(
      peers.map((p) => {
        p.postMessage(RUNS);
        return once(p, 'message');
      }),
    );
  };

  const pairs: { engine: Awaited<ReturnType<typeof timed>>; peer: Awaited<ReturnType<typeof timed>> }[] = [];
  for (let i = 0; i < PAIRS; i++) {
    // ABBA: a drift of the machine falls on both.
    if (i % 2 === 0) pairs.push({ engine: await timed(engine), peer: await timed(peer) });
    else {
      const first = await timed(peer);
      pairs.push({ engine: await timed(engine), peer: first });
    }
  }
  await Promise.all(peers.map((p) => p.terminate()));
  const ratio = median(pairs.map((p) => p.peer.wallMs / p.engine.wallMs));
  // A batch of one worker, which has one core.
  const batchMs = median(pairs.map((p) => p.peer.wallMs)) / RUNS;
  const dispatchShare = dispatchUs.items16 / 1000 / batchMs;
  const perSecond = (ms: number): number => round((items / ms) * 1000, 1);
  console.log(
    JSON.stringify({
      bench: 'inference',
      workers: WORKERS,
      batch: BATCH,
      itemsPerRun: items,
      ok: ratio >= 0.95 && dispatchShare <= 0.01,
      ratio: round(ratio),
      ratios: pairs.map((p) => round(p.peer.wallMs / p.engine.wallMs)),
      // CPU time of the process for the same items: what is left of the ratio when the machine is shared.
      cpuRatio: round(median(pairs.map((p) => p.peer.cpuMs / p.engine.cpuMs))),
      engineItemsPerSecond: perSecond(median(pairs.map((p) => p.engine.wallMs))),
      onnxruntimeItemsPerSecond: perSecond(median(pairs.map((p) => p.peer.wallMs))),
      dispatchUs,
      batchMs: round(batchMs, 1),
      dispatchShare: round(dispatchShare, 5),
      normaliseMsPerFrame: round(normaliseMs),
    }),
  );
} finally {
  await pool.destroy();
  rmSync(folder, { recursive: true, force: true });
}
