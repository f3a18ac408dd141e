import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { FLOOR_DB, integratedLoudness, LOUDNESS_COLUMNS, LOUDNESS_RATE, LoudnessMeter, loudnessRange, truePeak } from '../../src/math/loudness.js';
import { PEAK_BLOCK, loudnessKernel } from '../../src/math/loudness-kernel.js';
import { PHASES } from '../../src/math/true-peak.js';
import { decodeAudio, ffmpeg, mediaDir, missing } from './reference-media.js';

const WIDTH = LOUDNESS_COLUMNS.length;

function measure(samples: Float32Array | Int16Array, channels: 1 | 2, chunks: number[] = []): Float32Array {
  const meter = new LoudnessMeter(channels);
  const rows: number[] = [];
  let at = 0;
  for (const frames of [...chunks, Number.POSITIVE_INFINITY]) {
    const next = Math.min(samples.length, at + frames * channels);
    meter.push(samples.subarray(at, next), (row) => rows.push(...row));
    at = next;
  }
  rows.push(...(meter.end() ?? []));
  return Float32Array.from(rows);
}

function sine(hz: number, peak: number, seconds: number, channels: 1 | 2, phase = 0): Float32Array {
  const samples = new Float32Array(Math.round(seconds * LOUDNESS_RATE) * channels);
  for (let i = 0; i < samples.length; i++) samples[i] = peak * Math.sin((2 * Math.PI * hz * Math.floor(i / channels)) / LOUDNESS_RATE + phase);
  return samples;
}

test('a stereo 1 kHz sine at -23 dBFS reads -23.0 LUFS, at -33 dBFS -33.0 (EBU Tech 3341, cases 1 and 2)', () => {
  for (const level of [-23, -33]) {
    const value = integratedLoudness(measure(sine(1000, 10 ** (level / 20), 20, 2), 2))!;
    assert.ok(Math.abs(value - level) < 0.1, `${value}`);
  }
});

test('quiet parts are gated: 10 s at -36, 60 s at -23, 10 s at -36 dBFS read -23.0 (EBU Tech 3341, case 3)', () => {
  const parts = [[-36, 10], [-23, 60], [-36, 10]].map(([level, seconds]) => sine(1000, 10 ** (level! / 20), seconds!, 2));
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  assert.ok(Math.abs(integratedLoudness(measure(all, 2))! - -23) < 0.1);
});

test('loudness range of 20 s at -20 and 20 s at -30 dBFS is 10 LU (EBU Tech 3342, case 1)', () => {
  const all = new Float32Array(80 * LOUDNESS_RATE);
  all.set(sine(1000, 0.1, 20, 2), 0);
  all.set(sine(1000, 10 ** (-30 / 20), 20, 2), 40 * LOUDNESS_RATE);
  assert.ok(Math.abs(loudnessRange(measure(all, 2))! - 10) < 1);
});

test('true peak finds the peak between samples: a quarter-rate sine at 45 degrees (EBU Tech 3341, case 15)', () => {
  const samples = sine(LOUDNESS_RATE / 4, 0.5, 1, 1, Math.PI / 4);
  assert.ok(Math.max(...samples) < 0.36);
  const middle = measure(samples, 1).subarray(WIDTH, 9 * WIDTH); // without the onset, which overshoots
  assert.ok(Math.abs(truePeak(middle) - -6.02) < 0.2, `${truePeak(middle)}`);
});

test('silence reads the floor, and has no integrated loudness or range', () => {
  const rows = measure(new Int16Array(LOUDNESS_RATE * 4), 1);
  assert.equal(rows.length, 40 * WIDTH);
  assert.equal(integratedLoudness(rows), null);
  assert.equal(loudnessRange(rows), null);
  assert.equal(truePeak(rows), FLOOR_DB);
  assert.equal(rows[2], FLOOR_DB);
});

test('less than 400 ms has rows but no integrated loudness; a last incomplete row is kept', () => {
  const rows = measure(sine(1000, 0.5, 0.35, 1), 1);
  assert.equal(rows.length, 4 * WIDTH);
  assert.ok(Math.abs(rows[3 * WIDTH + 2]! - -9.03) < 0.1);
  assert.equal(integratedLoudness(rows.subarray(0, 3 * WIDTH)), null);
});

test('property: rows do not depend on how the samples are cut into chunks', () => {
  const samples = Int16Array.from({ length: 2 * 14_000 }, (_, i) => 9000 * Math.sin(i / 7) + 5000 * Math.sin(i * i));
  const whole = measure(samples, 2);
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 8 }), (chunks) => assert.deepEqual(measure(samples, 2, chunks), whole)), { numRuns: 30, seed: 1 });
});

