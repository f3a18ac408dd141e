// Rows a second and file size for vectors of 2 KB, written as the engine writes them: blocks of 32 rows through Store.putBlock, until Store.close has
// them on disk.
// Budget: >= 50,000 rows/s and data.mdb <= 1.15 x the vectors' bytes. Beside it, what the same bytes cost as a plain file with fsync. Prints JSON.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store, type Block } from '../src/store/index.js';

const DIMS = 512;
const ROWS_PER_BLOCK = 32;
const BLOCKS = Number(process.env['FLOW_BENCH_BLOCKS'] ?? 1024);
const ROUNDS = Number(process.env['FLOW_BENCH_ROUNDS'] ?? 3);
/** Writes in flight, as the engine's single writer keeps them; bounds memory. */
const IN_FLIGHT = 64;
const ROWS = BLOCKS * ROWS_PER_BLOCK;
const VECTOR_BYTES = ROWS * DIMS * 4;

/** Unit vectors of noise: nothing that a file system could compress. */
function blocks(): Block[] {
  let state = 1;
  return Array.from({ length: 16 }, (_, k) => {
    const data = new Float32Array(ROWS_PER_BLOCK * DIMS);
    for (let i = 0; i < data.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[i] = (state / 2 ** 32 - 0.5) / Math.sqrt(DIMS / 12);
    }
    const ptsUs = Float64Array.from({ length: ROWS_PER_BLOCK }, (_, i) => (k * ROWS_PER_BLOCK + i) * 500_000);
    return { ptsUs, width: DIMS, data, rates: { '2': 'all' as const }, adler: 0, failures: [] };
  });
}

interface Round {
  rowsPerS: number;
  sizeRatio: number;
  readRowsPerS: number;
  plainFileRowsPerS: number;
}

async function round(input: readonly Block[]): Promise<Round> {
  const dir = mkdtempSync(join(tmpdir(), 'flow-bench-store-'));
  try {
    const path = join(dir, 'store');
    const store = await Store.open(path);
    const start = performance.now();
    let open: Promise<void>[] = [];
    for (let i = 0; i < BLOCKS; i++) {
      open.push(store.putBlock('medium', 'node', i, input[i % input.length]!));
      if (open.length < IN_FLIGHT) continue;
      await Promise.all(open);
      open = [];
    }
    await Promise.all(open);
    await store.close();
    const writtenS = (performance.now() - start) / 1000;
    const reader = await Store.open(path, { readOnly: true });
    const readStart = performance.now();
    let rows = 0;
    for (let i = 0; i < BLOCKS; i++) rows += reader.getBlock('medium', 'node', i)!.ptsUs.length;
    const readS = (performance.now() - readStart) / 1000;
    if (rows !== ROWS) throw new Error(`${rows} of ${ROWS} rows came back`);
    await reader.close();
    const bytes = statSync(join(path, 'data.mdb')).size;
    return { rowsPerS: ROWS / writtenS, sizeRatio: bytes / VECTOR_BYTES, readRowsPerS: ROWS / readS, plainFileRowsPerS: ROWS / plainFileS(join(dir, 'plain'), input) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function plainFileS(path: string, input: readonly Block[]): number {
  const start = performance.now();
  const file = openSync(path, 'w');
  for (let i = 0; i < BLOCKS; i++) writeSync(file, input[i % input.length]!.data!);
  fsyncSync(file);
  closeSync(file);
  return (performance.now() - start) / 1000;
}

const input = blocks();
const rounds: Round[] = [];
for (let i = 0; i < ROUNDS; i++) rounds.push(await round(input));
const median = (of: keyof Round): number => rounds.map((entry) => entry[of]).sort((a, b) => a - b)[ROUNDS >> 1]!;
const rowsPerS = Math.round(median('rowsPerS'));
const sizeRatio = +median('sizeRatio').toFixed(4);
console.log(
  JSON.stringify({
    bench: 'store', dims: DIMS, rowsPerBlock: ROWS_PER_BLOCK, rows: ROWS, rounds: ROUNDS, budget: { rowsPerS: 50_000, sizeRatio: 1.15 }, ok: rowsPerS >= 50_000 && sizeRatio <= 1.15, rowsPerS, sizeRatio,
    slowestRowsPerS: Math.round(Math.min(...rounds.map((entry) => entry.rowsPerS))), readRowsPerS: Math.round(median('readRowsPerS')), plainFileRowsPerS: Math.round(median('plainFileRowsPerS')),
  }),
);
