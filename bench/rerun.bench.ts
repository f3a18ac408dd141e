// A second run of the same graph over the same input, by the real program in a fresh process: everything is in the store, so nothing is decoded or
// inferred. Budget: >= 50 x faster than a first run of >= 60 s; <= 0.6 s on the bundled clip. node dist/bench/rerun.bench.js [--minutes 60] [--rounds 5]. Prints JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { flow } from "../test/e2e/flow.js";
import { median, round, spread } from "./child.js";
import { CLIP, EGO, loopClip } from "./inputs.js";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "60" }, rounds: { type: "string", default: "5" } } });

const dir = mkdtempSync(join(tmpdir(), "flow-bench-rerun-"));
try {
  const once = async (film: string, store: string): Promise<{ wallMs: number; inferences: number; framesDecoded: number; digests: string }> => {
    const started = performance.now();
    const { code, json, stdout, stderr } = await flow(["run", EGO, film, "--store", store, "--json"]);
    if (code !== 0) throw new Error(stdout + stderr);
    return { wallMs: performance.now() - started, inferences: json.inferences, framesDecoded: json.framesDecoded, digests: json.digest + json.digestNumbers };
  };
  const measure = async (film: string, name: string) => {
    const first = await once(film, join(dir, name));
    const again = [];
    for (let n = 0; n < Number(values.rounds); n++) again.push(await once(film, join(dir, name)));
    for (const run of again) if (run.digests !== first.digests) throw new Error("the rerun gave other results");
    return { firstS: round(first.wallMs / 1000, 1), framesDecoded: first.framesDecoded, rerunMs: spread(again.map((r) => r.wallMs), 0), rerunInferences: Math.max(...again.map((r) => r.inferences)), rerunFramesDecoded: Math.max(...again.map((r) => r.framesDecoded)), faster: round(first.wallMs / median(again.map((r) => r.wallMs)), 1) };
  };
  const short = await measure(CLIP, "short");
  const long = { minutes: Number(values.minutes), ...(await measure(loopClip(join(dir, "long.mp4"), Number(values.minutes)), "long")) };
  const nothing = [short, long].every((m) => m.rerunInferences === 0 && m.rerunFramesDecoded === 0);
  console.log(JSON.stringify({ bench: "rerun", ok: nothing && long.faster >= 50 && long.firstS >= 60 && short.rerunMs.median <= 600, rounds: Number(values.rounds), nothingDecodedOrInferred: nothing, long, short }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
