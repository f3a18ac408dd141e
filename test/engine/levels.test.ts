/** Values that cross levels: frame to frame, medium to scene, plain values of frames into records. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Detection, OperatorDefinition } from "../../src/contracts/index.js";
import { testBoxes } from "./operators/test.boxes.js";
import { testInside } from "./operators/test.inside.js";
import { testShades } from "./operators/test.shades.js";
import { testWhole } from "./operators/test.whole.js";
import { HEAD, SCENES, Workbench, balanced } from "./small-graph.js";

const operators = [testBoxes, testShades, testWhole, testInside] as OperatorDefinition[];

const graph = (boxes: string, batch: number, value = 1): string => `${HEAD}${SCENES}
  boxes:  { op: test.boxes, in: media.frames, batch: { size: ${batch} }, ${boxes} }
  shades: { op: test.shades, in: { frames: media.frames, boxes: boxes }, batch: { size: ${batch} } }
  whole:  { op: test.whole, in: media.clip, with: { value: ${value} } }
  inside: { op: test.inside, in: { scenes: scenes, spans: whole } }
  scene:  { op: join, by: scene, in: { boxes: shades, inside: inside } }
outputs: { scene: { from: scene } }
`;

const plain = (batch: number, value = 1): string => graph("with: {}", batch, value);

interface Seen {
  ptsUs: number;
  value: Detection[];
}

describe("frame to frame", () => {
  test("each frame's value reaches the same frame of the next node, at any batch size, and a rerun decodes nothing", async () => {
    const digests = new Set<string>();
    for (const batch of [1, 3, 16]) {
      await Workbench.with(async (bench) => {
        const first = await bench.run(plain(batch), { operators });
        balanced(first);
        assert.equal(first.status, "done");
        digests.add(first.digest + first.digestNumbers);
        await bench.read((store) => {
          const seen = [...store.records({ kind: "scene" })].flatMap((record) => record.fields["boxes"] as Seen[]);
          assert.ok(seen.length > 60);
          for (const { ptsUs, value } of seen) {
            assert.equal(value.length, Math.floor(ptsUs / 1e6) % 3);
            // Two sizes of one frame: coordinates are the source's, the second node's own frame is 128 wide.
            for (const [i, { label, box, score }] of value.entries()) assert.deepEqual([label, box[0], box[2] > 128, score], [`${ptsUs}/${i}`, i, true, 0.128]);
          }
        });
        const again = await bench.run(plain(batch), { operators });
        assert.deepEqual([again.framesDecoded, again.digest], [0, first.digest]);
      });
    }
    assert.equal(digests.size, 1);
  });

  test("a condition reads what nodes give, frames as a list", () =>
    Workbench.with(async (bench) => {
      const yaml = plain(3).replace("  scene:  { op: join, by: scene, in: { boxes: shades", `  loud:   { op: vectors.mean, over: scene, in: { vectors: frames }, when: "size(frames.vectors) > 12 && frames.vectors.all(v, size(v) == 512)" }
  frames: { op: image.embed, in: { frames: { from: media.frames, fps: 2 } }, model: lite-image }
  scene:  { op: join, by: scene, in: { loud: loud, boxes: shades`);
      const ran = await bench.run(yaml, { operators });
      balanced(ran);
      const scenes = await bench.read((store) => [...store.records({ kind: "scene" })].map((record) => ({ long: record.endUs! - record.startUs! > 6.25e6, has: "loud" in record.vectors })));
      assert.deepEqual(scenes.map(({ has }) => has), scenes.map(({ long }) => long));
      assert.ok(scenes.some(({ has }) => has) && scenes.some(({ has }) => !has));
    }));

  test("a run that ends with values or pictures of frames has them in its digest", () =>
    Workbench.with(async (bench) => {
      const ends = async (only: string, quality: number, batch: number): Promise<string> => {
        const yaml = graph("with: {}", batch).replace("  shades:", `  thumbs: { op: image.thumbnail, in: media.frames, with: { longest: 32, quality: ${quality} }, batch: { size: ${batch} } }\n  shades:`);
        const ran = await bench.run(yaml, { operators, only: [only], store: join(bench.dir, `${only}-${quality}-${batch}`) });
        assert.equal(ran.status, "done");
        return ran.digest;
      };
      assert.notEqual(await ends("thumbs", 75, 4), await ends("thumbs", 40, 4));
      assert.equal(await ends("thumbs", 75, 4), await ends("thumbs", 75, 3));
      assert.equal(await ends("boxes", 75, 4), await ends("boxes", 75, 3));
      assert.notEqual(await ends("boxes", 75, 4), await ends("shades", 75, 4));
    }));

  test("a frame that failed above fails below, and a rerun makes both", () =>
    Workbench.with(async (bench) => {
      const faulty = graph(`with: { marks: "${bench.marks}", fails_at: 4 }, on_error: { retry: 0, then: dead_letter }`, 4);
      const first = await bench.run(faulty, { operators });
      balanced(first);
      assert.deepEqual([first.status, first.nodes["boxes"]!.failed, first.nodes["shades"]!.failed], ["failed-items", 1, 1]);
      const second = await bench.run(faulty, { operators });
      balanced(second);
      assert.deepEqual([second.status, second.nodes["boxes"]!.failed, second.nodes["shades"]!.failed], ["done", 0, 0]);
      const whole = await Workbench.with((other) => other.run(faulty, { operators }));
      assert.deepEqual([second.digest, second.digestNumbers], [whole.digest, whole.digestNumbers]);
    }));

  test("one that is added later takes the stored values, decoding only for itself", () =>
    Workbench.with(async (bench) => {
      const alone = plain(4).replace(/ {2}shades:.*\n/, "").replace("boxes: shades", "boxes: boxes");
      const first = await bench.run(alone, { operators });
      const second = await bench.run(plain(4), { operators });
      assert.deepEqual([second.nodes["boxes"]!.done, second.nodes["boxes"]!.cached], [0, first.nodes["boxes"]!.done]);
      assert.equal(second.nodes["shades"]!.done, first.nodes["boxes"]!.done);
    }));
});

describe("medium to scene", () => {
  test("a node of the whole medium runs before scenes, once, and a changed one reruns only those who read it", () =>
    Workbench.with(async (bench) => {
      const first = await bench.run(plain(8), { operators });
      assert.equal(first.nodes["whole"]!.done, 1);
      await bench.read((store) => {
        for (const { fields, startUs, endUs } of store.records({ kind: "scene" })) assert.equal(fields["inside"], endUs - startUs);
      });
      const second = await bench.run(plain(8, 2), { operators });
      assert.deepEqual([second.framesDecoded, second.nodes["whole"]!.done, second.nodes["inside"]!.done, second.nodes["shades"]!.done], [0, 1, first.nodes["inside"]!.done, 0]);
      await bench.read((store) => {
        for (const { fields, startUs, endUs } of store.records({ kind: "scene" })) assert.equal(fields["inside"], 2 * (endUs - startUs));
      });
    }));
});
