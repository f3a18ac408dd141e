import assert from "node:assert/strict";
import test from "node:test";
import type { ModelManifest } from "../../src/contracts/index.js";
import { loadGraph, type LoadOptions } from "../../src/graph/index.js";
import { catalogue, models } from "./fixtures/catalogue.js";
import { graph, load, nodeOf, planOf } from "./fixtures/load.js";

const config = (text: string, node: string, options: LoadOptions = {}, environment: Record<string, string> = {}): Record<string, unknown> => nodeOf(planOf(text, options, environment), node).config as Record<string, unknown>;
const FRAMES = `  frames: { op: image.embed, in: media.frames, model: image }`;
const SPEECH = `  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }`;

const typed = `flow: 1
params:
  input: { type: media, default: "\${env.CLIP:-a.mp4}", positional: true }
  t:     { type: number, default: 27, min: 0, max: 255 }
  k:     { type: integer, default: 8 }
  d:     { type: enum, of: [content, hash], default: content }
  min:   { type: duration, default: 0.6s }
  fps:   { type: [number, all], default: 2 }
  on:    { type: boolean, default: true }
  words: { type: string, default: "it says" }
models: { image: lite-image, text: lite-text }
nodes:
  scenes: { op: scene.cut, in: scores, with: { threshold: "\${params.t}", detector: "\${params.d}", min_scene: "\${params.min}" } }
  keyframes: { op: scene.keyframes, enabled: "\${params.on}", in: { scenes: scenes, vectors: frames }, with: { k: "\${params.k}" } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: "\${params.fps}", size: [32, 32] } }, model: image }
  scores: { op: scene.scores, in: media.frames }
  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }
  text: { op: text.embed, in: { t: speech.text }, model: text, with: { template: "\${params.words} {t}" } }
  media: { op: media.open, with: { uri: "\${params.input}" } }
`;

test("params: whole values keep their types, texts are joined, order of nodes is free", () => {
  assert.deepEqual({ ...config(typed, "scenes") }, { detector: "content", threshold: 27, min_scene: 600_000, max_length: 300_000_000 });
  assert.equal(config(typed, "keyframes")["k"], 8);
  assert.deepEqual(nodeOf(planOf(typed), "frames").inputs["frames"]?.video, { fps: 2, size: [32, 32], geometry: "display" });
});

test("params: -p before FLOW_PARAM_NAME before the default; each type reads its text", () => {
  const options = { params: { t: "30.5", k: "3", d: "hash", min: "40ms", fps: "all", on: "false", words: "12" } };
  assert.deepEqual({ ...config(typed, "scenes", options) }, { detector: "hash", threshold: 30.5, min_scene: 40_000, max_length: 300_000_000 });
  const plan = planOf(typed, options, { FLOW_PARAM_K: "9", FLOW_PARAM_T: "9" });
  assert.equal(plan.params["k"]?.value, 3);
  assert.equal(plan.params["words"]?.value, "12");
  assert.equal(nodeOf(plan, "frames").inputs["frames"]?.video?.fps, "all");
  assert.equal(plan.nodes.find((node) => node.name === "keyframes"), undefined);
  const fromEnvironment = planOf(typed, {}, { FLOW_PARAM_K: "9" });
  assert.deepEqual([fromEnvironment.params["k"]?.value, fromEnvironment.params["k"]?.origin.from], [9, "environment"]);
  assert.equal(config(typed, "scenes", { params: { min: "2" } })["min_scene"], 2_000_000);
});

