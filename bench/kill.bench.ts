// Kills runs of graphs/ego.yaml with SIGKILL at random moments, up to four times on one store, and lets each finish: same digests, equal by `flow diff`, no
// ffmpeg left. mp4 and transport stream of the bundled clip; webm from FLOW_MEDIA_DIR if set, else the clip's sound and picture as matroska.
// node dist/bench/kill.bench.js [--kills 200] [--seed 1]. Prints JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { remux } from "../test/clips.js";
import { killRuns, seeded, type KillReport } from "../test/e2e/kill.js";
import { CLIP, EGO } from "./inputs.js";

const { values } = parseArgs({ options: { kills: { type: "string", default: "200" }, seed: { type: "string", default: "1" } } });
const dir = mkdtempSync(join(tmpdir(), "flow-bench-kill-"));
try {
  const media: Record<string, string> = { mp4: CLIP, ts: join(dir, "clip.ts") };
  remux(CLIP, media["ts"]!);
  const given = process.env["FLOW_MEDIA_DIR"];
  if (given) media["webm"] = join(given, "video/big_buck_bunny_0_30.webm");
  else remux(CLIP, (media["mkv"] = join(dir, "clip.mkv")));
  const names = Object.keys(media);
  const reports: Record<string, KillReport> = {};
  for (const [n, name] of names.entries()) {
    const kills = Math.floor((Number(values.kills) * (n + 1)) / names.length) - Math.floor((Number(values.kills) * n) / names.length);
    reports[name] = await killRuns(EGO, media[name]!, kills, seeded(Number(values.seed) + n), (k) => join(dir, `${name}${k}`));
  }
  const all = Object.values(reports);
  const sum = (of: (report: KillReport) => number): number => all.reduce((total, report) => total + of(report), 0);
  const totals = { kills: sum((r) => r.kills), finishedEarly: sum((r) => r.finishedEarly), mismatches: sum((r) => r.mismatches.length), orphans: sum((r) => r.orphans) };
  console.log(JSON.stringify({ bench: "kill", ok: totals.mismatches === 0 && totals.orphans === 0 && totals.kills === Number(values.kills), ...totals, seed: Number(values.seed), media: reports }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
