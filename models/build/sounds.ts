import { Random } from './random.js';

export const SAMPLES = 96_000;
const RATE = 48_000;

/**
 * Sound number `index`: 2 s at 48 kHz mono in −1..1. Kinds in turn: syllables, chords, melody, noises, knocks, engine, wind, sweeps; most laid over a
 * faint background, some band-limited as telephones and old recordings are. Nothing here was chosen by listening to the test clips.
 */
export function synthesised(index: number): Float32Array {
  const r = new Random(0x50110000 + index);
  const out = new Float32Array(SAMPLES);
  KINDS[index % KINDS.length]!(out, r);
  if (r.chance(0.3)) KINDS[r.int(0, KINDS.length - 1)]!(out, r);
  add(out, coloured(r, r.range(0, 0.95)), Math.pow(10, r.range(-3.2, -1)));
  const cutoff = r.pick([3400, 5500, 8000, 14000, 20000]);
  lowPass(out, cutoff);
  let peak = 1e-9;
  for (const v of out) peak = Math.max(peak, Math.abs(v));
  const gain = Math.pow(10, r.range(-1.5, -0.05)) / peak;
  for (let i = 0; i < SAMPLES; i++) out[i]! *= gain;
  return out;
}

const KINDS = [syllables, chords, melody, noises, knocks, engine, wind, sweeps] as const;

function add(out: Float32Array, part: Float32Array, gain: number): void {
  for (let i = 0; i < out.length; i++) out[i]! += part[i]! * gain;
}

function lowPass(x: Float32Array, cutoffHz: number): void {
  const a = 1 - Math.exp((-2 * Math.PI * cutoffHz) / RATE);
  for (let pass = 0; pass < 2; pass++) {
    let y = 0;
    for (let i = 0; i < x.length; i++) x[i] = y += a * (x[i]! - y);
  }
}

/** Noise whose spectrum falls with `tilt` (0 white … 0.99 brown). */
function coloured(r: Random, tilt: number, length = SAMPLES): Float32Array {
  const out = new Float32Array(length);
  let y = 0;
  const gain = Math.sqrt(1 - tilt * tilt);
  for (let i = 0; i < length; i++) out[i] = y = tilt * y + gain * (2 * r.next() - 1);
  return out;
}

/** Two-pole resonator, in place of a vocal-tract formant or a struck body. */
function resonate(x: Float32Array, hz: number, widthHz: number): Float32Array {
  const out = new Float32Array(x.length);
  const radius = Math.exp((-Math.PI * widthHz) / RATE);
  const a1 = 2 * radius * Math.cos((2 * Math.PI * hz) / RATE);
  const a2 = -radius * radius;
  let [y1, y2] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const y = (1 - radius) * x[i]! + a1 * y1 + a2 * y2;
    y2 = y1;
    out[i] = y1 = y;
  }
  return out;
}

/** Klatt-like: pulses of a gliding pitch through three formants, fricatives between, 3–6 syllables a second with pauses. */
function syllables(out: Float32Array, r: Random): void {
  const pitch = r.range(80, 260);
  let at = r.int(0, 8000);
  while (at < SAMPLES) {
    const length = r.int(5000, 16000);
    if (r.chance(0.15)) {
      at += length;
      continue;
    }
    const voiced = r.chance(0.78);
    const source = voiced ? new Float32Array(length) : coloured(r, 0, length);
    let phase = 0;
    const glide = r.range(-0.25, 0.2);
    for (let i = 0; i < length; i++) {
      if (voiced) {
        phase += (pitch * (1 + glide * (i / length))) / RATE;
        if (phase >= 1) {
          phase -= 1;
          source[i] = 20;
        }
        source[i]! += 0.1 * (2 * r.next() - 1);
      }
      source[i]! *= Math.sin((Math.PI * i) / length);
    }
    const formants = voiced ? [r.range(280, 800), r.range(850, 2300), r.range(2300, 3200)] : [r.range(2500, 7000), r.range(4000, 9000)];
    for (const [k, f] of formants.entries()) {
      const part = resonate(source, f, voiced ? 80 + 40 * k : 900);
      for (let i = 0; i < length && at + i < SAMPLES; i++) out[at + i]! += (part[i]! * (voiced ? 1 : 0.5)) / (k + 1);
    }
    at += Math.floor(length * r.range(0.9, 1.25));
  }
}

