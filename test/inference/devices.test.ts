import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { InferencePool, type PoolCall, type PoolResult } from "../../src/inference/index.js";
import { setTimeout as pause } from "node:timers/promises";
import { DeviceChooser } from "../../src/inference/device-chooser.js";
import { autoDevice, deviceOrder, unavailable } from "../../src/inference/devices.js";
import { difference, sampleFeeds } from "../../src/inference/agreement.js";
import type { GridItem, ModelManifest } from "../../src/contracts/index.js";
import { imageEmbed } from "../../src/operators/image/image.embed.js";
import { OnnxRuntime, type Runtime, type Session, type SessionRequest } from "../../src/inference/onnx.js";
import type { Prepared } from "../../src/inference/protocol.js";
import { Sessions } from "../../src/inference/sessions.js";
import { loadModels } from "../../src/models/manifest.js";
import { frameRing, greedyModel, modelsDir, pickyModel, testModel, tinyModel } from "./fixtures.js";

const pool = new InferencePool({ workers: 1 });
after(() => pool.destroy());

const CHROMIUM = "/usr/lib/chromium";
const ICD = join(CHROMIUM, "vk_swiftshader_icd.json");
const MODELS = process.env["FLOW_MODELS_DIR"];
const missing = !existsSync(ICD) ? `${ICD} (Debian's chromium) is not installed` : !MODELS ? "FLOW_MODELS_DIR is not set" : false;

const vectors = (results: PoolResult[]): number[][] => results.map((r) => (r.ok ? [...(r.value as Float32Array)] : []));

