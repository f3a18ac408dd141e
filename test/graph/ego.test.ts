import assert from "node:assert/strict";
import test from "node:test";
import { readFileSync } from "node:fs";
import { catalogue as operators } from "../../src/operators/index.js";
import { loadModels } from "../../src/models/manifest.js";
import { decodesOf, graphJsonSchema, loadGraph, operatorReference, explainOperator, resolvedGraph, toMermaid, type LoadOptions } from "../../src/graph/index.js";
import { catalogue, models } from "./fixtures/catalogue.js";
import { ego, nodeOf } from "./fixtures/load.js";

const root = new URL("../../../", import.meta.url);
const wanted = [...ego.matchAll(/op: ([a-z.]+)/g)].map((match) => match[1] ?? "").filter((name) => name !== "null");
const missing = [...new Set(wanted)].filter((name) => !operators.has(name));
const real = missing.length === 0 ? {} : { skip: `src/operators lacks ${missing.join(", ")}` };
const realEnv = { catalogue: operators, models: loadModels(new URL("models", root).pathname), environment: {} };

for (const [title, env, options] of [["the fixtures", { catalogue, models, environment: {} }, {}], ["the real operators", realEnv, real]] as const) {
  const load = (given: LoadOptions = {}) => {
    const { plan, problems } = loadGraph({ path: "graphs/ego.yaml", text: ego }, env, given);
    assert.deepEqual(problems, []);
    assert.ok(plan);
    return plan;
  };

  test(`ego with ${title}: nodes, levels and modes`, options, () => {
    const plan = load();
    assert.deepEqual(plan.inputs, ["./graphs/demo/clip.mp4"]);
    assert.deepEqual(plan.nodes.map((node) => node.name).sort(), "attributes audio caption captionvec events frames global keyframes levels loudness media medium motion programme quality scene scenes scores speech text thumbs video windows".split(" "));
    const level = (name: string): string => nodeOf(plan, name).level;
    assert.deepEqual(["media", "scores", "scenes", "audio", "programme", "scene", "medium", "global"].map(level), ["media", "frame", "scene", "scene", "media", "scene", "media", "media"]);
    const position = new Map(plan.nodes.map((node, i) => [node.name, i]));
    for (const node of plan.nodes) {
      for (const input of Object.values(node.inputs)) assert.ok((position.get(input.node) ?? 99) < (position.get(node.name) ?? -1), `${input.node} before ${node.name}`);
      if (node.scenes !== null && node.scenes !== node.name) assert.ok((position.get(node.scenes) ?? 99) < (position.get(node.name) ?? -1));
      assert.match(node.key, /^[0-9a-f]{16}$/);
    }
    assert.equal(nodeOf(plan, "loudness").scenes, "scenes");
    assert.equal(nodeOf(plan, "programme").scenes, null);
    const { vectors, images, scenes } = nodeOf(plan, "keyframes").inputs;
    assert.deepEqual([vectors?.mode, images?.mode, scenes?.mode], ["group", "group", "same"]);
    assert.equal(nodeOf(plan, "speech").inputs["subtitles"]?.mode, "broadcast");
    assert.deepEqual(Object.values(nodeOf(plan, "global").inputs).map((input) => [input.node, input.into, input.mode]), [["video", "vectors", "group"], ["audio", "vectors", "group"], ["text", "vectors", "group"]]);
    assert.equal(nodeOf(plan, "scene").inputs["silence"]?.port, "silence");
    assert.deepEqual(nodeOf(plan, "text").onError, { retry: 3, backoffMinMs: 1000, backoffMaxMs: 10_000, then: "dead_letter" });
    assert.deepEqual(plan.outputs.map((output) => [output.kind, output.from, Object.entries(output.vectors).map(([name, { weight }]) => [name, weight])]), [
      ["scene", ["scene"], [["video", 1], ["audio", 1], ["text", 1], ["caption_vector", 0.5]]],
      ["media", ["medium"], []],
    ]);
  });

  test(`ego with ${title}: one decode per demand, and slots for all batches`, options, () => {
    const plan = load();
    const decodes = decodesOf(plan);
    const scores = decodes.find((decode) => decode.consumers.some((consumer) => consumer.node === "scores"));
    assert.deepEqual([scores?.video?.fps, scores?.video?.geometry, scores?.consumers[0]?.tap], ["all", "coded", true]);
    assert.equal(nodeOf(plan, "frames").inputs["frames"]?.video?.fps, 2);
    assert.equal(nodeOf(load({ params: { fps: "all" } }), "frames").inputs["frames"]?.video?.fps, "all");
    for (const decode of decodes) {
      const held = decode.consumers.filter((consumer) => !consumer.tap).map((consumer) => nodeOf(plan, consumer.node).batch.size * (plan.runtime.batchesInFlight + 1));
      assert.ok(decode.slots >= held.reduce((sum, slots) => sum + slots, 1));
    }
    assert.ok(decodes.reduce((sum, decode) => sum + decode.slots, 0) <= plan.runtime.slots);
  });

  test(`ego with ${title}: keys follow what decides a result, and nothing else`, options, () => {
    const base = load();
    const changed = (given: LoadOptions): string[] => load(given).nodes.filter((node) => node.key !== base.nodes.find((other) => other.name === node.name)?.key).map((node) => node.name);
    assert.deepEqual(changed({ inputs: ["elsewhere.mkv"] }), []);
    assert.equal(load({ inputs: ["elsewhere.mkv"] }).hash, base.hash);
    assert.deepEqual(changed({ params: { fps: "1" } }), []);
    assert.notEqual(load({ params: { fps: "1" } }).hash, base.hash);
    assert.deepEqual(changed({ params: { threshold: "30" } }), ["scenes"]);
    assert.deepEqual(changed({ params: { captioner: "subtitles" } }), ["caption"]);
    assert.deepEqual(changed({ params: { min_scene: "600ms" } }), []);
    const decoding = base.nodes.filter((node) => Object.values(node.inputs).some((input) => input.node === "media" && input.port !== "info")).map((node) => node.name);
    assert.ok(decoding.includes("scores") && decoding.includes("speech") && !decoding.includes("quality"), decoding.join());
    assert.deepEqual(changed({ decoder: "7.1" }), decoding);
  });

  test(`ego with ${title}: events disabled, inputs, --only, --until, --from`, options, () => {
    const plan = load({ params: { events: "false" }, inputs: ["a.mp4", "b.mp4"] });
    assert.deepEqual(plan.inputs, ["a.mp4", "b.mp4"]);
    assert.equal(plan.nodes.find((node) => node.name === "events"), undefined);
    assert.deepEqual(nodeOf(plan, "scene").absent, ["events"]);
    const names = (given: LoadOptions): string[] => load(given).nodes.map((node) => node.name).sort();
    assert.deepEqual(names({ only: ["loudness"] }), ["levels", "loudness", "media", "scenes", "scores"]);
    assert.deepEqual(names({ until: "scores" }), ["media", "scores"]);
    assert.deepEqual(load({ until: "scores" }).outputs, []);
    const from = names({ from: "quality" });
    assert.ok(from.includes("medium") && from.includes("global") && !from.includes("scene"), from.join());
  });

  test(`ego with ${title}: every value has an origin`, options, () => {
    const values = resolvedGraph(load({ params: { k: "5" } }));
    const of = (path: string) => values.find((value) => value.path === path);
    assert.deepEqual([of("params.k")?.value, of("params.k")?.origin.from], [5, "command line"]);
    assert.deepEqual([of("params.fps")?.value, of("params.fps")?.origin.from], [2, "default"]);
    assert.deepEqual([of("nodes.keyframes.with.k")?.value, of("nodes.keyframes.with.k")?.origin.from], [5, "param:k"]);
    assert.deepEqual([of("nodes.scenes.with.max_length")?.value, of("nodes.scenes.with.max_length")?.origin.from], [300_000_000, "param:max_scene"]);
    assert.equal(of("nodes.frames.batch.size")?.origin.from, "graph");
    assert.equal(of("nodes.windows.batch.size")?.origin.from, "default");
    const line = ego.split("\n").findIndex((text) => text.includes("max_length")) + 1;
    assert.equal(of("nodes.scenes.with.max_length")?.origin.line, line);
  });

  test(`ego with ${title}: drawn`, options, () => {
    const drawn = toMermaid(load());
    assert.match(drawn, /^flowchart LR\n/);
    assert.match(drawn, /"frames<br\/>|image\.embed · lite-image/);
    assert.match(drawn, /-->\|"frames every frame"\|/);
  });
}

test("every example of every real operator lints", () => {
  for (const op of operators.values()) {
    for (const example of op.examples) {
      const whole = /^flow:/m.test(example.yaml);
      const text = whole ? example.yaml : `flow: 1\nmodels: { image: lite-image, sound: lite-sound, text: lite-text }\nnodes:\n${example.yaml.replace(/^/gm, "  ")}\n`;
      const { plan, problems } = loadGraph({ path: `${op.name}: ${example.title}`, text }, realEnv);
      const elsewhere = problems.filter((problem) => problem.code !== "UNKNOWN_OPERATOR" || operators.has(problem.found ?? ""));
      if (missing.length > 0 && problems.some((problem) => problem.code === "UNKNOWN_OPERATOR")) continue;
      assert.deepEqual(elsewhere, [], `${op.name}: ${example.title}\n${text}`);
      assert.ok(plan);
    }
  }
});

test("reference: every operator is told, with its options, ports and examples", () => {
  const page = operatorReference(catalogue);
  for (const name of catalogue.keys()) assert.ok(page.includes(`### ${name}\n`), name);
  const told = explainOperator(catalogue.get("scene.keyframes")!);
  assert.match(told, /`k`: integer ≥ 1 ≤ 256, default 8\. Clusters, and frames kept\./);
  assert.match(told, /`images`: image@frame \(may be left out/);
  assert.match(explainOperator(catalogue.get("scene.cut")!), /`min_scene`: duration, default "0\.6s"/);
});

test("editor schema: covers every operator and every key that lint knows", () => {
  const schema = graphJsonSchema(catalogue) as { properties: object; $defs: { node: { properties: object; allOf: { if: { properties: { op: { const: string } } } }[] } } };
  assert.deepEqual(schema.$defs.node.allOf.map((rule) => rule.if.properties.op.const).sort(), [...catalogue.keys()].sort());
  for (const key of ["op", "in", "with", "model", "batch", "queue", "on_error", "enabled", "when", "by", "over", "missing", "switch", "cases"]) assert.ok(key in schema.$defs.node.properties, key);
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema, "plain JSON");
  const { output } = (schema as unknown as { $defs: { output: { properties: Record<string, { anyOf: { type: string }[] }> } } }).$defs;
  for (const key of ["from", "fulltext", "index"]) assert.deepEqual(output.properties[key]?.anyOf.map(({ type }) => type), ["string", "array"], `${key}: a word or a list, as lint reads it`);
});

test("graphs/flow.schema.json is fresh", real, () => {
  const text = readFileSync(new URL("graphs/flow.schema.json", root), "utf8");
  assert.equal(text, `${JSON.stringify(graphJsonSchema(operators), null, 1)}\n`, "write it anew: npm run generate");
});

test("ego full: whatever embeds the scenes, CLIP's pictures stand beside it, so that words find them", real, () => {
  for (const video of ["qwen2-vl", "xclip", "frames"]) {
    const { plan, problems } = loadGraph({ path: "graphs/ego.yaml", text: ego }, realEnv, { profile: "full", params: { video } });
    assert.deepEqual(problems.filter(({ severity }) => severity === "error"), []);
    assert.equal(nodeOf(plan!, "pictures").inputs["vectors"]?.node, "frames");
    assert.equal(nodeOf(plan!, "frames").models["image"]?.id, "clip-vit-base-patch32");
    assert.ok("pictures" in plan!.outputs.find(({ kind }) => kind === "scene")!.vectors);
  }
});

test("graphs/OPERATORS.md is fresh", real, () => {
  const text = readFileSync(new URL("graphs/OPERATORS.md", root), "utf8");
  assert.equal(text, `${operatorReference(operators).trimEnd()}\n`, "write it anew: npm run generate");
});

test("ego small without the optional YAMNet: what nothing feeds is left out of the records and their vectors, and the graph stands", real, () => {
  const { plan, problems } = loadGraph({ path: "graphs/ego.yaml", text: ego }, realEnv, { profile: "small" });
  assert.deepEqual(problems.map(({ code, severity }) => `${severity} ${code}`), ["warning MODEL_LEFT_OUT", "warning DISABLED_UPSTREAM", "warning MODEL_LEFT_OUT"]);
  // Nobody publishes it as ONNX: pulling it would fail.
  assert.match(problems[0]!.hint ?? "", /flow models import DIR/);
  assert.ok(plan);
  for (const name of ["sounds", "heard", "timbres", "timbre"]) assert.ok(!plan.nodes.some((node) => node.name === name), name);
  assert.deepEqual(Object.keys(plan.outputs.find(({ kind }) => kind === "scene")!.vectors), ["video", "audio", "text", "caption_vector"]);
});

test("the real operators: what options and models ask of inputs is checked before anything runs", () => {
  const graph = (cut: string, nodes = ""): string => `flow: 1\nmodels: { image: lite-image }\nnodes:\n  media: { op: media.open, with: { uri: a.mp4 } }\n  scores: { op: scene.scores, in: media.frames, with: { detector: ${cut.split(" ")[0]} } }\n  scenes: { op: scene.cut, in: scores, with: { detector: ${cut.split(" ")[1]} } }\n  frames: { op: image.embed, in: media.frames, model: image }\n${nodes}\n`;
  const codes = (text: string): string[] => loadGraph({ path: "x.yaml", text }, realEnv).problems.map(({ code, line, column, hint }) => `${code} ${line}:${column} ${hint}`);
  assert.deepEqual(codes(graph("content hash")), ["COLUMNS_MISSING 6:32 Give scene.scores the same detector: `with: { detector: hash }`."]);
  for (const detectors of ["hash hash", "hash content", "adaptive threshold", "content windows", "histogram adaptive"]) assert.deepEqual(codes(graph(detectors)), [], detectors);
  const pool = (of: string, more = ""): string => graph("content content", `  keyframes: { op: scene.keyframes, in: { scenes: scenes, vectors: frames } }\n  v: { op: video.pool, in: { scenes: scenes, vectors: frames${more} }, with: { of: ${of} } }`);
  assert.deepEqual([codes(pool("frames")), codes(pool("keyframes", ", keyframes: keyframes"))], [[], []]);
  assert.match(codes(pool("keyframes"))[0] ?? "", /^INPUT_MISSING 9:24 in: \{ keyframes: NODE \}/);
  const video = (model: string): string[] => codes(graph("content content", `  v: { op: video.embed, in: { scenes: scenes, clip: media.clip }, model: ${model} }`)).map((line) => line.split(" ")[0]!);
  assert.deepEqual([video("xclip-base-patch16"), video("qwen2-vl-2b-vision")], [["INPUT_MISSING"], []]);
});
