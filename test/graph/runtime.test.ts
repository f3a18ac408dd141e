import assert from "node:assert/strict";
import test from "node:test";
import type { ModelManifest, ModelMemory, Plan, Problem } from "../../src/contracts/index.js";
import { loadGraph, refitPlan, type LoadOptions, type Memories } from "../../src/graph/index.js";
import { mockManifest } from "../../src/models/mock.js";
import { catalogue, models } from "./fixtures/catalogue.js";
import { graph, load, nodeOf, planOf } from "./fixtures/load.js";

const FRAMES = "  frames: { op: image.embed, in: media.frames, model: image }";
const THREE = `${FRAMES}
  sound: { op: audio.embed, in: media.audio, model: sound }
  pooled: { op: video.pool, in: { scenes: scenes, vectors: frames } }
  mean: { op: vectors.mean, over: scene, in: { vectors: sound } }
  speech: { op: speech.subtitles, in: { scenes: scenes, subtitles: media.subtitles } }
  text: { op: text.embed, in: { t: speech.text }, model: text, with: { template: "{t}" } }
  j: { op: join, by: scene, in: { video: pooled, sound: mean, text: text } }`;
const OUT = "outputs: { scene: { from: j } }";

/** The same with models of a size, and pictures of a side. */
function planned(nodes: string, rest: string, megabytes: Record<string, number>, options: LoadOptions = {}, side = 64): { plan: Plan | null; problems: Problem[] } {
  const preprocess = ({ preprocess: own }: ModelManifest): ModelManifest["preprocess"] => (own.kind === "image" ? { ...own, size: [side, side] } : own);
  const sized = new Map([...models].map(([id, model]) => [id, Object.defineProperties({}, { ...Object.getOwnPropertyDescriptors(model), sizeBytes: { value: (megabytes[id] ?? 1) * 1e6, enumerable: true }, preprocess: { value: preprocess(model), enumerable: true } }) as ModelManifest]));
  return loadGraph({ path: "test.yaml", text: graph(nodes, rest) }, { catalogue, models: sized, environment: {}, standIn: mockManifest }, options);
}

test("device: of the node, else of the role, else of the graph; one word falls back to the CPU, a list says all", () => {
  const devices = (text: string): unknown => nodeOf(planOf(text), "frames").runtime.devices["image"];
  assert.deepEqual(devices(graph(FRAMES)), ["cpu"]);
  assert.deepEqual(devices(graph(FRAMES, "runtime: { device: webgpu }")), ["webgpu", "cpu"]);
  assert.deepEqual(devices(graph(FRAMES, "runtime: { device: auto }")), "auto");
  const role = graph(FRAMES, "runtime: { device: webgpu }").replace("image: lite-image", "image: { model: lite-image, device: [cuda, webgpu] }");
  assert.deepEqual(devices(role), ["cuda", "webgpu"]);
  assert.deepEqual(devices(role.replace("model: image }", "model: image, runtime: { device: cpu } }")), ["cpu"]);
  for (const wrong of ["gpu", "[]", "[cpu, cpu]", "[webgpu, 3]", "{ a: b }"]) {
    const { problems } = load(graph(FRAMES, `runtime: { device: ${wrong} }`));
    assert.deepEqual(problems.map(({ code, line }) => [code, line > 1]), [["WRONG_TYPE", true]], wrong);
  }
  assert.deepEqual(load(graph(FRAMES).replace("image: lite-image", "image: { model: lite-image, device: gpu }")).problems.map((p) => p.code), ["WRONG_TYPE"]);
});

test("a device does not change a node's key while it must agree with the CPU; a graph that allows more has keys of its own", () => {
  const key = (runtime: string): string => nodeOf(planOf(graph(FRAMES, runtime)), "frames").key;
  const cpu = key("");
  for (const same of ["runtime: { device: webgpu }", "runtime: { device: auto, check: 0.0005 }", "runtime: { device: cpu, check: off }", "runtime: { pools: { inference: { isolation: process } } }", "runtime: { schedule: stages }"]) assert.equal(key(same), cpu, same);
  const loose = ["runtime: { device: webgpu, check: off }", "runtime: { device: webgpu, check: 0.01 }", "runtime: { device: cuda, check: off }"].map(key);
  assert.equal(new Set([cpu, ...loose]).size, 4);
});

