import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { Detection } from "../../src/contracts/index.js";
import { iou, type Box } from "../../src/models/families/boxes.js";
import { boxOf, decodeMask } from "../../src/models/families/masks.js";
import { displaySize, probe } from "../../src/media/index.js";
import { MASK_MARGIN, groundingDino, sam } from "../operators/vision/stand-ins.js";
import { MEDIA, MODELS, needs } from "../operators/vision/weights.js";
import { BUNDLED } from "../clips.js";
import { ROOT, flow, inTemporaryFolder } from "./flow.js";
import { killRuns, seeded } from "./kill.js";

/** The fixtures hold a manifest that flow does not offer; its weights are found by their hash. */
const FIXTURES = join(ROOT, "test/models/fixtures");

/** Frames of five sizes from one decode; what reads boxes cuts them out of larger frames than those they were found in. */
const FACES = `flow: 1
name: faces
params: { input: { type: media, default: ".", positional: true }, batch: { type: integer, default: 4 } }
models: { faces: yunet-dynamic, who: mobilefacenet, things: yolox-nano, tags: mobilenet-v2-quant, image: lite-image }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
  found:  { op: face.detect, in: { frames: { from: media.frames, fps: 2 } }, model: faces, batch: { size: "\${params.batch}" } }
  faces:  { op: face.embed, in: { frames: { from: media.frames, fps: 2 }, faces: found }, model: who, with: { longest: 960 }, batch: { size: "\${params.batch}" } }
  things: { op: object.detect, in: { frames: { from: media.frames, fps: 2 } }, model: things, batch: { size: "\${params.batch}" } }
  looks:  { op: object.embed, in: { frames: { from: media.frames, fps: 2 }, detections: things }, model: image, with: { crop: box, longest: 720 }, batch: { size: "\${params.batch}" } }
  tags:   { op: image.tag, in: { frames: { from: media.frames, fps: 1 } }, model: tags, batch: { size: "\${params.batch}" } }
  people: { op: object.summary, over: scene, in: { detections: faces } }
  objects: { op: object.summary, over: scene, in: { detections: looks } }
  labels: { op: labels.pool, over: scene, in: { labels: tags } }
  caption: { op: caption.objects, in: { objects: objects.objects, faces: people.objects, tags: labels.labels } }
  scene:
    op: join
    by: scene
    in: { people: people.objects, objects: objects.objects, seen: objects.text, tags: labels.labels, caption: caption.text, faces: faces }
    missing: null
outputs: { scene: { from: scene, fulltext: [caption, seen] } }
`;

const missing = needs("mobilefacenet", "yunet-dynamic", "yolox-nano", "mobilenet-v2-quant");
const env = (): Record<string, string> => ({ FLOW_MODELS_DIR: `${FIXTURES}:${MODELS}` });

async function written(dir: string, text: string): Promise<string> {
  const file = join(dir, "graph.yaml");
  await writeFile(file, text);
  return file;
}

interface Shown {
  kind: string;
  startUs: number;
  endUs: number;
  fields: { people: { label: string; frames: number }[]; objects: { label: string; frames: number }[]; caption: string | null; faces: { ptsUs: number; value: (Omit<Detection, "vector"> & { vector: unknown })[] }[] };
}

const scenesOf = async (store: string): Promise<Shown[]> => ((await flow(["show", "--store", store, "--json"])).json.records as Shown[]).filter(({ kind }) => kind === "scene");

test("faces and things of a real clip: found, embedded, folded, recorded, searched; any batch size, and a second run computes nothing", missing, () =>
  inTemporaryFolder(async (dir) => {
    const graph = await written(dir, FACES);
    const clip = join(MEDIA!, "video/issue-195-aspect-ratio.mp4");
    const first = await flow(["run", graph, clip, "--store", join(dir, "a"), "--json"], { env: env() });
    assert.equal(first.code, 0, first.stdout + first.stderr);
    for (const [node, c] of Object.entries<Record<string, number>>(first.json.nodes)) assert.equal(c["in"], c["done"]! + c["skipped"]!, node);
    const scenes = await scenesOf(join(dir, "a"));
    // From 6.9 to 12 s a man sits before shelves of books; before that, hands and cups.
    const man = scenes.find(({ startUs, endUs }) => startUs < 9e6 && endUs > 9e6)!;
    assert.ok(man.fields.people.some(({ label, frames }) => label === "face" && frames >= 3));
    assert.ok(man.fields.objects.some(({ label }) => label === "person"));
    assert.match(man.fields.caption!, /person|people/);
    for (const { value } of man.fields.faces) {
      for (const { box, landmarks, vector } of value) {
        assert.equal(landmarks?.length, 5);
        assert.ok(vector);
        // Boxes are in square pixels of the source: 704 × 480 coded with 16:11 pixels is wider than its raster.
        assert.ok(box[0] >= 0 && box[2] <= 1024 && box[1] >= 0 && box[3] <= 576, box.join());
      }
    }
    const hits = await flow(["search", "person", "--store", join(dir, "a"), "--where", 'objects.exists(o, o.label == "person" && o.frames > 1)', "--json"], { env: env() });
    assert.equal(hits.code, 0, hits.stderr);
    const wanted = scenes.filter(({ fields }) => fields.objects.some(({ label, frames }) => label === "person" && frames > 1)).map(({ startUs }) => startUs);
    assert.deepEqual(hits.json.hits.map(({ startUs }: { startUs: number }) => startUs).sort((x: number, y: number) => x - y), wanted);
    assert.ok(wanted.length > 0 && wanted.length < scenes.length);
    for (const batch of ["1", "3", "16"]) {
      const other = await flow(["run", graph, clip, "--store", join(dir, `b${batch}`), "--param", `batch=${batch}`, "--json"], { env: env() });
      assert.deepEqual([other.json?.status, other.json?.digest, other.json?.digestNumbers], ["done", first.json.digest, first.json.digestNumbers], `batch ${batch} ${other.stderr}`);
    }
    const again = await flow(["run", graph, clip, "--store", join(dir, "a"), "--json"], { env: env() });
    assert.deepEqual([again.json.inferences, again.json.framesDecoded, again.json.digest], [0, 0, first.json.digest]);
  }));

