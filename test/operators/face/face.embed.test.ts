import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Detection, GridItem, ModelManifest, Series } from "../../../src/contracts/index.js";
import { manifestOf } from "../../../src/models/manifest.js";
import { faceDetect } from "../../../src/operators/face/face.detect.js";
import { faceEmbed } from "../../../src/operators/face/face.embed.js";
import { faceGroup, type SeenPerson } from "../../../src/operators/face/face.group.js";
import { runEach } from "../run-each.js";
import { WAYS, frameOf, locateWeights, media, model, needs, runBatches } from "../vision/weights.js";

/** Licence unknown: tests only, no manifest of flow's. */
const mobilefacenet = (): ModelManifest =>
  manifestOf(
    {
      id: "mobilefacenet",
      task: "face-embedding",
      family: "mobilefacenet",
      summary: "A vector for an aligned face.",
      licence: "none stated",
      files: [{ path: "mobilefacenet.onnx", sha256: "f055d9c9a4d826d198c42666590fdefa0fdc1374a75ccb6306c3d1b1bf8f74c5" }],
      inputs: [{ name: "input", dims: ["n", 3, 112, 112] }],
      preprocess: { kind: "image", size: [112, 112], fit: "fill", color: "rgb", scale: 1, mean: [127.5, 127.5, 127.5], std: [128, 128, 128], resample: "linear" },
      output: { name: "output", dims: 128, normalised: "unit" },
      limits: [],
    },
    "/nowhere/mobilefacenet.yaml",
    locateWeights,
  );

/** The crops of eight people, five each. */
function people(): { paths: string[]; names: string[] } {
  const folder = media("images/faces/bbt");
  const names = readdirSync(folder).sort();
  const paths = names.flatMap((name) => readdirSync(join(folder, name)).sort().map((file) => join(folder, name, file)));
  return { paths, names: paths.map((path) => path.split("/").at(-2)!) };
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** How many of the vectors have their own person's as nearest neighbour. */
function rightNeighbours(vectors: readonly Float32Array[], names: readonly string[]): number {
  return vectors.filter((vector, i) => {
    let best = -1;
    for (let j = 0; j < vectors.length; j++) if (j !== i && (best < 0 || dot(vector, vectors[j]!) > dot(vector, vectors[best]!))) best = j;
    return names[best] === names[i];
  }).length;
}

/** Each item with one face: the whole picture. */
const whole = (items: readonly GridItem[]): GridItem[] => items.map((item) => ({ ...item, inputs: { faces: [{ label: "face", score: 1, box: [0, 0, item.source!.width, item.source!.height] }] satisfies Detection[] } }));

test("whole pictures, not aligned: nearest neighbours are right for at least 38 of 40, at batch 1, 3, 16 and in a process of its own", needs("mobilefacenet"), async (t) => {
  const { paths, names } = people();
  const models = { embedder: mobilefacenet() };
  const items = whole(await Promise.all(paths.map((path, i) => frameOf(path, { size: { longest: 1280 } }, i))));
  const config = { align: "box" };
  const first = await runBatches<Detection[]>(faceEmbed, models, items, { size: 1, config });
  const vectors = first.map(([face]) => face!.vector!);
  for (const vector of vectors) assert.ok(Math.abs(Math.sqrt(dot(vector, vector)) - 1) < 1e-5);
  const right = rightNeighbours(vectors, names);
  t.diagnostic(`${right} of ${vectors.length} nearest neighbours are right`);
  assert.ok(right >= 38, `${right}`);
  for (const way of WAYS) assert.deepEqual(await runBatches(faceEmbed, models, items, { ...way, config }), first, JSON.stringify(way));
});

test("faces found by YuNet, aligned by their landmarks: MobileFaceNet's nearest neighbours are right for at least 39 of 40, at batch 1, 3, 16 and in a process of its own", needs("mobilefacenet", "yunet-dynamic"), async (t) => {
  const { paths, names } = people();
  const models = { embedder: mobilefacenet() };
  const raw = await Promise.all(paths.map((path, i) => frameOf(path, { size: { longest: 1280 } }, i)));
  const faces = await runBatches<Detection[]>(faceDetect, { detector: model("yunet-dynamic") }, raw, { config: { min_score: 0.5 } });
  const items = raw.map((item, i) => ({ ...item, inputs: { faces: faces[i]! } }));
  const found = await runBatches<Detection[]>(faceEmbed, models, items, { size: 1 });
  for (const way of WAYS) assert.deepEqual(await runBatches(faceEmbed, models, items, way), found, JSON.stringify(way));
  found.forEach((list, i) => assert.deepEqual(list.map(({ vector: _, ...face }) => face), faces[i]));
  const kept = found.flatMap(([face], i) => (face?.vector ? [{ vector: face.vector, name: names[i]! }] : []));
  const right = rightNeighbours(kept.map((k) => k.vector), kept.map((k) => k.name));
  t.diagnostic(`${kept.length} of ${paths.length} crops have a face; ${right} nearest neighbours are right`);
  assert.equal(kept.length, paths.length);
  assert.ok(right >= 39, `${right}`);
  // As if each picture were a frame of a film, the people one after the other or all mixed: a group holds one person's faces only.
  const series = (order: readonly number[]): Series => ({ ptsUs: Float64Array.from(order, (_, i) => i * 1e6), width: 0, values: order.map((i) => found[i]!.slice(0, 1).map((face) => ({ ...face, box: [i, 0, i + 1, 1] }))) });
  for (const order of [paths.map((_, i) => i), paths.map((_, i) => (i * 7) % paths.length)]) {
    const { people } = (await runEach(faceGroup, { faces: series(order) }, { min_score: 0.5 })) as { people: SeenPerson[] };
    t.diagnostic(`${people.length} groups of 8 people: ${people.map(({ frames, box }) => `${names[box[0]]} ${frames}`).join(", ")}`);
    assert.ok(people.length >= 8 && people.length <= 12, `${people.length} groups`);
    assert.equal(people.reduce((sum, { frames }) => sum + frames, 0), paths.length);
  }
});

test("a face without landmarks has no vector where alignment is asked for, and no frame costs another its faces", needs("mobilefacenet"), async () => {
  const { paths } = people();
  const items = await Promise.all(paths.slice(0, 5).map((path, i) => frameOf(path, { size: { longest: 640 } }, i)));
  const faces = (n: number, item: GridItem): Detection[] => Array.from({ length: n }, (_, k) => ({ label: `face ${item.ptsUs}/${k}`, score: 1, box: [k, k, item.source!.width - k, item.source!.height - k] }));
  const mixed = items.map((item, i) => ({ ...item, inputs: { faces: faces([0, 1, 7, 0, 2][i]!, item) } }));
  const models = { embedder: mobilefacenet() };
  const bare = await runBatches<Detection[]>(faceEmbed, models, mixed);
  assert.ok(bare.flat().every(({ vector }) => vector === undefined));
  const reference = await runBatches<Detection[]>(faceEmbed, models, mixed, { size: 1, config: { align: "box" } });
  assert.deepEqual(reference.map((list) => list.map(({ label }) => label)), mixed.map((item) => item.inputs.faces.map(({ label }) => label)));
  for (const list of reference) for (const { vector } of list) assert.equal(vector?.length, 128);
  for (const size of [3, 16]) assert.deepEqual(await runBatches(faceEmbed, models, mixed, { size, config: { align: "box" } }), reference);
});
