import assert from "node:assert/strict";
import { copyFile, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { runGraph } from "../../src/index.js";
import { BUNDLED, smallClip } from "../clips.js";
import { EGO, ROOT, flow, inTemporaryFolder, start, type Ran } from "./flow.js";

const SHORT = smallClip(30);
const MEDIA = process.env["FLOW_MEDIA_DIR"];
const needsMedia = MEDIA ? {} : { skip: "FLOW_MEDIA_DIR is not set" };

const run = (store: string, inputs: string[] = [SHORT], ...args: string[]): Promise<Ran> => flow(["run", EGO, ...inputs, "--store", store, "--json", ...args]);

/** Every node's items are in exactly one column. */
function balanced(ran: Ran): void {
  assert.ok(ran.json?.nodes, ran.stdout + ran.stderr);
  for (const [node, c] of Object.entries<Record<string, number>>(ran.json.nodes)) {
    assert.equal(c["in"], c["done"]! + c["cached"]! + c["skipped"]! + c["dropped"]! + c["failed"]! + c["inFlight"]!, node);
    assert.equal(c["inFlight"], 0, node);
  }
}

describe("ego", () => {
  test("finds on the bundled clip what its truth says, and a second run computes nothing", () =>
    inTemporaryFolder(async (dir) => {
      const truth = JSON.parse(await readFile(join(ROOT, "graphs/demo/truth.json"), "utf8"));
      const first = await run(dir, [BUNDLED]);
      assert.equal(first.code, 0, first.stdout + first.stderr);
      balanced(first);
      assert.equal(first.json.status, "done");
      assert.equal(first.json.framesDecoded, truth.frames);
      assert.deepEqual(first.json.records, { media: 1, scene: truth.cuts.length + 1 });
      const shown = (await flow(["show", "--store", dir, "--json"])).json.records;
      const scenes = shown.filter((r: { kind: string }) => r.kind === "scene");
      assert.deepEqual(scenes.slice(1).map((s: { startUs: number }) => s.startUs), truth.cuts.map((c: { ptsUs: number }) => c.ptsUs));
      assert.deepEqual(scenes.slice(1).map((s: { fields: { startFrame: number } }) => s.fields.startFrame), truth.cuts.map((c: { frame: number }) => c.frame));
      for (const { text, startUs } of truth.subtitles) {
        const scene = scenes.find((s: { startUs: number; endUs: number }) => s.startUs <= startUs && startUs < s.endUs);
        assert.ok(scene.fields.transcript.includes(text), text);
      }
      const medium = shown.find((r: { kind: string }) => r.kind === "media");
      assert.equal(medium.fields.hasAudio, true);
      assert.equal(medium.fields.complete, true);
      for (const [name, dims] of Object.entries({ video: 512, audio: 512, text: 384, caption_vector: 384 })) assert.equal(scenes[1].vectors[name].dims, dims);

      const second = await run(dir, [BUNDLED]);
      assert.deepEqual([second.json.inferences, second.json.framesDecoded, second.json.digest, second.json.digestNumbers], [0, 0, first.json.digest, first.json.digestNumbers]);
      for (const [node, c] of Object.entries<Record<string, number>>(second.json.nodes)) assert.equal(c["in"], c["cached"], node);
    }));

  test("a moved threshold decodes nothing and touches only scenes whose bounds changed; back again everything is there", () =>
    inTemporaryFolder(async (dir) => {
      const first = await run(dir);
      const moved = await run(dir, [SHORT], "-p", "threshold=60");
      assert.equal(moved.json.framesDecoded, 0);
      assert.ok(moved.json.records.scene < first.json.records.scene);
      balanced(moved);
      assert.ok(moved.json.nodes.caption.done > 0 && moved.json.nodes.caption.cached > 0, JSON.stringify(moved.json.nodes.caption));
      const shown = (await flow(["show", "--store", dir, "--json"])).json.records;
      assert.equal(shown.filter((r: { kind: string }) => r.kind === "scene").length, moved.json.records.scene, "scenes of the old cut are gone");
      const fresh = await inTemporaryFolder((other) => run(other, [SHORT], "-p", "threshold=60"));
      assert.deepEqual([moved.json.digest, moved.json.digestNumbers], [fresh.json.digest, fresh.json.digestNumbers]);
      const back = await run(dir);
      assert.deepEqual([back.json.digest, back.json.digestNumbers, back.json.framesDecoded, back.json.inferences], [first.json.digest, first.json.digestNumbers, 0, 0]);
    }));

  test("fps 1 → 2 embeds only the new frames", () =>
    inTemporaryFolder(async (dir) => {
      const one = await run(dir, [SHORT], "-p", "fps=1");
      const two = await run(dir, [SHORT], "-p", "fps=2");
      assert.equal(two.json.nodes.frames.cached, one.json.nodes.frames.done);
      assert.equal(two.json.nodes.frames.done, two.json.nodes.frames.in - one.json.nodes.frames.in);
      assert.equal(two.json.nodes.scores.done, 0);
      const fresh = await inTemporaryFolder((other) => run(other, [SHORT], "-p", "fps=2"));
      assert.deepEqual([two.json.digest, two.json.digestNumbers], [fresh.json.digest, fresh.json.digestNumbers]);
    }));

  test("an edited text template runs only its cone", () =>
    inTemporaryFolder(async (dir) => {
      const store = join(dir, "store");
      await run(store);
      const edited = join(dir, "edited.yaml");
      const graph = await readFile(EGO, "utf8");
      assert.ok(graph.includes("Transcript: {transcript}"));
      await writeFile(edited, graph.replace("Transcript: {transcript}", "Said: {transcript}"));
      const again = await flow(["run", edited, SHORT, "--store", store, "--json"]);
      const ran = Object.entries<Record<string, number>>(again.json.nodes).filter(([, c]) => c["done"]! > 0).map(([name]) => name).sort();
      assert.deepEqual(ran, ["global", "media", "medium", "scene", "text"]);
      assert.equal(again.json.framesDecoded, 0);
    }));

  test("--force runs a node again with the same result", () =>
    inTemporaryFolder(async (dir) => {
      const first = await run(dir);
      const forced = await run(dir, [SHORT], "--force", "caption");
      assert.equal(forced.json.nodes.caption.done, first.json.nodes.caption.done);
      assert.equal(forced.json.framesDecoded, 0);
      assert.equal(forced.json.digest, first.json.digest);
    }));
});

describe("flow plan", () => {
  const states = async (store: string, ...args: string[]): Promise<Record<string, string>> => {
    const ran = await flow(["plan", EGO, SHORT, "--store", store, "--json", ...args]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    return Object.fromEntries(ran.json.media[0].nodes.map(({ node, state }: { node: string; state: string }) => [node, state]));
  };

  test("says per node what a run would do, and the run does that", () =>
    inTemporaryFolder(async (dir) => {
      assert.deepEqual(new Set(Object.values(await states(dir))), new Set(["new"]));
      await run(dir);
      assert.deepEqual(new Set(Object.values(await states(dir))), new Set(["cached"]));
      const faster = await states(dir, "-p", "fps=4");
      assert.deepEqual([faster["frames"], faster["scores"], faster["keyframes"]], ["partial", "cached", "unknown"]);
      assert.deepEqual(["scenes", "audio", "caption", "text", "quality"].map((node) => faster[node]), Array(5).fill("cached"), "what reads no frame of another rate");
      const ready = await flow(["plan", EGO, SHORT, "--store", dir, "-p", "threshold=27.5"]);
      assert.match(ready.stdout, /: nothing to compute \(every result is stored/);
      for (const args of [["-p", "threshold=60"], ["-p", "k=3"], ["-p", "captioner=subtitles"], ["-p", "fps=4"], ["-p", "fps=1"]]) {
        const told = await states(dir, ...args);
        const ran = await inTemporaryFolder(async (copy) => {
          await cp(dir, copy, { recursive: true });
          return run(copy, [SHORT], ...args);
        });
        assert.equal(ran.json.framesDecoded > 0, args[1]!.startsWith("fps"));
        for (const [node, c] of Object.entries<Record<string, number>>(ran.json.nodes)) {
          const op = told[node]!;
          if (["media", "scene", "medium"].includes(node)) continue; // they collect: always run
          if (op === "cached") assert.equal(c["done"], 0, `${args.join(" ")}: ${node} was said to be cached`);
          else if (op === "new" || op === "stale") assert.ok(c["done"]! > 0, `${args.join(" ")}: ${node} was said to be ${op}`);
          else assert.ok(op === "unknown" || (op === "partial" && args[1]!.startsWith("fps")), op);
        }
      }
    }));
});

describe("determinism", () => {
  test("batch 1, 3, 16 × workers 1, 2 × two runs give the same digests", () =>
    inTemporaryFolder(async (dir) => {
      const graph = await readFile(EGO, "utf8");
      const digests = new Set<string>();
      for (const batch of [1, 3, 16]) {
        for (const workers of [1, 2]) {
          const file = join(dir, `b${batch}w${workers}.yaml`);
          const text = graph.replace("batch: { size: 16 }", `batch: { size: ${batch} }`).replace("\nnodes:\n", `\nruntime: { workers: ${workers} }\n\nnodes:\n`);
          assert.ok(text.includes(`size: ${batch} }`) && text.includes(`workers: ${workers}`));
          await writeFile(file, text);
          for (const round of [1, 2]) {
            const ran = await runGraph(file, { inputs: [SHORT], store: join(dir, `s-${batch}-${workers}-${round}`) });
            assert.equal(ran.status, "done", JSON.stringify(ran.failures));
            digests.add(`${ran.digest} ${ran.digestNumbers}`);
          }
        }
      }
      assert.equal(digests.size, 1);
    }));
});

describe("all kinds of media", () => {
  test("no audio, audio only, one picture, a subtitle-less film: one run, balanced books", needsMedia, () =>
    inTemporaryFolder(async (dir) => {
      const media = ["video/counter.mp4", "speech/jfk.wav", "images/scenes/dog.jpg", "video/big_buck_bunny_0_30.webm"].map((name) => join(MEDIA!, name));
      const ran = await run(dir, media);
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      balanced(ran);
      assert.equal(ran.json.records.media, 4);
      const records = (await flow(["show", "--store", dir, "--json"])).json.records;
      const of = (name: string): { fields: Record<string, unknown>; media: string } => records.find((r: { kind: string; fields: { name: string } }) => r.kind === "media" && r.fields.name === name);
      const scenesOf = (name: string): { startUs: number; endUs: number; vectors: Record<string, unknown>; fields: Record<string, unknown> }[] => records.filter((r: { kind: string; media: string }) => r.kind === "scene" && r.media === of(name).media);
      assert.equal(of("counter.mp4").fields["hasAudio"], false);
      for (const scene of scenesOf("counter.mp4")) {
        assert.equal(scene.vectors["audio"], undefined);
        assert.equal(scene.fields["transcript"], "");
      }
      assert.equal(of("jfk.wav").fields["hasVideo"], false);
      assert.ok(scenesOf("jfk.wav").length >= 1);
      for (const scene of scenesOf("jfk.wav")) assert.equal(scene.fields["startFrame"], null);
      assert.equal(scenesOf("dog.jpg").length, 1);
      const film = scenesOf("big_buck_bunny_0_30.webm");
      film.slice(1).forEach((scene, i) => assert.equal(scene.startUs, film[i]!.endUs));
    }));

  test("the same bytes under two names are one medium with two addresses", () =>
    inTemporaryFolder(async (dir) => {
      const folder = join(dir, "media");
      await mkdir(folder);
      await copyFile(SHORT, join(folder, "a.mp4"));
      await symlink(SHORT, join(folder, "b.mp4"));
      const ran = await run(join(dir, "store"), [folder]);
      assert.equal(ran.json?.records?.media, 1, ran.stdout + ran.stderr);
      const records = (await flow(["show", "--store", join(dir, "store"), "--json"])).json.records;
      assert.equal(records.find((r: { kind: string }) => r.kind === "media").fields.uris.length, 2);
    }));

  test("scenes given in a list are taken as they are", () =>
    inTemporaryFolder(async (dir) => {
      const list = join(dir, "list.json");
      await writeFile(list, JSON.stringify([{ path: SHORT, name: "given", scenes: [{ start: 1, end: 4 }, { start: 20, end: 28.5 }] }]));
      const ran = await run(join(dir, "store"), [list]);
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      const scenes = (await flow(["show", "--store", join(dir, "store"), "--json"])).json.records.filter((r: { kind: string }) => r.kind === "scene");
      assert.deepEqual(scenes.map((s: { startUs: number; endUs: number }) => [s.startUs, s.endUs]), [[1_000_000, 4_000_000], [20_000_000, 28_500_000]]);
      assert.equal(scenes[0].fields.startFrame, 25);
    }));

  test("a broken medium is a failed item beside good ones, exit 1, and no stack trace", () =>
    inTemporaryFolder(async (dir) => {
      await writeFile(join(dir, "empty.mp4"), "");
      await writeFile(join(dir, "text.mp4"), "this is not a film");
      const whole = await readFile(SHORT);
      await writeFile(join(dir, "cut.mp4"), whole.subarray(0, whole.length >> 1));
      const ran = await run(join(dir, "store"), [SHORT, join(dir, "empty.mp4"), join(dir, "text.mp4"), join(dir, "cut.mp4")]);
      assert.equal(ran.code, 1, ran.stdout + ran.stderr);
      assert.equal(ran.json.status, "failed-items");
      assert.deepEqual(ran.json.failures.map((f: { uri: string }) => f.uri.split("/").at(-1)).filter((n: string) => n !== "cut.mp4"), ["empty.mp4", "text.mp4"]);
      for (const failure of ran.json.failures) assert.ok(failure.hint.length > 0);
      assert.doesNotMatch(ran.stderr, /\n\s+at .*\.js:/);
      balanced(ran);
    }));
});

describe("interruption", () => {
  test("Ctrl-C drains, commits, prints how to go on and exits 130; the rerun ends as if nothing had happened", { skip: process.platform === "win32" }, () =>
    inTemporaryFolder(async (dir) => {
      const reference = await run(join(dir, "reference"));
      const store = join(dir, "store");
      // Every frame is embedded, so that the run is long enough to be interrupted in the middle of it.
      const slow = ["-p", "fps=all"];
      const { child, ended } = start(["run", EGO, SHORT, "--store", store, "--log", "json", ...slow]);
      await new Promise<void>((resolve) => {
        child.stderr!.on("data", () => resolve());
        child.stdout!.on("data", () => resolve());
        void ended.then(() => resolve());
      });
      child.kill("SIGINT");
      const stopped = await ended;
      assert.equal(stopped.code, 130, JSON.stringify(stopped));
      assert.match(stopped.stderr + stopped.stdout, /flow run/);
      const after = await run(store);
      assert.deepEqual([after.json.status, after.json.digest, after.json.digestNumbers], ["done", reference.json.digest, reference.json.digestNumbers]);
    }));
});