test("params: what does not fit is refused, each with what it expected", () => {
  const refused = (params: Record<string, string>): string[] => load(typed, { params }).problems.map((problem) => `${problem.code} ${problem.expected}`);
  assert.deepEqual(refused({ t: "300" }), ["PARAM_TYPE a number ≥ 0 ≤ 255"]);
  assert.deepEqual(refused({ k: "2.5" }), ["PARAM_TYPE an integer"]);
  assert.deepEqual(refused({ d: "contant" }), ["PARAM_TYPE one of content, hash"]);
  assert.deepEqual(refused({ min: "soon" }), ['PARAM_TYPE a duration like "0.6s"']);
  assert.deepEqual(refused({ fps: "some" }), ['PARAM_TYPE a number or "all"']);
  assert.deepEqual(refused({ on: "perhaps" }), ["PARAM_TYPE true or false"]);
});

test("positional: one input is a text, several are a list, none is the default or the environment", () => {
  assert.deepEqual(planOf(typed, { inputs: ["x.mp4"] }).inputs, ["x.mp4"]);
  assert.equal(config(typed, "media", { inputs: ["x.mp4"] })["uri"], "x.mp4");
  assert.deepEqual(config(typed, "media", { inputs: ["x.mp4", "y.mp4"] })["uri"], ["x.mp4", "y.mp4"]);
  assert.deepEqual(planOf(typed).inputs, ["a.mp4"]);
  assert.deepEqual(planOf(typed, {}, { CLIP: "c.mp4" }).inputs, ["c.mp4"]);
});

test("inputs: a graph may name its media itself", () => {
  assert.deepEqual(planOf("flow: 1\nnodes: { media: { op: media.open, with: { uri: [b.mp4, c.mp4, b.mp4] } } }\n").inputs, ["b.mp4", "c.mp4"]);
});

test("templates: $${ writes ${, {{ is no port, and ${x} holds {x}", () => {
  assert.equal(config(typed.replace('{t}"', () => '{t} {{t}} $${"'), "text")["template"], "it says {t} {{t}} ${");
  assert.deepEqual(load(typed.replace('{t}"', () => '{t} $${x}"')).problems.map((problem) => problem.code), ["TEMPLATE_PORT"]);
});

test("input: every form leads to the same edge", () => {
  const forms = ["scores", "scores.scores", "{ scores: scores }", "{ scores: scores.scores }", "{ scores: { from: scores } }", "{ from: scores }", "{ scores: [scores] }"];
  for (const form of forms) {
    const [input] = Object.values(nodeOf(planOf(graph(`  cut: { op: scene.cut, in: ${form} }`)), "cut").inputs);
    assert.deepEqual([input?.node, input?.port, input?.into, input?.mode], ["scores", "scores", "scores", "group"], form);
  }
});

test("input: the short form finds the port by kind and columns", () => {
  const plan = planOf(graph("  levels: { op: audio.levels, in: media.audio }\n  cut: { op: scene.cut, in: levels }"));
  assert.deepEqual(Object.keys(nodeOf(plan, "cut").inputs), ["levels"]);
  const bare = planOf(graph("  s: { op: scene.scores, in: media }\n  l: { op: audio.levels, in: media }"));
  assert.deepEqual([nodeOf(bare, "s").inputs["frames"]?.port, nodeOf(bare, "l").inputs["audio"]?.port], ["frames", "audio"]);
});

test("input: a list gives named entries, also twice the same node by its ports", () => {
  const plan = planOf(graph(`${SPEECH}\n  j: { op: join, by: scene, in: { x: [scenes, speech.text, speech.cues] } }`));
  assert.deepEqual(Object.entries(nodeOf(plan, "j").inputs).map(([entry, input]) => [entry, input.port, input.into]), [["scenes", "scenes", "x"], ["speech", "text", "x"], ["speech.cues", "cues", "x"]]);
});

test("level: by and over at the node, and inside in as DESIGN writes it", () => {
  const level = (text: string): string => nodeOf(planOf(graph(`${FRAMES}\n  m: ${text}`)), "m").level;
  assert.equal(level("{ op: vectors.mean, over: scene, in: { vectors: frames } }"), "scene");
  assert.equal(level("{ op: vectors.mean, in: { vectors: frames, over: media } }"), "media");
  assert.equal(level("{ op: vectors.mean, in: { vectors: [frames], over: media } }"), "media");
  assert.equal(level("{ op: join, in: { s: scenes, by: scene } }"), "scene");
});

