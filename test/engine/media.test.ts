import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { ffmpegPath } from "../../src/media/binaries.js";
import { remux } from "../clips.js";
import type { OperatorDefinition } from "../../src/index.js";
import { behaviour, testNote } from "./operators/test.note.js";
import { testTurn } from "./operators/test.turn.js";
import { SMALL, HEAD, OUTPUT, SCENES, Workbench, balanced } from "./small-graph.js";

beforeEach(() => {
  behaviour.note = (tag) => ({ text: tag });
});

const NOTES = `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes } }\n${OUTPUT}`;

describe("media", () => {
  test("another block size reads no block of the first", () =>
    Workbench.with(async (bench) => {
      const graph = (block: string): string => `${NOTES}runtime: { block: ${block} }\n`;
      const first = await bench.run(graph("16s"));
      const small = await bench.run(graph("4s"));
      assert.deepEqual([small.digest, small.digestNumbers], [first.digest, first.digestNumbers]);
      assert.equal(small.framesDecoded, first.framesDecoded);
      const back = await bench.run(graph("16s"));
      assert.deepEqual([back.digest, back.framesDecoded], [first.digest, 0]);
    }));

  test("an address without validators is never answered from the store", () =>
    Workbench.with(async (bench) => {
      const stream = (seconds: number): Promise<Buffer> => readFile(remux(SMALL, join(bench.dir, `${seconds}.ts`), seconds));
      let bytes = await stream(8);
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.end(bytes);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const input = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
        const first = await bench.run(NOTES, { inputs: [input] });
        balanced(first);
        bytes = await stream(4);
        const second = await bench.run(NOTES, { inputs: [input] });
        balanced(second);
        assert.ok(second.framesDecoded > 0 && second.framesDecoded < first.framesDecoded, `${first.framesDecoded} then ${second.framesDecoded}`);
        assert.ok(second.records["scene"]! < first.records["scene"]!);
      } finally {
        server.close();
      }
    }));

  test("a file that was cut off says so, in the run that decodes it and in those that do not; what is missing counts for no speed", () =>
    Workbench.with(async (bench) => {
      const whole = join(bench.dir, "whole.mp4");
      execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-i", SMALL, "-map", "0:v", "-map", "0:a", "-c", "copy", "-movflags", "+faststart", whole]);
      const bytes = await readFile(whole);
      const cut = join(bench.dir, "cut.mp4");
      await writeFile(cut, bytes.subarray(0, Math.floor(bytes.length / 2)));
      const lengths: (number | null)[] = [];
      const first = await bench.run(NOTES, { inputs: [cut, SMALL], onProgress: ({ active }) => lengths.push(...active.filter(({ uri }) => uri === cut).map(({ durationUs }) => durationUs)) });
      balanced(first);
      const said = first.notes.filter((text) => text.includes("damaged"));
      assert.equal(said.length, 1, first.notes.join());
      const [, read, all] = /^cut\.mp4 is damaged: only ([\d.]+) s of ([\d.]+) s could be read; the decoder complained/.exec(said[0]!) ?? assert.fail(said[0]);
      assert.equal(all, "73.0");
      assert.ok(Number(read) > 5 && Number(read) < 60, read);
      assert.equal((lengths.at(-1)! / 1e6).toFixed(1), read);
      const again = await bench.run(NOTES, { inputs: [cut, SMALL] });
      assert.deepEqual([again.framesDecoded, again.notes.filter((text) => text.includes("damaged"))], [0, said]);
    }));

  test("a picture that ends before its sound is whole, whether or not the container tells their ends apart", () =>
    Workbench.with(async (bench) => {
      const graph = NOTES.replace("nodes:", "nodes:\n  levels: { op: audio.levels, in: media.audio }\n  loud: { op: audio.loudness, over: media, in: { levels: levels } }\n  medium: { op: join, by: media, in: { loud: loud.summary } }").replace("outputs: {", "outputs: { media: { from: medium },");
      for (const name of ["mp4", "mkv", "flv"]) {
        const file = join(bench.dir, `late.${name}`);
        execFileSync(ffmpegPath(), ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2", "-itsoffset", "2", "-f", "lavfi", "-i", "sine=d=2", "-pix_fmt", "yuv420p", "-ar", "44100", file]);
        const { notes, media } = await bench.run(graph, { inputs: [file] });
        assert.deepEqual([media, notes.filter((text) => text.includes("damaged"))], [1, []], name);
      }
    }));

  test("one of several media breaks off in the middle: its whole scenes and the other medium are there, the books close", () =>
    Workbench.with(async (bench) => {
      const bad = join(bench.dir, "bad.mp4");
      const copy = await readFile(SMALL);
      await writeFile(bad, Buffer.concat([copy, Buffer.alloc(1)]));
      behaviour.note = (tag, { medium, interval }) => {
        if (medium.name.startsWith("bad") && interval.startUs > 0) throw new Error("scene fault");
        return { text: tag };
      };
      const graph = NOTES.replace("in: { scenes: scenes } }", "in: { scenes: scenes }, on_error: { retry: 0, then: fail } }");
      const summary = await bench.run(`${graph}runtime: { media_in_flight: 2 }\n`, { inputs: [join(bench.dir, "*.mp4"), SMALL] });
      balanced(summary);
      assert.deepEqual(summary.failures.map((f) => f.message), ["scene fault"]);
      assert.equal(summary.media, 1);
      assert.equal(await bench.read((store) => [...store.records({ kind: "media" })].length), 1);
    }));

  test("vectors that a record no longer has are gone from their space", () =>
    Workbench.with(async (bench) => {
      const graph = (join: string): string =>
        `${HEAD}${SCENES}  frames: { op: test.flaky, in: { frames: { from: media.frames, fps: 2 } }, with: { marks: "${bench.marks}" } }\n` +
        `  mean: { op: vectors.mean, over: scene, in: { vectors: frames } }\n  note: { op: test.note, in: { scenes: scenes } }\n  scene: { op: join, by: scene, in: { ${join} } }\noutputs: { scene: { from: scene } }\n`;
      const rows = (): Promise<number> => bench.read((store) => [...store.vectorChunks("scene", "mean")].reduce((n, chunk) => n + chunk.ids.length, 0));
      const first = await bench.run(graph("note: note.text, mean: mean.vector"));
      assert.equal(await rows(), first.records["scene"]);
      await bench.run(graph("note: note.text"));
      assert.equal(await rows(), 0);
      await bench.run(graph("note: note.text, mean: mean.vector"));
      assert.equal(await rows(), first.records["scene"]);
    }));

  // A light operator's scenes go to the worker in groups of eight, in a process one by one.
  for (const [isolation, together] of [["thread", 8], ["process", 1]] as const) {
    test(`a short medium beside a long one does not wait for all of its scenes (${isolation})`, () =>
      Workbench.with(async (bench) => {
        const seconds = (n: number): { start: number; end: number }[] => Array.from({ length: n }, (_, i) => ({ start: i, end: i + 1 }));
        const [long, short] = [seconds(40), seconds(3)];
        const list = join(bench.dir, "list.json");
        await writeFile(list, JSON.stringify([{ path: SMALL, name: "long", scenes: long }, { path: remux(SMALL, join(bench.dir, "short.mp4"), 4), name: "short", scenes: short }]));
        // Every scene of both waits for its note; then those of the long medium go on to the pool, and behind them the short one's.
        const waiting: { name: string; go: () => void }[] = [];
        const release = (): void => {
          for (const name of ["long", "short"]) for (const one of waiting) if (one.name === name) one.go();
        };
        behaviour.note = (tag, { medium }) =>
          new Promise((resolve) => {
            waiting.push({ name: medium.name, go: () => resolve({ text: tag }) });
            if (waiting.length === long.length + short.length) setImmediate(release);
          });
        const graph = `${HEAD}${SCENES}  note: { op: test.note, in: { scenes: scenes } }\n  turn: { op: test.turn, in: { text: note.text } }\n${OUTPUT.replace("note: note.text", "turn: turn.text")}`;
        const summary = await bench.run(`${graph}runtime: { workers: 1, media_in_flight: 2, pools: { inference: { isolation: ${isolation} } } }\n`, { inputs: [list], operators: [testNote, testTurn] as OperatorDefinition[] });
        balanced(summary);
        const turns = await bench.read((store) => {
          const name = new Map([...store.mediaRows()].map(({ id, info }) => [id, info.name]));
          return [...store.records({ kind: "scene" })].map(({ media, fields }) => ({ name: name.get(media), turn: Number(fields["turn"]) }));
        });
        const of = (medium: string): number[] => turns.filter(({ name }) => name === medium).map(({ turn }) => turn).sort((a, b) => a - b);
        assert.deepEqual([of("long").length, of("short").length], [long.length, short.length]);
        const before = of("long").filter((turn) => turn < of("short").at(-1)!).length;
        assert.ok(before <= together + short.length, `${before} scenes of the long medium came before the short one's last`);
      }));
  }
});