function note(out: Float32Array, r: Random, at: number, hz: number, seconds: number, decay: number, harmonics: number, gain: number): void {
  const length = Math.min(SAMPLES - at, Math.floor(seconds * RATE));
  const tilt = r.range(0.4, 0.85);
  for (let h = 1; h <= harmonics && h * hz < 16000; h++) {
    const step = (2 * Math.PI * hz * h) / RATE;
    const level = gain * Math.pow(tilt, h - 1);
    // A rotating pair instead of a sine per sample: the same tone at a tenth of the time.
    let [c, s] = [1, 0];
    const [cs, sn] = [Math.cos(step), Math.sin(step)];
    const fall = Math.exp((-decay * (1 + 0.3 * h)) / RATE);
    let e = level;
    for (let i = 0; i < length; i++) {
      out[at + i]! += s * e * Math.min(1, i / 400) * Math.min(1, (length - i) / 400);
      [c, s] = [c * cs - s * sn, s * cs + c * sn];
      e *= fall;
    }
  }
}

const SCALE = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16];
const tone = (root: number, step: number): number => root * Math.pow(2, step / 12);

function chords(out: Float32Array, r: Random): void {
  const root = r.range(70, 330);
  const beat = r.range(0.35, 1.3);
  for (let t = r.range(0, 0.3); t < 2; t += beat) {
    const base = r.pick(SCALE);
    for (const step of [0, r.pick([3, 4]), 7, 12]) note(out, r, Math.floor(t * RATE), tone(root, base + step), beat * 1.1, r.range(0.3, 4), 6, 0.2);
  }
}

function melody(out: Float32Array, r: Random): void {
  const root = r.range(150, 600);
  const beat = r.range(0.1, 0.5);
  for (let t = 0; t < 2; t += beat) if (r.chance(0.85)) note(out, r, Math.floor(t * RATE), tone(root, r.pick(SCALE)), beat * r.range(0.7, 2), r.range(1, 9), r.int(2, 8), 0.3);
  if (r.chance(0.5)) knocks(out, r);
}

function noises(out: Float32Array, r: Random): void {
  const n = coloured(r, r.range(0, 0.97));
  const bursts = r.chance(0.6);
  const rate = r.range(1, 14);
  const sharp = r.range(1, 6);
  for (let i = 0; i < SAMPLES; i++) {
    const swing = 0.5 + 0.5 * Math.sin((2 * Math.PI * rate * i) / RATE);
    out[i]! += n[i]! * (bursts ? Math.pow(swing, sharp) : 1) * 0.5;
  }
}

function knocks(out: Float32Array, r: Random): void {
  const regular = r.chance(0.5);
  const gap = r.range(0.06, 0.6);
  for (let t = r.next() * gap; t < 2; t += regular ? gap : gap * r.range(0.3, 1.8)) {
    const at = Math.floor(t * RATE);
    const length = Math.min(SAMPLES - at, r.int(1500, 14000));
    const hit = coloured(r, 0, length);
    const fall = r.range(10, 120);
    for (let i = 0; i < length; i++) hit[i]! *= Math.exp((-fall * i) / RATE);
    const body = resonate(hit, r.range(60, 5000), r.range(40, 1500));
    for (let i = 0; i < length; i++) out[at + i]! += body[i]! * 2 + hit[i]! * 0.1;
  }
}

function engine(out: Float32Array, r: Random): void {
  const hz = r.range(25, 180);
  note(out, r, 0, hz, 2, 0, 24, 0.2);
  note(out, r, 0, hz * r.range(1.01, 1.6), 2, 0, 12, 0.1);
  add(out, resonate(coloured(r, 0.7), r.range(200, 2000), 800), r.range(0.2, 2));
}

function wind(out: Float32Array, r: Random): void {
  const n = coloured(r, r.range(0.9, 0.99));
  const [a, b, p] = [r.range(0.3, 2), r.range(2, 5), r.next() * 6];
  for (let i = 0; i < SAMPLES; i++) {
    const t = i / RATE;
    out[i]! += n[i]! * (0.6 + 0.3 * Math.sin(2 * Math.PI * a * t + p) + 0.1 * Math.sin(2 * Math.PI * b * t));
  }
}

function sweeps(out: Float32Array, r: Random): void {
  const count = r.int(1, 8);
  for (let k = 0; k < count; k++) {
    const at = r.int(0, SAMPLES - 5000);
    const length = Math.min(SAMPLES - at, r.int(3000, 60000));
    const [from, to] = [r.range(200, 6000), r.range(200, 6000)];
    let phase = 0;
    for (let i = 0; i < length; i++) {
      phase += (2 * Math.PI * (from + ((to - from) * i) / length)) / RATE;
      out[at + i]! += 0.3 * Math.sin(phase) * Math.sin((Math.PI * i) / length);
    }
  }
}
