import { Random } from './random.js';

/** Side of a drawing in pixels: what lite-image reads. */
export const SIDE = 224;
const PLANE = SIDE * SIDE;
type Colour = readonly [number, number, number];

/**
 * Drawing number `index`, planar RGB in 0..1, length 3 × 224 × 224. Seven kinds in turn: dead leaves, horizons, 1/f noise, gradients, rooms,
 * figures before a soft background, title cards; each then toned (exposure, contrast, saturation, blur). Nothing here was chosen by looking at the test clips.
 */
export function drawing(index: number): Float32Array {
  const r = new Random(0x11e00000 + index);
  const picture = new Float32Array(3 * PLANE);
  KINDS[index % KINDS.length]!(picture, r);
  return tone(picture, r);
}

const KINDS = [deadLeaves, horizon, pinkNoise, gradients, room, figure, titleCard] as const;

/** Mostly muted colours, some strong ones: saturation of natural pictures has a long tail. */
function colour(r: Random, base = r.next()): Colour {
  const hue = r.next() * 6;
  const saturation = Math.pow(r.next(), 2) * 0.9;
  const c = (shift: number): number => {
    const h = (hue + shift) % 6;
    const w = Math.min(1, Math.max(0, Math.abs(h - 3) - 1));
    return base * (1 - saturation + saturation * w);
  };
  return [c(0), c(4), c(2)];
}

function fill(p: Float32Array, inside: (x: number, y: number) => number, c: Colour, box = [0, 0, SIDE, SIDE] as readonly number[]): void {
  const [x0, y0, x1, y1] = box.map((v) => Math.min(SIDE, Math.max(0, Math.round(v)))) as [number, number, number, number];
  for (let y = y0; y < y1; y++)
    for (let x = x0; x < x1; x++) {
      const a = inside(x, y);
      if (a <= 0) continue;
      const i = y * SIDE + x;
      for (let k = 0; k < 3; k++) p[k * PLANE + i] = p[k * PLANE + i]! * (1 - a) + c[k]! * a;
    }
}

const all = (): number => 1;

function ellipse(p: Float32Array, cx: number, cy: number, rx: number, ry: number, turn: number, c: Colour): void {
  const cos = Math.cos(turn);
  const sin = Math.sin(turn);
  const m = Math.max(rx, ry);
  fill(
    p,
    (x, y) => {
      const u = ((x - cx) * cos + (y - cy) * sin) / rx;
      const v = ((y - cy) * cos - (x - cx) * sin) / ry;
      return u * u + v * v < 1 ? 1 : 0;
    },
    c,
    [cx - m, cy - m, cx + m + 1, cy + m + 1],
  );
}

/** Octaves of bilinear value noise, amplitude falling like 1/f^slope; values around 0. */
function noise(r: Random, slope: number, octaves = 7): Float32Array {
  const out = new Float32Array(PLANE);
  for (let o = 1; o <= octaves; o++) {
    const n = 2 ** o;
    const amplitude = Math.pow(n, -slope);
    const grid = Float32Array.from({ length: (n + 1) * (n + 1) }, () => r.normal() * amplitude);
    for (let y = 0; y < SIDE; y++) {
      const gy = (y / SIDE) * n;
      const y0 = Math.floor(gy);
      const fy = gy - y0;
      for (let x = 0; x < SIDE; x++) {
        const gx = (x / SIDE) * n;
        const x0 = Math.floor(gx);
        const fx = gx - x0;
        const i = y0 * (n + 1) + x0;
        const top = grid[i]! * (1 - fx) + grid[i + 1]! * fx;
        const bottom = grid[i + n + 1]! * (1 - fx) + grid[i + n + 2]! * fx;
        out[y * SIDE + x]! += top * (1 - fy) + bottom * fy;
      }
    }
  }
  return out;
}

function texture(p: Float32Array, r: Random, strength: number, box?: readonly [number, number, number, number]): void {
  const n = noise(r, r.range(0.5, 1.2));
  const [x0, y0, x1, y1] = box ?? [0, 0, SIDE, SIDE];
  for (let y = Math.max(0, Math.floor(y0)); y < Math.min(SIDE, y1); y++)
    for (let x = Math.max(0, Math.floor(x0)); x < Math.min(SIDE, x1); x++)
      for (let k = 0; k < 3; k++) p[k * PLANE + y * SIDE + x]! *= 1 + strength * n[y * SIDE + x]!;
}