test("auto: what does not work here is not named, and a software driver is said to be no GPU", () => {
  assert.deepEqual(autoDevice(new Set()), { device: "cpu", reason: "no other device works here" });
  const { device, reason } = autoDevice(new Set(["webgpu"]));
  if (!deviceOrder("auto").includes("webgpu") || unavailable("webgpu", true) === null) return assert.notEqual(device, "cpu");
  assert.equal(device, "cpu");
  assert.match(reason ?? "", /^webgpu works on a software driver, which is slower and not taken for a GPU \(no GPU: neither /);
});

test("the first device that works is taken, and the reasons of those before it are told", async () => {
  const asked: string[] = [];
  const chooser = new DeviceChooser(async (_manifest, device, { check, against }) => {
    asked.push(`${device} ${check} ${against}`);
    if (device === "webgpu") return { ok: true, difference: 2e-6, note: null };
    throw new Error("the worker process was ended by SIGSEGV");
  }, 4);
  const model = tinyModel({ name: "chosen" });
  const choice = await chooser.choose(model, ["coreml", "webgpu", "cpu"], 1e-3);
  assert.deepEqual({ ...choice, reason: null }, { device: "webgpu", reason: null, difference: 2e-6 });
  assert.match(choice.reason ?? "", process.platform === "darwin" ? /^coreml: the worker process was ended by SIGSEGV$/ : /^coreml: coreml exists on darwin only$/);
  await chooser.choose(model, ["coreml", "webgpu", "cpu"], 1e-3);
  assert.deepEqual(asked.filter((one) => one.startsWith("webgpu")), ["webgpu 0.001 null"], "decided once, whoever is faster");
});

test("a device that disagrees or dies is passed over; an order without the CPU can end in an error", async () => {
  const model = tinyModel({ name: "passed" });
  const differs = new DeviceChooser(async () => ({ ok: false, reason: "passed differs from the CPU by 2.0e-1, allowed are 1e-3" }), 4);
  assert.deepEqual(await differs.choose(model, ["webgpu", "cpu"], 1e-3), { device: "cpu", reason: "webgpu: passed differs from the CPU by 2.0e-1, allowed are 1e-3", difference: null });
  await assert.rejects(differs.choose(model, ["webgpu"], 1e-3), { code: "MODEL_DEVICE", exit: 3 });
});

/** ONNX Runtime on the CPU under another name, with what a device may do differently. */
class Stand implements Runtime {
  readonly opened = new Set<string>();
  readonly #cpu = new OnnxRuntime(1);
  constructor(readonly wrong = 0, readonly slow: { cpu?: number; webgpu?: number } = {}) {}

  async open(request: SessionRequest): Promise<Session> {
    const { device } = request;
    const real = await this.#cpu.open({ ...request, device: "cpu" });
    this.opened.add(device);
    return {
      ...real,
      run: async (feeds) => {
        await pause(this.slow[device as "cpu" | "webgpu"] ?? 0);
        const fetched = await real.run(feeds);
        if (device !== "cpu") for (const { data } of Object.values(fetched)) data[0]! += this.wrong;
        return fetched;
      },
      release: async () => {
        this.opened.delete(device);
        await real.release();
      },
    };
  }
}

test("a device keeps a model only if it computes what the CPU does, and for auto only if it is faster than the workers there", async () => {
  const model = tinyModel({ name: "tried" });
  const tried = async (stand: Stand, check: number | null, against: number | null, of = model): Promise<[Prepared, string[]]> => {
    const sessions = new Sessions({ runtime: stand, checkStop: () => undefined, counted: () => undefined, loaded: () => undefined, limited: () => undefined });
    return [await sessions.prepare(of, "webgpu", check, against), [...stand.opened]];
  };
  assert.deepEqual(await tried(new Stand(), 1e-3, null), [{ ok: true, difference: 0, note: null }, ["webgpu"]], "the CPU's session is closed again");
  assert.deepEqual(await tried(new Stand(0.5), 1e-3, null), [{ ok: false, reason: "tried differs from the CPU by 5.0e-1, allowed are 1e-3" }, []]);
  assert.deepEqual(await tried(new Stand(0.5), null, null), [{ ok: true, difference: null, note: "not compared with the CPU" }, ["webgpu"]]);
  // 16 rows in 200 ms, and one worker's two in less than a ninth of that; the other way round.
  assert.deepEqual(await tried(new Stand(0, { webgpu: 200 }), 1e-3, 9), [{ ok: false, reason: "9 workers of the CPU are faster" }, []]);
  assert.deepEqual(await tried(new Stand(0, { cpu: 200 }), 1e-3, 9), [{ ok: true, difference: 0, note: null }, ["webgpu"]]);
  assert.deepEqual(await tried(new Stand(0, { webgpu: 200 }), 1e-3, null), [{ ok: true, difference: 0, note: null }, ["webgpu"]], "who asks for a device gets it");
  // This one refuses indices of 0 and 1: nobody can say what is right.
  const [refused, kept] = await tried(new Stand(), 1e-3, null, pickyModel());
  assert.match(refused.ok ? "" : refused.reason, /^picky cannot be compared with the CPU: it refuses made-up inputs \(.+\); `check: off` uses it all the same$/);
  assert.deepEqual(kept, []);
  const [used] = await tried(new Stand(), null, null, pickyModel());
  assert.match(used.ok ? (used.note ?? "") : "", /^not compared with the CPU: it refuses made-up inputs/);
});

test("differences are relative to large values, and a NaN, a gap or another length is infinite", () => {
  const one = (...values: number[]) => ({ y: { data: Float32Array.from(values), dims: [values.length] } });
  assert.equal(difference(one(1, 2), one(1, 2)), 0);
  assert.ok(Math.abs(difference(one(1000), one(1001)) - 1e-3) < 1e-6);
  assert.ok(Math.abs(difference(one(0.5), one(0.25)) - 0.25) < 1e-6);
  assert.equal(difference(one(1), one(Number.NaN)), Number.POSITIVE_INFINITY);
  assert.equal(difference(one(Number.NaN), one(Number.NaN)), 0);
  assert.equal(difference(one(1), one(1, 2)), Number.POSITIVE_INFINITY);
  assert.equal(difference(one(1), {}), Number.POSITIVE_INFINITY);
});

test("values for the comparison have the file's sizes, and those of the preprocessing where it is free", () => {
  const model = tinyModel({ name: "sampled" });
  const feeds = sampleFeeds(model, [{ name: "pixels", type: "float32", dims: ["n", 3, "h", "w"] }, { name: "ids", type: "int64", dims: [1, "tokens"] }]);
  assert.deepEqual(feeds && Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims])), { pixels: [2, 3, 4, 4], ids: [1, 16] });
  assert.equal(sampleFeeds(model, [{ name: "x", type: "string", dims: [1] }]), null);
});

