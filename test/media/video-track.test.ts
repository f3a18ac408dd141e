import assert from "node:assert/strict";
import { test } from "node:test";
import type { Session } from "../../src/media/track.js";
import { VideoTrack } from "../../src/media/video-track.js";

test("how far ffmpeg has got is told by its lines, whatever of it still waits to be looked at", () => {
  const session: Session = { post() {}, health() {}, jumped() {}, confirmed: true, confirm() {}, assertWhole() {}, fromUs: -Infinity, verify: null, seeking: false, startUs: 1_000_000 };
  const job = { kind: "video", output: "scores", crcFd: 4, rawFd: 5, deliver: false, ring: null, taps: [], width: 2, height: 2, fps: "all", frameUs: 40_000, durationUs: null, numbered: true } as const;
  const track = new VideoTrack(0, { ...job, taps: [] }, session, []);
  assert.ok(Number.isNaN(track.writtenUs));
  const lines = "#tb 0: 1/90000\n0, 90000, 90000, 1, 12, 0x1\n0, 93600, 93600, 1, 12, 0x1\n0, 97200, 97200, 1, 12, 0x1\n";
  track.pushText(track.text.write(lines, "latin1"));
  assert.equal(track.writtenUs, 80_000);
  track.queue.target().fill(7, 0, 12);
  track.queue.wrote(12);
  track.pump();
  assert.deepEqual([track.lastUs, track.writtenUs], [0, 80_000]);
});