test("isolation and timeout: of the pool, and of a node", () => {
  const plan = planOf(graph(`${FRAMES}\n  sound: { op: audio.embed, in: media.audio, model: sound, runtime: { isolation: thread } }`, "runtime: { pools: { inference: { workers: 3, isolation: process, timeout: 60s } } }"));
  assert.deepEqual([plan.runtime.workers, plan.runtime.isolation, plan.runtime.timeoutMs], [3, "process", 60_000]);
  assert.deepEqual([nodeOf(plan, "frames").runtime.isolation, nodeOf(plan, "frames").runtime.timeoutMs, nodeOf(plan, "sound").runtime.isolation], ["process", 60_000, "thread"]);
  const { problems } = load(graph(FRAMES.replace("model: image }", "model: image, runtime: { timeout: 5s } }")));
  assert.deepEqual(problems.map(({ code, hint }) => [code, hint]), [["TIMEOUT_NEEDS_PROCESS", "Write isolation: process beside the timeout."]]);
  assert.deepEqual(load(graph(FRAMES, "runtime: { pools: { inference: { timeout: 5s } } }")).problems.map(({ code }) => code), ["TIMEOUT_NEEDS_PROCESS"]);
});

test("--resolved says where each of it was written", () => {
  const plan = planOf(graph(FRAMES, "runtime:\n  device: webgpu\n  limits: { rss: 4GB }\n  pools: { inference: { isolation: process, timeout: 60s } }"));
  const of = (path: string): [unknown, string, number] => {
    const { value, origin } = plan.resolved.find((one) => one.path === path)!;
    return [value, origin.from, origin.line];
  };
  assert.deepEqual([of("runtime.rssBytes"), of("runtime.isolation"), of("runtime.timeoutMs")], [[4e9, "graph", 12], ["process", "graph", 13], [60_000, "graph", 13]]);
  assert.deepEqual(of("nodes.frames.runtime.device"), [{ image: ["webgpu", "cpu"] }, "graph", 11]);
  assert.deepEqual(of("nodes.frames.runtime.check").slice(0, 2), [0.001, "default"]);
});

test("one pass unless the graph or its limits ask for more", () => {
  const passes = (rest: string, megabytes: Record<string, number> = {}): string[][] => planned(THREE, `${rest}\n${OUT}`, megabytes).plan!.passes.map((pass) => pass.models);
  assert.deepEqual(passes(""), [["lite-image", "lite-sound", "lite-text"]]);
  assert.deepEqual(passes("runtime: { schedule: stages }"), [["lite-image"], ["lite-sound"], ["lite-text"]]);
  const big = { "lite-image": 1000, "lite-sound": 900, "lite-text": 100 };
  assert.deepEqual(passes("runtime: { limits: { rss: 8GB } }", big), [["lite-image", "lite-sound", "lite-text"]]);
  // Sound and text fit together into what the image model needs alone.
  assert.deepEqual(passes("runtime: { workers: 1, limits: { rss: 2800MB } }", big), [["lite-image"], ["lite-sound", "lite-text"]]);
  assert.deepEqual(passes("runtime: { device: cuda, limits: { vram: 1450MB } }", big), [["lite-image"], ["lite-sound", "lite-text"]]);
  const batch = (vram: string): number => nodeOf(planned(THREE, `runtime: { device: cuda, limits: { vram: ${vram} } }\n${OUT}`, big, {}, 256).plan!, "frames").batch.size;
  assert.deepEqual([batch("1500MB"), batch("1450MB")], [16, 8], "a smaller batch takes less video memory");
});

test("passes: each node once, a model's nodes in one, those that read it not before it; the last one ends in the records", () => {
  const { plan } = planned(`${THREE}\n  again: { op: text.embed, in: { t: speech.text }, model: text, with: { template: "{t}!" } }`.replace("text: text }", "text: text, again: again }"), `runtime: { schedule: stages }\n${OUT}`, {});
  const { passes, nodes } = plan!;
  assert.deepEqual(passes.flatMap((pass) => pass.nodes).sort(), nodes.map((node) => node.name).sort());
  assert.deepEqual(passes.map((pass) => pass.models), [["lite-image"], ["lite-sound"], ["lite-text"]]);
  assert.ok(passes[2]!.nodes.includes("again") && passes[2]!.nodes.includes("j") && passes[2]!.nodes.includes("pooled"));
  assert.ok(!passes[0]!.nodes.includes("scenes"), "frame vectors need no scenes");
});

