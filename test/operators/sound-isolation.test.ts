/** The operators of sound in a child process give what they give in a thread, to the bit. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { MediumInfo } from "../../src/contracts/media.js";
import { InferencePool } from "../../src/inference/index.js";
import { audioEvents } from "../../src/operators/audio/audio.events.js";
import { speechDiarize } from "../../src/operators/speech/speech.diarize.js";
import { speechTranscribe } from "../../src/operators/speech/speech.transcribe.js";
import { speechVad } from "../../src/operators/speech/speech.vad.js";
import { mediaFile, openMedium } from "../media/media-files.js";
import { segmentationStandIn, voiceStandIn } from "../models/stand-ins/speakers.js";
import { writeWav } from "../models/stand-ins/wav.js";
import { speak, whisperSkip, whisperStandIn } from "../models/stand-ins/whisper.js";
import { soundItems } from "./audio/sound-items.js";
import { eachInPool, realModel } from "./in-pool.js";

const dir = mkdtempSync(join(tmpdir(), "flow-isolation-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const [vad, yamnet] = [realModel("silero-vad"), realModel("yamnet")];
const [jfk, crunching] = [mediaFile("speech/jfk.wav"), mediaFile("speech/crunching.mp3")];

test("threads and processes agree", { skip: vad.skip || yamnet.skip || jfk.skip || crunching.skip || whisperSkip }, async () => {
  const path = join(dir, "said.wav");
  writeWav(path, speak([0, 1, 2, null, 4]));
  const said = await openMedium(path);
  const talk = await openMedium(jfk.path);
  const item = (medium: MediumInfo): Parameters<typeof eachInPool>[2] => ({ inputs: { clip: medium }, medium, interval: { startUs: 0, endUs: medium.durationUs! } });
  const whisper = whisperStandIn().manifest;
  const speakers = { segmentation: segmentationStandIn().manifest, voice: voiceStandIn().manifest };
  const found: unknown[] = [];
  for (const isolation of ["thread", "process"] as const) {
    await using pool = new InferencePool({ workers: 1, isolation });
    const windows = await soundItems(crunching.path, 16_000, 0.975, 0.4875);
    found.push([
      await eachInPool(pool, speechVad, item(talk), { vad: vad.manifest }),
      await eachInPool(pool, speechTranscribe, item(said), { speech: whisper }, { words: true }),
      await eachInPool(pool, speechDiarize, item(said), speakers),
      await pool.run({ kind: "batch", module: audioEvents.module, operator: audioEvents.name, node: "sounds", config: audioEvents.config.parse({}), models: { events: yamnet.manifest }, items: windows }),
    ]);
  }
  assert.deepEqual(found[1], found[0]);
  assert.match(JSON.stringify(found[0]), /and my fellow ask.*Crunch/);
});
