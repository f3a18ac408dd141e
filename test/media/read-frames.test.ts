import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { MediumInfo } from "../../src/contracts/media.js";
import { readFrames, type FramesWanted, type ReadFrame } from "../../src/media/read-frames.js";
import { left, naming, needsProc } from "../processes.js";
import { collect } from "./collect.js";
import { mediaFile, openMedium } from "./media-files.js";

const CLIP = fileURLToPath(new URL("../../../graphs/demo/clip.mp4", import.meta.url));
const LOOK = { size: [64, 36] as [number, number], geometry: "display" as const };

interface Seen {
  ptsUs: number;
  hash: string;
}

async function read(info: MediumInfo, startUs: number, endUs: number, wanted: Pick<FramesWanted, "which" | "limit">): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { ptsUs, pixels } of readFrames(info, { startUs, endUs }, { ...LOOK, ...wanted })) seen.push({ ptsUs, hash: createHash("sha1").update(pixels).digest("hex") });
  return seen;
}

/** Every frame as the medium's one decode gives it. */
async function all(info: MediumInfo): Promise<Seen[]> {
  const { items } = await collect(info, { video: [{ key: "all", demand: { ...LOOK, fps: "all" }, slots: 4, deliver: true, taps: [] }], audio: [] });
  return items.map(({ ptsUs, hash }) => ({ ptsUs, hash }));
}

const files = ["video/big_buck_bunny_0_30.webm", "video/goldeneye-vfr-drop3.mp4", "video/flipping_a_pancake.mkv", "video/issue-195-aspect-ratio.mp4"].map((path) => ({ name: path, ...mediaFile(path) }));

describe("frames of an interval, decoded again", () => {
  for (const { name, path, skip } of [{ name: "the bundled clip", path: CLIP, skip: false as const }, ...files]) {
    test(`${name}: the same pictures at the same times as in the whole decode`, { skip }, async () => {
      const info = await openMedium(path);
      const whole = await all(info);
      const endUs = whole.at(-1)!.ptsUs;
      const inside = (from: number, to: number): Seen[] => whole.filter(({ ptsUs }) => ptsUs >= from && ptsUs < to);
      // Bounds that are frames' own times: the first is in, the last is not.
      const bound = whole[Math.floor(whole.length * 0.6)]!.ptsUs;
      for (const [from, to] of [[0, 1_000_000], [Math.round(endUs * 0.37), Math.round(endUs * 0.45)], [bound, bound + 900_000], [endUs - 400_000, endUs + 1_000_000]] as const) {
        assert.deepEqual(await read(info, from, to, { which: { fps: "all" } }), inside(from, to), `${from}–${to}`);
      }
      const chosen = [whole[3]!, whole[Math.floor(whole.length * 0.7)]!, whole.at(-1)!];
      assert.deepEqual(await read(info, 0, endUs, { which: { at: chosen.map(({ ptsUs }) => ptsUs) } }), chosen);
    });
  }

  test("a rate counts from the interval's start, a count is spread over it, a limit ends it", async () => {
    const info = await openMedium(CLIP);
    const whole = await all(info);
    const firstFrom = (us: number): number => whole.find(({ ptsUs }) => ptsUs >= us)!.ptsUs;
    const times = async (from: number, to: number, wanted: Pick<FramesWanted, "which" | "limit">): Promise<number[]> => (await read(info, from, to, wanted)).map(({ ptsUs }) => ptsUs);
    assert.deepEqual(await times(7_310_000, 11_310_000, { which: { fps: 1 } }), [7_310_000, 8_310_000, 9_310_000, 10_310_000].map(firstFrom));
    // Shorter than a second: still its first frame.
    assert.deepEqual(await times(7_310_000, 7_700_000, { which: { fps: 1 } }), [firstFrom(7_310_000)]);
    assert.deepEqual(await times(10_000_000, 14_000_000, { which: { count: 8 } }), Array.from({ length: 8 }, (_, i) => firstFrom(10_000_000 + i * 500_000)));
    // Fewer frames than are asked for: all of them.
    assert.equal((await times(10_000_000, 10_200_000, { which: { count: 99 } })).length, whole.filter(({ ptsUs }) => ptsUs >= 10_000_000 && ptsUs < 10_200_000).length);
    assert.equal((await times(10_000_000, 14_000_000, { which: { fps: "all" }, limit: 3 })).length, 3);
    assert.deepEqual(await times(0, 1, { which: { at: [] } }), []);
  });

  test("a reader that stops early leaves no ffmpeg behind", { skip: needsProc }, async () => {
    // Under a name of its own, so that its ffmpeg can be told from others.
    const dir = await mkdtemp(join(tmpdir(), "flow-frames-"));
    await symlink(CLIP, join(dir, "only.mp4"));
    const info = await openMedium(join(dir, "only.mp4"));
    const frames: ReadFrame[] = [];
    for await (const frame of readFrames(info, { startUs: 0, endUs: 60_000_000 }, { which: { fps: "all" }, size: [640, 360], geometry: "display" })) {
      frames.push(frame);
      if (frames.length === 2) break;
    }
    assert.deepEqual(await left(() => naming(dir)), []);
    await rm(dir, { recursive: true });
    assert.deepEqual(frames.map(({ width, height, pixels }) => [width, height, pixels.length]), Array(2).fill([640, 360, 640 * 360 * 3]));
  });

  test("a picture is one frame; sound alone has none", mediaFile("images/scenes/dog.jpg"), async () => {
    const info = await openMedium(mediaFile("images/scenes/dog.jpg").path);
    assert.deepEqual((await read(info, 0, 1, { which: { fps: 1 } })).map(({ ptsUs }) => ptsUs), [0]);
    assert.deepEqual(await read({ ...info, video: null }, 0, 1, { which: { fps: 1 } }), []);
  });
});