test("limits: batches and media in flight shrink before workers, workers before passes, and what the graph states is kept", () => {
  const fit = (rss: string, megabytes: number, extra = ""): [number, number, number, number] => {
    const { plan } = planned(THREE, `runtime: { ${extra}limits: { rss: ${rss} } }\n${OUT}`, { "lite-image": megabytes }, { workers: 4 });
    return [plan!.runtime.workers, plan!.runtime.mediaInFlight, nodeOf(plan!, "frames").batch.size, plan!.passes.length];
  };
  assert.deepEqual(fit("8GB", 100), [4, 2, 16, 1]);
  assert.deepEqual(fit("1000MB", 100), [2, 2, 16, 1]);
  assert.deepEqual(fit("1500MB", 100, "workers: 4, "), [4, 2, 16, 1]);
  assert.equal(planned(THREE, `runtime: { workers: 4, limits: { rss: 800MB } }\n${OUT}`, { "lite-image": 100 }).plan, null);
});

test("a limit that nothing fits into: what it would take is said, and it is enough", () => {
  const { problems } = planned(THREE, `runtime: { limits: { rss: 500MB } }\n${OUT}`, { "lite-image": 1000 });
  assert.deepEqual(problems.map(({ code }) => code), ["MEMORY_LIMIT"]);
  assert.match(problems[0]!.message, /at least \(estimated by the files of its models; a run measures those of runtime: onnx, which may give more\), and the limit is 500 MB/);
  const needed = Number(/at least (\d+)/.exec(problems[0]!.expected!)![1]);
  assert.ok(planned(THREE, `runtime: { limits: { rss: ${needed} } }\n${OUT}`, { "lite-image": 1000 }).plan);
  const [video] = planned(THREE, `runtime: { device: cuda, limits: { rss: 8GB, vram: 1GB } }\n${OUT}`, { "lite-image": 1000 }).problems;
  assert.match(video!.message, /^The plan takes about 14\d\d MB of video memory at least, and the limit is 1000 MB\.$/);
  const enough = Number(/at least (\d+)/.exec(video!.expected!)![1]);
  assert.ok(planned(THREE, `runtime: { device: cuda, limits: { vram: ${enough} } }\n${OUT}`, { "lite-image": 1000 }).plan);
  assert.deepEqual(planned(THREE, `runtime: { schedule: stream, workers: 1, limits: { rss: 1900MB } }\n${OUT}`, { "lite-image": 1000, "lite-sound": 900 }).problems.map(({ code }) => code), ["MEMORY_LIMIT"]);
});

test("without limits the estimate fits into the machine: fewer workers, then passes, and one worker whatever it says", () => {
  const GB = 1e9;
  const fit = (memoryBytes: number | undefined, megabytes: Record<string, number>, runtime = ""): { workers: number; passes: number; batch: number; notes: string[]; rssBytes: number | null; hash: string } => {
    const { plan, problems } = planned(THREE, `${runtime}\n${OUT}`, megabytes, { workers: 8, memoryBytes });
    assert.deepEqual(problems, []);
    return { workers: plan!.runtime.workers, passes: plan!.passes.length, batch: nodeOf(plan!, "frames").batch.size, notes: plan!.notes, rssBytes: plan!.runtime.rssBytes, hash: plan!.hash };
  };
  const big = { "lite-image": 2500 };
  const wished = fit(undefined, big);
  assert.deepEqual([wished.workers, wished.passes, wished.notes], [8, 1, []], "who knows no machine asks nothing");
  assert.deepEqual(fit(64 * GB, big), wished);
  assert.deepEqual(fit(4 * GB, {}), fit(undefined, {}), "small models change nothing");
  const two = fit(16 * GB, big);
  assert.deepEqual([two.workers, two.passes, two.batch, two.rssBytes, two.hash], [2, 1, 16, null, wished.hash]);
  assert.match(two.notes.join(), /^Estimated by the files of its models the run would take 4\d\.\d GB with 8 workers, and this machine has 16\.0 GB, of which 80 % count: it runs with 2 workers instead of 8\. limits: \{ rss \}/);
  const cut = fit(8 * GB, { "lite-image": 2000, "lite-sound": 2000 });
  assert.deepEqual([cut.workers, cut.passes], [1, 2]);
  assert.match(cut.notes.join(), /1 worker instead of 8, 2 passes\./);
  const none = fit(2 * GB, big);
  assert.equal(none.workers, 1);
  assert.match(none.notes.join(), /1 worker instead of 8.*; even so it may take [56]\.\d GB\./);
  // What the graph states is kept.
  const stated = fit(16 * GB, big, "runtime: { workers: 8, schedule: stream }");
  assert.equal(stated.workers, 8);
  assert.match(stated.notes.join(), /4\d\.\d GB with 8 workers.* the graph leaves nothing to lower\./);
  const limited = fit(2 * GB, big, "runtime: { limits: { rss: 16GB } }");
  assert.deepEqual([limited.workers, limited.notes], [2, []], "a limit of the graph is the only one");
  assert.deepEqual(planned(THREE, `runtime: { limits: { rss: 500MB } }\n${OUT}`, big, { memoryBytes: 64 * GB }).problems.map(({ code }) => code), ["MEMORY_LIMIT"]);
  // Video memory refuses as ever.
  assert.deepEqual(planned(THREE, `runtime: { device: cuda, limits: { vram: 1GB } }\n${OUT}`, big, { memoryBytes: 2 * GB }).problems.map(({ code }) => code), ["MEMORY_LIMIT"]);
});