test("sizes that the file leaves free are those of the manifest, and a model of sound is told its rate", () => {
  const silero = loadModels(modelsDir).get("silero-vad")!;
  const free = (dims: (string | number)[]): (string | number)[] => dims.map((_, i) => `free${i}`);
  const feeds = sampleFeeds(silero, [{ name: "input", type: "float32", dims: free([1, 1]) }, { name: "state", type: "float32", dims: [2, "b", 128] }, { name: "sr", type: "int64", dims: [] }], 3);
  assert.deepEqual(feeds && Object.values(feeds).map(({ dims }) => dims), [[3, 576], [2, 3, 128], []]);
  assert.deepEqual(feeds?.["sr"]?.data, BigInt64Array.of(16_000n));
});

test("this machine's other devices: a call runs wherever one works, and says where", async () => {
  const model = tinyModel({ name: "here" });
  const items = frameRing(3, 4, 4);
  const call = (devices: Record<string, "auto" | readonly ["coreml" | "dml" | "cuda", "cpu"]>): PoolCall => ({ kind: "batch", module: imageEmbed.module, operator: imageEmbed.name, node: "n", config: {}, models: { image: model }, items, runtime: { devices } });
  const absent = process.platform === "darwin" ? "dml" : "coreml";
  const [plain, chosen] = [await pool.run({ ...call({}) }), await pool.run(call({ image: [absent, "cpu"] }))];
  assert.deepEqual(vectors(chosen), vectors(plain));
  const { devices } = pool.stats();
  assert.equal(devices["here"]?.device, "cpu");
  assert.match(devices["here"]?.reason ?? "", new RegExp(`^${absent}: `));
});

test("WebGPU on a software driver agrees with the CPU within 1e-3", { skip: missing }, async () => {
  // The loader's path is read when a process starts.
  const env = { ...process.env, LD_LIBRARY_PATH: CHROMIUM, VK_ICD_FILENAMES: ICD };
  const program = fileURLToPath(new URL("./webgpu-child.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env });
  const { devices, largest, workers, fallback } = JSON.parse(stdout) as { devices: Record<string, { device: string; difference: number; reason: string | null }>; largest: Record<string, number>; workers: number; fallback: { device: string; reason: string } };
  for (const id of ["ultra-light-face", "lite-text"]) {
    assert.equal(devices[id]?.device, "webgpu", `${id}: ${devices[id]?.reason}`);
    assert.ok(devices[id]!.difference <= 1e-3, `${id}: ${devices[id]!.difference}`);
    assert.ok(largest[id]! <= 1e-3, `${id}: ${largest[id]}`);
  }
  assert.equal(workers, 1, "all calls of the device ran in one worker, of which there can be one a process");
  assert.equal(fallback.device, "cpu");
  assert.match(fallback.reason, /^webgpu: .* differs from the CPU by .*, allowed are/);
});

const through = async (own: InferencePool, model: ModelManifest, items: GridItem[]): Promise<number[][]> =>
  vectors(await own.run({ kind: "batch", module: testModel.module, operator: testModel.name, node: "n", config: {}, models: { model }, items }));

test("a batch that does not fit into memory is halved until it does; how many rows fit is remembered", async () => {
  const model = greedyModel();
  const items = frameRing(16, 1, 1).map((item, i) => ({ ...item, ptsUs: i }));
  for (const isolation of ["thread", "process"] as const) {
    await using own = new InferencePool({ workers: 1, isolation });
    assert.deepEqual(await through(own, model, items), items.map(({ ptsUs: x }) => [x, 2 * x, 3 * x]));
    const { limits, inferences, failedCalls } = own.stats();
    const [[key, rows] = []] = Object.entries(limits);
    assert.equal(key, `${model.sha256}:cpu`);
    assert.ok(rows! < 16 && rows! >= 1, `${rows} rows`);
    assert.equal(failedCalls, 0);
    assert.equal(inferences["greedy"], 16, "each row counts once");
  }
});
