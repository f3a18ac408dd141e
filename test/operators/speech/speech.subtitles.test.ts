import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Cue } from "../../../src/contracts/items.js";
import { captionSubtitles, firstSentences } from "../../../src/operators/caption/caption.subtitles.js";
import { cuesOfScene, speechSubtitles } from "../../../src/operators/speech/speech.subtitles.js";
import { runEach } from "../run-each.js";
import { mediumOf } from "../scene/score-rows.js";

test("every cue belongs to exactly one of the scenes that tile the medium, one that overlaps it", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 }), fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 60 })), { maxLength: 20 }), (lengths, raw) => {
      let at = 0;
      const scenes = lengths.map((length) => ({ startUs: at, endUs: (at += length) }));
      const cues: Cue[] = raw.filter(([start]) => start < at).map(([start, length], i) => ({ startUs: start, endUs: start + length, text: String(i) }));
      const owners = scenes.flatMap((scene) => cuesOfScene(cues, scene, at).map((cue) => ({ cue, scene })));
      assert.deepEqual(owners.map(({ cue }) => cue.text).sort(), cues.map((cue) => cue.text).sort());
      for (const { cue, scene } of owners) assert.ok(cue.startUs < scene.endUs && cue.endUs > scene.startUs);
    }),
  );
});

test("the transcript is plain text in one line; without subtitles it is empty", async () => {
  const subtitles: Cue[] = [
    { startUs: 0, endUs: 2e6, text: "{\\an8}<i>By day,</i>\na white\\Nlighthouse" },
    { startUs: 3e6, endUs: 4e6, text: "stands 3 < 4 metres." },
    { startUs: 9.5e6, endUs: 11e6, text: "next scene" },
  ];
  const result = await runEach(speechSubtitles, { subtitles }, {}, { startUs: 0, endUs: 1e7 }, mediumOf("video", "a.mp4", 20e6));
  assert.equal(result["text"], "By day, a white lighthouse stands 3 < 4 metres.");
  assert.equal((result["cues"] as Cue[]).length, 2);
  assert.deepEqual(await runEach(speechSubtitles, { subtitles: undefined }), { text: "", cues: [] });
});

test("caption.subtitles keeps whole sentences, cuts one that is too long, skips silence", async () => {
  assert.equal(firstSentences("One two. Three four five! Six.", 5), "One two. Three four five!");
  assert.equal(firstSentences("One two three four.", 2), "One two …");
  assert.equal(firstSentences("no full stop", 10), "no full stop");
  assert.deepEqual(await runEach(captionSubtitles, { transcript: "" }), { skipped: "no words in this scene" });
});
