// What a user would write without flow: ffmpeg to JPEG files at 2 frames a second, then @huggingface/transformers' image-feature-extraction pipeline, file by file.
// `node pipeline-peer.js MEDIUM MODEL_FOLDER FRAMES_FOLDER FPS DEVICE`. Prints JSON.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { ffmpegPath } from "../src/media/index.js";

const [medium, model, frames, fps, device] = process.argv.slice(2) as [string, string, string, string, "cpu" | "webgpu"];
env.allowRemoteModels = false;
env.localModelPath = dirname(model);

const started = performance.now();
const cpu = process.cpuUsage();
// The same frames that flow samples: the first one at or after each tick of an absolute grid.
execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-vsync", "0", "-i", medium, "-vf", `select='isnan(prev_t)+gt(floor(t*${fps})\\,floor(prev_t*${fps}))'`, "-q:v", "2", join(frames, "%06d.jpg")]);
const extractedMs = performance.now() - started;
const extract = await pipeline("image-feature-extraction", basename(model), { dtype: "fp32", device });
const files = readdirSync(frames).sort();
const vectors: number[][] = [];
for (const file of files) vectors.push([...((await extract(join(frames, file))).data as Float32Array)]);
const wallMs = performance.now() - started;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ wallMs, extractedMs, ownCpuMs: (user + system) / 1000, frames: files.length, first: vectors[0], last: vectors.at(-1) }));
