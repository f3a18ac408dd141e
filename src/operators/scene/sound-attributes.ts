import type { Attribute, Series } from "../../contracts/items.js";
import { column, mean, quantile } from "../series-rows.js";
import { attribute } from "./attribute.js";

const FLOOR_DB = -70;
const SILENT_DB = -50;

/** Level and character of the sound from the 100 ms rows of audio.levels. */
export function soundAttributes(levels: Series): Attribute[] {
  const measured = column(levels, "rmsDb");
  if (measured.length === 0) return [];
  const power = measured.map((db) => 10 ** (db / 10));
  const db = measured.map((level) => Math.max(FLOOR_DB, level));
  const silent = mean(db.map((level) => (level < SILENT_DB ? 1 : 0)));
  const level = Math.max(FLOOR_DB, 10 * Math.log10(mean(power) + 1e-12));
  const range = quantile(db, 0.95) - quantile(db, 0.1);
  const rhythm = speechRhythm(power, db);
  const amplitude = power.map(Math.sqrt);
  const average = mean(amplitude);
  const variation = average > 0 ? Math.sqrt(mean(amplitude.map((a) => (a - average) ** 2))) / average : 0;
  const audible = silent < 0.95;
  const word = !audible ? "silent" : level >= -20 ? "loud" : level < -38 ? "quiet" : null;
  const speech = audible && level >= -45 && rhythm.dips >= 0.18 && rhythm.quickness >= 0.3 && rhythm.crossings >= 1.4 && power.length >= 20;
  const steady = audible && power.length >= 10 && variation < 0.3;
  return [
    attribute("sound.level", level, "dBFS", 1, word),
    attribute("sound.silence", 100 * silent, "% of the time", 1, null),
    attribute("sound.range", range, "dB", 1, null),
    attribute("sound.variation", 100 * variation, "% of the mean amplitude", 0, null),
    attribute("sound.kind", 100 * rhythm.dips, "% of the time 10 dB below the second around", 0, speech ? "speech-like sound" : steady ? "steady sound" : audible && variation >= 1 && range >= 20 ? "changing sound" : null),
  ];
}

/**
 * The rhythm of syllables and pauses: how often the level dips 10 dB below its surroundings, how much of its variation is from one
 * 100 ms to the next, how often it crosses its mean (per second). Bars from the speech, music and effects in this project's media:
 * speech .19–.50 / .33–.63 / 1.4–2.6, piano 0 / .56 / 3.3, orchestra .08 / .13 / .33. It hears rhythm, not words: a drummer may pass.
 */
function speechRhythm(power: Float32Array, db: Float32Array): { dips: number; quickness: number; crossings: number } {
  const n = db.length;
  let dips = 0;
  for (let i = 0; i < n; i++) {
    let around = FLOOR_DB;
    for (let k = Math.max(0, i - 5); k <= Math.min(n - 1, i + 5); k++) around = Math.max(around, db[k]!);
    if (around - db[i]! >= 10 && around > -45) dips++;
  }
  const amplitude = power.map(Math.sqrt);
  const average = mean(amplitude);
  const variance = mean(amplitude.map((a) => (a - average) ** 2));
  let steps = 0;
  let crossings = 0;
  const middle = mean(db);
  for (let i = 1; i < n; i++) {
    steps += (amplitude[i]! - amplitude[i - 1]!) ** 2;
    if (db[i]! > middle !== db[i - 1]! > middle) crossings++;
  }
  return { dips: dips / n, quickness: variance > 0 ? steps / (n - 1) / (2 * variance) : 0, crossings: (10 * crossings) / n };
}