function gradientFill(p: Float32Array, r: Random, a: Colour, b: Colour, box: readonly [number, number, number, number] = [0, 0, SIDE, SIDE]): void {
  const turn = r.chance(0.6) ? Math.PI / 2 : r.next() * Math.PI * 2;
  const [dx, dy] = [Math.cos(turn), Math.sin(turn)];
  for (let y = Math.floor(box[1]); y < Math.min(SIDE, box[3]); y++)
    for (let x = Math.floor(box[0]); x < Math.min(SIDE, box[2]); x++) {
      const t = Math.min(1, Math.max(0, 0.5 + ((x / SIDE - 0.5) * dx + (y / SIDE - 0.5) * dy)));
      for (let k = 0; k < 3; k++) p[k * PLANE + y * SIDE + x] = a[k]! * (1 - t) + b[k]! * t;
    }
}

/** Lee, Mumford & Huang 2001: occluding discs whose radius falls like r^-3 have the statistics of natural pictures. */
function deadLeaves(p: Float32Array, r: Random): void {
  fill(p, all, colour(r));
  const count = r.int(30, 260);
  for (let i = 0; i < count; i++) {
    const radius = Math.min(110, 4 / Math.sqrt(1 - r.next() * 0.9985));
    const [x, y, c, turn] = [r.range(0, SIDE), r.range(0, SIDE), colour(r), r.next() * Math.PI];
    if (r.chance(0.3)) fill(p, all, c, [x - radius, y - radius * r.range(0.3, 1), x + radius, y + radius]);
    else ellipse(p, x, y, radius, radius * r.range(0.4, 1), turn, c);
  }
  if (r.chance(0.6)) texture(p, r, r.range(0.05, 0.4));
}

function horizon(p: Float32Array, r: Random): void {
  const line = r.range(0.25, 0.75) * SIDE;
  gradientFill(p, r, colour(r, r.range(0.5, 1)), colour(r, r.range(0.6, 1)), [0, 0, SIDE, line]);
  gradientFill(p, r, colour(r, r.range(0.1, 0.7)), colour(r, r.range(0.1, 0.7)), [0, line, SIDE, SIDE]);
  texture(p, r, r.range(0.1, 0.6), [0, line, SIDE, SIDE]);
  if (r.chance(0.5)) texture(p, r, r.range(0.02, 0.2), [0, 0, SIDE, line]);
  const things = r.int(0, 14);
  for (let i = 0; i < things; i++) {
    const [x, width, height] = [r.range(0, SIDE), r.range(4, 45), r.range(8, 90)];
    const foot = line + r.range(-4, 50);
    if (r.chance(0.5)) fill(p, all, colour(r, r.range(0.05, 0.8)), [x, foot - height, x + width, foot]);
    else ellipse(p, x, foot - height / 2, width / 2, height / 2, 0, colour(r, r.range(0.05, 0.8)));
  }
}

function pinkNoise(p: Float32Array, r: Random): void {
  const [a, b] = [colour(r), colour(r)];
  const n = noise(r, r.range(0.6, 1.4));
  const m = noise(r, r.range(0.8, 1.4));
  const gain = r.range(0.3, 1.2);
  for (let i = 0; i < PLANE; i++) {
    const t = Math.min(1, Math.max(0, 0.5 + gain * n[i]!));
    for (let k = 0; k < 3; k++) p[k * PLANE + i] = (a[k]! * (1 - t) + b[k]! * t) * (1 + 0.3 * m[i]!);
  }
}

function gradients(p: Float32Array, r: Random): void {
  gradientFill(p, r, colour(r), colour(r));
  const spots = r.int(0, 5);
  for (let i = 0; i < spots; i++) {
    const [cx, cy, size, c] = [r.range(0, SIDE), r.range(0, SIDE), r.range(20, 110), colour(r)];
    fill(p, (x, y) => Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (size * size)), c);
  }
  if (r.chance(0.5)) texture(p, r, r.range(0.01, 0.1));
}

function room(p: Float32Array, r: Random): void {
  gradientFill(p, r, colour(r, r.range(0.4, 0.9)), colour(r, r.range(0.4, 0.9)));
  const floor = r.range(0.6, 0.9) * SIDE;
  fill(p, all, colour(r, r.range(0.2, 0.7)), [0, floor, SIDE, SIDE]);
  const panels = r.int(2, 16);
  for (let i = 0; i < panels; i++) {
    const [x, y, w, h] = [r.range(-20, SIDE), r.range(-20, SIDE), r.range(8, 90), r.range(8, 110)];
    const c = colour(r);
    fill(p, all, c, [x, y, x + w, y + h]);
    if (r.chance(0.4)) {
      const step = r.range(4, 14);
      const upright = r.chance(0.5);
      fill(p, (px, py) => ((upright ? px : py) % step < step / 2 ? 0.7 : 0), colour(r), [x, y, x + w, y + h]);
    }
  }
  if (r.chance(0.7)) texture(p, r, r.range(0.02, 0.2));
}

