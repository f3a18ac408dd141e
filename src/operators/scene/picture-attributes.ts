import type { Attribute, Interval, Series } from "../../contracts/items.js";
import { column, mean, quantile } from "../series-rows.js";
import { COLOUR_NAMES, type ColourName } from "../video/palette.js";
import { attribute } from "./attribute.js";
import { blackFrames, frozenFrames } from "./frame-flags.js";

/** A colour is named from this share of the picture on; at most three are. */
const COLOUR_BAR = 0.15;
const WARM: readonly ColourName[] = ["red", "orange", "brown", "yellow", "cream", "pink"];
const COOL: readonly ColourName[] = ["blue", "navy", "teal", "green", "violet"];
const OUTDOOR: readonly ColourName[] = ["blue", "teal", "green"];
const NIGHT: readonly ColourName[] = ["navy", "blue", "violet"];

/** Light and colour, from the motion rows whose picture is not black. */
export function lightAttributes(motion: Series): Attribute[] {
  const all = column(motion, "brightness");
  const keep = [...all.keys()].filter((i) => all[i]! >= 0.03);
  const average = (name: string): number => {
    const values = column(motion, name);
    return mean(keep.map((i) => values[i]!));
  };
  if (all.length === 0 || keep.length === 0) return [];
  const brightness = average("brightness");
  const contrast = average("contrast");
  const saturation = average("saturation");
  const shares = Object.fromEntries(COLOUR_NAMES.map((name) => [name, average(`colour_${name}`)])) as Record<ColourName, number>;
  const sum = (names: readonly ColourName[]): number => names.reduce((total, name) => total + shares[name], 0);
  const [warm, cool] = [sum(WARM), sum(COOL)];
  const grey = shares.black + shares.white + shares.grey;
  // Brightness alone would call every title card a day and every dark room a night: sky, water or leaves, or their blue dark, must be there too.
  const light = brightness >= 0.38 && sum(OUTDOOR) >= 0.2 ? "day" : brightness < 0.27 && sum(NIGHT) >= 0.15 && keep.length >= all.length / 2 ? "night" : null;
  const named = COLOUR_NAMES.map((name) => ({ name, share: shares[name] }))
    .filter(({ share }) => share >= COLOUR_BAR)
    .sort((a, b) => b.share - a.share)
    .slice(0, 3);
  return [
    attribute("light", 100 * brightness, "% luma", 1, light),
    attribute("brightness", 100 * quantile(keep.map((i) => all[i]!), 0.5), "% luma", 1, brightness >= 0.6 ? "bright" : brightness < 0.27 ? "dark" : null),
    attribute("contrast", 100 * contrast, "% luma", 1, contrast >= 0.28 ? "high contrast" : contrast < 0.07 ? "low contrast" : null),
    attribute("saturation", 100 * saturation, "%", 1, grey >= 0.97 && saturation < 0.06 ? "black and white" : saturation >= 0.5 ? "vivid" : saturation < 0.15 ? "muted" : null),
    attribute("colourfulness", average("colourfulness"), "M3", 1, null),
    attribute("warmth", 100 * (warm - cool), "% of the picture", 1, warm - cool >= 0.5 ? "warm" : cool - warm >= 0.5 ? "cool" : null),
    ...named.map(({ name, share }) => attribute(`colour.${name}`, 100 * share, "% of the picture", 1, name)),
  ];
}

/** Share of samples that the camera estimate must hold for before any camera word is said. */
const CAMERA_HELD = 0.5;

export function movementAttributes(motion: Series): Attribute[] {
  // The first sample of a scene is compared with the one before the cut.
  const amount = column(motion, "motion").subarray(1);
  if (amount.length === 0) return [];
  const level = mean(amount);
  const label = level < 0.0015 ? "still" : level < 0.01 ? "little movement" : level >= 0.04 ? "much movement" : null;
  return [attribute("motion", 100 * level, "% luma per sample", 2, label), ...cameraAttributes(motion)];
}

function cameraAttributes(motion: Series): Attribute[] {
  const [dx, dy, zoom, blocks, corners, touched] = ["dx", "dy", "zoom", "blocks", "corners", "cornersTouched"].map((name) => column(motion, name).subarray(1)) as [
    Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array,
  ];
  const samples = [...dx.keys()];
  // Three corners must agree, or something big that passes by reads as a pan. What passes by does not grow, so a zoom needs fewer.
  const moved = samples.filter((i) => corners[i]! >= 3);
  const grown = samples.filter((i) => touched[i]! >= 2 && blocks[i]! >= 8);
  const speedOf = (values: Float32Array, held: number[]): number => mean(held.map((i) => values[i]!));
  const word = (values: Float32Array, held: number[], bar: number, up: string, down: string): string | null => {
    const speed = speedOf(values, held);
    const steady = held.filter((i) => values[i]! * Math.sign(speed) >= bar / 2).length;
    return Math.abs(speed) >= bar && held.length >= CAMERA_HELD * samples.length && steady >= 0.6 * held.length ? (speed > 0 ? up : down) : null;
  };
  const quiet = moved.filter((i) => Math.abs(dx[i]!) < 0.01 && Math.abs(dy[i]!) < 0.02 && Math.abs(zoom[i]!) < 0.04).length;
  const fixed = quiet / samples.length;
  return [
    attribute("camera.pan", 100 * speedOf(dx, moved), "% of the width per second", 1, word(dx, moved, 0.015, "camera pans right", "camera pans left")),
    attribute("camera.tilt", 100 * speedOf(dy, moved), "% of the height per second", 1, word(dy, moved, 0.03, "camera tilts down", "camera tilts up")),
    attribute("camera.zoom", 100 * speedOf(zoom, grown), "% per second", 1, word(zoom, grown, 0.04, "camera zooms in", "camera zooms out")),
    attribute("camera.static", 100 * fixed, "% of the time", 0, fixed >= 0.8 ? "static camera" : null),
  ];
}

/** From the scores of every frame. */
export function frameAttributes(scores: Series, scene: Interval): Attribute[] {
  const frames = scores.ptsUs.length;
  if (frames === 0) return [];
  const black = mean(blackFrames(scores));
  const frozen = mean(frozenFrames(scores).subarray(1));
  const bars = (a: string, b: string): number => {
    const [one, two] = [quantile(column(scores, a), 0.25), quantile(column(scores, b), 0.25)];
    return one >= 0.02 && two >= 0.02 && one + two < 0.9 ? one + two : 0;
  };
  const [letterbox, pillarbox] = [bars("letterboxTop", "letterboxBottom"), bars("letterboxLeft", "letterboxRight")];
  const seconds = (scene.endUs - scene.startUs) / 1e6;
  return [
    attribute("black", 100 * black, "% of the frames", 1, black >= 0.5 ? "black picture" : null),
    attribute("frozen", 100 * frozen, "% of the frames", 1, frozen >= 0.9 && seconds >= 1 && black < 0.5 ? "frozen picture" : null),
    attribute("letterbox", 100 * letterbox, "% of the height", 1, letterbox >= 0.05 ? "letterboxed" : null),
    attribute("pillarbox", 100 * pillarbox, "% of the width", 1, pillarbox >= 0.05 ? "pillarboxed" : null),
  ];
}