test("level: finer is grouped, coarser is broadcast, a media-level text joins every scene", () => {
  const plan = planOf(graph(`${SPEECH}\n  j: { op: join, by: media, in: { words: speech.text, info: media.info } }\n  s: { op: join, by: scene, in: { info: media.info, words: speech.text } }`));
  const modes = (name: string): string[] => Object.values(nodeOf(plan, name).inputs).map((input) => input.mode);
  assert.deepEqual(modes("j"), ["group", "same"]);
  assert.deepEqual(modes("s"), ["broadcast", "same"]);
});

const switched = graph(
  `${SPEECH}
  attributes: { op: scene.attributes, in: { scenes: scenes, scores: scores } }
  caption:
    switch: "\${params.c}"
    batch: { size: 4 }
    cases:
      measured:  { op: caption.measured, in: { attributes: attributes } }
      subtitles: { op: caption.subtitles, in: { transcript: speech.text }, batch: { size: 2 } }
      none: null
  scene: { op: join, by: scene, in: { caption: caption.text, scenes: scenes } }`,
  "outputs: { scene: { from: scene, fulltext: [caption] } }",
).replace("params: {", "params: { c: { type: enum, of: [measured, subtitles, none], default: measured },");

test("switch: the chosen case runs, keys beside it are shared, the others are still read and checked", () => {
  const plan = planOf(switched);
  assert.deepEqual([nodeOf(plan, "caption").op.name, nodeOf(plan, "caption").batch.size], ["caption.measured", 4]);
  const other = planOf(switched, { params: { c: "subtitles" } });
  assert.deepEqual([nodeOf(other, "caption").op.name, nodeOf(other, "caption").batch.size], ["caption.subtitles", 2]);
  assert.deepEqual(load(switched).problems, [], "speech is read by the case that is not chosen");
  const wrong = load(switched.replace("op: caption.subtitles", "op: caption.subtitle"));
  assert.deepEqual(wrong.problems.map((problem) => [problem.code, problem.nearest]), [["UNKNOWN_OPERATOR", "caption.subtitles"]]);
});

test("switch: a case of null vanishes and the join has null there", () => {
  const plan = planOf(switched, { params: { c: "none" } });
  assert.equal(plan.nodes.find((node) => node.name === "caption"), undefined);
  assert.deepEqual(nodeOf(plan, "scene").absent, ["caption"]);
  assert.deepEqual(plan.outputs[0]?.fulltext, []);
});

test("switch and enabled: unset variables of what does not run are no problem", () => {
  const text = switched.replace("op: caption.subtitles,", 'op: caption.subtitles, with: { key: "${env.KEY_OF_A_CASE}" },');
  assert.ok(!load(text).problems.some((problem) => problem.code === "ENV_UNRESOLVED"));
  assert.ok(load(text, { params: { c: "subtitles" } }).problems.some((problem) => problem.code === "ENV_UNRESOLVED"));
});

test("enabled: false frees the model, empties lists, drops optional inputs, and takes along who cannot do without", () => {
  const text = graph(
    `  frames: { op: image.embed, enabled: false, in: media.frames, model: image }
  thumbs: { op: image.thumbnail, enabled: false, in: media.frames }
  windows: { op: audio.embed, in: media.audio, model: sound }
  sound: { op: vectors.mean, over: scene, in: { vectors: windows } }
  keys: { op: scene.keyframes, in: { scenes: scenes, vectors: frames, images: thumbs } }
  global: { op: vectors.mean, over: media, in: { vectors: [frames, sound] } }
  scene: { op: join, by: scene, in: { sound: sound, keys: keys } }
  medium: { op: join, by: media, in: { vectors: global } }`,
    "outputs: { scene: { from: scene }, media: { from: medium } }",
  );
  const { plan, problems } = load(text);
  assert.ok(plan);
  assert.deepEqual(problems.map((problem) => problem.code), ["DISABLED_UPSTREAM"]);
  assert.deepEqual(Object.keys(nodeOf(plan, "global").inputs), ["sound"]);
  assert.deepEqual(nodeOf(plan, "scene").absent, ["keys"]);
  assert.ok(!plan.nodes.some((node) => ["frames", "keys", "thumbs"].includes(node.name) || "image" in node.models));
});

