import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { remux, smallClip } from "../clips.js";
import { needsProc } from "../processes.js";
import { EGO, inTemporaryFolder } from "./flow.js";
import { killRuns, seeded } from "./kill.js";

const MEDIA = process.env["FLOW_MEDIA_DIR"];
const KILLS = { mp4: 9, ts: 8, webm: 8 };

/** 25 kills altogether; `npm run bench -- kill` does 200. */
async function survives(medium: string, kills: number, seed: number, dir: string): Promise<void> {
  const report = await killRuns(EGO, medium, kills, seeded(seed), (n) => join(dir, `store${n}`));
  assert.deepEqual({ kills: report.kills, mismatches: report.mismatches, orphans: report.orphans }, { kills, mismatches: [], orphans: 0 });
}

test(`mp4: ${KILLS.mp4} SIGKILLs at random moments end in the same store`, { skip: needsProc }, () => inTemporaryFolder((dir) => survives(smallClip(), KILLS.mp4, 1, dir)));

test(`transport stream: ${KILLS.ts} SIGKILLs at random moments end in the same store`, { skip: needsProc }, () =>
  inTemporaryFolder(async (dir) => {
    await survives(remux(smallClip(), join(dir, "clip.ts")), KILLS.ts, 2, dir);
  }));

test(`webm: ${KILLS.webm} SIGKILLs at random moments end in the same store`, { skip: MEDIA ? needsProc : "FLOW_MEDIA_DIR is not set" }, () =>
  inTemporaryFolder((dir) => survives(join(MEDIA!, "video/big_buck_bunny_0_30.webm"), KILLS.webm, 3, dir)));