test("limits: what was measured caps the rows of a run, then workers and passes; the fewest rows with the same bits are kept", () => {
  const MB = 1e6;
  const took = (resident: number, row: number, more: Partial<ModelMemory> = {}): ModelMemory => ({ residentBytes: resident * MB, loadBytes: resident * MB, rows: { firstBytes: row * MB, moreBytes: row * MB }, ioBytes: 0, atOnce: 64, least: 1, ...more });
  const refit = (rss: number, memories: Record<string, ModelMemory>, extra = ""): { rows: Record<string, number | null>; workers: number; passes: number; hash: string } => {
    const { plan } = planned(THREE, `runtime: { ${extra}limits: { rss: ${rss}MB } }\n${OUT}`, {}, { workers: 2 });
    const known: Memories = new Map(Object.entries(memories).map(([id, memory]) => [models.get(id)!.sha256, memory]));
    const { shares, runtime, passes, hash } = refitPlan(plan!, known);
    return { rows: Object.fromEntries(Object.keys(memories).flatMap((id) => (shares[models.get(id)!.sha256] ? [[id, shares[models.get(id)!.sha256]!.rows]] : []))), workers: runtime.workers, passes: passes.length, hash };
  };
  const image = { "lite-image": took(50, 20) };
  const roomy = refit(4000, image);
  assert.deepEqual([roomy.rows, roomy.workers, roomy.passes], [{ "lite-image": 16 }, 2, 1]);
  const tight = refit(1000, image);
  assert.deepEqual([tight.rows, tight.workers, tight.passes, tight.hash], [{ "lite-image": 8 }, 2, 1, roomy.hash]);
  assert.deepEqual(refit(1000, { ...image, "lite-sound": took(50, 5) }).rows, { "lite-image": 4, "lite-sound": 16 }, "the heaviest gives way");
  assert.equal(refit(500, { "lite-image": took(50, 100) }).workers, 1);
  assert.equal(refit(900, { "lite-image": took(50, 300), "lite-sound": took(50, 300) }, "workers: 1, ").passes, 2);
  assert.deepEqual(refit(1000, { "lite-image": took(50, 200, { least: 2 }) }, "workers: 1, ").rows, { "lite-image": 2 });
  assert.deepEqual(refit(1000, { "lite-image": took(50, 20, { rows: null }) }).rows, { "lite-image": null }, "of a model whose runs are unknown nothing is asked");
  assert.throws(() => refit(500, { "lite-image": took(50, 100, { least: 2 }) }, "workers: 1, "), { code: "MEMORY_LIMIT", message: /measured: lite-image 50 MB to open and 200 MB for a run of two rows, its least/ });
});

test("--mock-models: all roles or some; other keys, no files, the same types", () => {
  const real = planned(THREE, OUT, {}).plan!;
  const all = planned(THREE, OUT, {}, { mock: true }).plan!;
  for (const name of ["frames", "sound", "text"]) {
    const [node, mocked] = [nodeOf(real, name), nodeOf(all, name)];
    assert.notEqual(node.key, mocked.key);
    assert.ok(Object.values(mocked.models).every((model) => model.mock === true && model.files.length === 0));
    assert.deepEqual(mocked.outputs, node.outputs);
  }
  assert.equal(nodeOf(real, "scenes").key, nodeOf(all, "scenes").key);
  assert.notEqual(real.hash, all.hash);
  const some = planned(THREE, OUT, {}, { mock: ["image", "lite-text"] }).plan!;
  assert.deepEqual(["frames", "sound", "text"].map((name) => Object.values(nodeOf(some, name).models)[0]!.mock ?? false), [true, false, true], "by role, or by the model's own name");
  const { problems } = planned(THREE, OUT, {}, { mock: ["imge"] });
  assert.deepEqual(problems.map(({ code, nearest }) => [code, nearest]), [["UNKNOWN_ROLE", "image"]]);
  const [eaten] = planned(THREE, OUT, {}, { mock: ["clip.mp4"] }).problems;
  assert.match(eaten!.hint, /taken for its roles.*at the end, behind the inputs; some: --mock-models=image\./);
});
