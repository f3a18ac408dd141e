import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { probe } from "../../src/media/index.js";
import { flow, inTemporaryFolder } from "./flow.js";

const MEDIA = process.env["FLOW_MEDIA_DIR"];
const REFERENCE = MEDIA ? join(MEDIA, "..", "reference", "scenes_pyscenedetect.json") : "";

/** PySceneDetect's shortest scene: 15 frames at the rate between the first two (a variable rate has no other). */
const MIN_FRAMES = 15;

const graph = (detector: string, minSceneS: number): string => `
flow: 1
name: cuts
params: { input: { type: media, positional: true } }
nodes:
  media: { op: media.open, with: { uri: "\${params.input}" } }
  scores: { op: scene.scores, in: media.frames }
  scenes: { op: scene.cut, in: { scores: scores }, with: { detector: ${detector}, min_scene: ${minSceneS}, max_length: 10000s } }
  scene: { op: join, by: scene, in: { scenes: scenes } }
outputs: { scene: { from: scene } }
`;

test("through the whole program, content and adaptive cut where PySceneDetect does, on all clips", { skip: MEDIA && existsSync(REFERENCE) ? false : "FLOW_MEDIA_DIR (with ../reference) is not set" }, async (t) => {
  const videos = (JSON.parse(readFileSync(REFERENCE, "utf8")) as { videos: Record<string, Record<string, { cut_seconds: number[]; cut_frames: number[]; frames: number }>> }).videos;
  assert.equal(Object.keys(videos).length >= 5, true);
  for (const [name, detectors] of Object.entries(videos)) {
    await t.test(name, () =>
      inTemporaryFolder(async (dir) => {
        const file = join(MEDIA!, "video", name);
        const { video } = await probe(file);
        // The VFR clip: its first two frames are 1001/24000 s apart, whatever the average is.
        const fps = name.includes("vfr") ? 24000 / 1001 : video!.baseFps;
        for (const detector of ["content", "adaptive"]) {
          const yaml = join(dir, `${detector}.yaml`);
          await writeFile(yaml, graph(detector, MIN_FRAMES / fps));
          const ran = await flow(["run", yaml, file, "--store", join(dir, "store"), "--json"]);
          assert.equal(ran.code, 0, ran.stdout + ran.stderr);
          assert.equal(ran.json.nodes.scores.in, detectors[detector]!.frames, "decoded frames");
          if (detector === "adaptive") assert.equal(ran.json.framesDecoded, 0, "another detector reads the same scores");
          const scenes = (await flow(["show", "--store", join(dir, "store"), "--json"])).json.records.filter((r: { kind: string }) => r.kind === "scene");
          const cuts: { startUs: number; fields: { startFrame: number } }[] = scenes.slice(1);
          const expected = detectors[detector]!;
          assert.equal(cuts.length, expected.cut_seconds.length, `${detector}: ${cuts.map((c) => c.startUs / 1e6).join(" ")} instead of ${expected.cut_seconds.join(" ")}`);
          cuts.forEach((cut, i) => assert.ok(Math.abs(cut.startUs / 1e6 - expected.cut_seconds[i]!) <= 1.05 / fps, `${detector}: ${cut.startUs / 1e6} instead of ${expected.cut_seconds[i]}`));
        }
      }),
    );
  }
});