test("else: of two models the one that is installed, said once, with keys of its own; both have to fit", () => {
  const text = (image: string, nodes = ""): string =>
    graph(`${FRAMES}\n  more: { op: image.embed, in: media.frames, model: image }\n  v: { op: video.pool, in: { scenes: scenes, vectors: frames } }\n${nodes}`).replace("image: lite-image", `image: ${image}`);
  const read = (image: string, options: LoadOptions = {}, nodes = ""): { model: string | undefined; key: string | undefined; said: string[] } => {
    const { plan, problems } = load(text(image, nodes), options);
    const frames = plan?.nodes.find(({ name }) => name === "frames");
    return { model: frames?.models["image"]?.id, key: frames?.key, said: problems.map(({ code, message, hint }) => `${code} ${message} ${hint}`) };
  };
  const here = read("here-image");
  // lite-image is the one that is not installed among these manifests.
  {
    const { said, ...otherwise } = read("{ model: lite-image, else: here-image }");
    assert.deepEqual({ ...otherwise, said: [] }, here);
    assert.equal(said.length, 1);
    assert.match(said[0]!, /^MODEL_ELSE image is here-image, because lite-image is not installed\. It is published nowhere as ONNX: `flow models show lite-image`/);
  }
  assert.deepEqual(read("{ model: here-image, else: lite-image }"), here);
  assert.deepEqual(read("{ model: lite-image, else: lite-image }"), read("lite-image"), "what is not there is no help");
  assert.deepEqual(read("{ model: lite-image, else: here-image, optional: true }").model, "here-image");
  assert.match(read("{ model: lite-image, else: lite-image, optional: true }").said.join(), /MODEL_LEFT_OUT frames is left out: its model lite-image/);
  // A role that no node uses has nothing to say.
  assert.deepEqual(read("here-image, spare: { model: lite-image, else: here-image }").said, []);
  const misfit = (image: string): string[] => read(image, {}, "  c: { op: vectors.check, in: frames }").said.filter((said) => said.includes("1024"));
  assert.match(misfit("{ model: lite-image, else: here-wide }").join(), /^DIMS_MISMATCH/);
  assert.match(misfit("{ model: here-image, else: here-wide }").join(), /^ELSE_MISFIT With here-wide as image instead of here-image: /);
});

test("else: a stand-in plays the model that is wanted", () => {
  const standIn = (manifest: ModelManifest): ModelManifest => ({ ...manifest, mock: true, installed: true });
  const text = graph(FRAMES).replace("image: lite-image", "image: { model: lite-image, else: here-image }");
  for (const mock of [true, ["image"], ["lite-image"]] as const) {
    const { plan, problems } = loadGraph({ path: "test.yaml", text }, { catalogue, models, environment: {}, standIn }, { mock });
    assert.deepEqual([nodeOf(plan!, "frames").models["image"]?.id, problems], ["lite-image", []]);
  }
});

const profiled = graph(
  `  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: image, batch: { size: 8, wait: 40ms } }
  cut: { op: scene.cut, in: scores, with: { threshold: "\${params.t}" } }`,
  `profiles:
  full:
    params: { t: 31 }
    models: { image: other-image }
    nodes: { frames: { in: { frames: { fps: all } }, batch: { wait: null, size: 4 } }, scenes: { op: scene.cut@1, with: { detector: adaptive } } }
  bare: { nodes: { frames: null }, params: { t: { default: 5 } } }
  live: { nodes: { frames: { queue: { max: 8, policy: drop-oldest } } } }`,
).replace("params: {", "params: { t: { type: number, default: 27 },");

