// A whole run of graphs/ego.yaml (profile lite) against its floor: max(sum of the CPU of its stages taken alone / cores, the slowest single stage), and
// against the harder one, ffmpeg-to-null + the models alone. Stages: the engine's own ffmpeg command into readers that discard; each tap over frames
// in memory; each batch node in a pool of one worker. Every stage and every whole run in a fresh process, one after the other in each round. Wall time of a
// shared machine says little, so the ratio of CPU times stands beside it. Budget: floor / whole >= 0.85, aim 0.9.
// node dist/bench/whole.bench.js [--minutes 10] [--rounds 5]. Prints JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inChild, median, round, spread } from "./child.js";
import { CLIP, EGO, loopClip } from "./inputs.js";
import type { WholeRun } from "./whole-child.js";
import type { StageCost } from "./whole-stage.js";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" }, rounds: { type: "string", default: "5" } } });
const cores = cpus().length;
const sum = (costs: Record<string, number>): number => Object.values(costs).reduce((a, b) => a + b, 0);

type Figure = "ratio" | "cpuRatio" | "hardRatio" | "hardCpuRatio" | "mainUtilisation" | "mainComputed" | "mainWaited" | "realTime" | "wallMs" | "floorMs";
type Round = Record<Figure, number> & Record<string, unknown>;

const dir = mkdtempSync(join(tmpdir(), "flow-bench-whole-"));
try {
  const film = loopClip(join(dir, "film.mp4"), Number(values.minutes));
  const rounds: Round[] = [];
  let digests: string | null = null;
  for (let n = 0; n < Number(values.rounds); n++) {
    const loadBefore = loadavg()[0]!;
    const whole = await inChild<WholeRun>("whole-child.js", [EGO, film, join(dir, `${n}.store`), "0"]);
    if (whole.status !== "done") throw new Error(`the run ended ${whole.status}`);
    digests ??= whole.digest + whole.digestNumbers;
    if (digests !== whole.digest + whole.digestNumbers) throw new Error("two runs gave different results");
    const counts = JSON.stringify(whole.done);
    const discard = await inChild<StageCost>("whole-stage.js", ["discard", film, counts]);
    const toNull = await inChild<StageCost>("whole-stage.js", ["null", film, counts]);
    // Cost per item is measured on the clip itself, which the film repeats.
    const [taps, pool, model] = [await inChild<StageCost>("whole-stage.js", ["taps", CLIP, counts]), await inChild<StageCost>("whole-stage.js", ["pool", CLIP, counts]), await inChild<StageCost>("whole-stage.js", ["model", CLIP, counts])];
    const stages = { ...discard.cpuMs, ...taps.cpuMs, ...pool.cpuMs };
    const slowest = Math.max(discard.cpuMs["ffmpeg"]!, sum(taps.cpuMs));
    const floorMs = Math.max(sum(stages) / cores, slowest);
    const hardMs = Math.max((sum(toNull.cpuMs) + sum(model.cpuMs)) / cores, sum(toNull.cpuMs));
    const wholeCpu = whole.cpuMs.own + whole.cpuMs.children;
    rmSync(join(dir, `${n}.store`), { recursive: true, force: true });
    rounds.push({
      wallMs: round(whole.wallMs, 0), cpuMs: round(wholeCpu, 0), floorMs: round(floorMs, 0), hardFloorMs: round(hardMs, 0), ratio: round(floorMs / whole.wallMs), cpuRatio: round(sum(stages) / wholeCpu), hardRatio: round(hardMs / whole.wallMs), hardCpuRatio: round((sum(toNull.cpuMs) + sum(model.cpuMs)) / wholeCpu),
      mainUtilisation: round(whole.mainUtilisation), mainComputed: round(whole.main?.computed ?? NaN), mainWaited: round(whole.main?.waited ?? NaN), realTime: round((Number(values.minutes) * 60_000) / whole.wallMs, 1), load: round(loadBefore, 1),
      stagesCpuMs: Object.fromEntries(Object.entries(stages).map(([name, ms]) => [name, round(ms, 0)])), models: Object.fromEntries(Object.entries(model.cpuMs).map(([name, ms]) => [name, round(ms, 0)])), toNullMs: round(sum(toNull.cpuMs), 0), wholeCpuMs: { own: round(whole.cpuMs.own, 0), ffmpeg: whole.cpuMs.children },
    });
  }
  const of = (name: Figure): ReturnType<typeof spread> => spread(rounds.map((r) => r[name]));
  console.log(JSON.stringify({ bench: "whole", ok: median(rounds.map((r) => r.ratio)) >= 0.85, minutes: Number(values.minutes), rounds: rounds.length, ratio: of("ratio"), cpuRatio: of("cpuRatio"), hardRatio: of("hardRatio"), hardCpuRatio: of("hardCpuRatio"), wallMs: of("wallMs"), floorMs: of("floorMs"), realTime: of("realTime"), mainUtilisation: of("mainUtilisation"), mainComputed: of("mainComputed"), mainWaited: of("mainWaited"), each: rounds }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