test('wrong input is refused', () => {
  assert.throws(() => new LoudnessMeter(6 as 2), /mono or stereo/);
  assert.throws(() => new LoudnessMeter(2).push(new Float32Array(3), () => {}), /whole frames/);
});

const clips: [string, 1 | 2][] = [
  ['video/issue-195-aspect-ratio.mp4', 2],
  ['video/chaplin.mp4', 2],
  ['video/big_buck_bunny_0_30.webm', 2],
  ['video/flipping_a_pancake.mkv', 1],
  ['speech/silero_test.wav', 1],
  ['speech/jfk.wav', 1],
];
for (const [name, channels] of clips) {
  const file = join(mediaDir, name);
  test(`${name}: integrated, range and true peak as ffmpeg's ebur128`, { skip: missing(file) }, async () => {
    const filter = `aformat=channel_layouts=${channels === 1 ? 'mono' : 'stereo'},aresample=48000,ebur128=peak=true`;
    const { log } = await ffmpeg(['-hide_banner', '-i', file, '-vn', '-af', filter, '-f', 'null', '-'], () => {});
    const summary = log.slice(log.lastIndexOf('Summary:'));
    const read = (pattern: RegExp): number => Number(pattern.exec(summary)![1]);
    const rows = measure(await decodeAudio(file, channels), channels);
    const [i, lra, peak] = [integratedLoudness(rows)!, loudnessRange(rows)!, truePeak(rows)];
    const [wantI, wantLra, wantPeak] = [read(/I:\s+(\S+) LUFS/), read(/LRA:\s+(\S+) LU/), read(/Peak:\s+(\S+) dBFS/)];
    assert.ok(Math.abs(i - wantI) <= 0.2, `I ${i} for ${wantI}`);
    assert.ok(Math.abs(lra - wantLra) <= 0.5, `LRA ${lra} for ${wantLra}`);
    assert.ok(Math.abs(peak - wantPeak) <= 0.3, `true peak ${peak} for ${wantPeak}`);
  });
}

test('property: the pass in WebAssembly gives the numbers of the loops in JavaScript, bit for bit', () => {
  const rows = fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.array(fc.tuple(fc.integer({ min: 1, max: 4800 }), fc.integer(), fc.constantFrom(0, 1e-12, 0.5, 40)), { minLength: 1, maxLength: 4 }));
  fc.assert(
    fc.property(rows, ([channels, parts]) => {
      const kernels = [loudnessKernel(channels), loudnessKernel(channels, true)];
      for (const [frames, seed, level] of parts) {
        const noise = Float32Array.from({ length: frames * channels }, (_, i) => level * Math.sin(seed + i * i));
        const [a, b] = kernels.map((kernel) => {
          kernel.samples.set(noise, channels * PEAK_BLOCK);
          kernel.pass(frames);
          const seen = [kernel.weighted, kernel.plain].map((values) => values.slice());
          const highs = Array.from({ length: kernel.highs.length / 4 }, (_, block) => [...kernel.highs.subarray(4 * block, 4 * block + channels)]);
          kernel.next(frames);
          return { seen, highs, kept: kernel.samples.slice(0, channels * PEAK_BLOCK) };
        });
        assert.deepEqual(a, b);
      }
    }),
    { numRuns: 60, seed: 5 },
  );
});

test('property: no peak between samples is missed by what is left out', () => {
  const everywhere = (samples: Float32Array): number => {
    let peak = 0;
    // The same filter by its definition: see src/math/true-peak.ts.
    for (let newest = 0; newest < samples.length; newest++) {
      for (let phase = 0; phase < 4; phase++) {
        let value = 0;
        for (let k = 0; k < 16; k++) value += (samples[newest - 15 + k] ?? 0) * PHASES[phase * 16 + k]!;
        peak = Math.max(peak, Math.abs(phase === 0 ? samples[newest]! : value));
      }
    }
    return peak;
  };
  fc.assert(
    fc.property(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 400 }), (list) => {
      const samples = Float32Array.from(list);
      const row = measure(samples, 1);
      const peak = everywhere(samples);
      const expected = peak > 0 ? Math.max(FLOOR_DB, 10 * Math.log10(peak * peak)) : FLOOR_DB;
      assert.ok(Math.abs(row[3]! - expected) < 1e-3, `${row[3]} for ${expected}`);
    }),
    { numRuns: 200, seed: 6 },
  );
});
