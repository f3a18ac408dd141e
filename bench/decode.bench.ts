// Decode + scene scores against the same ffmpeg command into readers that discard. Fresh child processes, alternating rounds. Budget: ratio >= 0.9.
// node dist/bench/decode.bench.js [FILE] [--rounds 5] [--loops 5]   (default: FLOW_MEDIA_DIR/video/testvideo.mp4, played 5 times). Prints JSON.
// BENCH_TAP=0 leaves the scores out, BENCH_DELIVER=1 lends every frame to the main thread too.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Readable } from "node:stream";
import type { DecodeSpec, MediumInfo } from "../src/contracts/media.js";
import { abilities, ffmpegArgs, ffmpegPath, openDecode, probe } from "../src/media/index.js";

const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(name);
  return at > 0 ? Number(process.argv[at + 1]) : fallback;
};
const [file = join(process.env["FLOW_MEDIA_DIR"] ?? "", "video/testvideo.mp4")] = process.argv.slice(2).filter((arg) => !/^(--.*|\d+)$/.test(arg));
const rounds = option("--rounds", 5);
const loops = option("--loops", 5);
const role = process.env["BENCH_ROLE"];

const tap = { module: new URL("../src/operators/scene/scene.scores.tap.js", import.meta.url).href, export: "sceneScoresTap", config: { hash: false, edges: false } };
const spec: DecodeSpec = {
  video: [{ key: "scores", demand: { size: { longest: 256 }, fps: "all", geometry: "coded" }, slots: 4, deliver: process.env["BENCH_DELIVER"] === "1", taps: process.env["BENCH_TAP"] === "0" ? [] : [{ key: "scores", tap }] }],
  audio: [],
};

async function decode(info: MediumInfo): Promise<{ frames: number; rows: number }> {
  const run = openDecode(info, spec);
  let rows = 0;
  await new Promise<void>((resolve, reject) => {
    run.events.subscribe({
      next: (event) => {
        if (event.type === "rows") rows += event.ptsUs.length;
        if (event.type === "delivery") event.delivery.release();
      },
      error: reject,
      complete: resolve,
    });
  });
  return { frames: run.stats.framesDecoded, rows };
}

async function discard(info: MediumInfo): Promise<{ frames: number; rows: number }> {
  const { passthrough } = await abilities();
  const { args, pipes } = ffmpegArgs(info, spec, { passthrough, seekUs: null });
  const child = spawn(ffmpegPath(), args, { stdio: ["ignore", "ignore", "inherit", "ignore", ...pipes.flatMap(() => ["pipe", "pipe"] as const)] });
  let bytes = 0;
  for (const pipe of pipes) {
    (child.stdio[pipe.crcFd] as Readable).resume();
    (child.stdio[pipe.rawFd] as Readable).on("data", (chunk: Buffer) => (bytes += chunk.length));
  }
  await new Promise((resolve) => child.once("close", resolve));
  const [pipe] = pipes;
  return { frames: pipe?.kind === "video" ? bytes / (pipe.width * pipe.height * 3) : 0, rows: 0 };
}

if (role) {
  const info: MediumInfo = { ...(await probe(file)), id: file, memoisable: true };
  await abilities();
  const started = performance.now();
  const result = await (role === "decode" ? decode : discard)(info);
  const wallMs = performance.now() - started;
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  console.log(JSON.stringify({ ...result, wallMs, ownCpuMs: (userCPUTime + systemCPUTime) / 1000, mainUtilisation: performance.eventLoopUtilization().utilization }));
} else {
  // Long enough that starting a worker and ffmpeg (about 0.1 s) does not decide the ratio.
  const dir = mkdtempSync(join(tmpdir(), "flow-bench-"));
  const looped = join(dir, "looped.mkv");
  writeFileSync(join(dir, "list.txt"), `file '${resolve(file)}'\n`.repeat(loops));
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-f", "concat", "-safe", "0", "-i", join(dir, "list.txt"), "-map", "0:V:0", "-c", "copy", looped]);
  const one = (name: string): Promise<{ frames: number; rows: number; wallMs: number; ownCpuMs: number; mainUtilisation: number }> =>
    new Promise((done, reject) => {
      const child = spawn(process.execPath, [fileURLToPath(import.meta.url), looped], { env: { ...process.env, BENCH_ROLE: name }, stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      child.once("close", (code) => (code === 0 ? done(JSON.parse(text)) : reject(new Error(`${name} ended with ${code}`))));
    });
  const times: Record<"decode" | "discard", number[]> = { decode: [], discard: [] };
  const ratios: number[] = [];
  let frames = 0;
  let utilisation = 0;
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (["decode", "discard"] as const) : (["discard", "decode"] as const);
    for (const name of order) {
      const result = await one(name);
      if (frames !== 0 && result.frames !== frames) throw new Error(`${name} saw ${result.frames} frames, not ${frames}`);
      frames = result.frames;
      if (name === "decode") utilisation = Math.max(utilisation, result.mainUtilisation);
      times[name].push(result.wallMs);
    }
    ratios.push((times.discard.at(-1) as number) / (times.decode.at(-1) as number));
  }
  rmSync(dir, { recursive: true });
  const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  console.log(
    JSON.stringify({
      bench: "decode",
      file,
      loops,
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      node: process.version,
      ffmpeg: (await abilities()).version,
      rounds,
      frames,
      decodeMs: { median: round(median(times.decode)), min: round(Math.min(...times.decode)) },
      discardMs: { median: round(median(times.discard)), min: round(Math.min(...times.discard)) },
      ratio: { median: round(median(ratios)), ofMinima: round(Math.min(...times.discard) / Math.min(...times.decode)) },
      mainUtilisation: round(utilisation),
      budget: 0.9,
      ok: median(ratios) >= 0.9,
    }),
  );
}