test("runs of the faces graph that are killed go on and end in the same store", missing, () =>
  inTemporaryFolder(async (dir) => {
    const before = process.env["FLOW_MODELS_DIR"];
    process.env["FLOW_MODELS_DIR"] = env()["FLOW_MODELS_DIR"];
    try {
      const report = await killRuns(await written(dir, FACES), join(MEDIA!, "video/issue-195-aspect-ratio.mp4"), 3, seeded(7), (n) => join(dir, `store${n}`));
      assert.deepEqual({ kills: report.kills, mismatches: report.mismatches, orphans: report.orphans }, { kills: 3, mismatches: [], orphans: 0 });
    } finally {
      process.env["FLOW_MODELS_DIR"] = before;
    }
  }));

const PROMPTED = `flow: 1
name: prompted
models: { words: grounding-dino, see: sam-encoder, draw: sam-decoder, image: lite-image }
nodes:
  media:  { op: media.open, with: { uri: "${BUNDLED}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
  boxes:  { op: object.detect, in: { frames: { from: media.frames, fps: 1 } }, model: words, with: { prompts: [dog, Person, zebra] } }
  masks:  { op: object.segment, in: { frames: { from: media.frames, fps: 1 }, detections: boxes }, model: { encoder: see, decoder: draw }, batch: { size: 3 } }
  looks:  { op: object.embed, in: { frames: { from: media.frames, fps: 1 }, detections: masks }, model: image }
  objects: { op: object.summary, over: scene, in: { detections: masks } }
  scene:  { op: join, by: scene, in: { masks: masks, looks: looks, seen: objects.text }, missing: null }
outputs: { scene: { from: scene, fulltext: [seen] } }
`;

const tokenizer = !MODELS ? { skip: "FLOW_MODELS_DIR is not set" } : existsSync(join(MODELS, "tokenizers/all-MiniLM-L6-v2/tokenizer.json")) ? {} : { skip: "FLOW_MODELS_DIR has no tokenizers/all-MiniLM-L6-v2" };

test("names → boxes → masks → vectors through the engine: each mask and each vector on its own detection", tokenizer, () =>
  inTemporaryFolder(async (dir) => {
    const folders = [dirname(groundingDino().origin), dirname(sam("corners").encoder.origin)].join(":");
    const ran = await flow(["run", await written(dir, PROMPTED), "--store", join(dir, "store"), "--json"], { env: { FLOW_MODELS_DIR: folders } });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const { records } = (await flow(["show", "--store", join(dir, "store"), "--json"])).json;
    const frames = records.flatMap((r: { kind: string; fields: Record<string, unknown> }) => (r.kind === "scene" ? r.fields["masks"] : [])) as { ptsUs: number; value: Detection[] }[];
    const looks = records.flatMap((r: { kind: string; fields: Record<string, unknown> }) => (r.kind === "scene" ? r.fields["looks"] : [])) as { ptsUs: number; value: Detection[] }[];
    assert.ok(frames.length >= 10);
    const [width, height] = displaySize((await probe(BUNDLED)).video!);
    const source = { width, height };
    const margin = (MASK_MARGIN * Math.max(width, height)) / 256;
    for (const [n, { value, ptsUs }] of frames.entries()) {
      assert.deepEqual(value.map(({ label }) => label).sort(), ["dog", "person", "zebra"], `${ptsUs}`);
      for (const { box, mask, label } of value) {
        const found = boxOf(decodeMask(mask!), mask!, source)!;
        const wanted: Box = [box[0] + margin, box[1] + margin, box[2] - margin, box[3] - margin];
        assert.ok(iou(found, wanted) > 0.9, `${label} at ${ptsUs}: ${found.join()} for ${wanted.join()}`);
      }
      assert.deepEqual(looks[n]!.value.map(({ vector: _, ...rest }) => rest), value);
      assert.ok(looks[n]!.value.every(({ vector }) => vector));
    }
  }));
