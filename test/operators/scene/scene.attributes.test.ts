import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Attribute, Interval, Series } from "../../../src/contracts/items.js";
import { captionMeasured, composeCaption } from "../../../src/operators/caption/caption.measured.js";
import { sceneAttributes } from "../../../src/operators/scene/scene.attributes.js";
import { levelRows, pcmOf } from "../audio-levels/level-rows.js";
import { runEach } from "../run-each.js";
import { between, motionRows } from "../video/motion-rows.js";
import { scoreRows } from "./score-rows.js";

interface TruthScene extends Interval {
  name: string;
  light: string;
  motion: string;
  colours: string[];
  sound: string;
}

const demo = fileURLToPath(new URL("../../../../graphs/demo/", import.meta.url));
const truth = JSON.parse(readFileSync(join(demo, "truth.json"), "utf8")) as { scenes: TruthScene[]; audio: { endUs: number } };
const found = new Map<string, Attribute[]>();

before(async () => {
  const clip = join(demo, "clip.mp4");
  const [motion, scores, levels] = [motionRows(clip), (await scoreRows(clip)).series, levelRows(pcmOf(clip))];
  const part = (series: Series, scene: Interval): Series => between(series, scene.startUs, scene.endUs);
  for (const scene of truth.scenes) {
    const sounds = scene.startUs < truth.audio.endUs;
    const inputs = { motion: part(motion, scene), scores: part(scores, scene), levels: sounds ? part(levels, scene) : undefined };
    found.set(scene.name, (await runEach(sceneAttributes, inputs, {}, scene))["attributes"] as Attribute[]);
  }
});

const label = (scene: string, name: string): string | null | undefined => found.get(scene)!.find((a) => a.name === name)?.label;

test("the bundled clip: no light, camera or sound is named that its truth denies", () => {
  for (const scene of truth.scenes) {
    const light = label(scene.name, "light");
    if (light) assert.equal(light, scene.light, scene.name);
    const camera = ["camera.pan", "camera.tilt", "camera.zoom"].map((name) => label(scene.name, name)).filter(Boolean);
    const allowed: Record<string, string> = { "pan-right": "camera pans right", "pan-left": "camera pans left", "zoom-in": "camera zooms in" };
    for (const word of camera) assert.equal(word, allowed[scene.motion], scene.name);
    if (label(scene.name, "camera.static")) assert.ok(["static", "moving-subject", "rotation", "waves"].includes(scene.motion), scene.name);
    assert.equal(label(scene.name, "sound.kind") === "speech-like sound", scene.sound === "speech", scene.name);
    if (scene.sound === "silence") assert.equal(label(scene.name, "sound.level"), "silent");
    const named = found.get(scene.name)!.filter((a) => a.name.startsWith("colour.") && a.label);
    assert.ok(named.length === 0 || named.some((a) => scene.colours.includes(a.label!)), `${scene.name}: ${named.map((a) => a.label).join(" ")}`);
  }
});

test("the bundled clip: what is plain is named", () => {
  for (const name of ["lighthouse-day", "forest", "open-sea", "coral-reef", "lighthouse-again"]) assert.equal(label(name, "light"), "day", name);
  assert.equal(label("lighthouse-night", "light"), "night");
  for (const name of ["lighthouse-day", "lighthouse-again"]) assert.equal(label(name, "camera.pan"), "camera pans right", name);
  assert.equal(label("forest", "camera.pan"), "camera pans left");
  assert.equal(label("house-sunset", "camera.zoom"), "camera zooms in");
  assert.equal(label("red-car", "camera.static"), "static camera");
  assert.equal(label("title", "frozen"), "frozen picture");
  assert.equal(label("black", "black"), "black picture");
});

test("about twenty numbers with units; below its bar a number has no label and no synonyms; without a stream its attributes are missing", async () => {
  for (const attributes of found.values()) {
    for (const { name, value, unit, label: word, synonyms } of attributes) assert.ok(Number.isFinite(value) && unit !== "" && (word !== null || synonyms.length === 0), name);
    assert.equal(new Set(attributes.map((a) => a.name)).size, attributes.length);
  }
  assert.ok(found.get("lighthouse-day")!.length >= 20);
  assert.ok(!found.get("house-sunset")!.some((a) => a.name.startsWith("sound.")));
  const bare = (await runEach(sceneAttributes, {}, {}, { startUs: 0, endUs: 1_500_000 }))["attributes"] as Attribute[];
  assert.deepEqual(bare, [{ name: "length", value: 1.5, unit: "s", label: "short", synonyms: ["brief", "quick"] }]);
});

test("captions say what passed and nothing else", async () => {
  assert.equal(composeCaption(found.get("lighthouse-night")!), "A night scene, mostly navy and blue, static camera, speech-like sound.");
  assert.equal(composeCaption(found.get("black")!), "A black picture, silent.");
  assert.match(composeCaption(found.get("forest")!), /^A bright daytime scene, mostly green, camera pans left/);
  const one = (name: string, word: string | null): Attribute => ({ name, value: 1, unit: "", label: word, synonyms: [] });
  assert.deepEqual(await runEach(captionMeasured, { attributes: [] }), { text: "A stretch of sound." });
  assert.deepEqual(await runEach(captionMeasured, { attributes: [one("sound.level", "loud"), one("length", "short")] }), { text: "A short stretch of sound, loud." });
  assert.deepEqual(await runEach(captionMeasured, { attributes: [one("brightness", "bright"), one("colour.blue", "blue")] }), { text: "A bright picture, blue." });
  assert.equal(composeCaption([one("length", null), one("brightness", null), one("motion", "still")]), "A scene, nothing moves.");
});
