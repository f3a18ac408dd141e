import assert from "node:assert/strict";
import test, { after } from "node:test";
import { InferencePool } from "../../../src/inference/index.js";
import type { GridItem } from "../../../src/contracts/index.js";
import { loadModels } from "../../../src/models/manifest.js";
import { audioEmbed } from "../../../src/operators/audio/audio.embed.js";
import { audioRing, modelsDir } from "../../inference/fixtures.js";

const audio = loadModels(modelsDir).get("lite-sound")!;
const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());
const LENGTH = 96_000;
const tone = (hz: number, gain = 0.2) => (n: number): number => gain * Math.sin((2 * Math.PI * hz * n) / 48_000);

async function embed(items: GridItem[]): Promise<Float32Array[]> {
  const { module, name: operator } = audioEmbed;
  const results = await pool.run({ kind: "batch", module, operator, node: "windows", config: {}, models: { audio }, items });
  return results.map((r) => (r.ok ? (r.value as Float32Array) : assert.fail(r.error.message)));
}
const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

test("silent windows get the zero vector and cost no inference; the others keep their places", async () => {
  const full = { length: LENGTH, valid: LENGTH };
  // −60 dBFS RMS is an amplitude of 0.001·√2 for a sine.
  const gains = [0.2, 0, 0.001, 0.2, 0.002];
  const before = pool.stats().inferences["lite-sound"] ?? 0;
  const rows = await embed(audioRing(gains.map(() => full), (k, n) => tone(440 + 200 * k, gains[k]!)(n)));
  assert.deepEqual(rows.map((r) => Math.round(Math.hypot(...r))), [1, 0, 0, 1, 1]);
  assert.ok(rows.every((r) => r.length === 512));
  assert.equal((pool.stats().inferences["lite-sound"] ?? 0) - before, 3);
  const [alone] = await embed(audioRing([full], (_, n) => tone(440 + 600)(n)));
  assert.deepEqual(alone, rows[3]);
});

test("a short last window is repeated, so it sounds like a full one", async () => {
  const items = audioRing(
    [
      { length: LENGTH, valid: LENGTH },
      { length: LENGTH, valid: 48_000 },
    ],
    (_, n) => tone(500)(n),
  );
  const [full, half] = await embed(items);
  assert.ok(cosine(full!, half!) > 0.999, `cosine ${cosine(full!, half!)}`);
});

test("a batch of silence and a window without samples", async () => {
  const rows = await embed(audioRing([{ length: LENGTH, valid: 0 }, { length: LENGTH, valid: LENGTH }], () => 0));
  assert.ok(rows.every((r) => r.length === 512 && r.every((x) => x === 0)));
});

test("demand: the model's window, hop as configured", () => {
  const demand = (config: object) => audioEmbed.demand?.({ config: audioEmbed.config.parse(config), models: { audio }, inputs: {} });
  assert.deepEqual(demand({}), { audio: { audio: { sampleRate: 48_000, channels: 1, windowUs: 2_000_000, hopUs: 2_000_000 } } });
  assert.deepEqual(demand({ hop: 0.5 })?.["audio"]?.audio?.hopUs, 500_000);
});