function figure(p: Float32Array, r: Random): void {
  gradients(p, r);
  if (r.chance(0.5)) blur(p, r.int(2, 8));
  const people = r.int(1, 3);
  for (let i = 0; i < people; i++) {
    const [x, y, s] = [r.range(30, SIDE - 30), r.range(40, 150), r.range(12, 48)];
    const skin = r.range(0.25, 0.95);
    ellipse(p, x, y + s * 2.6, s * 1.5, s * 2, 0, colour(r));
    ellipse(p, x, y - s * 0.25, s * 0.85, s * 1.05, 0, colour(r, r.range(0.02, 0.6)));
    ellipse(p, x, y, s * 0.7, s * 0.95, r.range(-0.2, 0.2), [skin, skin * 0.75, skin * 0.6]);
    for (const side of [-1, 1]) ellipse(p, x + side * s * 0.28, y - s * 0.1, s * 0.1, s * 0.06, 0, [0.1, 0.08, 0.08]);
    ellipse(p, x, y + s * 0.45, s * 0.25, s * 0.07, 0, [skin * 0.7, skin * 0.35, skin * 0.35]);
  }
  texture(p, r, r.range(0.02, 0.2));
}

function titleCard(p: Float32Array, r: Random): void {
  const dark = r.chance(0.6);
  fill(p, all, colour(r, dark ? r.range(0, 0.2) : r.range(0.7, 1)));
  const ink = colour(r, dark ? r.range(0.6, 1) : r.range(0, 0.3));
  const lines = r.int(0, 7);
  for (let i = 0; i < lines; i++) {
    const [y, size, width] = [r.range(20, 195), r.range(4, 18), r.range(30, 190)];
    const left = (SIDE - width) * (r.chance(0.7) ? 0.5 : r.next());
    for (let x = left; x < left + width; x += size * 0.7) {
      if (r.chance(0.15)) continue;
      fill(p, all, ink, [x, y, x + Math.max(1, size * 0.15), y + size]);
      if (r.chance(0.6)) fill(p, all, ink, [x, y + size * r.pick([0, 0.4, 0.85]), x + size * 0.5, y + size * 0.15 + size * r.pick([0.1, 0.5, 0.9])]);
    }
  }
  if (r.chance(0.3)) fill(p, all, colour(r), [r.range(0, 150), r.range(0, 150), r.range(150, SIDE), r.range(150, SIDE)]);
}

/** Box blur, twice along each axis. */
function blur(p: Float32Array, radius: number): void {
  const line = new Float32Array(SIDE);
  for (let pass = 0; pass < 4; pass++) {
    const [along, across] = pass % 2 === 0 ? [1, SIDE] : [SIDE, 1];
    for (let k = 0; k < 3; k++)
      for (let row = 0; row < SIDE; row++) {
        const start = k * PLANE + row * across;
        for (let i = 0; i < SIDE; i++) line[i] = p[start + i * along]!;
        for (let i = 0; i < SIDE; i++) {
          let sum = 0;
          for (let j = -radius; j <= radius; j++) sum += line[Math.min(SIDE - 1, Math.max(0, i + j))]!;
          p[start + i * along] = sum / (2 * radius + 1);
        }
      }
  }
}

/** Exposure, contrast, saturation, softness, letterbox: the spread that cameras and edits give. */
function tone(p: Float32Array, r: Random): Float32Array {
  if (r.chance(0.5)) blur(p, r.chance(0.7) ? 1 : 2);
  const gamma = Math.exp(r.range(-0.5, 0.6));
  const gain = r.chance(0.15) ? r.range(0.15, 0.5) : r.range(0.7, 1.1);
  const saturation = r.chance(0.15) ? 0 : r.range(0.5, 1.2);
  const grain = r.range(0, 0.012);
  const bars = r.chance(0.1) ? r.range(0.06, 0.14) * SIDE : 0;
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const i = y * SIDE + x;
      const light = (p[i]! + p[PLANE + i]! + p[2 * PLANE + i]!) / 3;
      const black = y < bars || y >= SIDE - bars;
      const g = grain * r.normal();
      for (let k = 0; k < 3; k++) {
        const v = Math.max(0, light + saturation * (p[k * PLANE + i]! - light));
        p[k * PLANE + i] = black ? 0 : Math.min(1, Math.max(0, gain * Math.pow(v, gamma) + g));
      }
    }
  return p;
}
