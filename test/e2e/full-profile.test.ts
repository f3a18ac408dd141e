import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { describe, test } from "node:test";
import sharp from "sharp";
import { Store, runGraph, type RunSummary } from "../../src/index.js";
import { remux } from "../clips.js";
import { needsBpe, qwen2Vl, vitGpt2 } from "../models/stand-ins/generative-models.js";
import { needsClipVocabulary } from "../models/stand-ins/clip-tokenizer.js";
import { clip, miniLm } from "../models/stand-ins/text-models.js";
import { xclip } from "../models/stand-ins/video-models.js";
import { models } from "../operators/in-pool.js";
import { flow, inTemporaryFolder } from "./flow.js";

const CLIP = join(process.env["FLOW_MEDIA_DIR"] ?? "", "video/testvideo.mp4");
const needs = existsSync(CLIP) ? { ...needsBpe, ...needsClipVocabulary } : { skip: "needs FLOW_MEDIA_DIR with video/testvideo.mp4" };

const GRAPH = `flow: 1
name: full
params: { input: { type: media, positional: true, default: "${CLIP}" }, captioner: { type: enum, of: [captioner1, captioner2], default: captioner1 } }
models: { image: clip-image-stand-in, words: minilm-stand-in, keyframes: vit-gpt2-stand-in, scene: qwen2-vl-stand-in, video: xclip-stand-in }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: image, batch: { size: 16 } }
  keyframes: { op: scene.keyframes, in: { scenes: scenes, vectors: frames }, with: { k: 8 } }
  pictures: { op: video.pool, in: { scenes: scenes, vectors: frames } }
  video:  { op: video.embed, in: { scenes: scenes, clip: media.clip, keyframes: keyframes }, model: video }
  caption:
    switch: "\${params.captioner}"
    cases:
      captioner1: { op: caption.image, in: { scenes: scenes, clip: media.clip, vectors: frames }, model: keyframes }
      captioner2: { op: caption.video, in: { scenes: scenes, clip: media.clip }, model: scene, with: { max_frames: 4 } }
  text: { op: text.embed, in: { caption: caption.text }, model: words, with: { template: "Visuals: {caption}" } }
  scene: { op: join, by: scene, in: { pictures: pictures, video: video, text: text, caption: caption.text }, missing: null }
outputs: { scene: { from: scene, vectors: { pictures: {}, video: {}, text: {} }, fulltext: [caption] } }
`;

interface Scene {
  caption: string;
  dims: Record<string, number>;
}

async function scenesOf(dir: string): Promise<Scene[]> {
  await using store = await Store.open(dir, { readOnly: true });
  return [...store.records({ kind: "scene" })].map((record) => ({
    caption: String(record.fields["caption"]),
    dims: Object.fromEntries(Object.entries(record.vectors).map(([name, vector]) => [name, (vector as { dims: number }).dims])),
  }));
}

const ran = (summary: RunSummary): string[] => Object.entries(summary.nodes).filter(([, counts]) => counts.done > 0).map(([name]) => name).sort();

