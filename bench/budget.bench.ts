// Memory against a stated budget: three ViT-B/32-shaped models (350 MB of weights each) over one video with `limits: { rss }` from room for one to room for all. What the
// process and its children hold at most (RssAnon + RssShmem), how often models were loaded, and that the result is the same. Budget: the peak is never more than 10 %
// above the limit. node dist/bench/budget.bench.js [--seconds 60]. Prints JSON.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { ffmpegPath } from "../src/media/index.js";
import { COMMAND_ENV, inChild, round } from "./child.js";
import { CLIP } from "./inputs.js";
import { writeVit } from "./vit.js";
import type { WholeRun } from "./whole-child.js";

const LIMITS_GB = [1.25, 2, 2.75, 5];
const { values } = parseArgs({ options: { seconds: { type: "string", default: "60" } } });

const dir = mkdtempSync(join(tmpdir(), "flow-bench-budget-"));
try {
  const film = join(dir, "film.mp4");
  execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-i", CLIP, "-map", "0:V", "-c", "copy", "-t", values.seconds, film]);
  const models = join(dir, "models");
  mkdirSync(models);
  const ids = ["vit-a", "vit-b", "vit-c"];
  for (const [seed, id] of ids.entries()) {
    const { task, summary, licence, files, inputs, preprocess, output } = writeVit(join(models, `${id}.onnx`), seed + 1);
    writeFileSync(join(models, `${id}.yaml`), stringify({ id, task, summary, licence, files: files.map(({ path, sizeBytes, sha256 }) => ({ path, size: sizeBytes, sha256 })), inputs, preprocess, output, limits: [] }));
  }
  const graph = (limit: number): string => `flow: 1
name: budget
params: { input: { type: media, positional: true } }
runtime: { limits: { rss: ${limit}GB } }
nodes:
  media: { op: media.open, with: { uri: "\${params.input}" } }
${ids.map((id) => `  ${id}: { op: image.embed, in: { frames: { from: media.frames, fps: 1 } }, model: ${id} }\n  mean-${id}: { op: vectors.mean, over: media, in: { vectors: ${id} } }`).join("\n")}
  medium: { op: join, by: media, in: { ${ids.map((id) => `${id}: mean-${id}`).join(", ")} } }
outputs: { media: { from: medium } }
`;
  const each: { limitGB: number; peakMB: number; ofLimit: number; passes: number; loads: number; wallMs: number }[] = [];
  let digests: string | null = null;
  for (const limitGB of LIMITS_GB) {
    const file = join(dir, `${limitGB}.yaml`);
    writeFileSync(file, graph(limitGB));
    const run = await inChild<WholeRun>("whole-child.js", [file, film, join(dir, `${limitGB}.store`), "50"], { BENCH_MODELS: models, ...COMMAND_ENV });
    if (run.status !== "done") throw new Error(`the run ended ${run.status}`);
    digests ??= run.digest + run.digestNumbers;
    if (digests !== run.digest + run.digestNumbers) throw new Error("another budget gave another result");
    const peak = Math.max(...run.samples.map(([, , bytes]) => bytes));
    each.push({ limitGB, peakMB: round(peak / 1e6, 0), ofLimit: round(peak / (limitGB * 1e9)), passes: run.passes, loads: run.loads, wallMs: round(run.wallMs, 0) });
  }
  const worst = Math.max(...each.map((one) => one.ofLimit));
  console.log(JSON.stringify({ bench: "budget", ok: worst <= 1.1, seconds: Number(values.seconds), worst, each }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