test("profiles: deep overlays, null removes, a bare value is a param's default, positions stay true", () => {
  const base = planOf(profiled);
  assert.deepEqual([base.profile, nodeOf(base, "frames").batch, nodeOf(base, "cut").config], [null, { size: 8, waitMs: 40 }, { detector: "content", threshold: 27, min_scene: 600_000, max_length: 300_000_000 }]);
  const missing = load(profiled, { profile: "full" }).problems;
  assert.deepEqual(missing.map((problem) => [problem.code, problem.line]), [["UNKNOWN_MODEL", profiled.split("\n").findIndex((line) => line.includes("other-image")) + 1]]);
  const full = planOf(profiled.replace("other-image", "lite-image"), { profile: "full" });
  assert.equal(full.profile, "full");
  assert.deepEqual(nodeOf(full, "frames").batch, { size: 4, waitMs: 40 });
  assert.equal(nodeOf(full, "frames").inputs["frames"]?.video?.fps, "all");
  assert.equal((nodeOf(full, "cut").config as { threshold: number }).threshold, 31);
  assert.equal((nodeOf(full, "scenes").config as { detector: string }).detector, "adaptive");
  assert.equal(full.resolved.find((value) => value.path === "nodes.frames.in.frames.fps")?.origin.from, "profile:full");
  assert.equal(full.params["t"]?.origin.from, "profile:full");
  assert.equal(planOf(profiled.replace("other-image", "lite-image"), { profile: "full", params: { t: "3" } }).params["t"]?.value, 3);
  const bare = planOf(profiled, { profile: "bare" });
  assert.ok(!bare.nodes.some((node) => node.name === "frames"));
  assert.equal(bare.params["t"]?.value, 5);
});

test("profiles: `live` is reserved; its policies are no problem until a live source applies it", () => {
  assert.deepEqual(load(profiled).problems, []);
  assert.deepEqual(load(profiled, { profile: "live" }).problems.map((problem) => problem.code), ["NOT_SUPPORTED"]);
});

test("models: by role, by name, several per node", () => {
  const plan = planOf(graph("  a: { op: speech.turns, in: media.info, model: { segmentation: lite-turns, embedding: sound } }"));
  assert.deepEqual(Object.entries(nodeOf(plan, "a").models).map(([role, model]) => [role, model.id]), [["segmentation", "lite-turns"], ["embedding", "lite-sound"]]);
});

test("when: kept as source, with the variables of the node's own inputs", () => {
  const with_ = (when: string) => load(graph(`${SPEECH}\n  caption: { op: caption.subtitles, in: { transcript: speech.text }, when: ${when} }`)).problems.map((problem) => problem.code);
  for (const good of ["media.info.hasAudio", "scene.duration > 2 && size(speech.text) > 0", "true", "'speech.text.contains(\"night\")'", "'media.info.subtitles.exists(s, s.text)'"]) assert.deepEqual(with_(good), [], good);
  assert.deepEqual(with_("scores.scores > 1"), ["UNKNOWN_VARIABLE"]);
  assert.deepEqual(with_("speech.txt == 1"), ["UNKNOWN_VARIABLE"]);
  assert.deepEqual(with_("1 +"), ["EXPRESSION"]);
});

test("runtime: read, and defaults that hold", () => {
  const plan = planOf(graph(FRAMES, "runtime: { workers: 3, slots: 200, media_in_flight: 1, block: 8s, limits: { rss: 2GB, vram: auto }, schedule: stream }"));
  assert.deepEqual(plan.runtime, { workers: 3, mediaInFlight: 1, scenesInFlight: 64, slots: 200, blockUs: 8_000_000, batchesInFlight: 3, isolation: "thread", timeoutMs: null, rssBytes: 2e9, vramBytes: null });
  assert.equal(planOf(graph(FRAMES), { workers: 5 }).runtime.workers, 5);
});