describe("the models of the full profile, by stand-ins of their layouts, on a film", needs, () => {
  const built = [clip().image, miniLm(), vitGpt2(), qwen2Vl(), xclip(models.get("xclip-base-patch16")!)];
  const folders = built.map(({ dir }) => dir);

  test("captions and vectors for every scene; a rerun computes nothing; an edited template runs only its cone; another captioner leaves the pictures alone", () =>
    inTemporaryFolder(async (dir) => {
      const [file, store] = [join(dir, "full.yaml"), join(dir, "store")];
      await writeFile(file, GRAPH);
      const run = (params: Record<string, string> = {}): Promise<RunSummary> => runGraph(file, { store, models: folders, params });
      const first = await run();
      assert.equal(first.status, "done", JSON.stringify(first.failures));
      const scenes = await scenesOf(store);
      assert.ok(scenes.length >= 3);
      for (const { caption, dims } of scenes) {
        assert.match(caption, /^(A (red|green|blue) picture\. ?)+$/);
        assert.deepEqual(dims, { pictures: 3, video: 512, text: 384 });
      }

      const again = await run();
      assert.deepEqual([again.inferences, again.framesDecoded, again.digest], [0, 0, first.digest]);
      for (const [node, counts] of Object.entries(again.nodes)) assert.equal(counts.cached, counts.in, node);

      const other = await run({ captioner: "captioner2" });
      assert.equal(other.status, "done", JSON.stringify(other.failures));
      assert.equal(other.framesDecoded, 0);
      assert.deepEqual(ran(other).filter((node) => !["media", "scene"].includes(node)), ["caption", "text"]);
      for (const { caption } of await scenesOf(store)) assert.match(caption, /^A (red|green|blue) scene\.$/);

      await writeFile(file, GRAPH.replace("Visuals: {caption}", "Seen: {caption}"));
      const edited = await run();
      assert.deepEqual(ran(edited).filter((node) => !["media", "scene"].includes(node)), ["text"]);
      assert.equal(edited.framesDecoded, 0);
      await writeFile(file, GRAPH);
      assert.equal((await run()).digest, first.digest);
    }));

  test("with another number of workers and in child processes the same result, to the bit", () =>
    inTemporaryFolder(async (dir) => {
      const digests: string[] = [];
      // Its first three scenes.
      const part = remux(CLIP, join(dir, "part.mp4"), 8);
      for (const runtime of ["{ workers: 1 }", "{ workers: 2 }", "{ pools: { inference: { workers: 2, isolation: process } } }"]) {
        const file = join(dir, "full.yaml");
        await writeFile(file, GRAPH.replace("default: captioner1", "default: captioner2").replace("batch: { size: 16 }", "batch: { size: 4 }").replace("\nnodes:\n", `\nruntime: ${runtime}\nnodes:\n`));
        const summary = await runGraph(file, { inputs: [part], store: join(dir, `store-${digests.length}`), models: folders });
        assert.deepEqual([summary.status, summary.records["scene"]], ["done", 3], JSON.stringify(summary.failures));
        digests.push(`${summary.digest} ${summary.digestNumbers}`);
      }
      assert.equal(new Set(digests).size, 1, digests.join("\n"));
    }));

  test("a word finds pictures through the text half of the space", () =>
    inTemporaryFolder(async (dir) => {
      const [file, store] = [join(dir, "full.yaml"), join(dir, "store")];
      await writeFile(file, GRAPH.replace(/ {2}(video|caption|text):[\s\S]*(?= {2}scene: \{ op: join)/, "").replace(/in: \{ pictures: pictures.*missing/, "in: { pictures: pictures }, missing").replace(/vectors: \{ pictures.*/, "vectors: { pictures: {} } } }"));
      const text = clip().text;
      const env = { FLOW_MODELS_DIR: [...folders, text.dir, process.env["FLOW_MODELS_DIR"]].join(delimiter) };
      const made = await flow(["run", file, "--store", store, "--json"], { env });
      assert.equal(made.code, 0, made.stdout + made.stderr);
      const best: Record<string, string> = {};
      for (const colour of ["red", "green", "blue"]) {
        const found = await flow(["search", `something ${colour}`, "--store", store, "--json"], { env });
        assert.equal(found.code, 0, found.stdout + found.stderr);
        assert.ok(found.json.hits.length > 0, found.stdout);
        assert.deepEqual(found.json.notUnderstood, [], "the space has read the words");
        best[colour] = found.json.hits[0].id;
      }
      // What the pictures say themselves: the scene whose vector leans most towards the colour.
      await using opened = await Store.open(store, { readOnly: true });
      for (const [c, colour] of ["red", "green", "blue"].entries()) {
        const ranked = [...opened.records({ kind: "scene" })].map((record) => ({ id: record.id, value: opened.vector(record, "pictures")?.[c] ?? 0 })).sort((a, b) => b.value - a.value);
        assert.equal(best[colour], ranked[0]!.id, colour);
      }
      // Words and a picture in one space: each has its own ranking, neither replaces the other.
      const picture = join(dir, "blue.png");
      await sharp({ create: { width: 64, height: 64, channels: 3, background: "blue" } }).png().toFile(picture);
      const both = await flow(["search", "something red", "--image", picture, "--store", store, "--json"], { env });
      assert.equal(both.code, 0, both.stdout + both.stderr);
      const firsts = (both.json.hits as { id: string; spaces: { name: string; rank: number }[] }[]).flatMap(({ id, spaces }) => spaces.filter(({ rank }) => rank === 1).map(() => id));
      assert.deepEqual(firsts.sort(), [best["red"], best["blue"]].sort());
      // Without the text half there is nothing that could read the word.
      const blind = await flow(["search", "red", "--store", store, "--json"], { env: { FLOW_MODELS_DIR: folders.join(delimiter) } });
      assert.equal(blind.json.hits.length, 0, blind.stdout + blind.stderr);
      assert.deepEqual(blind.json.notUnderstood, ["red"]);
    }));
});
