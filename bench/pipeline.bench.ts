// Image embeddings of a video: the whole of flow (decode, sampling, batches, pool, store) against what a user would write without it: ffmpeg to JPEG files, then
// @huggingface/transformers' image-feature-extraction pipeline file by file. The same ViT-B/32-shaped weights, the same frames, each in a fresh process, in turns,
// from the start of the process to its end. Beside it the run's own floor, taken as in whole.bench.ts: max(CPU of the stages alone / cores, the slowest stage).
// Budgets: >= 3 times as fast, floor / run >= 0.85. --device: both run their model there (not at all where it cannot be had), and there is no floor.
// node dist/bench/pipeline.bench.js [--seconds 180] [--rounds 3] [--size 1920x1080] [--device webgpu]. Prints JSON.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { stringify } from "yaml";
import type { Device } from "../src/contracts/index.js";
import { unavailable } from "../src/inference/index.js";
import { ffmpegPath } from "../src/media/index.js";
import { inChild, median, round, spread } from "./child.js";
import { CLIP } from "./inputs.js";
import { writeVit } from "./vit.js";
import type { WholeRun } from "./whole-child.js";
import type { StageCost } from "./whole-stage.js";

const FPS = 2;
const BATCH = 16;
const { values } = parseArgs({ options: { seconds: { type: "string", default: "180" }, rounds: { type: "string", default: "3" }, size: { type: "string", default: "1920x1080" }, device: { type: "string", default: "cpu" } } });
const device = values.device as Device;
const absent = device === "cpu" ? null : unavailable(device, true);
if (absent !== null) {
  console.log(JSON.stringify({ bench: "pipeline", skipped: absent }));
  process.exit(0);
}

const sum = (costs: Record<string, number>): number => Object.values(costs).reduce((a, b) => a + b, 0);

interface Peer {
  wallMs: number;
  extractedMs: number;
  frames: number;
}

const dir = mkdtempSync(join(tmpdir(), "flow-bench-pipeline-"));
try {
  const [width, height] = values.size.split("x") as [string, string];
  const film = join(dir, "film.mp4");
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-i", CLIP, "-map", "0:V", "-vf", `scale=${width}:${height}`, "-c:v", "libx264", "-preset", "veryfast", "-t", values.seconds, film]);

  const models = join(dir, "models");
  const peer = join(dir, "hub", "vit");
  mkdirSync(models);
  mkdirSync(join(peer, "onnx"), { recursive: true });
  const manifest = writeVit(join(models, "vit-b-32-random.onnx"));
  symlinkSync(manifest.file, join(peer, "onnx", "vision_model.onnx"));
  const { mean, std } = manifest.preprocess as { mean: number[]; std: number[] };
  writeFileSync(join(peer, "config.json"), JSON.stringify({ model_type: "clip", architectures: ["CLIPVisionModelWithProjection"] }));
  writeFileSync(
    join(peer, "preprocessor_config.json"),
    JSON.stringify({ image_processor_type: "CLIPImageProcessor", do_resize: true, size: { width: 224, height: 224 }, do_center_crop: false, do_rescale: true, do_normalize: true, image_mean: mean, image_std: std, resample: 3 }),
  );
  const { id, task, summary, licence, files, inputs, preprocess, output } = manifest;
  writeFileSync(
    join(models, `${id}.yaml`),
    stringify({ id, task, summary, licence, files: files.map(({ path, sizeBytes, sha256 }) => ({ path, size: sizeBytes, sha256 })), inputs, preprocess, output, limits: [] }),
  );
  const graph = join(dir, "embed.yaml");
  writeFileSync(
    graph,
    `flow: 1
name: embed
runtime: { device: ${device} }
params: { input: { type: media, positional: true } }
nodes:
  media:  { op: media.open, with: { uri: "\${params.input}" } }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: ${FPS} } }, model: ${id}, batch: { size: ${BATCH} } }
  mean:   { op: vectors.mean, over: media, in: { vectors: frames } }
  medium: { op: join, by: media, in: { mean: mean } }
outputs: { media: { from: medium } }
`,
  );

  const rounds: { flowMs: number; peerMs: number; extractedMs: number; flowMain: number; ratio: number; floorMs?: number; ofFloor?: number }[] = [];
  for (let n = 0; n < Number(values.rounds); n++) {
    const frames = join(dir, `frames-${n}`);
    mkdirSync(frames);
    const flow = (): Promise<WholeRun> => inChild<WholeRun>("whole-child.js", [graph, film, join(dir, `${n}.store`), "0"], { BENCH_MODELS: models });
    const other = (): Promise<Peer> => inChild<Peer>("pipeline-peer.js", [film, peer, frames, String(FPS), device]);
    let first: WholeRun;
    let second: Peer;
    if (n % 2 === 0) (first = await flow()), (second = await other());
    else (second = await other()), (first = await flow());
    if (first.status !== "done" || first.done["frames"] !== second.frames) throw new Error(`not the same frames: ${first.done["frames"]} and ${second.frames}`);
    const taken = { flowMs: round(first.wallMs, 0), peerMs: round(second.wallMs, 0), extractedMs: round(second.extractedMs, 0), flowMain: round(first.mainUtilisation), ratio: round(second.wallMs / first.wallMs) };
    rmSync(frames, { recursive: true, force: true });
    if (device !== "cpu") {
      rounds.push(taken);
      continue;
    }
    const stage = (name: string): Promise<StageCost> => inChild<StageCost>("whole-stage.js", [name, film, JSON.stringify(first.done), graph], { BENCH_MODELS: models });
    const [discard, pool] = [await stage("discard"), await stage("pool")];
    const floorMs = Math.max((sum(discard.cpuMs) + sum(pool.cpuMs)) / cpus().length, discard.cpuMs["ffmpeg"]!);
    rounds.push({ ...taken, floorMs: round(floorMs, 0), ofFloor: round(floorMs / first.wallMs) });
  }
  const peerMs = spread(rounds.map((r) => r.peerMs), 0);
  const flowMs = spread(rounds.map((r) => r.flowMs), 0);
  const alone: Record<string, unknown> = {};
  if (device === "cpu") {
    // No program can be faster than its model: ONNX Runtime alone on as many ready tensors, which bounds the ratio.
    const peers = Array.from({ length: cpus().length }, () => new Worker(new URL("./inference-peer.js", import.meta.url), { workerData: { file: manifest.file, batch: BATCH, input: "pixel_values", size: 224 } }));
    await Promise.all(peers.map((p) => once(p, "message")));
    const runs = (Number(values.seconds) * FPS) / BATCH / peers.length;
    const limits: number[] = [];
    for (let n = 0; n < 3; n++) {
      const started = performance.now();
      await Promise.all(peers.map((p) => (p.postMessage(Math.ceil(runs)), once(p, "message"))));
      limits.push(((performance.now() - started) * runs) / Math.ceil(runs));
    }
    await Promise.all(peers.map((p) => p.terminate()));
    const modelMs = round(median(limits), 0);
    Object.assign(alone, { ofFloor: spread(rounds.map((r) => r.ofFloor!)), modelMs, highestPossibleRatio: round(peerMs.median / modelMs), ofModel: round(modelMs / flowMs.median) });
  }
  console.log(JSON.stringify({ bench: "pipeline", ok: median(rounds.map((r) => r.ratio)) >= 3, seconds: Number(values.seconds), size: values.size, fps: FPS, device, ratio: spread(rounds.map((r) => r.ratio)), ...alone, flowMs, peerMs, each: rounds }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
