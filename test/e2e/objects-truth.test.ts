import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { MEDIA, needs } from "../operators/vision/weights.js";
import { flow, inTemporaryFolder } from "./flow.js";

/** What the small models say of a scene, composed. Scenes are no longer than 6 s: a caption of two minutes would name whoever walks through once. */
const GRAPH = `flow: 1
name: seen
params: { input: { type: media, default: ".", positional: true } }
models: { faces: yunet-dynamic, things: yolox-nano, tags: mobilenet-v2-quant, sounds: yamnet }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores }, with: { max_length: 6s } }
  faces:  { op: face.detect, in: { frames: { from: media.frames, fps: 2 } }, model: faces }
  things: { op: object.detect, in: { frames: { from: media.frames, fps: 2 } }, model: things }
  tags:   { op: image.tag, in: { frames: { from: media.frames, fps: 2 } }, model: tags }
  sounds: { op: audio.events, in: media.audio, model: sounds }
  people: { op: object.summary, over: scene, in: { detections: faces } }
  objects: { op: object.summary, over: scene, in: { detections: things } }
  labels: { op: labels.pool, over: scene, in: { labels: tags } }
  events: { op: labels.pool, over: scene, in: { labels: sounds } }
  caption: { op: caption.objects, in: { objects: objects.objects, faces: people.objects, tags: labels.labels, events: events.labels } }
  scene:  { op: join, by: scene, in: { caption: caption.text, seen: objects.text, events: events.labels }, missing: null }
outputs: { scene: { from: scene, fulltext: [caption, seen] } }
`;

interface Truth {
  from: number;
  to: number;
  objects?: string[];
  none?: string[];
}

interface Shown {
  kind: string;
  media: string;
  startUs: number;
  endUs: number;
  fields: { name: string; caption: string | null; seen: string | null };
}

const said = (text: string, words: readonly string[]): string[] => words.filter((word) => new RegExp(`\\b${word}(s|es)?\\b`).test(text));

test("captions and objects name a listed thing in at least 80 % of the spans, and nothing that must not be named", needs("yolox-nano", "yunet-dynamic", "mobilenet-v2-quant", "yamnet"), (t) =>
  inTemporaryFolder(async (dir) => {
    const truth = JSON.parse(await readFile(join(MEDIA!, "../reference/objects_truth.json"), "utf8")) as Record<string, Truth[]> & { images: Record<string, string[]> };
    const spans = Object.entries(truth).flatMap(([name, list]) => (Array.isArray(list) ? list.map((span) => ({ path: `video/${name}`, ...span })) : []));
    for (const [name, objects] of Object.entries(truth.images)) spans.push({ path: `images/${name}`, from: 0, to: 1, objects });
    const graph = join(dir, "graph.yaml");
    await writeFile(graph, GRAPH);
    const inputs = [...new Set(spans.map(({ path }) => join(MEDIA!, path)))];
    const ran = await flow(["run", graph, ...inputs, "--store", join(dir, "store"), "--json"]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const records = (await flow(["show", "--store", join(dir, "store"), "--json"])).json.records as Shown[];
    const names = new Map(records.filter(({ kind }) => kind === "media").map(({ media, fields }) => [media, fields.name]));
    let right = 0;
    let asked = 0;
    for (const { path, from, to, objects, none } of spans) {
      const here = records.filter((r) => r.kind === "scene" && names.get(r.media) === basename(path) && r.startUs < to * 1e6 && r.endUs > from * 1e6);
      const text = here.map(({ fields }) => `${fields.caption ?? ""} ${fields.seen ?? ""}`).join(" ").toLowerCase().replaceAll("people", "person");
      assert.ok(here.length > 0, path);
      assert.deepEqual(said(text, none ?? []), [], `${path} ${from}–${to} s: ${text}`);
      if (!objects) continue;
      asked += 1;
      if (said(text, objects).length > 0) right += 1;
      else t.diagnostic(`${path} ${from}–${to} s: none of ${objects.join(", ")} in “${text.trim()}”`);
    }
    t.diagnostic(`${right} of ${asked} spans`);
    assert.ok(right >= 0.8 * asked, `${right} of ${asked}`);
  }));