test("anchors: a value may be written once, also under a key x-…", () => {
  const plan = planOf(graph("  a: { op: scene.cut, in: scores, with: *strict }", "").replace("name: small", "x-strict: &strict { threshold: 40 }"));
  assert.equal((nodeOf(plan, "a").config as { threshold: number }).threshold, 40);
});

test("pins: op: x@1 is the same node", () => {
  assert.equal(nodeOf(planOf(graph("  a: { op: scene.cut@1, in: scores }")), "a").key, nodeOf(planOf(graph("  a: { op: scene.cut, in: scores }")), "a").key);
});

test("DESIGN §4: the example's syntax is understood as a whole", () => {
  const text = `flow: 1
name: ego
params:
  input:    { type: media, default: a.mp4, positional: true }
  fps:      { type: [number, all], default: 2 }
  captioner: { type: enum, of: [measured, captioner1, captioner2], default: measured }
  events:   { type: boolean, default: true }
models:  { image: lite-image, sound: lite-sound, text: lite-text }
runtime: { limits: { rss: 2GB, vram: auto }, pools: { inference: { workers: 2 } }, schedule: stream }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames, with: { detector: content } }
  scenes: { op: scene.cut, in: scores, with: { threshold: 27, min_scene: 0.6s, max_length: 300s } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: "\${params.fps}" } }, model: image,
            batch: { size: 16, wait: 40ms }, queue: { max: 32, policy: block } }
  keyframes: { op: scene.keyframes, in: { scenes: scenes, vectors: frames }, with: { k: 8 } }
  attributes: { op: scene.attributes, in: { scenes: scenes, scores: scores } }
  levels: { op: audio.levels, in: media.audio }
  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }
  video:  { op: video.pool, in: { scenes: scenes, vectors: frames } }
  sound:  { op: vectors.mean, in: { vectors: windows, over: scene } }
  windows: { op: audio.embed, in: media.audio, model: sound }
  caption:
    switch: "\${params.captioner}"
    cases:
      measured:   { op: caption.measured, in: { attributes: attributes } }
      captioner1: { op: caption.subtitles, in: { transcript: speech.text } }
  events: { op: audio.changes, enabled: "\${params.events}", in: { levels: levels, over: scene }, when: media.info.hasAudio }
  text:   { op: text.embed, in: { transcript: speech.text, caption: caption.text }, model: text,
            with: { template: "Transcript: {transcript}. Visuals: {caption}" },
            on_error: { retry: 3, backoff: 1s..10s, then: dead_letter } }
  scene:  { op: join, by: scene, in: { video: video, audio: sound, text: text, transcript: speech.text, caption: caption.text, keyframes: keyframes, events: events }, missing: null }
  global: { op: vectors.mean, in: { vectors: [video, sound, text], over: media } }
outputs:
  scene: { from: scene, vectors: { video: {}, text: {} }, fulltext: [transcript, caption], index: [start], retain: null }
  media: { from: global }
profiles:
  full: { params: { captioner: captioner1 }, nodes: { keyframes: { with: { k: 4 } } } }
  live: { nodes: { frames: { queue: { max: 8, policy: drop-oldest } } } }
plugins: [ ]
`;
  const { plan, problems } = load(text);
  assert.deepEqual(problems, []);
  assert.deepEqual(plan?.outputs.map((output) => output.from), [["scene"], ["global"]]);
  assert.equal(plan?.nodes.length, 16);
  const full = planOf(text, { profile: "full" });
  assert.equal(nodeOf(full, "caption").op.name, "caption.subtitles");
  assert.equal((nodeOf(full, "keyframes").config as { k: number }).k, 4);
  assert.deepEqual(load(text, { params: { captioner: "captioner2" } }).problems.map((problem) => problem.code), ["UNKNOWN_CASE"]);
});
